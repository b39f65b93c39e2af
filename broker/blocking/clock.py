"""Timers for what has no reactor: calls that are due at some time, run by whoever looks."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from time import monotonic
from typing import Any, Final

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

__all__ = ["Timer", "Timers"]

#: So many cancelled timers are kept before they are looked for.
_SPARE: Final = 64


@implementer(IDelayedCall)
class Timer:
    """A call that is due at some time; see `twisted.internet.interfaces.IDelayedCall`."""

    __slots__ = ("_args", "_function", "_kw", "_timers", "at", "cancelled", "done")

    def __init__(self, timers: Timers, at: float, function: Callable[..., object], args: Any, kw: Any) -> None:
        self._timers = timers
        self.at = at
        self._function = function
        self._args = args
        self._kw = kw
        self.cancelled = self.done = False

    def __lt__(self, other: Timer) -> bool:
        return self.at < other.at

    def getTime(self) -> float:
        """Return when it is due."""
        return self.at

    def active(self) -> bool:
        """Return whether it is still to come."""
        return not (self.cancelled or self.done)

    def cancel(self) -> None:
        """Have it not happen.

        :raises AlreadyCalled: it has happened.
        :raises AlreadyCancelled: it was cancelled before.
        """
        self._check()
        self.cancelled = True
        self._timers.cancelled(self)

    def reset(self, seconds: float) -> None:
        """Have it happen so many seconds from now."""
        self._check()
        self._timers.move(self, self._timers.seconds() + seconds)

    def delay(self, seconds: float) -> None:
        """Have it happen so many seconds later than it would."""
        self._check()
        self._timers.move(self, self.at + seconds)

    def _check(self) -> None:
        if self.cancelled:
            raise AlreadyCancelled
        if self.done:
            raise AlreadyCalled

    def run(self) -> None:
        """Do it."""
        self.done = True
        self._function(*self._args, **self._kw)


class Timers:
    """The timers of one connection; not for several threads at once."""

    def __init__(self) -> None:
        self.seconds = monotonic
        self._heap: list[Timer] = []
        self._cancelled = 0

    def add(self, seconds: float, function: Callable[..., object], args: Any, kw: Any) -> Timer:
        """Have a function called after so many seconds."""
        timer = Timer(self, self.seconds() + seconds, function, args, kw)
        heappush(self._heap, timer)
        return timer

    def move(self, timer: Timer, at: float) -> None:
        """Change when a timer is due."""
        timer.at = at
        heapify(self._heap)

    def cancelled(self, timer: Timer) -> None:
        """A timer was cancelled: forget it, now or when it would be due."""
        self._cancelled += 1
        if self._cancelled > _SPARE and self._cancelled * 2 > len(self._heap):
            self._heap = [one for one in self._heap if not one.cancelled]
            heapify(self._heap)
            self._cancelled = 0

    def take_due(self) -> list[Timer]:
        """Return, and forget, the timers that are due, in order."""
        due: list[Timer] = []
        now = self.seconds()
        while self._heap and (self._heap[0].at <= now or self._heap[0].cancelled):
            timer = heappop(self._heap)
            if timer.cancelled:
                self._cancelled -= 1
            else:
                due.append(timer)
        return due

    @property
    def next(self) -> float | None:
        """When the next one is due, or None."""
        return self._heap[0].at if self._heap else None

    def clear(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._cancelled = 0
