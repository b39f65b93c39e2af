"""Live proxies: objects of a peer that read like local ones, one class for each remote type.

Special methods are looked up on the type, so each class has exactly those that its descriptor names; a class with all
of them would make everything look callable, iterable and hashable. What a proxy knows is out of reach of names, see
`broker._remote.held`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NamedTuple, NoReturn

from broker._objects.reference import RemoteReference
from broker._remote.atoms import scalars
from broker._remote.descriptors import ABCS, Descriptor
from broker._remote.held import Held, HeldState, set_state, state_of
from broker._remote.names import clean, forwarded, is_dunder, is_local
from broker._remote.operate import local_text, perform
from broker._remote.program import HasNode, more_of
from broker._remote.side import Kind, side_of
from broker._remote.special import iterator_of, methods_for
from broker._remote.verbs import Verb, Want
from broker.errors import DeadReferenceError

__all__ = ["Inert", "Live", "Method", "Proxy", "Released", "State", "class_for", "make_proxy", "new_proxy"]

_UNKNOWN: Final = Descriptor("object", ("object",), (), ("__eq__",), (), (), ("open",))


#: Methods of iterators that have to know which items were fetched ahead.
_RESUMING: Final = frozenset(("send", "throw", "close", "asend", "athrow", "aclose"))


class State(HeldState):
    """What a proxy knows.

    :ivar view: how results are shown and operations run.
    :ivar kind: what is known of the object.
    :ivar buffer: items fetched ahead, if the object is an iterator.
    """

    __slots__ = ("buffer", "kind", "view")

    def __init__(self, reference: RemoteReference, view: Any, kind: Kind) -> None:
        super().__init__(reference)
        self.view = view
        self.kind = kind
        self.buffer: Any = None


class Released:
    """Stands in a proxy for the reference that it has let go."""

    def __getattr__(self, name: str) -> NoReturn:
        raise DeadReferenceError("the proxy was released")


class Proxy(Held):
    """The base of active and inert proxies: what neither of them forwards."""

    __slots__ = ()

    def __copy__(self) -> Any:
        state = state_of(self)
        return new_proxy(type(self), State(state.reference, state.view, state.kind))

    def __deepcopy__(self, memo: Any) -> Any:
        if not state_of(self).view.transport.blocking:
            raise TypeError("a copy of a remote object cannot be had at once: use value(it)")
        return perform(self, Verb.VALUE, want=Want.VALUE)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a proxy belongs to its connection and cannot be pickled")

    def __repr__(self) -> str:
        return local_text(self)

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, Held):
            return NotImplemented
        return state_of(self).reference == state_of(other).reference

    def __hash__(self) -> int:
        return hash(state_of(self).reference)


class Inert(Proxy):
    """A reference to an object of a peer that does nothing until it is activated."""

    __slots__ = ()

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{name!r}: the proxy is inert; activate it first")


class Live(Proxy):
    """The base of active proxies."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        found = forwarded(name)
        if found is None:
            raise AttributeError(f"{name!r} is not forwarded")
        name = found
        state = state_of(self)
        kind = state.kind
        if name in kind.descriptor.methods:
            if name in _RESUMING and not {"__next__", "__anext__"}.isdisjoint(kind.descriptor.dunders):
                return getattr(iterator_of(self), name)
            return Method(self, name)
        if name in kind.names or name in kind.descriptor.attributes or "open" in kind.descriptor.flags:
            alone = state.view.alone
            return perform(self, Verb.GET, name) if alone is None else alone(self, Verb.GET, name)
        if "unlisted" in kind.descriptor.flags and not name.startswith("_"):
            # Who knows the name of such a method may call it; whether there is one is seen then.
            return Method(self, name)
        raise AttributeError(f"{kind.descriptor.name!r} object has no attribute {name!r} on offer")

    def __setattr__(self, name: str, value: Any) -> None:
        _change(self, name, Verb.SET, value)
        state = state_of(self)
        if name not in state.kind.descriptor.attributes:
            state.kind.names |= {clean(name)}

    def __delattr__(self, name: str) -> None:
        _change(self, name, Verb.DEL)
        state_of(self).kind.names -= {clean(name)}

    def __dir__(self) -> list[str]:
        kind = state_of(self).kind
        descriptor = kind.descriptor
        return sorted({*descriptor.methods, *descriptor.attributes, *descriptor.dunders, *kind.names})


def _change(proxy: Any, name: str, verb: Verb, *operands: Any) -> None:
    if is_local(name) or is_dunder(name):
        raise AttributeError(f"{name!r} is not forwarded")
    if not state_of(proxy).view.transport.blocking:
        raise TypeError("a statement cannot be waited for: use ops.setattr or ops.delattr, or a program block")
    perform(proxy, verb, clean(name), *operands)


class Method(HasNode):
    """A method of a proxied object: calling it is one message.

    :param proxy: the proxy.
    :param name: the name of the method.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, proxy: Held, name: str) -> None:
        super().__init__(None, (proxy, name))

    def __call__(self, /, *args: Any, **kw: Any) -> Any:
        proxy, name = more_of(self)
        alone = state_of(proxy).view.alone
        if alone is not None and scalars(args) and (not kw or scalars(kw.values())):
            return alone(proxy, Verb.CALL, name, args, kw)
        return perform(proxy, Verb.CALL, name, list(args), kw)

    def __eq__(self, other: object) -> bool:
        return _bound(self) == _bound(other) if isinstance(other, Method) else NotImplemented

    def __hash__(self) -> int:
        return hash(_bound(self))

    def __repr__(self) -> str:
        proxy, name = more_of(self)
        return f"<method {name} of {local_text(proxy)}>"


def _bound(method: Method) -> tuple[RemoteReference, str]:
    proxy, name = more_of(method)
    return state_of(proxy).reference, name


# Classes.


class _Flavour(NamedTuple):
    """What else a class of proxies depends on, beside the descriptor."""

    blocking: bool
    compare: str
    text: str


@lru_cache(maxsize=1024)
def _proxy_class(descriptor: Descriptor, flavour: _Flavour) -> type[Live]:
    namespace = {"__slots__": (), "__module__": "broker.transparent", "__qualname__": "Live", "__doc__": None}
    namespace.update(methods_for(descriptor, flavour.blocking, flavour.compare, flavour.text))
    made = type("Live", (Live,), namespace)
    if flavour.blocking:
        for name in descriptor.abcs:
            register = getattr(ABCS.get(name), "register", None)
            if register is not None:
                register(made)
    return made


def class_for(view: Any, descriptor: Descriptor) -> type[Held]:
    """Return the class of proxies for a type under a view."""
    if not view.active:
        return Inert
    policy = view.policy
    return _proxy_class(descriptor, _Flavour(view.transport.blocking, policy.compare, policy.text))


def make_proxy(
    view: Any,
    reference: RemoteReference,
    kind: Kind | None,
    classes: Callable[[Any, Descriptor], type[Held]] = class_for,
    states: type[State] = State,
) -> Held:
    """Return the proxy for a reference under a view: the one in use, if there is one.

    :param classes: returns the class of the proxy.
    :param states: the class of what it knows.
    """
    known = kind or Kind(_UNKNOWN)
    cls = classes(view, known.descriptor)
    proxies = side_of(reference.broker).proxies
    key = (reference.luid, id(view))
    proxy = proxies.get(key)
    if proxy is None or type(proxy) is not cls or state_of(proxy).reference is not reference:
        proxy = proxies[key] = new_proxy(cls, states(reference, view, known))
    elif kind is not None:
        state_of(proxy).kind = kind
    return proxy


def new_proxy(cls: type[Held], state: State) -> Any:
    """Return a proxy."""
    proxy = object.__new__(cls)
    set_state(proxy, state)
    return proxy
