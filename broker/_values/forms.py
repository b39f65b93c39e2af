"""The recursion of the plain decoder: one form of a plain value after the other, and what is left where the data end.

A head that needs policy, registry or perspective raises `NotPlain`, and so does a form that is not as it should be: the
long way (banana, then unjelly) decides what it is worth. What is accepted here gives what the long way gives.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from broker._values.alike import MANY, chosen
from broker._values.cuts import Frame, Incomplete
from broker._values.payload import PENDING
from broker._values.plain import MAX_DEPTH, NotPlain
from broker._values.scalars import EXPONENT
from broker._wire.banana import header
from broker._wire.integers import take_ints
from broker._wire.pack import read_f64_be, read_i64_le
from broker._wire.vocabulary import INCOMING, OUTGOING
from broker.errors import BananaError

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["FormReader", "WRONG"]

#: A memo of dictionary keys holds this many, none longer than _KEY bytes, and starts anew when full: a peer fills it.
_MEMO: Final = 2048
_KEY: Final = 64
#: The texts of dates and times are far shorter. Python turns text to numbers in quadratic time.
_DATE_SIZE: Final = 64
#: After so many integers in a row the next are read as a run, if more than so many are to come.
_STREAK: Final = 4
_RUN: Final = 12

#: Eight bytes as one number: ``\x82unicode``, ``\x82boolean``, and what entries begin with, up to ``\x82un``.
_UNICODE: Final = 0x65646F63696E7582
_BOOLEAN: Final = 0x6E61656C6F6F6282
_ENTRY: Final = 0x6E75820780028002
_TRUE: Final = b"\x04\x82true"
_FALSE: Final = b"\x05\x82false"
_NONE: Final = OUTGOING[b"None"]
_LIST: Final = OUTGOING[b"list"]
_TUPLE: Final = OUTGOING[b"tuple"]
_DICTIONARY: Final = OUTGOING[b"dictionary"]
_KINDS: Final[dict[bytes, type]] = {b"list": list, b"tuple": tuple, b"dictionary": dict}
_KINDS.update({b"set": set, b"frozenset": frozenset})
_CONTAINERS: Final = frozenset((list, tuple, dict, set, frozenset))
_HASHABLE: Final = frozenset((tuple, frozenset))
WRONG: Final = (NotPlain, TypeError, ValueError, ArithmeticError, RecursionError, BananaError)
_DATES: Final = frozenset((b"date", b"datetime", b"time", b"timedelta"))


class FormReader:
    """Reads forms; see `broker._values.unplain.PlainDecoder` for its parameters and attributes."""

    __slots__ = ("_cut", "_depth", "_keys", "_open", "_shared", "_vocabulary", "at", "stuck")

    def __init__(self, vocabulary: bool, depth: int = MAX_DEPTH) -> None:
        self._vocabulary = vocabulary
        self._depth = min(depth, MAX_DEPTH)
        self._keys: dict[bytes, str] = {}
        self._shared: dict[int, Any] | None = None
        # Frames of a form to be gone on with, outermost first; and those of the way out, innermost first.
        self._open: list[Frame] = []
        self._cut: list[Frame] = []
        self.at = 0
        self.stuck = False

    def _leave(self, frame: Frame, position: int) -> None:
        """Leave a frame; the innermost tells where to go on."""
        if not self._cut:
            self.at = position
        self._cut.append(frame)

    def _value(self, data: bytes, position: i64, depth: i64) -> tuple[Any, i64]:
        """Read any form."""
        number = data[position]
        if number >= 0x80:
            # A token without digits, as that of a float is.
            kind = number
            number = 0
            position += 1
        else:
            kind = data[position + 1]
            if kind >= 0x80:
                position += 2
            else:
                number, kind, position = header(data, position)
        if kind == 0x80:
            return self._form(data, position, number, depth)
        if kind == 0x82:
            return self._body(data, position, number)
        if kind == 0x84:
            if position + 8 > len(data):
                raise Incomplete(position + 8 - len(data))
            return read_f64_be(data, position), position + 8
        if kind == 0x81 or kind == 0x85:
            return number, position
        if kind == 0x83 or kind == 0x86:
            return -number, position
        if kind == 0x87 and self._vocabulary and number in INCOMING:
            return INCOMING[number], position
        raise NotPlain("a token that is not understood")

    def _form(self, data: bytes, position: i64, count: int, depth: i64) -> tuple[Any, i64]:
        """Read the form of `count` elements whose list header has been read."""
        if not count:
            raise NotPlain("a form without head")
        count -= 1
        try:
            number = data[position]
            token = data[position + 1] if number < 0x80 else number
        except IndexError:
            raise Incomplete(count + 1) from None
        if token == 0x87 and self._vocabulary:
            # The words that are met most, by their numbers.
            if number == _LIST:
                return self._items(data, position + 2, count, depth - 1, [], list)
            if number == _DICTIONARY:
                return self._entries(data, position + 2, count, depth - 2, {})
            if number == _TUPLE:
                return self._items(data, position + 2, count, depth - 1, [], tuple)
            if number == _NONE and not count:
                return None, position + 2
        elif count == 1 and number == 7 and position + 9 <= len(data):
            word = read_i64_le(data, position + 1)
            if word == _UNICODE:
                text, position = self._string(data, position + 9)
                return text.decode(), position
            if word == _BOOLEAN:
                if data.startswith(_TRUE, position + 9):
                    return True, position + 15
                if data.startswith(_FALSE, position + 9):
                    return False, position + 16
        try:
            head, position = self._string(data, position)
        except IndexError:
            raise Incomplete(count + 1) from None
        except Incomplete as cut:
            raise Incomplete(count + cut.missing) from None
        kind = _KINDS.get(head)
        if kind is dict:
            return self._entries(data, position, count, depth - 2, {})
        if kind is not None:
            return self._items(data, position, count, depth - 1, [], kind)
        return self._rare(data, position, count, head, depth)

    def _reference(self, data: bytes, position: i64, depth: i64) -> tuple[Any, i64]:
        """Read a container that is referred to later."""
        ident, position = self._value(data, position, 0)
        if type(ident) is not int or depth < 0:
            raise NotPlain("a reference that is not as it should be")
        try:
            value, position = self._value(data, position, depth)
        except (IndexError, Incomplete):
            # Where nothing inside can be gone on with, all of it is read again.
            if self._cut:
                self._cut.append(Frame(None, None, 1, depth, ident))
            raise
        self._share(ident, value)
        return value, position

    def _share(self, ident: int, value: Any) -> None:
        """Note a container that may be referred to from now on."""
        shared = self._shared = self._shared or {}
        if ident in shared or type(value) not in _CONTAINERS:
            raise NotPlain("a reference that is not as it should be")
        shared[ident] = value

    def _hashed(self, values: Any, count: int) -> None:
        """Refuse what may be endless to hash, tuples in tuples, each twice, or hash alike: the long way counts."""
        shared = self._shared is not None and any(value and type(value) in _HASHABLE for value in values)
        if shared or (count > MANY and any(map(chosen, values))):
            raise NotPlain("a shared value, or one of many, may be hashed")

    def _string(self, data: bytes, position: i64) -> tuple[bytes, i64]:
        """Read a byte string, which a head is, and the text inside a form."""
        number = data[position]
        kind = data[position + 1] if number < 0x80 else 0
        if kind >= 0x80:
            position += 2
        else:
            number, kind, position = header(data, position)
        if kind == 0x82:
            return self._body(data, position, number)
        if kind == 0x87 and self._vocabulary and number in INCOMING:
            return INCOMING[number], position
        raise NotPlain("no byte string where one belongs")

    def _body(self, data: bytes, position: i64, size: int) -> tuple[bytes, i64]:
        """Read the bytes of a byte string."""
        # The size may be any number.
        there: int = len(data) - position
        if size > there:
            raise Incomplete(size - there)
        end: i64 = position + size
        return data[position:end], end

    def _items(
        self, data: bytes, position: i64, count: int, depth: i64, items: list[Any], kind: type
    ) -> tuple[Any, i64]:
        """Read the items of a list, tuple or set that are left, behind those that are there."""
        if depth < 0:
            raise NotPlain("containers nested deeply")
        size: i64 = len(data)
        streak = 0
        try:
            while count > 0:
                number = data[position]
                if number < 0x80:
                    token = data[position + 1]
                    if token == 0x81:
                        items.append(number)
                        position += 2
                    elif token < 0x80 and data[position + 2] == 0x81:
                        items.append(number | token << 7)
                        position += 3
                    elif (
                        number == 2
                        and token == 0x80
                        and position + 13 <= size
                        and read_i64_le(data, position + 3) == _UNICODE
                        and data[position + 2] == 7
                        and data[position + 11] < 0x80
                        and data[position + 12] == 0x82
                    ):
                        begin: i64 = position + 13
                        end: i64 = begin + data[position + 11]
                        if end > size:
                            raise Incomplete(end - size)
                        items.append(data[begin:end].decode())
                        position = end
                        streak = 0
                        count -= 1
                        continue
                    else:
                        item, position = self._value(data, position, depth)
                        items.append(item)
                        if type(item) is not int:
                            streak = 0
                            count -= 1
                            continue
                    count -= 1
                    streak += 1
                    if streak == _STREAK and count > _RUN:
                        numbers, position = take_ints(data, position, count)
                        items += numbers
                        count -= len(numbers)
                        streak = 0
                else:
                    if number == 0x84 and position + 9 <= size:
                        items.append(read_f64_be(data, position + 1))
                        position += 9
                    else:
                        item, position = self._value(data, position, depth)
                        items.append(item)
                    count -= 1
        except (IndexError, Incomplete):
            self._leave(Frame(kind, items, count, depth), position)
            raise
        if kind is not list and kind is not tuple:
            self._hashed(items, len(items))
        return (items if kind is list else kind(items)), position

    def _entries(
        self, data: bytes, position: i64, count: int, depth: i64, entries: dict[Any, Any]
    ) -> tuple[dict[Any, Any], i64]:
        """Read the entries of a dictionary that are left: each a bare list of two, so that the place tells, no head."""
        if depth < 0:
            raise NotPlain("containers nested deeply")
        size: i64 = len(data)
        keys = self._keys
        begin: i64 = position
        key: Any = PENDING
        try:
            while count > 0:
                if (
                    begin + 15 <= size
                    and read_i64_le(data, begin + 5) == _UNICODE
                    and read_i64_le(data, begin) == _ENTRY
                    and data[begin + 13] < 0x80
                    and data[begin + 14] == 0x82
                ):
                    start: i64 = begin + 15
                    position = start + data[begin + 13]
                    if position > size:
                        raise Incomplete(position - size)
                    text = data[start:position]
                    key = keys.get(text)
                    if key is None:
                        key = self._key(text)
                else:
                    number, kind, position = header(data, begin)
                    if kind != 0x80 or number != 2:
                        raise NotPlain("a dictionary entry that is no pair")
                    key = PENDING
                    key, position = self._value(data, position, depth)
                    self._hashed((key,), len(entries))
                first = data[position]
                if first < 0x80:
                    second = data[position + 1]
                    if second == 0x81:
                        entries[key] = first
                        begin = position + 2
                    elif second < 0x80 and data[position + 2] == 0x81:
                        entries[key] = first | second << 7
                        begin = position + 3
                    elif (
                        first == 2
                        and second == 0x80
                        and position + 13 <= size
                        and read_i64_le(data, position + 3) == _UNICODE
                        and data[position + 2] == 7
                        and data[position + 11] < 0x80
                        and data[position + 12] == 0x82
                    ):
                        start = position + 13
                        end: i64 = start + data[position + 11]
                        if end > size:
                            raise Incomplete(end - size)
                        entries[key] = data[start:end].decode()
                        begin = end
                    else:
                        entries[key], begin = self._value(data, position, depth)
                elif first == 0x84 and position + 9 <= size:
                    entries[key] = read_f64_be(data, position + 1)
                    begin = position + 9
                else:
                    entries[key], begin = self._value(data, position, depth)
                count -= 1
        except (IndexError, Incomplete):
            # A key that is a container, which is rare, is read again as a whole; that may not go on for long.
            if self._cut and key is PENDING:
                self._cut.clear()
                self.stuck = True
            self._leave(Frame(dict, entries, count, depth, key), begin)
            raise
        return entries, begin

    def _key(self, data: bytes) -> str:
        """Return the text of a dictionary key, and remember it."""
        text = data.decode()
        if len(data) <= _KEY:
            if len(self._keys) >= _MEMO:
                self._keys.clear()
            self._keys[data] = text
        return text

    def _rare(self, data: bytes, position: int, count: int, head: bytes, depth: int) -> tuple[Any, int]:
        """Read what is met least."""
        if head == b"None" and not count:
            return None, position
        if head == b"boolean" and count == 1:
            text, position = self._string(data, position)
            if text != b"true" and text != b"false":
                raise NotPlain("a boolean that is neither")
            return text == b"true", position
        if head == b"reference" and count == 2:
            return self._reference(data, position, depth - 1)
        if head == b"dereference" and count == 1:
            ident, position = self._value(data, position, 0)
            if type(ident) is not int or self._shared is None or ident not in self._shared:
                # Also how a cycle shows: the reference is not complete yet.
                raise NotPlain("a reference to something not met yet")
            return self._shared[ident], position
        return self._number(data, position, count, head)

    def _number(self, data: bytes, position: int, count: int, head: bytes) -> tuple[Any, int]:
        """Read a Decimal, date or time."""
        if head == b"decimal" and count == 2:
            number, position = self._value(data, position, 0)
            exponent, position = self._value(data, position, 0)
            if type(number) is not int or type(exponent) is not int or abs(exponent) > EXPONENT:
                raise NotPlain("a decimal that is no pair of integers, or out of bounds")
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
