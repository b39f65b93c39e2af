"""Packing: values on their way out, each part in the form that policy and request decide.

Plain values stay as they are, the very objects, so that sharing and cycles survive. A container is copied only when
something in it has to be put differently: a reference, an object to be referred to, an odd value.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Set
from itertools import islice
from typing import Any, Final, Protocol

from broker._objects.reference import RemoteReference
from broker._remote.atoms import (
    CARRIED,
    LARGE,
    ODD,
    PLAIN,
    QUOTED,
    RAISED,
    REFERENCE,
    RESULT,
    STREAM,
    is_tagged,
    lower_odd,
)
from broker._remote.elsewhere import name_elsewhere
from broker._remote.exported import Exported
from broker._remote.faults import describe_exception
from broker._remote.forms import CONTAINERS, Form, Rules, Said
from broker._remote.held import Pending, reference_of
from broker._remote.names import INTERPRETER
from broker._remote.policy import Override
from broker._remote.side import Side, side_of
from broker._remote.streams import Stream, Taken
from broker._remote.verbs import Refused, Result, Want
from broker._values.jellyable import Jellyable
from broker._values.path import key_step, type_name
from broker.errors import InsecureJelly, LimitExceeded

__all__ = ["Foreign", "Lender", "Packer"]

_INTS: Final = PLAIN | {int}
#: Deepest nesting of containers that are looked into; each level takes six of the thousand frames that Python has.
_DEPTH: Final = 100


class Foreign(Refused, InsecureJelly):
    """A reference to an object of a third party, which the policy does not let pass."""

    __module__ = Refused.__module__


class Lender(Protocol):
    """What offers objects that are passed by reference, see `broker._remote.adapter.Owner`."""

    def adapter(self, side: Side, value: Any, override: Override | None = None) -> Exported:
        """Return the adapter by which a peer gets a reference to an object."""

    def was_shared(self, value: Any) -> bool:
        """Return whether an object was passed by reference before, and always is therefore."""

    def open_stream(self, side: Side, value: Any) -> Stream:
        """Return an open stream of a value's items.

        :raises LimitExceeded: too many are open.
        """

    def stream_adapter(self, stream: Stream) -> Exported:
        """Return the adapter by which a peer gets at a stream."""

    def tracebacks(self, side: Side) -> bool:
        """Return whether tracebacks go with exceptions."""

    def relay(self, side: Side, reference: RemoteReference) -> Exported:
        """Return what stands here for an object of a third party.

        :raises Foreign: nothing does.
        """


class Packer:
    """Packs the parts of one message.

    :param side: the connection.
    :param rules: the forms of values.
    :param lender: offers objects that go by reference.
    :param want: which form is wanted.
    :param override: what the policy says about this result, whatever the rules are.
    :param number: returns the number of the step that an expression among the values has become; without it there may
        be none.
    :param bare: references stand by themselves, for peers that know nothing of tags.
    """

    __slots__ = (
        *("_bare", "_depth", "_memo", "_number", "_override", "_plain", "_trail", "_want"),
        *("lender", "opened", "pushed", "rules", "side"),
    )

    def __init__(
        self,
        side: Side,
        rules: Rules,
        lender: Lender,
        want: Want = Want.AUTO,
        override: Override | None = None,
        number: Callable[[Any], int | None] | None = None,
        bare: bool = False,
    ) -> None:
        self.side = side
        self.rules = rules
        self.lender = lender
        self.pushed: list[bytes] = []
        self.opened: list[tuple[Exported, Stream]] = []
        self._bare = bare
        self._want = want
        self._override = override
        self._number = number
        self._memo: dict[int, Any] = {}
        self._trail: list[str] = []
        self._depth = 0
        # Rules speak of scalars together.
        self._plain = want is Want.VALUE or rules.form(0) is Form.COPY

    def commit(self) -> None:
        """The message has been encoded: what was told in it is known to the peer, and what was opened is its."""
        self.side.told.update(self.pushed)
        for adapter, opened in self.opened:
            self.side.broker.notifyOnRelease(adapter, opened.close)

    def abandon(self) -> None:
        """The message is not sent after all."""
        for _, opened in self.opened:
            opened.close()

    def value(self, value: Any) -> Any:
        """Pack one value.

        :raises InsecureJelly: something in it may not cross, or cannot.
        :raises LimitExceeded: it is nested too deeply.
        """
        kind = type(value)
        override, self._override = self._override, None
        if self._want is Want.REF or override is not None:
            form = override if isinstance(override, Form) else Form.REF
            if kind is not Said and kind is not Exported and reference_of(value) is None:
                return self._formed(value, self._allowed(value, form), override)
        if self._plain and kind in PLAIN:
            return value
        return self._item(value)

    def arguments(self, args: Any) -> Any:
        """Pack a list or dictionary that is always a container, whatever the rules say: the arguments of a call."""
        if not args:
            return args
        if type(args) is dict:
            return {key: self._item(item) for key, item in args.items()}
        return [self._item(item) for item in args]

    # One part.

    def _item(self, value: Any) -> Any:
        kind = type(value)
        if self._plain and kind in _INTS:
            return value if kind is not int or -LARGE < value < LARGE or self._bare else lower_odd(value)
        reference = reference_of(value)
        if reference is not None:
            return self._reference(reference)
        if kind is Said:
            return self._formed(value.value, self._allowed(value.value, value.form), value.policy)
        if kind is Exported:
            return self.offer(value)
        if self._number is not None:
            number = self._number(value)
            if number is not None:
                return (RESULT, number)
        if kind is Result:
            return (RESULT, value.number)
        if issubclass(kind, Pending):
            raise TypeError("an expression, or a method of a proxy, cannot be sent by itself: await it first")
        return self._formed(value, self._form(value))

    def _form(self, value: Any) -> Form:
        kind = type(value)
        if kind not in _INTS and self.lender.was_shared(value):
            return self._allowed(value, Form.REF)
        form = Form.COPY if self._by_value(kind) else self.rules.form(value)
        if self._want is Want.VALUE and form is not Form.REFUSE:
            form = Form.COPY
        return self._allowed(value, form)

    def _by_value(self, kind: type) -> bool:
        """Say whether a class is registered as one whose instances are copied; where everything goes by reference,
        they do as well."""
        return self._plain and kind in self.side.broker.registry.classes()

    def _allowed(self, value: Any, form: Form) -> Form:
        return Form.REFUSE if isinstance(value, INTERPRETER) else form

    def _formed(self, value: Any, form: Form, override: Override | None = None) -> Any:
        if form is Form.COPY:
            return self._copy(value)
        if form is Form.REF:
            if isinstance(value, Jellyable):
                return value if self._bare else (CARRIED, value)
            return self.offer(self.lender.adapter(self.side, value, override))
        if form is Form.STREAM:
            return self.stream(self.lender.open_stream(self.side, value), Taken([]))
        if form is Form.VOID:
            return None
        raise self._refusal(value, "may not be sent")

    def stream(self, opened: Stream, taken: Taken) -> Any:
        """Pack a stream with its first batch."""
        adapter = None
        if not taken.done:
            adapter = self.lender.stream_adapter(opened)
            self.opened.append((adapter, opened))
        return adapter if self._bare else (STREAM, adapter, *self.batch(taken))

    def batch(self, taken: Taken) -> tuple[Any, ...]:
        """Pack a batch."""
        failure = None if taken.error is None else describe_exception(taken.error, self.lender.tracebacks(self.side))
        return (self.arguments(taken.items), taken.done, failure, self.value(taken.value))

    def offer(self, adapter: Exported) -> Any:
        """Pack a reference to an adapter, with what the peer is to be told about it."""
        if self._bare:
            return adapter
        return (REFERENCE, adapter, *adapter.owner.introduction(self.side, adapter, self.pushed))

    def _reference(self, reference: RemoteReference) -> Any:
        if reference.broker is self.side.broker:
            return reference if self._bare else (REFERENCE, reference)
        if not self._bare:
            named = name_elsewhere(side_of(reference.broker).theirs, self.side.theirs, reference.luid)
            if named is not None:
                return named
        return self.offer(self.lender.relay(self.side, reference))

    def _refusal(self, value: Any, what: str) -> InsecureJelly:
        where = f", at {''.join(self._trail)}" if self._trail else ""
        return InsecureJelly(f"a {type_name(type(value))} {what}{where}")

    # Copies.

    def _copy(self, value: Any) -> Any:
        kind = type(value)
        if kind in CONTAINERS:
            return self._container(value, kind)
        if kind in PLAIN:
            return value
        if kind is int:
            return value if -LARGE < value < LARGE else lower_odd(value)
        if kind in ODD and not self._bare:
            lowered = lower_odd(value)
            return (lowered[0], *map(self._item, lowered[1:])) if kind is slice else lowered
        if issubclass(kind, Jellyable) or self._by_value(kind):
            return value if self._bare else (CARRIED, value)
        if issubclass(kind, BaseException) and not self._bare:
            return (RAISED, describe_exception(value, self.lender.tracebacks(self.side)))
        return self._container(*self._plainer(value))

    def _plainer(self, value: Any) -> tuple[Any, type]:
        """Return a container of a builtin type with what a container of another type has in it."""
        if isinstance(value, Mapping):
            return dict(value), dict
        if isinstance(value, (list, deque, array)) or _is_view(value):
            return list(value), list
        if isinstance(value, tuple):
            return tuple(value), tuple
        if isinstance(value, Set):
            return set(value), set
        if isinstance(value, Iterator) and self._want is Want.VALUE:
            return list(islice(value, _MOST)), list
        bases: tuple[Any, ...] = (int, float, str, bytes)
        for base in bases:
            if isinstance(value, base):
                return [base(value)], type(None)
        raise self._refusal(value, "cannot be copied: register a Copyable for it, or ask for a reference")

    def _container(self, value: Any, kind: type) -> Any:
        if kind is type(None):
            return self._item(value[0])
        if self._plain and self._is_plain(value, kind):
            return value
        known = self._memo.get(id(value))
        if known is not None:
            return known[0]
        self._depth += 1
        if self._depth > _DEPTH:
            raise LimitExceeded(f"containers nested deeper than {_DEPTH}")
        packed: Any
        if kind is list:
            packed = []
            self._memo[id(value)] = (packed, value)
            packed.extend(self._at(item, f"[{index}]") for index, item in enumerate(value))
        elif kind is dict:
            packed = {}
            self._memo[id(value)] = (packed, value)
            for key, item in list(value.items()):
                packed[self._item(key)] = self._at(item, key_step(key))
        else:
            packed = kind(self._at(item, f"[{index}]") for index, item in enumerate(value))
            if kind is tuple and is_tagged(value) and not self._bare:
                packed = (QUOTED, *packed)
        self._depth -= 1
        return packed

    def _at(self, item: Any, step: str) -> Any:
        self._trail.append(step)
        packed = self._item(item)
        self._trail.pop()
        return packed

    def _is_plain(self, value: Any, kind: type) -> bool:
        """Say whether a container holds nothing but scalars that go as they are."""
        kinds = set(map(type, value))
        items = value
        if kind is dict:
            kinds.update(map(type, value.values()))
            items = (*value, *value.values()) if int in kinds else ()
        if not kinds <= _INTS or (kind is tuple and is_tagged(value)):
            return False
        if int not in kinds:
            return True
        numbers = items if kinds == {int} else [item for item in items if type(item) is int]
        return max(numbers) < LARGE and min(numbers) > -LARGE


#: Most items of an iterator that is asked for by value.
_MOST: Final = 1_000_000


def _is_view(value: Any) -> bool:
    return isinstance(value, (type({}.keys()), type({}.values()), type({}.items())))
