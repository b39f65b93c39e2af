"""Heirs: what a connection has, for those who come from its client: forked children, and who gets a pickle of its.

A connection is known by a *token*, a random secret that only its client is told. With it and the number of a reference
another connection gets the same object, as long as the first one has it, or while it is *held*: a client that forks
says so before, for it may let go of the object while the child has not asked yet.
"""

from __future__ import annotations

from secrets import token_bytes
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

from broker._remote.exported import Exported
from broker._remote.forms import ref
from broker._remote.publish import CallContext
from broker.manager.grants import Grants
from broker.manager.sharing import Marks

__all__ = ["Heirs", "here"]

_KEPT: Final = "broker.manager.token"
_SIZE: Final = 16


class Heirs:
    """The objects of one manager's connections.

    :param marks: knows which are shared.
    :param grants: of the same manager.
    :param clock: tells the time, an `IReactorTime`.
    :cvar known: the managers of this process.
    """

    known: ClassVar[WeakValueDictionary[bytes, Heirs]] = WeakValueDictionary()

    def __init__(self, marks: Marks, grants: Grants, clock: Any) -> None:
        self._identity = token_bytes(_SIZE)
        self._marks = marks
        self._grants = grants
        self._clock = clock
        self._brokers: WeakValueDictionary[bytes, Any] = WeakValueDictionary()
        #: What is held, each with the timer that ends it.
        self._held: dict[bytes, tuple[dict[int, Any], Any]] = {}
        self.known[self._identity] = self

    def token(self, ctx: CallContext) -> bytes:
        """Return the token of a connection."""
        found: bytes | None = ctx.session.get(_KEPT)
        if found is None:
            found = ctx.session[_KEPT] = self._identity + token_bytes(_SIZE)
            self._brokers[found] = ctx.broker
        return found

    def hold(self, ctx: CallContext, seconds: float) -> None:
        """Keep what a connection has; what is held of it already is held as long."""
        token = self.token(ctx)
        numbers = ctx.broker.localObjects
        held = {number: found for number in numbers if (found := self._offered(ctx.broker, number)) is not None}
        if token in self._held:
            before, timer = self._held[token]
            timer.cancel()
            held = {**before, **held}
        self._held[token] = held, self._clock.callLater(seconds, self._held.pop, token)

    def adopt(self, token: Any, number: Any, secret: Any) -> Any:
        """Return a reference to an object that a connection has, or that is held or granted; see `Hub.adopt`."""
        found = self._find(token, number)
        return self._grants.take(secret) if found is None else found

    def _find(self, token: Any, number: Any) -> Any:
        if type(token) is not bytes or type(number) is not int:
            return None
        broker = self._brokers.get(token)
        found = None if broker is None or broker.disconnected else self._offered(broker, number)
        if found is None and token in self._held:
            found = self._held[token][0].get(number)
        return found

    def _offered(self, broker: Any, number: Any) -> Any:
        adapter = broker.localObjectForID(number)
        policy = self._marks.policy_of(adapter.object) if isinstance(adapter, Exported) else None
        return None if policy is None else ref(adapter.object, policy)

    def clear(self) -> None:
        """Let go of everything."""
        for token in list(self._held):
            self._held.pop(token)[1].cancel()
        self.known.pop(self._identity, None)


def here(token: bytes) -> Heirs | None:
    """Return the heirs of the manager that a token is of, if that is in this process."""
    return Heirs.known.get(token[:_SIZE])
