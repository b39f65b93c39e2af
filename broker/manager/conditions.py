"""What wakes many: Condition, Event and Barrier."""

from __future__ import annotations

from collections.abc import Callable
from threading import BrokenBarrierError
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.python.failure import Failure

from broker._remote.publish import CallContext, publish
from broker.manager.callers import Caller, caller_of
from broker.manager.locks import Lock, RLock
from broker.manager.waits import Wait, Waits, checked_timeout

__all__ = ["Barrier", "Condition", "Event"]


class Condition:
    """A condition.

    :param lock: its lock, a shared one; by default an `RLock` of its own.
    :param clock: tells the time, an `IReactorTime`.
    :raises TypeError: the lock is none of ours.
    """

    def __init__(self, lock: Lock | None = None, *, clock: Any) -> None:
        if lock is not None and not isinstance(lock, Lock):
            raise TypeError("the lock of a condition is a shared Lock or RLock of the same manager")
        self._lock = RLock(clock=clock) if lock is None else lock
        self._waits = Waits(clock)
        self._clock = clock

    @publish(ctx=True)
    def acquire(
        self,
        blocking: bool = True,
        timeout: float | None = None,
        *,
        owner: int | str | None = None,
        ctx: CallContext | None = None,
    ) -> bool | Deferred[bool]:
        """Take the lock; see `Lock.acquire`."""
        return self._lock.acquire(blocking, timeout, owner=owner, ctx=ctx)

    @publish(ctx=True)
    def release(self, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Let the lock go; see `Lock.release`."""
        self._lock.release(owner=owner, ctx=ctx)

    def locked(self) -> bool:
        """Return whether somebody has taken the lock."""
        return self._lock.locked()

    @publish(ctx=True)
    async def __aenter__(self, *, ctx: CallContext | None = None) -> bool:
        return await self._lock.__aenter__(ctx=ctx)

    @publish(ctx=True)
    async def __aexit__(self, kind: Any, error: Any, trace: Any, *, ctx: CallContext | None = None) -> None:
        await self._lock.__aexit__(kind, error, trace, ctx=ctx)

    @publish(ctx=True)
    def wait(
        self, timeout: float | None = None, *, owner: int | str | None = None, ctx: CallContext | None = None
    ) -> Deferred[bool]:
        """Let the lock go until somebody notifies, then take it again.

        :param timeout: most seconds to wait for that; None for as long as it takes.
        :returns: a Deferred of whether somebody has notified in time.
        :raises RuntimeError: the caller has not taken the lock.
        """
        caller = self._owner(ctx, owner, "wait on")
        return Deferred.fromCoroutine(self._wait(caller, checked_timeout(timeout)))

    async def _wait(self, caller: Caller, seconds: float | None) -> bool:
        if not self._lock.owned(caller):
            raise RuntimeError("cannot wait on un-acquired lock")
        notified = self._waits.wait(caller.peer, seconds, False)
        depth = self._lock.let_go()
        try:
            result = bool(await notified)
            await self._lock.come_back(caller, depth)
        except CancelledError:
            if caller.peer is None or not caller.peer.lost:
                self._lock.come_back_alone(caller, depth)
            raise
        return result

    @publish(ctx=True)
    def wait_for(
        self,
        predicate: Callable[[], Any],
        timeout: float | None = None,
        *,
        owner: int | str | None = None,
        ctx: CallContext | None = None,
    ) -> Deferred[Any]:
        """Wait until a function returns something true.

        :param predicate: the function; one of the caller's is called over the connection each time.
        :param timeout: most seconds to wait, in all; None for as long as it takes.
        :returns: a Deferred of what it has returned last.
        :raises RuntimeError: the caller has not taken the lock.
        """
        caller = self._owner(ctx, owner, "wait on")
        return Deferred.fromCoroutine(self._wait_for(caller, predicate, checked_timeout(timeout)))

    async def _wait_for(self, caller: Caller, predicate: Callable[[], Any], seconds: float | None) -> Any:
        end = None if seconds is None else self._clock.seconds() + seconds
        while True:
            result = await maybeDeferred(predicate)
            left = None if end is None else end - self._clock.seconds()
            if result or (left is not None and left <= 0):
                return result
            await self._wait(caller, left)

    @publish(ctx=True)
    def notify(self, n: int = 1, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Wake some of those who wait.

        :param n: how many.
        :raises RuntimeError: the caller has not taken the lock.
        """
        self._owner(ctx, owner, "notify on")
        for wait in self._waits.all()[: max(n, 0)]:
            wait.end(True)

    @publish(ctx=True)
    def notify_all(self, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Wake all who wait."""
        self.notify(len(self._waits), owner=owner, ctx=ctx)

    @publish(ctx=True)
    def notifyAll(self, *, owner: int | str | None = None, ctx: CallContext | None = None) -> None:
        """Wake all who wait."""
        self.notify(len(self._waits), owner=owner, ctx=ctx)

    def _owner(self, ctx: CallContext | None, owner: Any, what: str) -> Caller:
        caller = caller_of(ctx, owner)
        if not self._lock.owned(caller):
            raise RuntimeError(f"cannot {what} un-acquired lock")
        return caller

    def __repr__(self) -> str:
        return f"<Condition({self._lock!r}, {len(self._waits)})>"


class Event:
    """A flag that one may wait for.

    :param clock: tells the time, an `IReactorTime`.
    """

    def __init__(self, *, clock: Any) -> None:
        self._waits = Waits(clock)
        self._set = False

    def is_set(self) -> bool:
        """Return whether the flag is set."""
        return self._set

    isSet = is_set

    def set(self) -> None:
        """Set the flag; who waits for it goes on."""
        self._set = True
        for wait in self._waits.all():
            wait.end(True)

    def clear(self) -> None:
        """Take the flag away."""
        self._set = False

    @publish(ctx=True)
    def wait(self, timeout: float | None = None, *, ctx: CallContext | None = None) -> bool | Deferred[bool]:
        """Wait for the flag. Return whether it is there, or a Deferred of that.

        :param timeout: most seconds to wait; None for as long as it takes.
        """
        seconds = checked_timeout(timeout)
        if self._set or seconds == 0:
            return self._set
        return self._waits.wait(caller_of(ctx).peer, seconds, False)

    def __repr__(self) -> str:
        return f"<Event {'set' if self._set else 'unset'}>"


class _AtBarrier(Waits):
    """Those who wait at a barrier, which breaks when one of them gives up."""

    __slots__ = ("_barrier",)

    def __init__(self, clock: Any, barrier: Barrier) -> None:
        super().__init__(clock)
        self._barrier = barrier

    def left(self, wait: Wait) -> None:
        """One has given up: the others wait for somebody who will not come."""
        self._barrier.abort()


class Barrier:
    """A barrier that so many have to come to before any of them goes on.

    :param parties: how many.
    :param action: a function that is called when they are there, before they go on.
    :param timeout: seconds to wait for those who say nothing else.
    :param clock: tells the time, an `IReactorTime`.
    :raises ValueError: the number is less than one.
    """

    def __init__(
        self, parties: int, action: Callable[[], Any] | None = None, timeout: float | None = None, *, clock: Any
    ) -> None:
        if parties < 1:
            raise ValueError("parties must be > 0")
        self._parties = parties
        self._action = action
        self._timeout = timeout
        self._waits = _AtBarrier(clock, self)
        self._broken = False
        #: Those whose number is complete, while the action runs.
        self._leaving: list[Wait] = []

    @property
    def parties(self) -> int:
        """How many have to come."""
        return self._parties

    @property
    def n_waiting(self) -> int:
        """How many are there."""
        return len(self._waits) - len(self._leaving)

    @property
    def broken(self) -> bool:
        """Whether somebody has given up."""
        return self._broken

    @publish(ctx=True)
    def wait(self, timeout: float | None = None, *, ctx: CallContext | None = None) -> Deferred[int]:
        """Wait for the others.

        :param timeout: most seconds to wait; by default what the barrier was made with.
        :returns: a Deferred of a number from 0 on, different for each. It fails with `threading.BrokenBarrierError`
            when one of them gives up, by its time being over, by cancelling or by its connection being lost.
        """
        seconds = checked_timeout(self._timeout if timeout is None else timeout)
        peer = caller_of(ctx).peer
        if self._broken:
            raise BrokenBarrierError
        waiting = self._waits.wait(peer, seconds, BrokenBarrierError())
        self._begin()
        return waiting

    def _begin(self) -> None:
        """Let those go who are enough, unless others are about to go."""
        if self._leaving or len(self._waits) < self._parties:
            return
        leaving = self._leaving = self._waits.all()[: self._parties]
        if self._action is None:
            self._open(None, leaving)
        else:
            maybeDeferred(self._action).addCallbacks(self._open, self._failed, (leaving,), {}, (leaving,))

    def _open(self, _: Any, leaving: list[Wait]) -> None:
        if leaving is self._leaving:
            self._leaving = []
            for number, wait in enumerate(leaving):
                wait.end(number)
            self._begin()

    def _failed(self, failure: Failure, leaving: list[Wait]) -> None:
        if leaving is self._leaving:
            # Who came last is told why.
            last = leaving[-1]
            self._waits.remove(last)
            self._break()
            last.end(failure.value)

    def reset(self) -> None:
        """Begin anew; who waits fails with `threading.BrokenBarrierError`."""
        self._break()
        self._broken = False

    def abort(self) -> None:
        """Break the barrier: who waits, and who comes, fails with `threading.BrokenBarrierError`."""
        self._break()

    def _break(self) -> None:
        self._broken = True
        self._leaving = []
        for wait in self._waits.all():
            wait.end(BrokenBarrierError())

    def __repr__(self) -> str:
        return f"<Barrier {'broken' if self._broken else f'{self.n_waiting}/{self._parties}'}>"
