"""Things by number, for very many of them in little memory.

Theory of operation. A dictionary takes thirty to sixty bytes for an entry, and as many again for its key. The numbers
of a connection count up, so those in use mostly lie close together: they share blocks of sixteen, and only the blocks
are in a dictionary. A block goes when the last thing in it does. Should somebody hold one number in sixteen and no
others, each takes a block, which is not much more than a dictionary with entries would take.
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["Blocks"]

#: The place of a number in its block is in its last four bits; behind the sixteen is how many are taken.
_SHIFT: Final = 4
_WIDTH: Final = 1 << _SHIFT
#: As long as no more blocks than this were in use at a time, their dictionary keeps its room.
_FEW: Final = 8


class Blocks:
    """Things by number, never None.

    size: how many there are.
    """

    __slots__ = ("_blocks", "_peak", "size")

    def __init__(self) -> None:
        self._blocks: dict[int, list[Any]] = {}
        # Most blocks since their dictionary was made.
        self._peak = 0
        self.size = 0

    def get(self, number: int) -> Any:
        """Return the thing that has a number, whatever number that is, or None."""
        block = self._blocks.get(number >> _SHIFT)
        return None if block is None else block[number & (_WIDTH - 1)]

    def put(self, number: int, thing: Any) -> None:
        """Give a number to a thing, and take it from any other."""
        key = number >> _SHIFT
        block = self._blocks.get(key)
        if block is None:
            block = [None] * (_WIDTH + 1)
            block[_WIDTH] = 0
            self._blocks[key] = block
            self._peak = max(self._peak, len(self._blocks))
        place = number & (_WIDTH - 1)
        if block[place] is None:
            block[_WIDTH] += 1
            self.size += 1
        block[place] = thing

    def remove(self, number: int) -> None:
        """Take the number from the thing that has it, if there is one."""
        key = number >> _SHIFT
        block = self._blocks.get(key)
        place = number & (_WIDTH - 1)
        if block is None or block[place] is None:
            return
        block[place] = None
        block[_WIDTH] -= 1
        self.size -= 1
        if not block[_WIDTH]:
            del self._blocks[key]
            if self._peak > _FEW and len(self._blocks) * 8 <= self._peak:
                # A dictionary keeps the room for all that was ever in it.
                self._blocks = dict(self._blocks)
                self._peak = len(self._blocks)

    def items(self) -> list[tuple[int, Any]]:
        """Return all numbers with their things, those of a block together."""
        found = []
        for key, block in self._blocks.items():
            for place in range(_WIDTH):
                if block[place] is not None:
                    found.append((key << _SHIFT | place, block[place]))
        return found
