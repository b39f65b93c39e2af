"""Integers one at a time: what `broker._wire.integers` does where the core is compiled and plain loops are fastest."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from broker._limits import PB_PREFIX
from broker._wire.banana import digits_to_int, int_token
from broker._wire.pack import BytesWriter

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["COMPILED", "put_ints", "read_ints"]

#: Digits of seven bits that a machine's integer holds.
_DIGITS: Final = 8


def put_ints(values: Any) -> bytes:
    """Return the tokens of integers.

    :raises LimitExceeded: one has more digits than the wire allows.
    """
    writer = BytesWriter()
    for value in values:
        number: int = value
        if 0 <= number <= 0x7FFFFFFF:
            rest: i64 = number
            while rest > 0x7F:
                writer.append(rest & 0x7F)
                rest >>= 7
            writer.append(rest)
            writer.append(0x81)
        else:
            writer.write(int_token(number))
    return writer.getvalue()


def read_ints(data: bytes, position: int, count: int) -> tuple[list[int], int]:
    """Read integers from a place where some are expected.

    :param count: most that are wanted.
    :returns: as many as are there whole and in a row, and the position behind them. One that has more digits than the
        wire allows ends the row, so that the caller reads it by itself and says so.
    """
    numbers: list[int] = []
    start: i64 = position
    at: i64 = start
    end: i64 = len(data)
    wanted: i64 = count
    number: i64 = 0
    shift: i64 = 0
    while wanted > 0 and at < end:
        byte: i64 = data[at]
        at += 1
        if byte < 0x80:
            if shift < 7 * _DIGITS:
                number |= byte << shift
            shift += 7
            if shift > 7 * PB_PREFIX:
                break
            continue
        if shift == 0 or not (byte == 0x81 or byte == 0x83 or byte == 0x85 or byte == 0x86):
            break
        value: int = number
        if shift > 7 * _DIGITS:
            value = digits_to_int(data[start : at - 1])
        numbers.append(-value if byte == 0x83 or byte == 0x86 else value)
        wanted -= 1
        start = at
        number = 0
        shift = 0
    return numbers, start


#: Whether this module is compiled: its functions are then none of the interpreter's.
COMPILED: Final = not isinstance(read_ints, FunctionType)
