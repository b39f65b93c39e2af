"""Locks: Lock, RLock, Semaphore and BoundedSemaphore, whose waiting is a Deferred and whose holder may vanish.

Who holds a lock is a connection and, of those who share it, an owner: what the caller passes as ``owner``, or notes
with the call. When a connection goes, what it holds is released and what it waits for is not given to it. Whoever
waits longest is next; nobody who comes later gets ahead, but in the time that `broker.manager.reigns` is about.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from broker._remote.publish import CallContext, publish
from broker.manager.callers import Caller, Peer, caller_of
from broker.manager.reigns import Reigns
from broker.manager.waits import Wait, Waits, checked_timeout

__all__ = ["BoundedSemaphore", "Lock", "RLock", "Semaphore", "patience"]


def patience(blocking: Any, timeout: Any) -> float | None:
    """Return how many seconds a caller waits, 0 for not at all, None for as long as it takes.

    :raises ValueError: both are given.
    """
    if blocking:
        return checked_timeout(timeout)
    if timeout is not None:
        raise ValueError("can't specify a timeout for a non-blocking call")
    return 0.0


class _Entered:
    """What the locks have in common: entering one acquires it, leaving it releases it."""

    def acquire(self, *, ctx: CallContext | None = None) -> Any:
        raise NotImplementedError

    def release(self, *, ctx: CallContext | None = None) -> None:
        raise NotImplementedError

    @publish(ctx=True)
    async def __aenter__(self, *, ctx: CallContext | None = None) -> bool:
        taken = self.acquire(ctx=ctx)
        return bool(await taken if isinstance(taken, Deferred) else taken)

    @publish(ctx=True)
    async def __aexit__(self, kind: Any, error: Any, trace: Any, *, ctx: CallContext | None = None) -> None:
        # With its connection a holder loses all that it has, in whatever order.
        if ctx is None or not ctx.broker.disconnected:
            self.release(ctx=ctx)


class Lock(_Entered):
    """A lock. Anybody may release it.

    :param clock: tells the time, an `IReactorTime`.
    """

    _reentrant = False

    def __init__(self, *, clock: Any) -> None:
        self._waits = Waits(clock)
        self._holder: Caller | None = None
        self._depth = 0
        self._reigns = Reigns(clock)
        #: Those who come back from waiting for something else while they held the lock.
        self._returning: dict[Caller, Deferred[Any]] = {}

    @publish(ctx=True)
    def acquire(
        self,
        blocking: bool = True,
        timeout: float | None = None,
        *,
        owner: int | str | None = None,
        ctx: CallContext | None = None,
    ) -> bool | Deferred[bool]:
        """Take the lock. Return whether that was possible, or a Deferred of that.

        :param blocking: whether to wait for it.
        :param timeout: most seconds to wait; None or -1 for as long as it takes.
        :param owner: for whom, among those who share the connection.
        :raises ValueError: the timeout is negative, or there is one though there is nothing to wait for.
        """
        caller = caller_of(ctx, owner)
        # As `threading` has it.
        seconds = patience(blocking, None if timeout == -1 else timeout)
        if timeout is not None and timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if self._holder is None:
            self._take(caller, 1)
            return True
        if self._reentrant and self._holder == caller:
            self._depth += 1
            return True
        if seconds == 0:
            return False
        return self._waits.wait(caller.peer, seconds, False, (caller, 1))

    @publish(ctx=True)
    def release(self, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Let the lock go.

        :param owner: for whom, among those who share the connection.
        :raises RuntimeError: nobody has taken it; for a lock of the kind that knows its owner, somebody else has.
        """
        caller = caller_of(ctx, owner)
        if self._given_up(caller):
            return
        if self._holder is None:
            raise RuntimeError("release unlocked lock")
        self._check_owner(caller)
        self._depth -= 1
        if not self._depth:
            self._hand_on()

    def locked(self) -> bool:
        """Return whether somebody has taken it."""
        return self._holder is not None

    def _check_owner(self, caller: Caller) -> None:
        pass

    def _given_up(self, caller: Caller) -> bool:
        """Return whether somebody comes back for the lock who does not want it any more, having been cancelled."""
        returning = self._returning.pop(caller, None)
        if returning is None or returning.called:
            return False
        returning.cancel()
        return True

    def _take(self, caller: Caller, depth: int) -> None:
        self._holder, self._depth = caller, depth
        self._reigns.taken()
        if caller.peer is not None:
            caller.peer.holds(self)

    def _hand_on(self) -> None:
        holder, self._holder, self._depth = self._holder, None, 0
        if holder is not None and holder.peer is not None:
            holder.peer.drops(self)
        if len(self._waits) and not self._reigns.grace(self._grant):
            self._grant()

    def _grant(self) -> None:
        """Give the lock, which is free, to who waits longest."""
        wait = self._waits.first
        if wait is not None:
            self._take(*wait.value)
            self._reigns.begin()
            wait.end(True)

    def abandoned(self, peer: Peer) -> None:
        """Release the lock for one whose connection is gone."""
        if self._holder is not None and self._holder.peer is peer:
            self._hand_on()

    # For conditions.

    def owned(self, caller: Caller) -> bool:
        """Return whether a caller holds the lock."""
        return self._holder == caller

    def let_go(self) -> int:
        """Release the lock, however often it was taken; return how often that was."""
        depth = self._depth
        self._hand_on()
        return depth

    def come_back(self, caller: Caller, depth: int) -> Deferred[Any]:
        """Return a Deferred that fires when a caller has the lock again."""
        if self._holder is None:
            self._take(caller, depth)
            done: Deferred[Any] = Deferred()
            done.callback(True)
            return done
        return self._waits.wait(caller.peer, None, None, (caller, depth))

    def come_back_alone(self, caller: Caller, depth: int) -> None:
        """Have a caller have the lock again, who does not wait for that because its call was cancelled.

        It will release the lock, as one does on the way out; until it has come back that gives up coming back.
        """
        returning = self.come_back(caller, depth)
        self._returning[caller] = returning

        def over(result: Any) -> None:
            if self._returning.get(caller) is returning:
                del self._returning[caller]

        returning.addBoth(over)

    def __repr__(self) -> str:
        return f"<{'locked' if self._holder else 'unlocked'} {type(self).__name__}>"


class RLock(Lock):
    """A lock that its owner may take more than once, and nobody else may release."""

    _reentrant = True

    def _check_owner(self, caller: Caller) -> None:
        if self._holder != caller:
            raise RuntimeError("cannot release un-acquired lock")


class Semaphore(_Entered):
    """A semaphore. A release by one who holds nothing is one for who has held longest.

    :param value: how many can acquire it.
    :param clock: tells the time, an `IReactorTime`.
    :raises ValueError: the value is negative.
    """

    def __init__(self, value: int = 1, *, clock: Any) -> None:
        if value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._value = value
        self._waits = Waits(clock)
        #: How much each connection holds, oldest first.
        self._held: dict[Peer, int] = {}

    @publish(ctx=True)
    def acquire(
        self,
        blocking: bool = True,
        timeout: float | None = None,
        *,
        owner: int | str | None = None,
        ctx: CallContext | None = None,
    ) -> bool | Deferred[bool]:
        """Take one. Return whether that was possible, or a Deferred of that; see `Lock.acquire`."""
        peer = caller_of(ctx, owner).peer
        seconds = patience(blocking, timeout)
        if self._value:
            self._value -= 1
            self._take(peer)
            return True
        return False if seconds == 0 else self._waits.wait(peer, seconds, False, peer)

    @publish(ctx=True)
    def release(self, n: int = 1, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Give some back.

        :param n: how many.
        :raises ValueError: that is less than one, or more than the semaphore can take.
        """
        peer = caller_of(ctx, owner).peer
        if n < 1:
            raise ValueError("n must be one or more")
        self._check_room(n)
        for _ in range(n):
            self._drop(peer if peer in self._held else next(iter(self._held), None))
            self._give_back()

    def _check_room(self, n: int) -> None:
        pass

    def _take(self, peer: Peer | None) -> None:
        if peer is not None:
            self._held[peer] = self._held.get(peer, 0) + 1
            peer.holds(self)

    def _drop(self, peer: Peer | None) -> None:
        if peer is None:
            return
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]
            peer.drops(self)

    def _give_back(self) -> None:
        wait: Wait | None = self._waits.first
        if wait is None:
            self._value += 1
        else:
            self._take(wait.value)
            wait.end(True)

    def abandoned(self, peer: Peer) -> None:
        """Give back what one has whose connection is gone."""
        for _ in range(self._held.pop(peer, 0)):
            self._give_back()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} value={self._value}>"


class BoundedSemaphore(Semaphore):
    """A semaphore that cannot be released more often than it was acquired."""

    def __init__(self, value: int = 1, *, clock: Any) -> None:
        super().__init__(value, clock=clock)
        self._most = value

    def _check_room(self, n: int) -> None:
        if self._value + n > self._most:
            raise ValueError("Semaphore released too many times")
