"""Those who wait for one thing, first come first served; who is gone is not among them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from broker.manager.callers import Peer

__all__ = ["Wait", "Waits", "checked_timeout"]


def checked_timeout(timeout: Any) -> float | None:
    """Return how many seconds a call may wait, or None for as long as it takes.

    :param timeout: as the caller says: a number, or None; a negative one means not at all.
    :raises TypeError: it is no number.
    :raises ValueError: it is none that can be compared with others.
    """
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"a timeout is a number of seconds, not a {type(timeout).__name__}")
    if timeout != timeout:
        raise ValueError("a timeout that is not a number")
    # No clock takes more, and nobody waits longer.
    return float(max(0, min(timeout, 1e9)))


class Wait:
    """One who waits.

    :ivar deferred: fires when it is over.
    :ivar value: whatever is to be known about it.
    """

    __slots__ = ("_late", "_peer", "_timer", "_waits", "deferred", "value")

    def __init__(self, waits: Waits, peer: Peer | None, late: Any, value: Any) -> None:
        self.deferred: Deferred[Any] = Deferred(self._cancelled)
        self.value = value
        self._waits = waits
        self._peer = peer
        self._late = late
        self._timer: Any = None
        if peer is not None:
            peer.waiting.add(self.deferred)

    def expires(self, clock: Any, seconds: float) -> None:
        """Have it end after so many seconds."""
        self._timer = clock.callLater(seconds, self._expired)

    def _cancelled(self, _: Any) -> None:
        self._leave()
        self._waits.left(self)

    def _expired(self) -> None:
        self._timer = None
        self._leave()
        self._waits.left(self)
        if isinstance(self._late, BaseException):
            self.deferred.errback(self._late)
        else:
            self.deferred.callback(self._late)

    def end(self, result: Any) -> None:
        """It is over: what was waited for is there, or an exception."""
        self._leave()
        if isinstance(result, BaseException):
            self.deferred.errback(result)
        else:
            self.deferred.callback(result)

    def _leave(self) -> None:
        self._waits.remove(self)
        if self._peer is not None:
            self._peer.waiting.discard(self.deferred)
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


class Waits:
    """Those who wait for one thing.

    :param clock: tells the time, an `IReactorTime`.
    """

    __slots__ = ("_all", "_clock")

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._all: dict[Wait, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    @property
    def first(self) -> Wait | None:
        """Who has waited longest."""
        return next(iter(self._all), None)

    def all(self) -> list[Wait]:
        """Return everybody, in order."""
        return list(self._all)

    def wait(self, peer: Peer | None, timeout: float | None, late: Any, value: Any = None) -> Deferred[Any]:
        """Return a Deferred of what somebody waits for.

        :param peer: for whom: the wait is over when that connection is.
        :param timeout: seconds, or None.
        :param late: what it comes to when they are over, or fails with.
        :param value: what is to be known about it.
        """
        wait = Wait(self, peer, late, value)
        self._all[wait] = None
        if timeout is not None:
            wait.expires(self._clock, timeout)
        return wait.deferred

    def remove(self, wait: Wait) -> None:
        """One is to wait no longer."""
        self._all.pop(wait, None)

    def left(self, wait: Wait) -> None:
        """One has stopped waiting without having got anything; override this to hear of it."""
