"""Who calls a shared object: the connection, and who of those who share it; what the connection waits for and holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from weakref import WeakSet

from broker._remote.publish import CallContext
from broker.errors import PBConnectionLost

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

__all__ = ["Caller", "Holdable", "NOTE", "Peer", "caller_of"]

#: What a caller notes who it is under, where it does not say so with an argument.
NOTE: Final = "owner"
_KEPT: Final = "broker.manager"


class Holdable(Protocol):
    """Something that callers hold, and lose when their connection goes."""

    def abandoned(self, peer: Peer) -> None:
        """Take back what a peer holds: it is gone."""

    def __hash__(self) -> int: ...


class Peer:
    """One connection, as shared objects see it.

    :ivar lost: whether it is gone.
    :ivar waiting: the Deferreds of its calls that wait; they are cancelled when it goes.
    """

    def __init__(self, broker: Any) -> None:
        self.lost = False
        self.waiting: set[Deferred[Any]] = set()
        # Weak: what nobody can reach any more need not be given back.
        self._held: WeakSet[Holdable] = WeakSet()
        broker.notifyOnDisconnect(self._gone)

    def holds(self, thing: Holdable) -> None:
        """Note that the peer holds something."""
        self._held.add(thing)

    def drops(self, thing: Holdable) -> None:
        """Note that it holds nothing of it any more."""
        self._held.discard(thing)

    def _gone(self) -> None:
        self.lost = True
        # First of all it must not be given anything any more.
        for waiting in list(self.waiting):
            waiting.cancel()
        for thing in list(self._held):
            thing.abandoned(self)
        self._held.clear()


class Caller(NamedTuple):
    """Who holds a lock: two that are equal are one.

    :param peer: the connection; None for code in the process of the object itself.
    :param owner: who of those that share the connection: the identity of a thread, the name of a task; None for all.
    """

    peer: Peer | None
    owner: int | str | None


def caller_of(ctx: CallContext | None, owner: Any = None) -> Caller:
    """Return who calls.

    :param ctx: the call's context; None for a call of this process.
    :param owner: what the caller says about itself; by default what it has noted.
    :raises PBConnectionLost: the connection is gone meanwhile.
    :raises TypeError: it says something that nobody can be.
    """
    if ctx is None:
        return Caller(None, _checked(owner))
    peer: Peer | None = ctx.session.get(_KEPT)
    if peer is None:
        if ctx.broker.disconnected:
            raise PBConnectionLost("the connection was lost")
        peer = ctx.session[_KEPT] = Peer(ctx.broker)
    elif peer.lost:
        raise PBConnectionLost("the connection was lost")
    return Caller(peer, _checked(ctx.notes.get(NOTE) if owner is None else owner))


def _checked(owner: Any) -> int | str | None:
    if owner is not None and type(owner) not in (int, str):
        raise TypeError(f"an owner is an integer or a text, not a {type(owner).__name__}")
    return owner  # type: ignore[no-any-return]
