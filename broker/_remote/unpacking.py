"""Unpacking: received values, with references made to what this side shows for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from broker._objects.reference import RemoteReference
from broker._remote.atoms import (
    CARRIED,
    ELSEWHERE,
    PLAIN,
    QUOTED,
    RAISED,
    REFERENCE,
    RESULT,
    STREAM,
    is_tagged,
    lift_odd,
)
from broker._remote.descriptors import decode, digest
from broker._remote.elsewhere import decode_pass
from broker._remote.exported import Exported, Relayed
from broker._remote.faults import rebuild
from broker._remote.forms import CONTAINERS
from broker._remote.names import clean
from broker._remote.side import Kind, Side, side_of
from broker._remote.verbs import Result
from broker.errors import BadValue, LimitExceeded

__all__ = ["Batch", "Presenter", "Unpacker", "introduce"]

_INTS: Final = PLAIN | {int}
#: Deepest nesting; each level takes four of the thousand frames that Python has.
_DEPTH: Final = 150


class Batch:
    """A batch as it arrived: items, whether that is all, what came instead of the next item, the value at the end."""

    __slots__ = ("done", "error", "items", "value")

    def __init__(self, items: list[Any], done: bool, error: BaseException | None, value: Any) -> None:
        self.items = items
        self.done = done
        self.error = error
        self.value = value


class Presenter(Protocol):
    """What decides how this side shows objects of the peer, see `broker._remote.holder.Holder`."""

    def served(self, side: Side) -> Presenter:
        """Return what shows them to code that is served over a connection."""

    def present(self, reference: RemoteReference, kind: Kind | None) -> Any:
        """Return what stands for an object of the peer."""

    def present_stream(self, reference: RemoteReference | None, batch: Batch) -> Any:
        """Return what stands for a stream of the peer, with the batch that came with it."""


class Unpacker:
    """Unpacks the parts of one message.

    :param side: the connection.
    :param presenter: shows objects of the peer.
    :param home: called for every object of ours that came home; returns what stands for it.
    :param types: most descriptors that are kept of the peer.
    :param elsewhere: finds objects of ours that are named as on another connection.
    :ivar has_results: whether there is a result of an earlier step among the values.
    """

    __slots__ = ("_depth", "_elsewhere", "_home", "_presenter", "_seen", "_types", "has_results", "side")

    def __init__(
        self,
        side: Side,
        presenter: Presenter,
        home: Callable[[Exported], Any] | None = None,
        types: int = 4096,
        elsewhere: Callable[[Side, tuple[Any, ...]], Exported] | None = None,
    ) -> None:
        self.side = side
        self.has_results = False
        self._presenter = presenter
        self._home = home
        self._types = types
        self._elsewhere = elsewhere
        self._depth = 0
        self._seen: set[int] | None = None

    def value(self, value: Any) -> Any:
        """Return a value with everything in it unpacked. Lists and dictionaries are changed in place.

        :raises BadValue: something in it is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
        kind = type(value)
        if kind in _INTS:
            return value
        if kind in CONTAINERS:
            self._depth += 1
            if self._depth > _DEPTH:
                raise LimitExceeded(f"containers nested deeper than {_DEPTH}")
            value = self._container(value, kind)
            self._depth -= 1
            return value
        if kind is Exported:
            return self._came_home(value)
        if issubclass(kind, RemoteReference):
            return self._presenter.present(value, self.side.kinds.get(value))
        return value

    def steps(self, forms: list[Any]) -> None:
        """Unpack what is in the forms of steps, in place.

        :raises BadValue: something in it is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
        self._depth += 1
        for index, form in enumerate(forms):
            if type(form) is not list or not _is_plain(form):
                forms[index] = self.value(form)
        self._depth -= 1

    def _container(self, value: Any, kind: type) -> Any:
        if kind is list:
            return self._list(value)
        if kind is dict:
            return self._dict(value)
        if kind is tuple and is_tagged(value):
            return self._tagged(value)
        return value if set(map(type, value)) <= _INTS else kind(map(self.value, value))

    def _first_time(self, value: Any) -> bool:
        if self._seen is None:
            self._seen = set()
        if id(value) in self._seen:
            return False
        self._seen.add(id(value))
        return True

    def _list(self, value: list[Any]) -> list[Any]:
        if not set(map(type, value)) <= _INTS and self._first_time(value):
            value[:] = [self.value(item) for item in value]
        return value

    def _dict(self, value: dict[Any, Any]) -> dict[Any, Any]:
        if set(map(type, value.values())) <= _INTS and set(map(type, value)) <= _INTS:
            return value
        if self._first_time(value):
            items = [(self.value(key), self.value(item)) for key, item in value.items()]
            value.clear()
            value.update(items)
        return value

    def _tagged(self, form: tuple[Any, ...]) -> Any:
        tag = form[0]
        if tag == REFERENCE:
            return self._reference(form)
        if tag == QUOTED:
            return tuple(map(self.value, form[1:]))
        if tag == CARRIED and len(form) == 2:
            return form[1] if not issubclass(type(form[1]), (Exported, RemoteReference)) else self.value(form[1])
        if tag == RESULT and len(form) == 2 and type(form[1]) is int:
            self.has_results = True
            return Result(form[1])
        if tag == ELSEWHERE and self._elsewhere is not None:
            return self._came_home(self._elsewhere(self.side, form))
        if tag == STREAM and len(form) == 6:
            reference = form[1]
            if reference is not None and not isinstance(reference, RemoteReference):
                raise BadValue("a stream that is no object of the peer")
            return self._presenter.present_stream(reference, self.batch(form[2:]))
        if tag == RAISED and len(form) == 2:
            return rebuild(form[1], self.side.broker.registry)
        return lift_odd((tag, *map(self.value, form[1:])))

    def batch(self, parts: tuple[Any, ...]) -> Batch:
        """Return a batch.

        :raises BadValue: it is none.
        """
        if len(parts) != 4 or type(parts[0]) is not list or type(parts[1]) is not bool:
            raise BadValue("a batch is a list of items, a boolean, a failure and a value")
        error = None if parts[2] is None else rebuild(parts[2], self.side.broker.registry)
        return Batch(self.value(parts[0]), parts[1], error, self.value(parts[3]))

    def _reference(self, form: tuple[Any, ...]) -> Any:
        """Return what stands for ``(tag reference [identity of its type [own names [descriptor]]])``."""
        if not 2 <= len(form) <= 6:
            raise BadValue("a reference with too many parts")
        reference = form[1]
        if type(reference) is Exported:
            return self._came_home(reference)
        if not isinstance(reference, RemoteReference):
            raise BadValue("a reference that is no reference")
        if len(form) > 2:
            introduce(self.side, reference, form[2:], self._types)
        return self._presenter.present(reference, self.side.kinds.get(reference))

    def _came_home(self, adapter: Exported) -> Any:
        if type(adapter.object) is Relayed:
            reference = adapter.object.reference
            return self._presenter.present(reference, side_of(reference.broker).kinds.get(reference))
        return adapter.object if self._home is None else self._home(adapter)


def introduce(side: Side, reference: RemoteReference, told: tuple[Any, ...], limit: int) -> None:
    """Take what the peer tells about a reference: identity of its type, own names, descriptor.

    :param limit: most descriptors that are kept of the peer.
    :raises BadValue: it is malformed.
    """
    if len(told) > 3:
        side.theirs = decode_pass(told[3])
    identity = told[0]
    if type(identity) is not bytes or len(identity) != 8:
        raise BadValue("the identity of a type is eight bytes")
    if len(told) > 2 and told[2] is not None:
        descriptor = decode(told[2])
        if digest(descriptor) != identity:
            raise BadValue("a descriptor that is not the one announced")
        side.learn(identity, descriptor, limit)
    known = side.types.get(identity)
    if known is None:
        return
    names = told[1] if len(told) > 1 and told[1] is not None else ()
    if type(names) is not tuple:
        raise BadValue("the names of an object are a tuple")
    side.kinds[reference] = Kind(known, frozenset(map(clean, names)))


def _is_plain(form: list[Any]) -> bool:
    """Say whether there is nothing to unpack in a step, as in most: scalars, and arguments that are scalars."""
    for part in form:
        kind = type(part)
        if kind in _INTS or (kind is dict and not part):
            continue
        if kind is not list or not set(map(type, part)) <= _INTS:
            return False
    return True
