"""The numbers of objects by what `id` returns for them.

Theory of operation. A dictionary would need, beside its entry, an integer for the key and one for the number: more
than all the rest of a table. So this is a hash table that has the numbers only, in an array. Whether a number is the
one that was looked for shows at the object that has it.

Cells are tried one after the other from where an identity belongs, until an empty one. When a number is removed those
behind it move up, so that no marks of removed ones are needed.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from broker._session.blocks import Blocks

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["Identities"]

#: Cells of the smallest table; always a power of two, of which a third at most is kept free.
_LEAST: Final = 8
#: Spreads addresses, which are multiples of sixteen and lie close together.
_SPREAD: Final = 0x4F1BBCDD
_BITS: Final = 0x3FFFFFFF


def _home(identity: int) -> i64:
    """Return where an identity belongs, before that is cut to the size of the table."""
    spot: i64 = (identity >> 4 ^ identity >> 24) & _BITS
    return spot * _SPREAD >> 18


class Identities:
    """Numbers by identity.

    :param objects: the objects by number. An object must be there before its identity is added, and until that is
        removed.
    """

    __slots__ = ("_cells", "_objects", "_size")

    def __init__(self, objects: Blocks) -> None:
        self._objects = objects
        self._size = 0
        self._cells = array("q", bytes(8 * _LEAST))

    def find(self, identity: int) -> int:
        """Return the number of the object with an identity, or 0."""
        number: int = self._cells[self._place(identity)]
        return number

    def _place(self, identity: int) -> i64:
        """Return the cell of an identity, or the empty one where it could be entered."""
        cells, objects = self._cells, self._objects
        last: i64 = len(cells) - 1
        place: i64 = _home(identity) & last
        while True:
            number: int = cells[place]
            if not number or id(objects.get(number)) == identity:
                return place
            place = (place + 1) & last

    def add(self, identity: int, number: int) -> None:
        """Enter the number, above 0, of an object that is not here yet."""
        self._size += 1
        if self._size * 3 > len(self._cells) * 2:
            self._resize(len(self._cells) * 2)
        self._cells[self._place(identity)] = number

    def remove(self, identity: int) -> None:
        """Forget an identity, if it is here."""
        cells, objects = self._cells, self._objects
        last: i64 = len(cells) - 1
        hole: i64 = self._place(identity)
        if not cells[hole]:
            return
        place: i64 = (hole + 1) & last
        number: int = cells[place]
        while number:
            away: i64 = (place - _home(id(objects.get(number)))) & last
            if away >= (place - hole) & last:
                # It would not be found any more behind an empty cell.
                cells[hole] = number
                hole = place
            place = (place + 1) & last
            number = cells[place]
        cells[hole] = 0
        self._size -= 1
        if self._size * 8 < len(cells) > _LEAST:
            self._resize(len(cells) // 4)

    def _resize(self, cells: int) -> None:
        """Enter everything anew."""
        before = self._cells
        self._cells = array("q", bytes(8 * max(_LEAST, cells)))
        for number in before:
            if number:
                self._cells[self._place(id(self._objects.get(number)))] = number
