"""Many keys of a dictionary, or members of a set, with the same hash: made by a peer to be compared with each other."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from broker.errors import LimitExceeded

__all__ = ["ALIKE", "MANY", "SAFE", "Alike", "chosen"]

#: In fewer keys than this it does not matter how many hash alike.
MANY: Final = 64
#: With how many of the same hash a key may have to be compared, on the average. Honest ones have a hash each.
ALIKE: Final = 8
#: Types whose hashes a peer cannot choose, or of which only few values hash alike.
SAFE: Final[frozenset[type]] = frozenset((str, bytes, bool, float, type(None)))


def chosen(key: Any) -> bool:
    """Return whether a peer may have chosen what a key hashes to.

    Python salts the hashes of texts only; a peer can make any number of tuples, large integers, decimals or UUIDs
    that hash alike.
    """
    kind = type(key)
    if kind is int:
        return not -0x8000000000000000 <= key <= 0x7FFFFFFFFFFFFFFF
    return kind not in SAFE


class Alike:
    """Refuses many keys with the same hash: each would be compared with all of them.

    :param target: the dictionary or set that they are for, with those that it has already.
    """

    __slots__ = ("_cost", "_hashes", "_target")

    def __init__(self, target: Any) -> None:
        self._target = target
        self._hashes = Counter(map(hash, target))
        self._cost = sum([count * count for count in self._hashes.values()])

    def add(self, hashed: int) -> None:
        """Count one more.

        :raises LimitExceeded: too many hash alike.
        """
        count = self._hashes[hashed]
        self._hashes[hashed] = count + 1
        self._cost += 2 * count + 1
        if self._cost > (len(self._target) + 1) * ALIKE:
            raise LimitExceeded(f"{count + 1} of {len(self._target) + 1} keys have the same hash")
