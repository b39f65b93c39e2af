"""Dictionaries and sets from the native dialect: whatever is hashed, and what a peer could make that cost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from broker._values.alike import ALIKE, MANY, SAFE
from broker._values.graph import Keys
from broker._values.shapes import KnownShapes
from broker.errors import BadValue, LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["fill_dict", "fill_set"]


def fill_dict(target: dict[Any, Any], items: list[Any], guard: Keys | None, shapes: KnownShapes) -> None:
    """Enter keys and values, which come by turns.

    :param guard: of what is hashed; None if the value has no shared parts.
    :raises BadValue: a key cannot be hashed.
    :raises LimitExceeded: the keys would be too costly to hash.
    """
    count: i64 = len(items)
    many = count > MANY * 2
    if many:
        _check(items[::2], guard)
    position: i64 = 0
    while position < count:
        key = items[position]
        if type(key) is str:
            target[shapes.name(key)] = items[position + 1]
        else:
            if guard is not None and not many:
                guard.check(key)
            try:
                target[key] = items[position + 1]
            except TypeError:
                raise BadValue(f"a key that cannot be hashed, of type {type(key).__name__}") from None
        position += 2


def fill_set(target: set[Any], items: list[Any], guard: Keys | None) -> None:
    """Add members.

    :raises BadValue: one cannot be hashed.
    :raises LimitExceeded: they would be too costly to hash.
    """
    if len(items) > MANY:
        _check(items, guard)
    elif guard is not None:
        for item in items:
            guard.check(item)
    try:
        target.update(items)
    except TypeError:
        raise BadValue("a member of a set that cannot be hashed") from None


def _check(items: list[Any], guard: Keys | None) -> None:
    """Refuse many keys with the same hash: each would be compared with all of them."""
    if guard is not None:
        for item in items:
            guard.check(item)
    kinds = set(map(type, items)) - SAFE
    if not kinds:
        return
    if kinds == {int}:
        # There may be texts and the like among them, which do not compare.
        numbers = [item for item in items if type(item) is int]
        if -0x8000000000000000 <= min(numbers) and max(numbers) <= 0x7FFFFFFFFFFFFFFF:
            return
    try:
        hashes = Counter(map(hash, items))
    except TypeError:
        raise BadValue("a key that cannot be hashed") from None
    # Not how many hashes there are: among many honest keys a few thousand may be that are alike.
    if sum([count * count for count in hashes.values()]) > len(items) * ALIKE:
        raise LimitExceeded(
            f"{len(items)} keys with {len(hashes)} hashes, the most frequent {max(hashes.values())} times"
        )
