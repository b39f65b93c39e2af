"""Proxies of a manager's objects, for code that waits: they can be pickled, and go on in a process that is forked.

What a proxy knows is a reference on the connection of its process to the manager; or, before it is first used there, a
*ticket*: what the manager gives a reference for. See `broker.blocking.station`, which keeps the connection.
"""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import Any, Final, NamedTuple, Protocol

from broker._objects.reference import RemoteReference
from broker._remote.descriptors import ABCS, Descriptor
from broker._remote.held import Held, state_of
from broker._remote.holder import Holder
from broker._remote.operate import perform
from broker._remote.proxy import Live, Proxy, State, make_proxy, new_proxy
from broker._remote.sending import Transport
from broker._remote.side import Kind
from broker._remote.special import methods_for
from broker._remote.verbs import Verb, Want
from broker.blocking.asking import ENTERING, ITEMS, methods_of
from broker.errors import RemoteError
from broker.manager import HELD, OWNED

__all__ = ["BaseProxy", "MakeProxyType", "SharedState", "SharedView", "Station", "Ticket"]

_NO_MORE: Final = b"builtins.StopIteration"


class Ticket(NamedTuple):
    """What a manager gives a reference to an object for.

    :param token: of the connection that the object was held on.
    :param number: of the reference there.
    :param secret: of a grant.
    """

    token: bytes
    number: int
    secret: bytes | None


class Station(Transport, Protocol):
    """What has the connection, see `broker.blocking.station.Station`."""

    where: str

    def said_of(self, typeid: str) -> tuple[type[BaseProxy] | None, bool]:
        """Return the class of proxies that was registered for a type, and whether it may be one of the usual types."""

    def resolve(self, state: SharedState) -> RemoteReference:
        """Return the reference for the ticket of a proxy."""

    def pickled(self, proxy: Held) -> Any:
        """Return what `pickle` makes a proxy of again."""


class SharedState(State):
    """What a proxy of a shared object knows.

    :ivar found: the reference, or None for one that is to be had for the ticket.
    :ivar ticket: see there; None for a proxy that was never without a reference.
    :ivar own: attributes of the proxy itself, where it may have some and has.
    """

    __slots__ = ("found", "own", "ticket")

    def __init__(self, reference: RemoteReference | None, view: Any, kind: Kind, ticket: Ticket | None = None) -> None:
        self.ticket = ticket
        super().__init__(reference, view, kind)  # type: ignore[arg-type]

    @property
    def reference(self) -> RemoteReference:
        """The reference; asks for it if need be."""
        found = self.found
        return self.view.station.resolve(self) if found is None else found

    @reference.setter
    def reference(self, found: RemoteReference | None) -> None:
        self.found = found


class BaseProxy(Proxy):
    """A proxy of a shared object, with nothing of its own; the base of all, and of classes for `proxytype`.

    Such a class calls methods of the object with `_callmethod`. It is not called: proxies are made without `__init__`.
    """

    __slots__ = ()

    def _callmethod(self, methodname: str, args: Any = (), kwds: Any = None) -> Any:
        """Call a method of the object.

        :returns: a copy of the result; a proxy of what is shared, and an iterator over what is one.
        :raises RemoteError: the method is not offered, or its result cannot be copied.
        """
        try:
            return perform(self, Verb.CALL, methodname, list(args), dict(kwds or {}))
        except RemoteError as error:
            if error.remoteType == _NO_MORE:
                # Elsewhere it would end something by accident; here it is what `__next__` is called for.
                raise StopIteration(*error.args) from error.__cause__
            raise

    def _getvalue(self) -> Any:
        """Return a copy of the object.

        :raises RemoteError: it cannot be copied, as the text says.
        """
        return perform(self, Verb.VALUE, want=Want.VALUE)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._getvalue()

    def __copy__(self) -> Any:
        return new_proxy(type(self), state_of(self))

    def __str__(self) -> str:
        # Logs, debuggers and test reports ask at any time.
        try:
            return str(perform(self, Verb.CONV, "str"))
        except Exception as error:  # noqa: BLE001  whatever is wrong with the connection: there must be some text
            return f"{repr(self)[:-1]}; no text: {type(error).__name__}>"

    def __repr__(self) -> str:
        state = state_of(self)
        found = state.found
        number = state.ticket.number if found is None else getattr(found, "luid", "released")
        return f"<{state.kind.descriptor.name} proxy {number} at {state.view.station.where}>"

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, BaseProxy):
            return NotImplemented
        return self is other or state_of(self).reference == state_of(other).reference

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), "_callmethod", "_getvalue"})

    def __reduce_ex__(self, protocol: Any) -> Any:
        return state_of(self).view.station.pickled(self)


def MakeProxyType(name: str, exposed: Any = (), _cache: Any = None) -> type[BaseProxy]:
    """Return a class of proxies whose methods call those of the object.

    :param name: of the class.
    :param exposed: the names of the methods.
    """
    namespace: dict[str, Any] = {method: _calling(method) for method in exposed}
    return type(name, (BaseProxy,), {**namespace, "_exposed_": tuple(exposed)})


def _calling(name: str) -> Any:
    def method(self: BaseProxy, /, *args: Any, **kw: Any) -> Any:
        return self._callmethod(name, args, kw)

    method.__name__ = name
    return method


class SharedView(Holder):
    """Makes proxies of a manager's objects.

    :param station: has the connection.
    """

    def __init__(self, station: Station) -> None:
        super().__init__(HELD, station)
        self.station = station

    def present(self, reference: RemoteReference, kind: Kind | None) -> Any:
        """Return the proxy for a shared object: always the same as long as it is held."""
        return make_proxy(self, reference, kind, self.class_of, SharedState)

    def class_of(self, view: Any, descriptor: Descriptor) -> type[Held]:
        """Return the class of proxies for a type."""
        proxytype, owned = self.station.said_of(descriptor.name)
        return proxytype or _shared_class(descriptor, OWNED.get(descriptor.name, frozenset()) if owned else frozenset())


@lru_cache(maxsize=1024)
def _shared_class(descriptor: Descriptor, owned: frozenset[str]) -> type[Held]:
    namespace = methods_for(descriptor, True, HELD.compare, "local")
    namespace.update({name: method for name, method in ITEMS.items() if name in namespace})
    if {"__next__", "__anext__"}.isdisjoint(descriptor.dunders):
        # Those of iterators have to know what was fetched ahead.
        methods = methods_of(descriptor, owned)
        namespace.update({name: method for name, method in methods.items() if name not in vars(BaseProxy)})
    if owned:
        namespace.update(ENTERING)
    if descriptor.name == "Namespace":
        namespace.update({"__getattr__": _own_get, "__setattr__": _own_set, "__delattr__": _own_delete})
    if "wait_for" in owned:
        namespace["wait_for"] = _wait_for
    made = type("Shared", (BaseProxy, Live), {"__slots__": (), "__module__": __name__, "__doc__": None, **namespace})
    for name in descriptor.abcs:
        register = getattr(ABCS.get(name), "register", None)
        if register is not None:
            register(made)
    return made


# A namespace has no names that begin with an underscore: those are the proxy's own, which nobody else sees.


def _own_names(proxy: Any) -> dict[str, Any]:
    state = state_of(proxy)
    found: dict[str, Any] | None = getattr(state, "own", None)
    if found is None:
        found = state.own = {}
    return found


def _own_get(self: Any, name: str) -> Any:
    if not name.startswith("_"):
        return Live.__getattr__(self, name)
    if name not in _own_names(self):
        raise AttributeError(f"the proxy of a namespace has no attribute {name!r}")
    return _own_names(self)[name]


def _own_set(self: Any, name: str, value: Any) -> None:
    if name.startswith("_"):
        _own_names(self)[name] = value
    else:
        Live.__setattr__(self, name, value)


def _own_delete(self: Any, name: str) -> None:
    if name.startswith("_"):
        _own_get(self, name)
        del _own_names(self)[name]
    else:
        Live.__delattr__(self, name)


def _wait_for(self: Any, predicate: Any, timeout: float | None = None) -> Any:
    """Wait until a function of the caller's returns something true; return it, or what is false when time is over."""
    end = None if timeout is None else monotonic() + timeout
    result = predicate()
    while not result:
        left = None if end is None else end - monotonic()
        if left is not None and left <= 0:
            break
        self.wait(left)
        result = predicate()
    return result
