"""Our objects that they may call: number or name → object, counted."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from broker.errors import LimitExceeded

__all__ = ["Export", "Exports"]


#: A table that held more than this gives its room back when it becomes empty.
_MANY: Final = 64


class Export:
    """An object of ours that they know.

    A numbered entry lives while their count of it is above zero, a named one as long as the connection. `refcount`
    is how many references were sent less how many they released.
    """

    __slots__ = ("identity", "object", "perspective", "refcount")

    def __init__(self, object: Any, perspective: Any = None, identity: Hashable = None) -> None:
        self.object = object
        self.perspective = perspective
        self.identity = identity
        self.refcount = 1

    def __repr__(self) -> str:
        return f"<Export {self.object!r} ref:{self.refcount}>"

    def incref(self) -> int:
        """Count one more reference sent; return the new count."""
        self.refcount += 1
        return self.refcount

    def decref(self) -> int:
        """Count one reference less; return the new count."""
        self.refcount -= 1
        return self.refcount


class Exports:
    """The table of one connection's exports, of references or of cached objects.

    Numbers come from `new_number`, which both tables of a connection share, count up from 1 and are never used twice:
    a late message for a released number finds nothing, never another object.

    :param new_number: returns the next number; None for a table with numbers of its own.
    :param limit: most entries; one more raises `LimitExceeded`.
    :param what: the word for an entry in error texts.
    """

    __slots__ = ("_last", "_new_number", "_peak", "entries", "limit", "numbers", "violations", "what")

    def __init__(self, new_number: Callable[[], int] | None, limit: int, what: str) -> None:
        self._new_number = new_number
        self._last = 0
        # Most entries since they were few.
        self._peak = 0
        self.limit = limit
        self.what = what
        self.entries: dict[int | bytes, Export] = {}
        self.numbers: dict[Hashable, int] = {}
        #: How often the limit was met; the owner of the table closes the connection when it goes on.
        self.violations = 0

    def new_number(self) -> int:
        """Return the next number."""
        if self._new_number is not None:
            return self._new_number()
        self._last += 1
        return self._last

    def name(self, name: bytes, object: Any) -> None:
        """Put an object under a preset name, uncounted."""
        self.entries[name] = Export(object)

    def number_of(self, identity: Hashable) -> int | None:
        """Return the number under which they know an object, or None."""
        return self.numbers.get(identity)

    def again(self, identity: Hashable) -> int | None:
        """Count one more sending of a known object and return its number, or return None for an unknown one."""
        number = self.numbers.get(identity)
        if number is not None:
            self.entries[number].refcount += 1
        return number

    def add(self, object: Any, identity: Hashable, perspective: Any = None) -> int:
        """Enter an object that they do not know yet, with a count of one, and return its new number.

        :raises LimitExceeded: the table is full.
        """
        if len(self.entries) > self.limit:
            self.violations += 1
            raise LimitExceeded(f"Maximum PB {self.what} count exceeded ({self.limit}).")
        number = self.new_number()
        self.entries[number] = Export(object, perspective, identity)
        self.numbers[identity] = number
        if len(self.numbers) > self._peak:
            self._peak = len(self.numbers)
        return number

    def release(self, number: int, count: int) -> Export | None:
        """Take back `count` references. When that was the last of them the entry should leave the table by `forget`.

        :returns: the entry when that was the last of them, else None.
        :raises LookupError: there is no such number, or they hold fewer than that.
        """
        entry = self.entries.get(number)
        if entry is None:
            raise LookupError(f"no {self.what} has number {number}")
        if not 0 < count <= entry.refcount:
            raise LookupError(f"release of {count} of {self.what} {number}, of which {entry.refcount} are out")
        entry.refcount -= count
        return None if entry.refcount else entry

    def forget(self, number: int) -> bool:
        """Take an entry out of the table if they hold none of it; return whether that was so."""
        entry = self.entries.get(number)
        if entry is None or entry.refcount:
            return False
        del self.entries[number]
        self.numbers.pop(entry.identity, None)
        if not self.numbers and self._peak > _MANY:
            # Dictionaries keep the room for all that was ever in them.
            self._peak = 0
            self.numbers = {}
            self.entries = dict(self.entries)
        return True

    def clear(self) -> list[Export]:
        """Empty the table and return what was in it."""
        entries = list(self.entries.values())
        self.entries.clear()
        self.numbers.clear()
        return entries
