"""Integers many at a time: a list of them to its tokens, a run of tokens to a list of them.

Theory of operation, reading. In a run of integer tokens every byte is a digit or one of four type bytes, and no digit
looks like a type byte, so one split cuts the run into the digits of each. Every piece is then filled up with zeroes,
the high digits, to the width of the longest; that makes one large number with a lane for each integer, and closing
the gap behind every seventh bit in it closes the gaps of all integers at once. Where the core is compiled a plain loop
is faster, see `broker._wire.digits`.
"""

from __future__ import annotations

import re
from itertools import chain
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from broker._limits import PB_PREFIX
from broker._wire.banana import DIGITS, INT_TOKENS, PAIRS, digits_to_int, int_token
from broker._wire.digits import COMPILED, put_ints, read_ints
from broker.errors import BananaError

__all__ = ["int_tokens", "take_ints"]

#: Digits and the type bytes of integers.
_RUN = re.compile(rb"[\x00-\x7f\x81\x83\x85\x86]+")
_DIGITS: Final = bytes(range(0x80))
#: Makes one type byte of the four.
_ONE_TYPE: Final = bytes(range(0x83)) + b"\x81\x84\x81\x81" + bytes(range(0x87, 0x100))
#: Type bytes of negative integers have this bit, the other two have not.
_NEGATIVE: Final = 2
_POSITIVE_TYPES: Final = b"\x81\x85"
#: Makes zeroes of digits and ones of type bytes, so that long tokens can be searched for.
_SHAPE: Final = bytes(0x80) + b"\x01" * 0x80
#: Bytes looked at for each integer wanted. Tokens are shorter mostly; where they are longer, it takes another step.
_STEP: Final = 6
#: Integers laid side by side in one large number.
_LANES: Final = 256
#: Below this many the large number does not pay.
_FEW: Final = 24


class _Width:
    """The large number with lanes of 4 or 8 digits."""

    __slots__ = ("masks", "pack", "size", "unpack")

    def __init__(self, digits: int, code: str) -> None:
        self.size = digits * _LANES
        self.pack = Struct(f"{digits}s" * _LANES).pack
        self.unpack = Struct(f"<{_LANES}{code}").unpack
        # Digit i loses the i gaps below it.
        lane = [(127 << 7 * place).to_bytes(digits, "little") for place in range(digits)]
        self.masks = [int.from_bytes(mask * _LANES, "little") for mask in lane]


_NARROW: Final = _Width(4, "I")
_WIDE: Final = _Width(8, "Q")


def int_tokens(values: Any) -> bytes:
    """Return the tokens of two integers or more.

    :param values: a list, tuple or set of nothing but integers.
    :raises LimitExceeded: one has more digits than the wire allows.
    """
    if COMPILED:
        return put_ints(values)
    try:
        return b"".join(itemgetter(*values)(INT_TOKENS))
    except KeyError:
        small = INT_TOKENS
        return b"".join([PAIRS[n & 0x3FFF] + small[n >> 14] if 0x4000 <= n < 1 << 28 else int_token(n) for n in values])


def take_ints(data: bytes, position: int, count: int) -> tuple[list[int], int]:
    """Read integers from a place where some are expected.

    :param count: most that are wanted.
    :returns: as many as are there whole and in a row, and the position behind them.
    :raises BananaError: one has more digits than the wire allows.
    """
    if COMPILED:
        return read_ints(data, position, count)
    run = _RUN.match(data, position, position + count * _STEP)
    if run is None:
        return [], position
    raw = run.group()
    pieces = raw.translate(_ONE_TYPE).split(b"\x81", count)
    used = len(raw) - len(pieces.pop())
    numbers = _few(pieces) if len(pieces) < _FEW else _many(pieces, raw.translate(_SHAPE))
    types = raw[:used].translate(None, _DIGITS)
    if types.translate(None, _POSITIVE_TYPES):
        numbers = [-n if kind & _NEGATIVE else n for n, kind in zip(numbers, types, strict=True)]
    return numbers, position + used


def _few(pieces: list[bytes]) -> list[int]:
    """Return the numbers that some digits stand for, one after the other."""
    try:
        return [DIGITS[piece] for piece in pieces]
    except KeyError:
        return [DIGITS[piece[:2]] | DIGITS[piece[2:]] << 14 if len(piece) <= 4 else _long(piece) for piece in pieces]


def _long(digits: bytes) -> int:
    if len(digits) > PB_PREFIX:
        raise BananaError("an integer that is too long")
    return digits_to_int(digits)


def _many(pieces: list[bytes], shape: bytes) -> list[int]:
    """Return the numbers that many digits stand for, all together where none is too long for that."""
    if shape.find(bytes(5)) < 0:
        width = _NARROW
    elif shape.find(bytes(9)) < 0:
        width = _WIDE
    else:
        return _few(pieces)
    found = [_lanes(pieces[start : start + _LANES], width) for start in range(0, len(pieces), _LANES)]
    return list(chain.from_iterable(found))[: len(pieces)]


def _lanes(pieces: list[bytes], width: _Width) -> Any:
    """Return the numbers of one large number, zeroes behind the last."""
    pieces += [b""] * (_LANES - len(pieces))
    spread = int.from_bytes(width.pack(*pieces), "little")
    numbers = 0
    for place, mask in enumerate(width.masks):
        numbers |= spread >> place & mask
    return width.unpack(numbers.to_bytes(width.size, "little"))
