"""How much of something a peer may do in a while."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Allowance"]


class Allowance:
    """A bucket that fills at a steady rate, and from which is taken.

    :param rate: how much comes in each second.
    :param burst: how much it holds; it is full at the beginning.
    :param clock: returns the time in seconds; one that goes backwards brings nothing, and takes nothing.
    """

    __slots__ = ("_burst", "_clock", "_left", "_rate", "_then")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._left = burst
        self._then = clock()

    def take(self, amount: float = 1.0) -> bool:
        """Take an amount out; return whether there was enough. If not, nothing is taken."""
        now = self._clock()
        if now > self._then:
            self._left = min(self._burst, self._left + (now - self._then) * self._rate)
        self._then = now
        if self._left < amount:
            return False
        self._left -= amount
        return True
