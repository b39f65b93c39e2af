"""Our calls that they have not answered yet: request number → whoever waits."""

from __future__ import annotations

from typing import Any

__all__ = ["Questions"]


class Questions:
    """The table of one connection's open calls. Request numbers count up from 1 and are never used twice."""

    __slots__ = ("entries", "last")

    def __init__(self) -> None:
        self.last = 0
        self.entries: dict[int, Any] = {}

    def number(self) -> int:
        """Return a fresh request number; a call that wants no answer consumes one too."""
        self.last += 1
        return self.last

    def clear(self) -> list[Any]:
        """Empty the table and return those who waited, in the order of their calls."""
        waiting = list(self.entries.values())
        self.entries.clear()
        return waiting
