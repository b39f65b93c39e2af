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

__all__ = ["Import", "Imports"]


class Import(weakref.ref[Any]):
    """The weak reference to a stand-in, which is also its table entry.

    :ivar key: its place in the table: the number they gave the object, or a tuple that begins with that.
    :ivar count: how many times it was received and not yet released.
    """

    __slots__ = ("count", "key")

    key: Hashable
    count: int

    @property
    def number(self) -> int:
        """The number they gave the object."""
        key: Any = self.key
        number: int = key if type(key) is int else key[0]
        return number


class Imports:
    """The table of one connection's imports, of references or of cached objects.

    :param wake: called, from any thread, when something was dropped; must only arrange for `releases` to be read.
    """

    __slots__ = ("_dropped", "_note", "entries", "wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self.wake = wake
        self.entries: dict[Hashable, Import] = {}
        # Both only once there is an entry, for the sake of idle connections. What was dropped is in a list, since an
        # empty deque takes as much memory as all other tables; and one bound method serves all entries, since a fresh
        # one for each would be most of an entry's size.
        self._dropped: list[Import] | None = None
        self._note: Any = None

    def _on_drop(self, entry: Any) -> None:
        assert self._dropped is not None
        self._dropped.append(entry)
        self.wake()

    def get(self, key: Hashable) -> Any:
        """Return the living stand-in for a key, or None."""
        entry = self.entries.get(key)
        return None if entry is None else entry()

    def count_again(self, key: Hashable) -> None:
        """Count one more receipt of a known object."""
        self.entries[key].count += 1

    def add(self, key: Hashable, stand_in: Any) -> None:
        """Enter a new stand-in with a count of one, and what a dead predecessor still owes."""
        if self._note is None:
            self._dropped = []
            self._note = self._on_drop
        entry = Import(stand_in, self._note)
        entry.key = key
        before = self.entries.get(key)
        entry.count = 1 if before is None else before.count + 1
        self.entries[key] = entry

    def releases(self) -> list[tuple[int, int]]:
        """Return (number, count) for everything dropped since the last time, and forget it."""
        owed: list[tuple[int, int]] = []
        dropped = self._dropped
        while dropped:
            # Other threads may append meanwhile, so what is taken is taken in two steps that each see a whole list.
            taken = dropped[:]
            del dropped[: len(taken)]
            for entry in taken:
                if self.entries.get(entry.key) is entry:
                    del self.entries[entry.key]
                    owed.append((entry.number, entry.count))
        if not self.entries:
            # A dictionary keeps the room for all that was ever in it.
            self.entries.clear()
        return owed

    @property
    def owing(self) -> bool:
        """Whether `releases` may have something to return."""
        return bool(self._dropped)

    def clear(self) -> None:
        """Empty the table; nothing is owed any more."""
        self.entries.clear()
        if self._dropped is not None:
            self._dropped.clear()
