"""Banana bytes of the jelly of plain values straight back to the values: the way back from `broker._values.plain`.

A head that needs policy, registry or perspective raises `NotPlain`, and so does every form that is not as it should
be: the long way (banana, then unjelly) decides what it is worth. What is accepted here gives what the long way gives.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from struct import Struct
from typing import Any, Final

from broker._limits import PB_PREFIX
from broker._values.plain import MAX_DEPTH, TEXT_HEAD, NotPlain
from broker._wire.banana import DIGITS, digits_to_int, header
from broker._wire.vocabulary import INCOMING

__all__ = ["Incomplete", "PlainDecoder"]

#: A memo of dictionary keys holds this many, none longer than _KEY bytes, and starts anew when full: a peer fills it.
_MEMO: Final = 2048
_KEY: Final = 64
#: The texts of dates and times are far shorter. Python turns text to numbers in quadratic time.
_DATE_SIZE: Final = 64
#: So many integers in a row, and the next are looked for as a run.
_RUN: Final = 4
#: Most bytes of an INT token in usual spelling.
_INT_SIZE: Final = 6

_DOUBLE = Struct(">d")
_INT_RUN = re.compile(rb"[\x00-\x7f\x81]+")
_PAIR_HEAD: Final = b"\x02\x80" + TEXT_HEAD
_CONTAINERS: Final = frozenset((list, tuple, dict, set, frozenset))
_DATES: Final = frozenset((b"date", b"datetime", b"time", b"timedelta"))


class Incomplete(Exception):
    """The form goes on behind the end of the buffer."""


class PlainDecoder:
    """Decodes plain values for one connection.

    It trusts that the ceilings of the connection are kept elsewhere: the data it is given are at most one message.

    :param vocabulary: whether words come as numbers.
    :param depth: deepest nesting of containers; above 64 it is 64.
    """

    __slots__ = ("_depth", "_keys", "_shared", "_vocabulary")

    def __init__(self, vocabulary: bool, depth: int = MAX_DEPTH) -> None:
        self._vocabulary = vocabulary
        self._depth = min(depth, MAX_DEPTH)
        self._keys: dict[bytes, str] = {}
        self._shared: dict[int, Any] | None = None

    def decode(self, data: bytes, position: int = 0) -> tuple[Any, int]:
        """Read one form.

        :returns: the value, and the position behind its form.
        :raises NotPlain: the form needs the long way, or is no right form; the long way tells.
        :raises Incomplete: the data end before the form does.
        """
        try:
            return self._value(data, position, self._depth)
        except IndexError:
            raise Incomplete from None
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # Unhashable keys, broken UTF-8, dates and decimals that do not exist; a caller deep in recursion.
            raise NotPlain(str(error)) from None
        finally:
            self._shared = None

    def _value(self, data: bytes, position: int, depth: int) -> tuple[Any, int]:
        """Read any form."""
        number = data[position]
        kind = data[position + 1] if number < 0x80 else 0
        if kind >= 0x80:
            position += 2
        else:
            number, kind, position = header(data, position)
        if kind == 0x80:
            return self._form(data, position, number, depth)
        if kind == 0x82:
            end = position + number
            if end > len(data):
                raise Incomplete
            return data[position:end], end
        if kind == 0x84:
            if position + 8 > len(data):
                raise Incomplete
            return _DOUBLE.unpack_from(data, position)[0], position + 8
        if kind == 0x81 or kind == 0x85:
            return number, position
        if kind == 0x83 or kind == 0x86:
            return -number, position
        if kind == 0x87 and self._vocabulary and number in INCOMING:
            return INCOMING[number], position
        raise NotPlain("a token that is not understood")

    def _form(self, data: bytes, position: int, count: int, depth: int) -> tuple[Any, int]:
        """Read the form of `count` elements whose list header has been read."""
        if not count:
            raise NotPlain("a form without head")
        head, position = self._string(data, position)
        count -= 1
        if head == b"list":
            return self._items(data, position, count, depth - 1)
        if head == b"dictionary":
            return self._entries(data, position, count, depth - 2)
        if head == b"unicode" and count == 1:
            text, position = self._string(data, position)
            return text.decode(), position
        if head == b"None" and not count:
            return None, position
        if head == b"tuple":
            items, position = self._items(data, position, count, depth - 1)
            return tuple(items), position
        if head == b"boolean" and count == 1:
            text, position = self._string(data, position)
            if text != b"true" and text != b"false":
                raise NotPlain("a boolean that is neither")
            return text == b"true", position
        if head == b"set":
            items, position = self._items(data, position, count, depth - 1)
            return set(items), position
        if head == b"frozenset":
            items, position = self._items(data, position, count, depth - 1)
            return frozenset(items), position
        if head == b"reference" and count == 2:
            return self._reference(data, position, depth - 1)
        if head == b"dereference" and count == 1:
            ident, position = self._value(data, position, 0)
            if type(ident) is not int or self._shared is None or ident not in self._shared:
                # Also how a cycle shows: the reference is not complete yet.
                raise NotPlain("a reference to something not met yet")
            return self._shared[ident], position
        return self._rare(data, position, count, head)

    def _reference(self, data: bytes, position: int, depth: int) -> tuple[Any, int]:
        """Read a container that is referred to later."""
        if depth < 0:
            raise NotPlain("containers nested deeply")
        ident, position = self._value(data, position, 0)
        value, position = self._value(data, position, depth)
        if self._shared is None:
            self._shared = {}
        if type(ident) is not int or ident in self._shared or type(value) not in _CONTAINERS:
            raise NotPlain("a reference that is not as it should be")
        self._shared[ident] = value
        return value, position

    def _string(self, data: bytes, position: int) -> tuple[bytes, int]:
        """Read a byte string, which a head is, and the text inside a form."""
        number = data[position]
        kind = data[position + 1] if number < 0x80 else 0
        if kind >= 0x80:
            position += 2
        else:
            number, kind, position = header(data, position)
        if kind == 0x82:
            end = position + number
            if end > len(data):
                raise Incomplete
            return data[position:end], end
        if kind == 0x87 and self._vocabulary and number in INCOMING:
            return INCOMING[number], position
        raise NotPlain("no byte string where one belongs")

    def _items(self, data: bytes, position: int, count: int, depth: int) -> tuple[list[Any], int]:
        """Read the items of a list, tuple or set."""
        if depth < 0:
            raise NotPlain("containers nested deeply")
        items: list[Any] = []
        append = items.append
        size = len(data)
        streak = 0
        while count > 0:
            count -= 1
            number = data[position]
            if number < 0x80:
                kind = data[position + 1]
                if kind == 0x81:
                    append(number)
                    position += 2
                elif kind < 0x80 and data[position + 2] == 0x81:
                    append(number | kind << 7)
                    position += 3
                elif kind == 0x80 and number == 2 and data.startswith(TEXT_HEAD, position):
                    streak = 0
                    start = position + 13
                    end = start + data[position + 11]
                    if start <= size and data[start - 1] == 0x82 and end - start < 0x80:
                        if end > size:
                            raise Incomplete
                        append(data[start:end].decode())
                        position = end
                    else:
                        text, position = self._string(data, start - 2)
                        append(text.decode())
                    continue
                else:
                    streak = 0
                    item, position = self._value(data, position, depth)
                    append(item)
                    continue
                streak += 1
                if streak == _RUN and count > _RUN:
                    position, count = _take_ints(items, data, position, count)
                    streak = 0
            else:
                item, position = self._value(data, position, depth)
                append(item)
        return items, position

    def _entries(self, data: bytes, position: int, count: int, depth: int) -> tuple[dict[Any, Any], int]:
        """Read the entries of a dictionary: each a bare list of two, so that the place tells, not a head."""
        if depth < 0:
            raise NotPlain("containers nested deeply")
        entries: dict[Any, Any] = {}
        size = len(data)
        keys = self._keys
        while count > 0:
            count -= 1
            key: Any
            if data.startswith(_PAIR_HEAD, position) and data[position + 14] == 0x82:
                start = position + 15
                position = start + data[position + 13]
                if position - start > 0x7F:
                    raise NotPlain("a text in unusual spelling")
                if position > size:
                    raise Incomplete
                text = data[start:position]
                key = keys.get(text)
                if key is None:
                    key = self._key(text)
            else:
                number, kind, position = header(data, position)
                if kind != 0x80 or number != 2:
                    raise NotPlain("a dictionary entry that is no pair")
                key, position = self._value(data, position, depth)
            number = data[position]
            if number < 0x80 and data[position + 1] == 0x81:
                entries[key] = number
                position += 2
            elif (
                number == 2
                and data.startswith(TEXT_HEAD, position)
                and position + 12 < size
                and data[position + 12] == 0x82
            ):
                start = position + 13
                position = start + data[position + 11]
                if position - start > 0x7F:
                    raise NotPlain("a text in unusual spelling")
                if position > size:
                    raise Incomplete
                entries[key] = data[start:position].decode()
            else:
                entries[key], position = self._value(data, position, depth)
        return entries, position

    def _key(self, data: bytes) -> str:
        """Return the text of a dictionary key, and remember it."""
        text = data.decode()
        if len(data) <= _KEY:
            if len(self._keys) >= _MEMO:
                self._keys.clear()
            self._keys[data] = text
        return text

    def _rare(self, data: bytes, position: int, count: int, head: bytes) -> tuple[Any, int]:
        """Read a Decimal, date or time."""
        if head == b"decimal" and count == 2:
            number, position = self._value(data, position, 0)
            exponent, position = self._value(data, position, 0)
            if type(number) is not int or type(exponent) is not int:
                raise NotPlain("a decimal that is no pair of integers")
            return Decimal((int(number < 0), Decimal(number).as_tuple().digits, exponent)), position
        if count != 1 or head not in _DATES:
            raise NotPlain("a head that needs the long way")
        text, position = self._string(data, position)
        if len(text) > _DATE_SIZE:
            raise NotPlain("a date that is too long")
        parts = [int(part) for part in text.split()]
        if head == b"timedelta":
            days, seconds, microseconds = parts
            return timedelta(days, seconds, microseconds), position
        if head == b"date":
            year, month, day = parts
            return date(year, month, day), position
        if head == b"time":
            hour, minute, second, microsecond = parts
            return time(hour, minute, second, microsecond), position
        year, month, day, hour, minute, second, microsecond = parts
        return datetime(year, month, day, hour, minute, second, microsecond), position


def _take_ints(items: list[Any], data: bytes, position: int, count: int) -> tuple[int, int]:
    """Read as many of `count` items as are a run of INT tokens; returns the position behind, and the count left.

    Only digits and the type byte of INT are in a run, and digits never hold that byte, so splitting there is enough.
    """
    end = _INT_RUN.match(data, position, position + count * _INT_SIZE)
    stop = data.rfind(b"\x81", position, end.end()) if end is not None else -1
    if stop < 0:
        return position, count
    parts = data[position:stop].split(b"\x81", count)
    if len(parts) > count:
        stop -= len(parts.pop()) + 1
    try:
        items += [DIGITS[part] for part in parts]
    except KeyError:
        # One of more than two digits, so most will be.
        items += [DIGITS[part[:2]] | DIGITS[part[2:]] << 14 if len(part) <= 4 else _int(part) for part in parts]
    return stop + 1, count - len(parts)


def _int(digits: bytes) -> int:
    """Return the number of any digits that may come."""
    if len(digits) > PB_PREFIX:
        raise NotPlain("an integer that is too long")
    return digits_to_int(digits)
