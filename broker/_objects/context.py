"""How long a call may take, and what a served call hands on to the calls made while it is served.

A deadline is kept in a context variable, so it follows coroutines, ``inlineCallbacks`` and whatever runs in a copied
context. It does not follow plain ``addCallback`` chains, which have no context of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Final

__all__ = ["CURRENT", "Deadline", "deadline", "remaining"]


class Deadline:
    """A moment after which nobody waits any more.

    :param at: when, in seconds of the clock.
    :param clock: returns the time.
    """

    __slots__ = ("at", "clock")

    def __init__(self, at: float, clock: Callable[[], float]) -> None:
        self.at = at
        self.clock = clock

    @property
    def left(self) -> float:
        """Seconds that are left; negative when it is over."""
        return self.at - self.clock()


#: The deadline under which the code that runs was called.
CURRENT: Final[ContextVar[Deadline | None]] = ContextVar("broker_deadline", default=None)


def remaining() -> float | None:
    """Return how many seconds there are left for what is being done, or None when nothing bounds it.

    Inside a served method that is what the caller allows; inside ``with deadline(...)`` what that allows.
    """
    current = CURRENT.get()
    return None if current is None else current.left


@contextmanager
def deadline(seconds: float, clock: Callable[[], float] = monotonic) -> Iterator[None]:
    """Bound all calls made inside, and what they lead to at the other end.

    A bound that is already there stays if it is tighter. A call that takes longer fails with `DeadlineExceeded`, and
    the other end is told to stop.

    :param seconds: how long they may take together, from now on.
    :param clock: returns the time in seconds.
    :raises ValueError: the time is negative or not a number.
    """
    if not seconds >= 0:
        raise ValueError(f"a deadline lies in the future: {seconds!r} seconds")
    left = remaining()
    if left is not None and left <= seconds:
        yield
        return
    token = CURRENT.set(Deadline(clock() + seconds, clock))
    try:
        yield
    finally:
        CURRENT.reset(token)
