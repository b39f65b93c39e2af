"""How many bytes an item of the native dialect has, from its first few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from broker._values.moments import size_of_rare
from broker._values.plain import NotPlain
from broker._values.tags import (
    BACK,
    BIG,
    BYTES,
    BYTES8,
    FLOAT,
    FLOATS,
    FROZENSET,
    I8,
    I16,
    I32,
    I64,
    INTS,
    JELLY,
    KNOWN8,
    KNOWN16,
    LIST,
    NEGATIVE,
    RECORD,
    SHORT_LIST,
    SHORT_STR,
    STR,
    STR8,
    TRUE,
)
from broker._wire.pack import read_i32_le
from broker.errors import BadValue

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["body_of", "size_of", "size_of_head", "u32"]


def u32(data: bytes, position: i64) -> i64:
    """Return the count or length at `position`."""
    number: int = read_i32_le(data, position)
    return number & 0xFFFFFFFF


def size_of(tag: i64, data: bytes, position: i64, end: i64, outermost: bool) -> i64:
    """Return how many bytes the item, or the opening of the container, at `position` has.

    If it is cut, that may be too few, but always more than there are.

    :raises NotPlain: it is an s-expression, and the outermost item.
    :raises BadValue: there is no such item.
    """
    left: i64 = end - position
    if tag < SHORT_STR or tag >= NEGATIVE or SHORT_LIST <= tag <= TRUE:
        return 1
    if tag < SHORT_LIST:
        return 1 + tag - SHORT_STR
    if tag == STR8 or tag == BYTES8:
        return 2 if left < 2 else 2 + data[position + 1]
    if tag == BIG or tag == STR or tag == BYTES:
        return 5 if left < 5 else 5 + u32(data, position + 1)
    if LIST <= tag <= FROZENSET or tag == BACK or tag == I32:
        return 5
    if tag == I8 or tag == RECORD or tag == KNOWN8:
        return 2
    if tag == I16 or tag == KNOWN16:
        return 3
    if tag == I64 or tag == FLOAT:
        return 9
    if tag == INTS:
        return 6 if left < 6 else 6 + _width(data[position + 1]) * u32(data, position + 2)
    if tag == FLOATS:
        return 5 if left < 5 else 5 + 8 * u32(data, position + 1)
    if tag != JELLY:
        return size_of_rare(tag, data, position, end)
    if outermost:
        raise NotPlain("an s-expression")
    raise BadValue("an s-expression within a value")


def _width(width: i64) -> i64:
    if width != 1 and width != 2 and width != 4 and width != 8:
        raise BadValue(f"integers of {width} bytes")
    return width


def size_of_head(tag: i64) -> i64:
    """Return the size of what a large item begins with; 0 if it cannot be large."""
    if tag == STR or tag == BYTES or tag == BIG or tag == FLOATS:
        return 5
    return 6 if tag == INTS else 0


def body_of(tag: i64, data: bytes) -> Any:
    """Return a text, byte string or integer.

    :param data: all of it, without tag and length.
    """
    if tag == BYTES or tag == BYTES8:
        return data
    if tag == BIG:
        return int.from_bytes(data, "little", signed=True)
    return data.decode()
