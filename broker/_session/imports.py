"""Their objects that we hold: one weakly kept local stand-in for each, with the count that we owe.

Theory of operation. Every time they send a reference their count of it goes up by one, and one release is owed for
each. We keep *one* stand-in for all receipts and only a weak reference to it. When nobody holds the stand-in any
more, the weak reference calls back, from whatever thread happened to drop it and possibly from inside the garbage
collector; so the callback does no more than note the dead weak reference in a list and ask to be woken. The
connection's own thread later turns the notes into releases. Should the object be received again in between, a fresh
stand-in inherits the count and the old note is void, recognised by no longer being the entry in the table.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import Any

from broker._session.blocks import Blocks

__all__ = ["Import", "Imports", "nobody"]


def nobody() -> None:
    """Be told and do nothing."""


class Import(weakref.ref[Any]):
    """The weak reference to a stand-in, which is also its table entry.

    :ivar key: its place in the table: the number they gave the object, or a tuple that begins with that.
    """

    __slots__ = ("key",)

    key: Hashable

    @property
    def number(self) -> int:
        """The number they gave the object."""
        key: Any = self.key
        number: int = key if type(key) is int else key[0]
        return number


class Imports:
    """The table of one connection's imports, of references or of cached objects.

    :param wake: called, from any thread, when something was dropped; must only arrange for `releases` to be read.
    :ivar dropped: entries for which `releases` may have something to return. It is asked for in every turn.
    """

    __slots__ = ("_counts", "_note", "_numbered", "_others", "dropped", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        # All but the first only once there is an entry, for the sake of idle connections. What was dropped is in a
        # list, since an empty deque takes as much memory as all other tables; and one bound method serves all entries,
        # since a fresh one for each would be most of an entry's size.
        self._numbered: Blocks | None = None
        self._others: dict[Hashable, Import] | None = None
        self.dropped: list[Import] | None = None
        self._note: Any = None
        #: How many times each was received and not yet released, where that is not once.
        self._counts: dict[Hashable, int] | None = None

    def _on_drop(self, entry: Any) -> None:
        assert self.dropped is not None
        self.dropped.append(entry)
        self.wake()

    @property
    def size(self) -> int:
        """How many entries there are."""
        return (0 if self._numbered is None else self._numbered.size) + len(self._others or ())

    def entries(self) -> list[Import]:
        """Return all entries."""
        found: list[Import] = [] if self._numbered is None else [entry for _, entry in self._numbered.items()]
        return [*found, *(self._others or {}).values()]

    def _entry(self, key: Hashable) -> Any:
        if type(key) is int:
            return None if self._numbered is None else self._numbered.get(key)
        return None if self._others is None else self._others.get(key)

    def get(self, key: Hashable) -> Any:
        """Return the living stand-in for a key, or None."""
        entry = self._entry(key)
        return None if entry is None else entry()

    def count_of(self, key: Hashable) -> int:
        """Return how many times an object in the table was received and not yet released."""
        return 1 if self._counts is None else self._counts.get(key, 1)

    def count_again(self, key: Hashable) -> None:
        """Count one more receipt of a known object."""
        if self._counts is None:
            self._counts = {}
        self._counts[key] = self._counts.get(key, 1) + 1

    def add(self, key: Hashable, stand_in: Any) -> None:
        """Enter a new stand-in with a count of one, and what a dead predecessor still owes."""
        if self._note is None:
            self.dropped = []
            self._note = self._on_drop
        if self._entry(key) is not None:
            self.count_again(key)
        entry = Import(stand_in, self._note)
        entry.key = key
        if type(key) is int:
            if self._numbered is None:
                self._numbered = Blocks()
            self._numbered.put(key, entry)
        else:
            if self._others is None:
                self._others = {}
            self._others[key] = entry

    def _remove(self, key: Hashable) -> int:
        """Take an entry out of the table, and return its count."""
        if type(key) is int and self._numbered is not None:
            self._numbered.remove(key)
        elif self._others is not None:
            del self._others[key]
            # A dictionary keeps the room for all that was ever in it.
            self._others = self._others or None
        if self._counts is None:
            return 1
        count = self._counts.pop(key, 1)
        self._counts = self._counts or None
        return count

    def releases(self) -> list[tuple[int, int]]:
        """Return (number, count) for everything dropped since the last time, and forget it."""
        owed: list[tuple[int, int]] = []
        dropped = self.dropped
        while dropped:
            # Other threads may append meanwhile, so what is taken is taken in two steps that each see a whole list.
            taken = dropped[:]
            del dropped[: len(taken)]
            for entry in taken:
                if self._entry(entry.key) is entry:
                    owed.append((entry.number, self._remove(entry.key)))
        return owed

    def clear(self) -> None:
        """Empty the table for good; nothing is owed any more, and nobody is told what is dropped."""
        self.wake = nobody
        self._numbered = self._others = self._counts = None
        if self.dropped is not None:
            self.dropped.clear()
