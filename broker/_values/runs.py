"""Lists of nothing but integers, or nothing but floats, packed: the numbers one after the other, without tags."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Any, Final

from broker._values.tags import FLOATS, INTS
from broker._wire.pack import (
    BytesWriter,
    read_f64_le,
    read_i16_le,
    read_i32_le,
    read_i64_le,
    write_f64_le,
    write_i16_le,
    write_i32_le,
    write_i64_le,
)

if TYPE_CHECKING:
    from mypy_extensions import i16, i32, i64

__all__ = ["COMPILED", "floats", "ints", "put_run"]

#: From so many numbers on `array` reads them faster than a compiled loop does.
_LONG: Final = 256
_SWAPPED: Final = sys.byteorder == "big"
_CODES: Final = {1: "b", 2: "h", 4: "i", 8: "q"}


def _one_by_one() -> None:
    """Something whose type tells whether this module is compiled."""


#: Whether this package is compiled. Compiled loops are faster than `array`, and that is faster than other loops.
COMPILED: Final = type(_one_by_one).__name__ != "function"


def put_run(writer: BytesWriter, value: list[Any]) -> bool:
    """Append a list packed, if it can be.

    :returns: whether it could.
    """
    if type(value[0]) is int:
        return _put_ints(writer, value) if COMPILED else _put_int_array(writer, value)
    if type(value[0]) is float:
        return _put_floats(writer, value) if COMPILED else _put_float_array(writer, value)
    return False


def _width(low: int, high: int) -> int:
    """Return how many bytes integers between these need; 0 if more than eight."""
    if -0x80000000 <= low and high <= 0x7FFFFFFF:
        if -0x8000 <= low and high <= 0x7FFF:
            return 1 if -0x80 <= low and high <= 0x7F else 2
        return 4
    return 8 if -0x8000000000000000 <= low and high <= 0x7FFFFFFFFFFFFFFF else 0


def _put_ints(writer: BytesWriter, value: list[Any]) -> bool:
    low: int = value[0]
    high: int = low
    for item in value:
        if type(item) is not int:
            return False
        number: int = item
        if number < low:
            low = number
        elif number > high:
            high = number
    width = _width(low, high)
    if not width:
        return False
    writer.append(INTS)
    writer.append(width)
    write_i32_le(writer, len(value))
    if width == 1:
        for item in value:
            small: int = item
            writer.append(small & 0xFF)
    elif width == 2:
        for item in value:
            short: i16 = item
            write_i16_le(writer, short)
    elif width == 4:
        for item in value:
            middle: i32 = item
            write_i32_le(writer, middle)
    else:
        for item in value:
            large: i64 = item
            write_i64_le(writer, large)
    return True


def _put_floats(writer: BytesWriter, value: list[Any]) -> bool:
    for item in value:
        if type(item) is not float:
            return False
    writer.append(FLOATS)
    write_i32_le(writer, len(value))
    for item in value:
        number: float = item
        write_f64_le(writer, number)
    return True


def _put_int_array(writer: BytesWriter, value: list[Any]) -> bool:
    if set(map(type, value)) != {int}:
        return False
    width = _width(min(value), max(value))
    if not width:
        return False
    packed = array(_CODES[width], value)
    if _SWAPPED:
        packed.byteswap()
    writer.append(INTS)
    writer.append(width)
    write_i32_le(writer, len(packed))
    writer.write(packed.tobytes())
    return True


def _put_float_array(writer: BytesWriter, value: list[Any]) -> bool:
    if set(map(type, value)) != {float}:
        return False
    packed = array("d", value)
    if _SWAPPED:
        packed.byteswap()
    writer.append(FLOATS)
    write_i32_le(writer, len(packed))
    writer.write(packed.tobytes())
    return True


def ints(data: bytes, position: i64, width: i64, count: i64) -> list[Any]:
    """Return integers that are there in full.

    :param width: the bytes of each: 1, 2, 4 or 8.
    """
    if not COMPILED or count > _LONG:
        return _unpacked(_CODES[width], data[position : position + width * count])
    stop: i64 = position + width * count
    made: list[Any] = []
    if width == 1:
        while position < stop:
            small: i64 = data[position]
            made.append(small if small < 128 else small - 256)
            position += 1
    elif width == 2:
        while position < stop:
            made.append(read_i16_le(data, position))
            position += 2
    elif width == 4:
        while position < stop:
            made.append(read_i32_le(data, position))
            position += 4
    else:
        while position < stop:
            made.append(read_i64_le(data, position))
            position += 8
    return made


def floats(data: bytes, position: i64, count: i64) -> list[Any]:
    """Return floats that are there in full."""
    if not COMPILED or count > _LONG:
        return _unpacked("d", data[position : position + 8 * count])
    stop: i64 = position + 8 * count
    made: list[Any] = []
    while position < stop:
        made.append(read_f64_le(data, position))
        position += 8
    return made


def _unpacked(code: str, data: bytes) -> list[Any]:
    packed: array[Any] = array(code, data)
    if _SWAPPED:
        packed.byteswap()
    return packed.tolist()
