"""Our objects that they may call: number or name → object, counted.

Theory of operation. A peer may hold very many objects, each of them sent once, so an entry of its own for each would
be most of what they cost. There is none: an object has a place among `Blocks`, its number one among `Identities`, and
only what is unusual is in dictionaries: a count that is not one, and an identity that is not what `id` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from broker._session.blocks import Blocks
from broker._session.identities import Identities
from broker.errors import LimitExceeded

__all__ = ["Export", "Exports"]


#: A dictionary of so many is not worth a thought.
_FEW: Final = 1024


class Export:
    """What is known of an object of ours that they know; a copy, made for whoever asks.

    A numbered object is known while their count of it is above zero, a named one as long as the connection. `refcount`
    is how many references were sent less how many they released.
    """

    __slots__ = ("identity", "object", "perspective", "refcount")

    def __init__(self, object: Any, perspective: Any = None, identity: Hashable = None, refcount: int = 1) -> None:
        self.object = object
        self.perspective = perspective
        self.identity = identity
        self.refcount = refcount

    def __repr__(self) -> str:
        return f"<Export {self.object!r} ref:{self.refcount}>"

    def incref(self) -> int:
        """Count one more reference sent; return the new count. The table's own is not changed."""
        self.refcount += 1
        return self.refcount

    def decref(self) -> int:
        """Count one reference less; return the new count. The table's own is not changed."""
        self.refcount -= 1
        return self.refcount


class _Odd:
    """What is to be remembered of objects with an identity of their own or a perspective."""

    __slots__ = ("identities", "most", "numbers", "perspectives")

    def __init__(self) -> None:
        #: How many identities there were at most since the dictionaries were made.
        self.most = 0
        self.numbers: dict[Hashable, int] = {}
        self.identities: dict[int, Hashable] = {}
        self.perspectives: dict[int, Any] = {}


class Exports:
    """The table of one connection's exports, of references or of cached objects.

    Numbers come from `new_number`, which both tables of a connection share, count up from 1 and are never used twice:
    a late message for a released number finds nothing, never another object.

    :param new_number: returns the next number; None for a table with numbers of its own.
    :param limit: most entries; one more raises `LimitExceeded`.
    :param what: the word for an entry in error texts.
    """

    __slots__ = (
        *("_counts", "_identities", "_last", "_new_number", "_objects", "_odd"),
        *("limit", "names", "violations", "what"),
    )

    def __init__(self, new_number: Callable[[], int] | None, limit: int, what: str) -> None:
        self._new_number = new_number
        self._last = 0
        self.limit = limit
        self.what = what
        #: The objects under preset names, which are not counted.
        self.names: dict[bytes, Any] = {}
        #: How often the limit was met; the owner of the table closes the connection when it goes on.
        self.violations = 0
        # For the sake of idle connections these are made when there is something to put there.
        self._objects: Blocks | None = None
        self._identities: Identities | None = None
        self._counts: dict[int, int] | None = None
        self._odd: _Odd | None = None

    def new_number(self) -> int:
        """Return the next number."""
        if self._new_number is not None:
            return self._new_number()
        self._last += 1
        return self._last

    # What is there.

    @property
    def size(self) -> int:
        """How many objects have numbers."""
        return 0 if self._objects is None else self._objects.size

    def get(self, target: int | bytes) -> Any:
        """Return the object of a number or a name, or None."""
        if isinstance(target, bytes):
            return self.names.get(target)
        return None if self._objects is None else self._objects.get(target)

    def count_of(self, number: int) -> int:
        """Return how many references to a numbered object are out; 0 where there is no such object, too."""
        if self._objects is None or self._objects.get(number) is None:
            return 0
        return self._out(number)

    def _out(self, number: int) -> int:
        return 1 if self._counts is None else self._counts.get(number, 1)

    def entry(self, target: int | bytes) -> Export | None:
        """Return what is known of the object of a number or a name, or None."""
        found = self.get(target)
        if found is None:
            return None
        if isinstance(target, bytes):
            return Export(found)
        odd = self._odd
        if odd is None:
            return Export(found, None, id(found), self.count_of(target))
        identity = odd.identities.get(target, id(found))
        return Export(found, odd.perspectives.get(target), identity, self.count_of(target))

    def targets(self) -> list[int | bytes]:
        """Return all names and numbers."""
        targets: list[int | bytes] = list(self.names)
        if self._objects is not None:
            targets += [number for number, _ in self._objects.items()]
        return targets

    @property
    def numbers(self) -> dict[Hashable, int]:
        """The numbers by identity; a copy."""
        found: dict[Hashable, int] = {}
        if self._objects is not None:
            for number, thing in self._objects.items():
                found[id(thing) if self._odd is None else self._odd.identities.get(number, id(thing))] = number
        return found

    def number_of(self, identity: Hashable) -> int | None:
        """Return the number under which they know an object, or None."""
        if self._identities is not None and type(identity) is int:
            number = self._identities.find(identity)
            if number:
                return number
        return None if self._odd is None else self._odd.numbers.get(identity)

    # Coming.

    def name(self, name: bytes, object: Any) -> None:
        """Put an object under a preset name, uncounted."""
        self.names[name] = object

    def again(self, identity: Hashable) -> int | None:
        """Count one more sending of a known object and return its number, or return None for an unknown one."""
        number = self.number_of(identity)
        if number is not None:
            self._count(number, self._out(number) + 1)
        return number

    def add(self, object: Any, identity: Hashable, perspective: Any = None) -> int:
        """Enter an object that they do not know yet, with a count of one, and return its new number.

        :param identity: what it is known by: two objects with equal ones are one to them.
        :param perspective: what is to be known with it.
        :raises LimitExceeded: the table is full.
        """
        if self.size + len(self.names) > self.limit:
            self.violations += 1
            raise LimitExceeded(f"Maximum PB {self.what} count exceeded ({self.limit}).")
        number = self.new_number()
        if self._objects is None or self._identities is None:
            self._objects = Blocks()
            self._identities = Identities(self._objects)
        self._objects.put(number, object)
        usual = type(identity) is int and identity == id(object)
        if usual:
            self._identities.add(id(object), number)
        if not usual or perspective is not None:
            if self._odd is None:
                self._odd = _Odd()
            if not usual:
                self._odd.identities[number] = identity
                self._odd.numbers[identity] = number
                self._odd.most = max(self._odd.most, len(self._odd.numbers))
            if perspective is not None:
                self._odd.perspectives[number] = perspective
        return number

    def _count(self, number: int, count: int) -> None:
        """Note how many references to an object are out."""
        counts = self._counts
        if count != 1:
            if counts is None:
                counts = self._counts = {}
            counts[number] = count
        elif counts is not None:
            self._usual(counts, number)

    def _usual(self, counts: dict[int, int], number: int) -> None:
        """An object's count need not be noted."""
        counts.pop(number, None)
        if not counts:
            # A dictionary keeps the room for all that was ever in it.
            self._counts = None

    # Going.

    def release(self, number: int, count: int, keep: bool = False) -> Export | None:
        """Take back `count` references. When these were the last the entry leaves the table.

        :param keep: it stays in the table nevertheless, until `forget`.
        :returns: the entry when these were the last of them, else None.
        :raises LookupError: there is no such number, or they hold fewer than that.
        """
        held = self.get(number)
        if held is None:
            raise LookupError(f"no {self.what} has number {number}")
        out = self._out(number)
        if not 0 < count <= out:
            raise LookupError(f"release of {count} of {self.what} {number}, of which {out} are out")
        if out > count or keep:
            self._count(number, out - count)
            return None if out > count else self.entry(number)
        if self._counts is None and self._odd is None:
            # So it is with most.
            entry = Export(held, None, id(held), 0)
        else:
            self._count(number, 0)
            entry = self.entry(number) or Export(held)
        self._remove(number, held)
        return entry

    def forget(self, number: int) -> bool:
        """Take an entry out of the table if they hold none of it; return whether that was so."""
        held = self.get(number)
        if held is None or self._out(number):
            return False
        self._remove(number, held)
        return True

    def _remove(self, number: int, held: Any) -> None:
        """Take an entry out of the table."""
        if self._counts is not None:
            self._usual(self._counts, number)
        usual = self._odd is None or not self._forget_odd(self._odd, number)
        if usual and self._identities is not None:
            self._identities.remove(id(held))
        if self._objects is not None:
            self._objects.remove(number)

    def _forget_odd(self, odd: _Odd, number: int) -> bool:
        """Forget what was unusual; return whether the identity was."""
        odd.perspectives.pop(number, None)
        unusual = number in odd.identities
        if unusual:
            odd.numbers.pop(odd.identities.pop(number), None)
        if not odd.identities and not odd.perspectives:
            self._odd = None
        elif odd.most > _FEW and 8 * len(odd.numbers) < odd.most:
            # As above: of many only few are left.
            odd.numbers, odd.identities, odd.most = dict(odd.numbers), dict(odd.identities), len(odd.numbers)
        return unusual

    def clear(self) -> list[Export]:
        """Empty the table and return what was in it."""
        entries = [entry for entry in map(self.entry, self.targets()) if entry is not None]
        self.names.clear()
        self._objects = self._identities = self._counts = self._odd = None
        return entries
