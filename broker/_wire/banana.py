"""Banana: s-expressions of integers, floats, byte strings and lists as tokens, one way and the other.

A token is ``LENGTH* TYPE [BODY]``; only type bytes have the high bit set, so the type byte also ends the length. The
length is a number in base 128, least significant digit first. `broker._wire.buffer` finds whole expressions in bytes
that come cut anywhere, and checks the ceilings; what is decoded here is whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from broker._limits import PB_PREFIX, PB_SIZE
from broker._wire.pack import BytesWriter, write_i16_le, write_i32_le
from broker._wire.vocabulary import INCOMING, TOKENS, VOCAB
from broker.errors import BananaError, LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = [
    "DIGITS",
    "DIGIT_RUN",
    "FLOAT",
    "INT",
    "INT_TOKENS",
    "LIST",
    "LONGINT",
    "LONGNEG",
    "NEG",
    "PAIRS",
    "STRING",
    "UnknownToken",
    "UnknownWord",
    "WordNotAllowed",
    "decode",
    "digits_to_int",
    "encode",
    "float_token",
    "header",
    "int_to_digits",
    "int_token",
    "put_int",
    "string_token",
    "word",
]

LIST: Final = 0x80
INT: Final = 0x81
STRING: Final = 0x82
NEG: Final = 0x83
FLOAT: Final = 0x84
LONGINT: Final = 0x85
LONGNEG: Final = 0x86

_LARGEST_INT: Final = 2**31 - 1
_SMALLEST_INT: Final = -(2**31)
#: Deepest nesting that `encode` and `decode` follow unless told otherwise; it also ends a list that contains itself.
_DEPTH: Final = 10_000

#: Digits to number, for numbers of up to two digits in every spelling. Most numbers on the wire are among them.
DIGITS: Final[dict[bytes, int]] = {b"": 0}
DIGITS.update((bytes((low,)), low) for low in range(128))
DIGITS.update((bytes((low, high)), low | high << 7) for high in range(128) for low in range(128))

#: The two digits of a number below 16,384, for the pieces of larger ones.
PAIRS: Final[list[bytes]] = [digits for digits in DIGITS if len(digits) == 2]
_FEWEST: Final[list[bytes]] = [digits for digits in DIGITS if len(digits) == 1] + PAIRS[128:]
#: Number to its INT token, for numbers of up to two digits.
INT_TOKENS: Final[dict[int, bytes]] = {n: bytes((n, INT)) for n in range(128)}
INT_TOKENS.update((n, bytes((n & 127, n >> 7, INT))) for n in range(128, 128 * 128))

_FLOAT = Struct(">Bd")
_DOUBLE = Struct(">d")
#: Matches the digits of a token; always matches.
DIGIT_RUN: Final = re.compile(rb"[\x00-\x7f]*")
#: No more bits than this are made a number of, by `header`.
_MOST_BITS: Final = 64 * 7


class UnknownToken(BananaError):
    """A type byte that banana does not have."""


class UnknownWord(BananaError):
    """A VOCAB token whose number is not in the vocabulary; the second argument is the number."""


class WordNotAllowed(BananaError):
    """A VOCAB token in a dialect without vocabulary; the second argument is the word."""


def int_to_digits(number: int) -> bytes:
    """Return a number that is not negative in base 128, least significant digit first.

    :raises ValueError: the number is negative.
    """
    if number < 0:
        raise ValueError(f"only numbers from zero up have digits, not {number}")
    if number < 1 << 14:
        return _FEWEST[number]
    digits = b""
    while number >= 1 << 14:
        digits += PAIRS[number & 0x3FFF]
        number >>= 14
    return digits + _FEWEST[number]


def digits_to_int(digits: bytes | bytearray) -> int:
    """Return the number that base-128 digits stand for; none at all stand for zero."""
    number = 0
    for digit in reversed(digits):
        number = number << 7 | digit
    return number


def int_token(number: int, prefix_limit: int = PB_PREFIX) -> bytes:
    """Return the token of any integer.

    :param prefix_limit: most digits that the peer accepts.
    :raises LimitExceeded: the integer has more digits.
    """
    if 0 <= number <= _LARGEST_INT and prefix_limit >= 5:
        if number < 1 << 14:
            return INT_TOKENS[number]
        if number < 1 << 28:
            return PAIRS[number & 0x3FFF] + INT_TOKENS[number >> 14]
        return int_to_digits(number) + b"\x81"
    if number.bit_length() > 7 * prefix_limit:
        raise LimitExceeded(f"an integer of {number.bit_length()} bits; the peer accepts {7 * prefix_limit}")
    digits = int_to_digits(abs(number))
    if number >= 0:
        return digits + (b"\x81" if number <= _LARGEST_INT else b"\x85")
    return digits + (b"\x83" if number >= _SMALLEST_INT else b"\x86")


def put_int(writer: BytesWriter, number: int) -> None:
    """Append the token of any integer.

    :raises LimitExceeded: it has more digits than PB's peers accept.
    """
    if not 0 <= number < 0x10000000:
        writer.write(int_token(number))
        return
    rest: i64 = number
    low: int = rest & 0x7F
    # Several bytes at a time, the type byte on top, which makes the number that they are negative.
    if rest < 0x80:
        last: int = rest - 0x7F00
        write_i16_le(writer, last)
    elif rest < 0x4000:
        last = (rest >> 7) - 0x7F00
        writer.append(low)
        write_i16_le(writer, last)
    else:
        if rest >= 0x200000:
            writer.append(low)
            rest >>= 7
        last = (rest & 0x7F) + ((rest & 0x3F80) << 1) + (rest >> 14 << 16) - 0x7F000000
        write_i32_le(writer, last)


def float_token(number: float) -> bytes:
    """Return the token of a float."""
    return _FLOAT.pack(FLOAT, number)


def string_token(string: bytes, vocabulary: bool, string_limit: int = PB_SIZE) -> bytes:
    """Return the token of a byte string: one number for a word of the vocabulary, where that is on.

    :param string_limit: most bytes that the peer accepts.
    :raises LimitExceeded: the string is longer.
    """
    if vocabulary:
        token = TOKENS.get(string)
        if token is not None:
            return token
    length = len(string)
    if length > string_limit:
        raise LimitExceeded(f"a byte string of {length} bytes; the peer accepts {string_limit}")
    return int_to_digits(length) + b"\x82" + string


def encode(
    value: Any,
    *,
    vocabulary: bool,
    string_limit: int = PB_SIZE,
    prefix_limit: int = PB_PREFIX,
    depth_limit: int = _DEPTH,
) -> bytes:
    """Return the tokens of an s-expression.

    :param vocabulary: send words of the vocabulary as numbers.
    :param string_limit: most bytes of a byte string, and most elements of a list, that the peer accepts.
    :param prefix_limit: most digits of an integer that the peer accepts.
    :param depth_limit: deepest nesting of lists.
    :raises LimitExceeded: something in it passes a limit.
    :raises BananaError: something in it is no list, tuple, integer, float or byte string.
    """
    out: list[bytes] = []
    stack: list[Iterator[Any]] = []
    iterator: Iterator[Any] = iter((value,))
    while True:
        for item in iterator:
            if isinstance(item, bytes):
                out.append(string_token(item, vocabulary, string_limit))
            elif isinstance(item, int):
                out.append(int_token(item, prefix_limit))
            elif isinstance(item, (list, tuple)):
                if len(item) > string_limit:
                    raise LimitExceeded(f"a list of {len(item)} elements; the peer accepts {string_limit}")
                if len(stack) >= depth_limit:
                    raise LimitExceeded(f"lists nested deeper than {depth_limit}")
                out.append(int_to_digits(len(item)) + b"\x80")
                stack.append(iterator)
                iterator = iter(item)
                break
            elif isinstance(item, float):
                out.append(_FLOAT.pack(FLOAT, item))
            else:
                raise BananaError(f"Banana cannot send {type(item).__module__}.{type(item).__qualname__} objects")
        else:
            if not stack:
                return b"".join(out)
            iterator = stack.pop()


def header(data: bytes, position: i64) -> tuple[int, int, i64]:
    """Read the digits and type byte of one token.

    :returns: the number, the type byte, and the position behind it. Where there are more than 64 digits the "type
        byte" is a digit, so below 0x80: making a number of digits takes quadratic time, and these may be any amount.
    :raises IndexError: the data end before the type byte.
    """
    kind: i64 = data[position]
    small: i64 = 0
    shift: i64 = 0
    while kind < 0x80 and shift < 56:
        small |= kind << shift
        shift += 7
        position += 1
        kind = data[position]
    if kind >= 0x80:
        return small, kind, position + 1
    number: int = small
    places: int = shift
    while kind < 0x80 and places < _MOST_BITS:
        digit: int = kind
        number |= digit << places
        places += 7
        position += 1
        kind = data[position]
    return number, kind, position + 1


def decode(data: bytes, position: int = 0, *, vocabulary: bool, depth_limit: int = _DEPTH) -> tuple[Any, int]:
    """Read one expression that is known to be whole and within the ceilings.

    :returns: the expression, with lists as lists, and the position behind it.
    :raises LimitExceeded: lists are nested deeper than `depth_limit`.
    :raises BananaError: the data are no tokens, or end early.
    """
    stack: list[tuple[list[Any], int]] = []
    items: list[Any] = []
    left = 1
    item: Any
    try:
        while True:
            number = data[position]
            kind = data[position + 1] if number < 0x80 else 0
            if kind >= 0x80:
                position += 2
            else:
                end = DIGIT_RUN.match(data, position).end()  # type: ignore[union-attr]
                number = digits_to_int(data[position:end])
                kind = data[end]
                position = end + 1
            if kind == INT or kind == LONGINT:
                item = number
            elif kind == VOCAB:
                item = word(number, vocabulary)
            elif kind == STRING:
                item = data[position : position + number]
                position += number
                if position > len(data):
                    raise IndexError
            elif kind == LIST:
                if len(stack) >= depth_limit:
                    raise LimitExceeded(f"lists nested deeper than {depth_limit}")
                if number:
                    stack.append((items, left))
                    items = []
                    left = number
                    continue
                item = []
            elif kind == NEG or kind == LONGNEG:
                item = -number
            elif kind == FLOAT:
                item = _DOUBLE.unpack_from(data, position)[0] if position + 8 <= len(data) else data[len(data)]
                position += 8
            else:
                raise UnknownToken(f"there is no token of type 0x{kind:02x}")
            items.append(item)
            left -= 1
            while not left:
                if not stack:
                    return items[0], position
                item = items
                items, left = stack.pop()
                items.append(item)
                left -= 1
    except IndexError:
        raise BananaError("the expression ends early") from None


def word(number: int, vocabulary: bool) -> bytes:
    """Return the word of a VOCAB token, or raise."""
    word = INCOMING.get(number)
    if word is None:
        raise UnknownWord(f"the vocabulary has no word {number}", number)
    if not vocabulary:
        raise WordNotAllowed(f"the dialect has no vocabulary, but {word!r} came as a number", word)
    return word
