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
from struct import Struct
from typing import Any, Final

from broker._limits import PB_SIZE
from broker._wire.banana import (
    INT_TOKENS,
    encode,
    int_to_digits,
    int_token,
    string_token,
)
from broker._wire.integers import int_tokens
from broker._wire.vocabulary import TOKENS
from broker.errors import LimitExceeded

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

_float = Struct(">Bd").pack

#: ``(unicode`` and the length of a text, for lengths of one digit.
_TEXT: Final = [b"\x02\x80\x07\x82unicode" + bytes((length, 0x82)) for length in range(_SHORT)]
_PAIR: Final = b"\x02\x80"
#: ``(unicode``, before the token of its UTF-8 bytes.
TEXT_HEAD: Final = b"\x02\x80\x07\x82unicode"
_TRUE: Final = b"\x02\x80\x07\x82boolean\x04\x82true"
#: What is put out between two values.
_NOTHING: Final[list[bytes]] = []
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
        "_out",
        "_references",
        "_seen",
        "_shared",
        "_short",
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
        self._out: list[bytes] = _NOTHING
        self._seen: dict[int, int] = {}
        self._shared = 0

    def encode(self, value: Any) -> bytes:
        """Return the banana bytes of the jelly of a value.

        :raises NotPlain: something in it is not plain.
        :raises LimitExceeded: something in it is larger than the peer accepts.
        """
        kind = type(value)
        if kind is int:
            return int_token(value)
        out: list[bytes] = []
        self._out = out
        self._shared = 0
        try:
            self._put(value, kind, self._depth)
            return b"".join(out)
        except UnicodeEncodeError:
            raise NotPlain("a text with a lone surrogate") from None
        finally:
            # Nothing of the value is kept, whatever happened.
            self._out = _NOTHING
            self._seen.clear()

    def _put(self, value: Any, kind: type, depth: int) -> None:
        """Append the form of any value, given its type."""
        if kind is float:
            self._out.append(_float(0x84, value))
        elif kind is dict:
            self._put_dict(value, depth)
        elif kind in _HEADS:
            self._put_items(value, kind, depth)
        elif value is None:
            self._out.append(self._none)
        elif kind is bool:
            self._out.append(_TRUE if value else _FALSE)
        elif kind is bytes:
            self._out.append(string_token(value, self._vocabulary, self._limit))
        elif kind is str:
            self._out.append(self._text(value))
        elif kind is int:
            self._out.append(int_token(value))
        else:
            self._out.append(_rare(value))

    def _text(self, value: str) -> bytes:
        """Return the form of any text."""
        token = self._words.get(value)
        if token is not None:
            return token
        data = value.encode()
        length = len(data)
        if length > self._limit:
            raise LimitExceeded(f"a text of {length} bytes; the peer accepts {self._limit}")
        return TEXT_HEAD + int_to_digits(length) + b"\x82" + data

    def _open(self, count: int, kind: type, depth: int) -> bytes:
        """Return the header of a container met for the first time."""
        if depth <= 0:
            raise NotPlain("containers nested deeply")
        if count < self._short:
            return self._heads[kind][count]
        if count >= self._limit:
            raise LimitExceeded(f"a {kind.__name__} of {count} items; the peer accepts {self._limit - 1}")
        return int_to_digits(count + 1) + self._heads[kind][0][1:]

    def _refer(self, ident: int) -> None:
        """Append a reference to a container met before.

        A reference of PB is a wrapper in front of the first occurrence, so that is patched. Numbers count second
        occurrences in the order in which they are met; a container that has its number is marked by its negative.
        """
        place = self._seen[ident]
        if place >= 0:
            self._shared += 1
            out = self._out
            out[place] = b"\x03\x80" + self._references[0] + int_token(self._shared) + out[place]
            self._seen[ident] = place = -self._shared
        self._out.append(_PAIR + self._references[1] + int_token(-place))

    def _put_items(self, value: Any, kind: type, depth: int) -> None:
        """Append the form of a list, tuple, set or frozenset."""
        out = self._out
        ident = id(value)
        if ident in self._seen:
            self._refer(ident)
            return
        self._seen[ident] = len(out)
        append = out.append
        count = len(value)
        append(self._open(count, kind, depth))
        if count > _RUN and countOf(map(type, value), int) == count:
            append(int_tokens(value))
            return
        words = self._words
        short = self._short
        for item in value:
            kind = type(item)
            if kind is int:
                try:
                    append(INT_TOKENS[item])
                except KeyError:
                    append(int_token(item))
            elif kind is str and item not in words:
                data = item.encode()
                length = len(data)
                append(_TEXT[length] + data if length < short else self._text(item))
            else:
                self._put(item, kind, depth - 1)

    def _put_dict(self, value: dict[Any, Any], depth: int) -> None:
        """Append the form of a dictionary: its head, and a bare list of two for each entry."""
        out = self._out
        ident = id(value)
        if ident in self._seen:
            self._refer(ident)
            return
        self._seen[ident] = len(out)
        append = out.append
        append(self._open(len(value), dict, depth))
        depth -= 2
        keys = self._keys
        none = self._none
        words = self._words
        short = self._short
        for key, item in value.items():
            kind = type(key)
            if kind is str:
                try:
                    append(keys[key])
                except KeyError:
                    append(self._key(key))
            else:
                append(_PAIR)
                self._put(key, kind, depth)
            kind = type(item)
            if kind is int:
                try:
                    append(INT_TOKENS[item])
                except KeyError:
                    append(int_token(item))
            elif kind is str and item not in words:
                data = item.encode()
                length = len(data)
                append(_TEXT[length] + data if length < short else self._text(item))
            elif kind is float:
                append(_float(0x84, item))
            elif item is None:
                append(none)
            elif kind is bool:
                append(_TRUE if item else _FALSE)
            else:
                self._put(item, kind, depth)

    def _key(self, key: str) -> bytes:
        """Return the opening of an entry with its key, and remember it."""
        token = _PAIR + self._text(key)
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
