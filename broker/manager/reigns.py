"""Reigns: for how long those who come back at once may take a lock that others wait for.

Theory of operation. To hand a lock to one who waits is to wake a process, which takes longer than most of what is done
under locks. If it is handed on at each release, and processes come back for it soon, all of them sleep most of the
time: a *convoy*, as slow as the waking. So whoever waits longest is given not one turn but a *reign* of some
milliseconds. In it a released lock stays free for a moment, *grace*, and whoever comes then takes it. When nobody does,
or the reign is over, it is handed on; so nobody waits for more than the reigns of those before.

Where nobody comes back so soon, grace is only a delay: each time that it was in vain, twice as many releases as the
last time go without. And it takes a reactor whose time is that fine, see `broker._net.glancing`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["GRACE", "REIGN", "Reigns"]

#: Seconds that a reign takes: many times what it costs to wake the next one, whose first calls take long, too.
REIGN: Final = 0.01
#: Seconds for which a lock stays free: an answer on its way, and a call on its way back, from a process that has just
#: been woken.
GRACE: Final = 200e-6
#: Most releases in a row without.
_MOST: Final = 255


class Reigns:
    """The reigns of one lock.

    :param clock: tells the time; where it is not one that ``glances``, there is no grace.
    """

    __slots__ = ("_call", "_clock", "_since", "_vain", "_without")

    def __init__(self, clock: Any) -> None:
        self._clock = clock if getattr(clock, "glances", False) else None
        self._call: Any = None
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
        if clock is None or clock.seconds() - self._since > REIGN:
            return False
        if self._without:
            self._without -= 1
            return False
        self._call = clock.callLater(GRACE, self._over, hand_on)
        return True

    def taken(self) -> None:
        """Somebody has taken the lock."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
            self._vain = 0

    def _over(self, hand_on: Callable[[], None]) -> None:
        self._call = None
        self._without = self._vain = min(2 * self._vain + 1, _MOST)
        hand_on()
