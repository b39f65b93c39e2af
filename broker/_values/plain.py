"""Plain values straight to the banana bytes of their jelly, with no s-expression in between.

A value is *plain* when its form on the wire is the same whoever sends it to whom: None, bool, int, float, bytes, str,
list, tuple, dict, set, frozenset, Decimal, and the naive classes of `datetime`, all of exactly these types. Whatever
else is met raises `NotPlain`, and the long way (jelly, then banana) decides: it knows policy, registry and perspective.
What is encoded here is byte for byte what the long way gives, including the references that keep shared and cyclic
containers what they are. `broker._values.unplain` is the way back.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from operator import countOf
from typing import TYPE_CHECKING, Any, Final

from broker._limits import PB_SIZE
from broker._values.runs import COMPILED
from broker._wire.banana import (
    FLOAT,
    INT_TOKENS,
    STRING,
    encode,
    int_to_digits,
    int_token,
    put_int,
    string_token,
)
from broker._wire.integers import int_tokens
from broker._wire.pack import BytesWriter, write_f64_be
from broker._wire.vocabulary import TOKENS
from broker.errors import LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["MAX_DEPTH", "NotPlain", "PlainEncoder", "TEXT_HEAD"]

#: Containers nested deeper than this go the long way, which counts them against `Limits.depth` without recursion.
MAX_DEPTH: Final = 64
#: A memo of dictionary keys holds this many, none longer than _KEY bytes, and starts anew when full: a peer fills it.
_MEMO: Final = 2048
_KEY: Final = 64
#: Decimals with more digits than an integer of the wire can have go the long way.
_DECIMAL_DIGITS: Final = 130
#: From this many items on it pays to look whether all are integers.
_RUN: Final = 4
#: Lengths of one digit have ready-made headers.
_SHORT: Final = 128
_HEADS: Final[dict[type, bytes]] = {
    list: b"list",
    tuple: b"tuple",
    dict: b"dictionary",
    set: b"set",
    frozenset: b"frozenset",
}


#: ``(unicode`` and the length of a text, for lengths of one digit.
_TEXT: Final = [b"\x02\x80\x07\x82unicode" + bytes((length, 0x82)) for length in range(_SHORT)]
_PAIR: Final = b"\x02\x80"
#: ``(unicode``, before the token of its UTF-8 bytes.
TEXT_HEAD: Final = b"\x02\x80\x07\x82unicode"
_TRUE: Final = b"\x02\x80\x07\x82boolean\x04\x82true"
_FALSE: Final = b"\x02\x80\x07\x82boolean\x05\x82false"


class NotPlain(Exception):
    """The value, or the form, is not plain; it may be right nevertheless."""


def _openings(head: bytes, vocabulary: bool) -> list[bytes]:
    """Return the list header and head of containers of few items, by their number."""
    return [int_to_digits(count + 1) + b"\x80" + encode(head, vocabulary=vocabulary) for count in range(_SHORT)]


class _Tables:
    """What depends on nothing but whether words go as numbers; never changed once made."""

    __slots__ = ("heads", "none", "references", "words")

    def __init__(self, vocabulary: bool) -> None:
        self.heads = {kind: _openings(head, vocabulary) for kind, head in _HEADS.items()}
        self.references = (encode(b"reference", vocabulary=vocabulary), encode(b"dereference", vocabulary=vocabulary))
        self.none = encode([b"None"], vocabulary=vocabulary)
        # Texts that are words of the vocabulary are few; every other text is spelled out.
        self.words = {word.decode(): TEXT_HEAD + token for word, token in TOKENS.items()} if vocabulary else {}


_TABLES: Final = (_Tables(False), _Tables(True))


class PlainEncoder:
    """Encodes plain values for one connection.

    :param vocabulary: send words of the vocabulary as numbers.
    :param depth: deepest nesting of containers; above 64 it is 64.
    :param string_limit: most bytes of a string, and most elements of a list, that the peer accepts.
    """

    __slots__ = (
        "_depth",
        "_heads",
        "_keys",
        "_limit",
        "_none",
        "_references",
        "_seen",
        "_short",
        "_splices",
        "_vocabulary",
        "_words",
    )

    def __init__(self, vocabulary: bool, depth: int = MAX_DEPTH, string_limit: int = PB_SIZE) -> None:
        self._vocabulary = vocabulary
        self._depth = min(depth, MAX_DEPTH)
        self._limit = string_limit
        # Texts and containers below this size need no other look at the limit.
        self._short = min(_SHORT, string_limit)
        tables = _TABLES[vocabulary]
        self._heads = tables.heads
        self._references = tables.references
        self._none = tables.none
        self._words = tables.words
        self._keys: dict[str, bytes] = {}
        #: By identity of a container: where its form begins, or the negative of its number once it is referred to.
        self._seen: dict[int, int] = {}
        #: Where what is referred to begins, by number.
        self._splices: list[int] = []

    def encode(self, value: Any) -> bytes:
        """Return the banana bytes of the jelly of a value.

        :raises NotPlain: something in it is not plain.
        :raises LimitExceeded: something in it is larger than the peer accepts.
        """
        if type(value) is int:
            return int_token(value)
        writer = BytesWriter()
        try:
            self._put(writer, value, self._depth)
            data = writer.getvalue()
            return self._spliced(data) if self._splices else data
        except UnicodeEncodeError:
            raise NotPlain("a text with a lone surrogate") from None
        finally:
            # Nothing of the value is kept, whatever happened.
            self._splices.clear()
            self._seen.clear()

    def _put(self, writer: BytesWriter, value: Any, depth: i64) -> None:
        """Append the form of any value."""
        kind = type(value)
        if kind is float:
            number: float = value
            writer.append(FLOAT)
            write_f64_be(writer, number)
        elif kind is dict:
            self._put_dict(writer, value, depth)
        elif kind is list:
            self._put_items(writer, value, list, depth)
        elif kind is tuple:
            self._put_items(writer, value, tuple, depth)
        elif value is None:
            writer.write(self._none)
        elif kind is bool:
            writer.write(_TRUE if value else _FALSE)
        elif kind is bytes:
            writer.write(string_token(value, self._vocabulary, self._limit))
        elif kind is str:
            self._put_text(writer, value)
        elif kind is int:
            put_int(writer, value)
        elif kind is set:
            self._put_items(writer, value, set, depth)
        elif kind is frozenset:
            self._put_items(writer, value, frozenset, depth)
        else:
            writer.write(_rare(value))

    def _put_text(self, writer: BytesWriter, value: str) -> None:
        """Append the form of any text."""
        if value in self._words:
            writer.write(self._words[value])
            return
        data = value.encode()
        length = len(data)
        if length < self._short:
            writer.write(_TEXT[length])
        elif length > self._limit:
            raise LimitExceeded(f"a text of {length} bytes; the peer accepts {self._limit}")
        else:
            writer.write(TEXT_HEAD)
            writer.write(int_to_digits(length))
            writer.append(STRING)
        writer.write(data)

    def _open(self, writer: BytesWriter, count: int, kind: type, depth: i64) -> None:
        """Append the header of a container met for the first time."""
        if depth <= 0:
            raise NotPlain("containers nested deeply")
        heads = self._heads[kind]
        if count < self._short:
            writer.write(heads[count])
            return
        if count >= self._limit:
            raise LimitExceeded(f"a {kind.__name__} of {count} items; the peer accepts {self._limit - 1}")
        writer.write(int_to_digits(count + 1) + heads[0][1:])

    def _refer(self, writer: BytesWriter, ident: int) -> None:
        """Append a reference to a container met before.

        A reference of PB is a wrapper in front of the first occurrence, which is put there when all is written.
        Numbers count second occurrences in the order in which they are met; a container that has its number is marked
        by its negative.
        """
        place = self._seen[ident]
        if place >= 0:
            self._splices.append(place)
            self._seen[ident] = place = -len(self._splices)
        writer.write(_PAIR)
        writer.write(self._references[1])
        put_int(writer, -place)

    def _spliced(self, data: bytes) -> bytes:
        """Return what was written, with the references in front of what is referred to."""
        found: list[bytes] = []
        begin = 0
        for place, number in sorted((place, number) for number, place in enumerate(self._splices, 1)):
            found += (data[begin:place], b"\x03\x80", self._references[0], int_token(number))
            begin = place
        return b"".join([*found, data[begin:]])

    def _put_items(self, writer: BytesWriter, value: Any, kind: type, depth: i64) -> None:
        """Append the form of a list, tuple, set or frozenset."""
        ident = id(value)
        if ident in self._seen:
            self._refer(writer, ident)
            return
        self._seen[ident] = len(writer)
        count = len(value)
        self._open(writer, count, kind, depth)
        if not COMPILED and count > _RUN and countOf(map(type, value), int) == count:
            writer.write(int_tokens(value))
            return
        short = self._short
        words = self._words
        depth -= 1
        for item in value:
            of = type(item)
            if of is int:
                if COMPILED:
                    put_int(writer, item)
                else:
                    try:
                        writer.write(INT_TOKENS[item])
                    except KeyError:
                        writer.write(int_token(item))
            elif of is float:
                number: float = item
                writer.append(FLOAT)
                write_f64_be(writer, number)
            elif of is str and item not in words:
                text: str = item
                data = text.encode()
                length = len(data)
                if length < short:
                    writer.write(_TEXT[length])
                    writer.write(data)
                else:
                    self._put_text(writer, text)
            else:
                self._put(writer, item, depth)

    def _put_dict(self, writer: BytesWriter, value: dict[Any, Any], depth: i64) -> None:
        """Append the form of a dictionary: its head, and a bare list of two for each entry."""
        ident = id(value)
        if ident in self._seen:
            self._refer(writer, ident)
            return
        self._seen[ident] = len(writer)
        self._open(writer, len(value), dict, depth)
        depth -= 2
        keys = self._keys
        none = self._none
        words = self._words
        short = self._short
        for key, item in value.items():
            if type(key) is str:
                try:
                    writer.write(keys[key])
                except KeyError:
                    writer.write(self._key(key))
            else:
                writer.write(_PAIR)
                self._put(writer, key, depth)
            kind = type(item)
            if kind is int:
                if COMPILED:
                    put_int(writer, item)
                else:
                    try:
                        writer.write(INT_TOKENS[item])
                    except KeyError:
                        writer.write(int_token(item))
            elif kind is str and item not in words:
                text: str = item
                data = text.encode()
                length = len(data)
                if length < short:
                    writer.write(_TEXT[length])
                    writer.write(data)
                else:
                    self._put_text(writer, text)
            elif kind is float:
                number: float = item
                writer.append(FLOAT)
                write_f64_be(writer, number)
            elif item is None:
                writer.write(none)
            elif kind is bool:
                writer.write(_TRUE if item else _FALSE)
            else:
                self._put(writer, item, depth)

    def _key(self, key: str) -> bytes:
        """Return the opening of an entry with its key, and remember it."""
        writer = BytesWriter()
        writer.write(_PAIR)
        self._put_text(writer, key)
        token = writer.getvalue()
        if len(token) <= _KEY:
            if len(self._keys) >= _MEMO:
                self._keys.clear()
            self._keys[key] = token
        return token


def _rare(value: Any) -> bytes:
    """Return the form of a date, time or Decimal, the plain types that are met least."""
    kind = type(value)
    parts: tuple[int, ...]
    if kind is datetime and value.tzinfo is None:
        name, parts = (
            b"datetime",
            (value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond),
        )
    elif kind is date:
        name, parts = b"date", (value.year, value.month, value.day)
    elif kind is time and value.tzinfo is None:
        name, parts = b"time", (value.hour, value.minute, value.second, value.microsecond)
    elif kind is timedelta:
        name, parts = b"timedelta", (value.days, value.seconds, value.microseconds)
    elif kind is Decimal:
        return _decimal(value)
    else:
        raise NotPlain(f"a value of type {kind.__qualname__}")
    return encode([name, b" ".join([b"%d" % part for part in parts])], vocabulary=False)


def _decimal(value: Decimal) -> bytes:
    """Return the form of a finite Decimal. The sign of zero is lost, as it is in PB."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or len(digits) > _DECIMAL_DIGITS:
        raise NotPlain("a Decimal that is no plain number")
    number = int("".join(map(str, digits)))
    return encode([b"decimal", -number if sign else number, exponent], vocabulary=False)
