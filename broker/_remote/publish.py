"""Publishing methods: whether they are listed, documented for peers, and told who calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from broker._objects.context import remaining
from broker._remote.expose import MARK, Publication, T, publication
from broker._remote.side import Side

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["CallContext", "given", "publish", "with_context"]

#: The argument that a published method may have.
_ARGUMENT = "ctx"


class CallContext:
    """What a published method is told about a call.

    :ivar broker: the connection that the call came in on, a `Broker`.
    :ivar session: a dictionary for whatever methods keep for this peer; it goes when the connection goes.
    :ivar notes: what the caller says about the call. Nothing in it can be relied on.
    """

    __slots__ = ("broker", "notes", "session")

    def __init__(self, broker: Broker, session: dict[Any, Any], notes: dict[str, Any]) -> None:
        self.broker = broker
        self.session = session
        self.notes = notes

    @property
    def peer(self) -> str:
        """The address of the peer, for logs."""
        return self.broker.peerName()

    @property
    def remaining(self) -> float | None:
        """Seconds that the caller goes on waiting, or None if nothing bounds that."""
        return remaining()

    def __repr__(self) -> str:
        return f"<CallContext of {self.peer}>"


@overload
def publish(thing: T) -> T: ...


@overload
def publish(*, show: bool = ..., doc: bool = ..., ctx: bool = ...) -> Callable[[T], T]: ...


def publish(thing: Any = None, *, show: bool = True, doc: bool = True, ctx: bool = False) -> Any:
    """Offer a method to peers, as `expose` does, and say more about it. A decorator, with or without arguments.

    >>> class Shop:
    ...     @publish(show=False, ctx=True)
    ...     def audit(self, day, *, ctx): ...

    :param thing: a function in the body of a class; also below ``staticmethod`` or ``classmethod``.
    :param show: whether it is listed. One that is not can be called by those who know its name.
    :param doc: whether its signature and documentation can be read from afar, where the policy describes objects.
    :param ctx: whether it is called with a `CallContext` as its keyword argument ``ctx``, which no peer can pass.
    :raises TypeError: it is no function.
    """
    if thing is None:
        return lambda found: publish(found, show=show, doc=doc, ctx=ctx)  # type: ignore[call-overload]
    target = thing.__func__ if isinstance(thing, (staticmethod, classmethod)) else thing
    if not hasattr(target, "__code__"):
        raise TypeError(f"only functions can be published, not a {type(thing).__name__}; see `expose` for the others")
    setattr(target, MARK, Publication(show, doc, ctx))
    return thing


def with_context(function: Any, kw: dict[str, Any], side: Side, notes: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a call that a peer asked for, with a context if the method takes one.

    :raises TypeError: the peer has passed one.
    """
    said = publication(function)
    return kw if said is None or not said.ctx else given(function, kw, side, notes)


def given(function: Any, kw: dict[str, Any], side: Side, notes: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments of a call that a peer asked for, with a context.

    :raises TypeError: the peer has passed one.
    """
    if _ARGUMENT in kw:
        raise TypeError(f"{function.__name__}() takes no argument {_ARGUMENT!r} from a peer")
    return {**kw, _ARGUMENT: CallContext(side.broker, side.session, notes)}
