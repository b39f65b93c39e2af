"""Reigns: for how long those who come back at once may take a lock that others wait for.

Theory of operation. To hand a lock to one who waits is to wake a process, which takes longer than most of what is done
under locks. If it is handed on at each release, and processes come back for it soon, all of them sleep most of the
time: a *convoy*, as slow as the waking. So whoever waits longest is given not one turn but a *reign* of some
milliseconds. In it a released lock stays free for a moment, *grace*, and whoever comes then takes it. When nobody does,
or the reign is over, it is handed on; so nobody waits for more than the reigns of those before.

Where nobody comes back so soon, grace is only a delay: each time that it was in vain, twice as many releases as the
last time go without; not the first time, for a process that has just begun takes longer. And it takes a reactor whose
time is that fine, see `broker._net.glancing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["GRACE", "REIGN", "Reigns"]

#: Seconds that a reign takes: many times what it costs to wake the next one, whose first calls are slow, too. Together
#: that is a millisecond.
REIGN: Final = 0.02
#: Seconds for which a lock stays free: an answer on its way, and a call on its way back, from a process that has just
#: been woken.
GRACE: Final = 200e-6
#: Seconds that are not worth another timer.
_FINE: Final = 2e-6
#: Most releases in a row without.
_MOST: Final = 255


class Reigns:
    """The reigns of one lock.

    :param clock: tells the time; where it is not one that ``glances``, there is no grace.
    """

    __slots__ = ("_clock", "_free", "_since", "_timed", "_vain", "_without")

    def __init__(self, clock: Any) -> None:
        self._clock = clock if getattr(clock, "glances", False) else None
        #: Since when the lock is free for grace, or None.
        self._free: float | None = None
        #: Whether `_look` will be called. One timer serves several graces: making one takes longer than most calls.
        self._timed = False
        self._since = 0.0
        self._without = self._vain = 0

    def begin(self) -> None:
        """Who waited longest has the lock."""
        if self._clock is not None:
            self._since = self._clock.seconds()

    def grace(self, hand_on: Callable[[], None]) -> bool:
        """The lock was released, and somebody waits: return whether it stays free.

        :param hand_on: gives the lock to who waits longest; called then if nobody takes it.
        """
        clock = self._clock
        if clock is None:
            return False
        now = clock.seconds()
        if now - self._since > REIGN:
            return False
        if self._without:
            self._without -= 1
            return False
        self._free = now
        if not self._timed:
            self._timed = True
            clock.callLater(GRACE, self._look, hand_on)
        return True

    def taken(self) -> None:
        """Somebody has taken the lock."""
        if self._free is not None:
            self._free = None
            self._vain = 0

    def _look(self, hand_on: Callable[[], None]) -> None:
        clock = self._clock
        assert clock is not None
        self._timed = False
        if self._free is None:
            return
        left = self._free + GRACE - clock.seconds()
        if left > _FINE:
            self._timed = True
            clock.callLater(left, self._look, hand_on)
            return
        self._free = None
        self._without, self._vain = self._vain, min(2 * self._vain + 1, _MOST)
        hand_on()
