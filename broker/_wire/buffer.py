"""Whole expressions out of bytes that come cut anywhere.

Finding where an expression ends takes no stack, only a count of the tokens still owed: one at first, one less for each
token, n more for a list of n. `Scanner` keeps that count between chunks, so each byte is looked at once however the
bytes are cut, and an expression is decoded once, when it is whole. Every ceiling is checked on the declared size,
before the bytes that were declared are kept.
"""

from __future__ import annotations

import re
from typing import Any, Final

from broker._limits import Limits
from broker._wire.banana import DIGIT_RUN, FLOAT, INT, LIST, STRING, UnknownToken, decode, digits_to_int, word
from broker._wire.vocabulary import INCOMING, VOCAB
from broker.errors import BananaError, LimitExceeded

__all__ = ["Decoder", "Scanner"]

#: Most digits of an INT token in usual spelling: five hold 31 bits.
_USUAL: Final = 5
_INT_RUN = re.compile(rb"[\x00-\x7f\x81]+")
#: Most bytes skipped in one step. A peer that mixes long tokens in makes us look at as many again for each of them.
_STEP: Final = 4096
_LONG: Final = bytes(_USUAL + 1)
_DIGITS_TO_ZERO: Final = bytes(0x80) + bytes(range(0x80, 0x100))


class Scanner:
    """Finds the end of one expression in a buffer that grows, checking every ceiling but depth on the way.

    :param message: most bytes of one expression; by default what `limits` say.

    position: where to go on; past the end of the buffer while the body of a string is still to come.
    """

    __slots__ = ("_limits", "_message", "_usual", "elements", "position", "remaining", "start", "vocabulary")

    def __init__(self, limits: Limits, vocabulary: bool, message: int | None = None) -> None:
        self._limits = limits
        self._message = limits.message if message is None else message
        self._usual = limits.prefix >= _USUAL and limits.string >= 0x80
        self.vocabulary = vocabulary
        self.restart(0)

    def restart(self, position: int) -> None:
        """Begin a new expression at a position of the buffer."""
        self.start = position
        self.position = position
        self.remaining = 1
        self.elements = 0

    def advance(self, data: bytes | bytearray) -> bool:
        """Scan what has come; true when the expression is whole and ends at `position`.

        :raises BananaError: the data are no tokens, or pass a ceiling.
        """
        position = self.position
        remaining = self.remaining
        elements = self.elements
        size = len(data)
        # Within these, a token with one digit passes no ceiling but those checked at the end.
        last = size - 1 if self._usual else 0
        while remaining > 0 and position < size:
            number = data[position]
            if number < 0x80 and position < last:
                kind = data[position + 1]
                if kind == INT:
                    position += 2
                    remaining -= 1
                    if remaining > 8:
                        position, remaining = _skip_ints(data, position, remaining)
                    continue
                if kind == STRING:
                    position += 2 + number
                    remaining -= 1
                    continue
                if kind == LIST and elements + number <= self._limits.elements:
                    position += 2
                    elements += number
                    remaining += number - 1
                    continue
                if kind == VOCAB and self.vocabulary and number in INCOMING:
                    position += 2
                    remaining -= 1
                    continue
            end = DIGIT_RUN.match(data, position).end()  # type: ignore[union-attr]
            if end - position > self._limits.prefix:
                raise BananaError(f"a length prefix of more than {self._limits.prefix} bytes")
            if end == size:
                break
            kind = data[end]
            remaining -= 1
            if kind == STRING or kind == LIST or kind == VOCAB:
                number = digits_to_int(data[position:end])
                position = end + 1
                if kind == STRING:
                    if number > self._limits.string:
                        raise BananaError(f"a byte string of {number} bytes; the limit is {self._limits.string}")
                    position += number
                elif kind == LIST:
                    elements += number
                    remaining += number
                    if elements > self._limits.elements:
                        raise BananaError(f"{elements} elements; the limit is {self._limits.elements}")
                else:
                    word(number, self.vocabulary)
            elif kind == FLOAT:
                position = end + 9
            elif kind > VOCAB:
                raise UnknownToken(f"there is no token of type 0x{kind:02x}")
            else:
                position = end + 1
                if kind == INT and remaining > 8 and last:
                    position, remaining = _skip_ints(data, position, remaining)
        # Each element still owed takes a byte or more.
        if position + remaining - self.start > self._message:
            raise BananaError(f"a message of more than {self._message} bytes")
        self.position = position
        self.remaining = remaining
        self.elements = elements
        return remaining == 0 and position <= size


def _skip_ints(data: bytes | bytearray, position: int, remaining: int) -> tuple[int, int]:
    """Skip a run of INT tokens of usual length in one step, but never the last token owed."""
    # A token takes a byte at least, so this many bytes hold fewer tokens than are owed.
    run = _INT_RUN.match(data, position, position + min(remaining - 1, _STEP))
    if run is None:
        return position, remaining
    end = run.end()
    long = data[position:end].translate(_DIGITS_TO_ZERO).find(_LONG)
    end = data.rfind(b"\x81", position, end if long < 0 else position + long) + 1
    if not end:
        return position, remaining
    return end, remaining - data.count(b"\x81", position, end)


class Decoder:
    """Expressions out of bytes that come cut anywhere.

    :param message: most bytes of one expression; by default what `limits` say.

    vocabulary: whether VOCAB tokens are understood; may be set between expressions.
    """

    __slots__ = ("_buffer", "_depth", "_scanner")

    def __init__(self, limits: Limits, *, vocabulary: bool, message: int | None = None) -> None:
        self._buffer = bytearray()
        self._depth = limits.depth
        self._scanner = Scanner(limits, vocabulary, message)

    @property
    def vocabulary(self) -> bool:
        """Whether VOCAB tokens are understood."""
        return self._scanner.vocabulary

    @vocabulary.setter
    def vocabulary(self, on: bool) -> None:
        self._scanner.vocabulary = on

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came."""
        self._buffer += data

    def next_expression(self) -> Any:
        """Return the next whole expression, or None when more bytes are needed.

        :raises BananaError: the bytes are no tokens, or pass a ceiling.
        """
        scanner = self._scanner
        if not scanner.advance(self._buffer):
            return None
        data = bytes(self._buffer[: scanner.position])
        try:
            expression, _ = decode(data, vocabulary=scanner.vocabulary, depth_limit=self._depth)
        except LimitExceeded as error:
            raise BananaError(str(error)) from None
        del self._buffer[: scanner.position]
        scanner.restart(0)
        return expression

    def take_rest(self) -> bytes:
        """Return the bytes behind the last expression and forget them."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._scanner.restart(0)
        return rest
