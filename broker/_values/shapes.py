"""The keys of records: both sides of a connection remember those that come often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from broker._values.runs import COMPILED
from broker._values.tags import RECORD, SHORT_LIST, SHORT_STR, STR, STR8
from broker.errors import BadValue

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["NO_SHAPE", "KnownShapes", "SentShape", "SentShapes", "Shape", "fill_record"]

#: Most bytes of the keys of one shape, and of all that one side of a connection remembers.
_HEAD: Final = 2048
_HEADS: Final = 256 * 1024
#: How many shapes that begin alike are told apart; of more, the oldest is forgotten.
_ALIKE: Final = 8
#: A memo of texts holds this many, none longer than _KEY characters, and starts anew when full: a peer fills it.
_MEMO: Final = 2048
_KEY: Final = 64


def _text(value: str) -> bytes:
    """Return a text with its tag."""
    data = value.encode()
    size = len(data)
    if size < 32:
        return bytes((SHORT_STR + size,)) + data
    if size < 256:
        return bytes((STR8, size)) + data
    return bytes((STR,)) + size.to_bytes(4, "little") + data


def _head(keys: list[str]) -> bytes:
    """Return the bytes that open a record with these keys the first time in a value."""
    return bytes((RECORD, len(keys))) + b"".join([_text(key) for key in keys])


@final
class SentShape:
    """The keys of a record that is sent.

    :ivar head: the bytes that open a record of this shape the first time in a value.
    :ivar epoch: the value in which it was sent last.
    :ivar number: its number within that value.
    :ivar after: another shape with the same first key.
    """

    __slots__ = ("after", "epoch", "head", "keys", "number")

    def __init__(self, keys: list[Any], head: bytes) -> None:
        self.keys = keys
        self.head = head
        self.epoch: i64 = 0
        self.number: i64 = 0
        self.after: SentShape | None = None


@final
class SentShapes:
    """The shapes that have been sent on one connection, by their first key."""

    __slots__ = ("_memo", "_size")

    def __init__(self) -> None:
        self._memo: dict[Any, SentShape] = {}
        self._size: i64 = 0

    def find(self, keys: list[Any]) -> SentShape | None:
        """Return the shape with these keys, a new one if there is none; None if they are too long to be remembered."""
        shape = self._memo.get(keys[0])
        while shape is not None:
            if shape.keys == keys:
                return shape
            shape = shape.after
        return self._add(keys)

    def _add(self, keys: list[Any]) -> SentShape | None:
        head = _head(keys)
        if len(head) > _HEAD:
            return None
        self._size += len(head)
        if self._size > _HEADS:
            # Shapes that are forgotten are defined again, with another number, if the value still needs them.
            self._memo.clear()
            self._size = len(head)
        shape = SentShape(keys, head)
        alike = shape.after = self._memo.get(keys[0])
        self._memo[keys[0]] = shape
        for _ in range(_ALIKE - 2):
            alike = None if alike is None else alike.after
        if alike is not None and alike.after is not None:
            self._size -= len(alike.after.head)
            alike.after = None
        return shape


@final
class Shape:
    """The keys of a record that is received.

    :ivar blank: a dictionary with these keys, in their order. A copy of it that is filled costs less than a new one.
    :ivar head: the bytes that the record opens with.
    :ivar after: another shape that begins alike.
    """

    __slots__ = ("after", "blank", "head", "keys")

    def __init__(self, keys: list[str]) -> None:
        self.keys = keys
        self.blank: dict[str, Any] = dict.fromkeys(keys)
        if len(self.blank) != len(keys):
            raise BadValue("a record with the same key twice")
        self.head = b""
        self.after: Shape | None = None


#: The shape of what is no record.
NO_SHAPE: Final = Shape([])


def fill_record(record: dict[str, Any], shape: Shape, values: list[Any]) -> None:
    """Enter values into a copy of the blank record of a shape, as many as there are keys."""
    if not COMPILED:
        record.update(zip(shape.keys, values, strict=True))
        return
    position: i64 = 0
    for key in shape.keys:
        record[key] = values[position]
        position += 1


@final
class KnownShapes:
    """The shapes that have been received on one connection, by what they begin with: number of keys and first key."""

    __slots__ = ("_memo", "_names", "_size")

    def __init__(self) -> None:
        self._memo: dict[bytes, Shape] = {}
        self._size: i64 = 0
        self._names: dict[str, str] = {}

    def name(self, key: str) -> str:
        """Return a text that equals this one, the same object each time if it is short."""
        found = self._names.get(key)
        if found is not None:
            return found
        if len(key) <= _KEY:
            if len(self._names) >= _MEMO:
                self._names.clear()
            self._names[key] = key
        return key

    def find(self, data: bytes, position: i64, end: i64) -> Shape | None:
        """Return the shape that a record begins with, if it is known.

        :param position: where the tag of the record is.
        """
        start = _start(data, position, end)
        if start is None:
            return None
        shape = self._memo.get(start)
        while shape is not None:
            stop: i64 = position + len(shape.head)
            if stop <= end and data[position:stop] == shape.head:
                return shape
            shape = shape.after
        return None

    def add(self, keys: list[Any]) -> Shape:
        """Return the shape with these keys, and remember it if they are not long.

        :raises BadValue: one is no text, or they are not all different.
        """
        for key in keys:
            if type(key) is not str:
                raise BadValue("a record with a key that is no text")
        shape = Shape([self.name(key) for key in keys])
        shape.head = _head(keys)
        start = _start(shape.head, 0, len(shape.head))
        if len(shape.head) <= _HEAD and start is not None:
            self._remember(start, shape)
        return shape

    def _remember(self, start: bytes, shape: Shape) -> None:
        self._size += len(shape.head)
        if self._size > _HEADS:
            self._memo.clear()
            self._size = len(shape.head)
        alike = shape.after = self._memo.get(start)
        self._memo[start] = shape
        for _ in range(_ALIKE - 2):
            alike = None if alike is None else alike.after
        if alike is not None and alike.after is not None:
            self._size -= len(alike.after.head)
            alike.after = None


def _start(data: bytes, position: i64, end: i64) -> bytes | None:
    """Return the number of keys and the first key; None if that is not short, or not there."""
    if end - position < 3:
        return None
    size: i64 = data[position + 2]
    stop: i64 = position + 3 + size - SHORT_STR
    if not SHORT_STR <= size < SHORT_LIST or stop > end:
        return None
    return data[position + 1 : stop]
