"""The bytes of the native dialect back to values: the way back from `broker._values.native`.

There is no recursion: each container that is not complete has a frame, so a value that comes in pieces is gone on with
where it was cut. Nothing is made larger than what has come: counts and lengths that a peer declares are compared with
the ceilings, and believed when their bytes are there.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any, final

from broker._values.building import SHAPE, Builder
from broker._values.moments import get_rare
from broker._values.payload import PENDING
from broker._values.pieces import Pieces
from broker._values.sizes import body_of, size_of, u32
from broker._values.tags import (
    BACK,
    BIG,
    BYTES,
    BYTES8,
    DICT,
    FLOAT,
    FLOATS,
    FROZENSET,
    I8,
    I16,
    I32,
    I64,
    INTS,
    KNOWN8,
    KNOWN16,
    LIST,
    NEGATIVE,
    NONE,
    RECORD,
    SHORT_DICT,
    SHORT_LIST,
    SHORT_STR,
    SHORT_TUPLE,
    STR,
    STR8,
    TRUE,
    TUPLE,
)
from broker._wire.pack import read_f64_le, read_i16_le, read_i32_le, read_i64_le
from broker.errors import BadValue

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["NativeDecoder"]


@final
class NativeDecoder(Builder):
    """Decodes values for one connection.

    :param depth: deepest nesting of containers.
    :param elements: most elements of one value. An item is one, an entry of a dictionary two, and a set costs
        four more.
    :ivar position: behind the value, after `decode`, or `feed` that returned True.
    :ivar value: the value, after `feed` that returned True; until then, and after `begin`, None.
    """

    __slots__ = ("_cut", "_pieces", "_zones", "position", "value")

    def __init__(self, depth: int, elements: int) -> None:
        super().__init__(depth, elements)
        self.position: i64 = 0
        self.value: Any = None
        self._zones: dict[str, tzinfo] = {}
        #: Whether an item was cut, and what there is of it.
        self._cut = False
        self._pieces = Pieces()

    def decode(self, data: bytes, position: int, end: int) -> Any:
        """Read one value that is there in full; `self.position` is behind it then.

        :raises BadValue: it is malformed or cut short.
        :raises LimitExceeded: it has more elements, or is nested deeper, than is accepted.
        :raises NotPlain: it is the other form, with tag DF.
        """
        self.begin()
        try:
            if not self._run(data, position, end, True):
                raise BadValue("a value that is cut short")
            return self._frames[0].items[0]
        except UnicodeDecodeError as error:
            raise BadValue(f"a text that is no UTF-8: {error}") from None
        finally:
            self._forget()

    def begin(self) -> None:
        """Begin a value that comes in pieces."""
        self._forget()
        self.value = None
        self._start()

    def feed(self, data: bytes, position: int, end: int) -> bool:
        """Take the next piece of a value, `data[position:end]`, or what it needs of it.

        :returns: whether the value is complete; if not, all was taken.
        :raises BadValue: as `decode` does, and so do the others. The value is lost then.
        """
        done = True
        try:
            done = self._feed(data, position, end)
            if done:
                self.value = self._frames[0].items[0]
            return done
        except UnicodeDecodeError as error:
            raise BadValue(f"a text that is no UTF-8: {error}") from None
        finally:
            if done:
                self._forget()

    def _forget(self) -> None:
        """Drop what was kept of a value."""
        self._drop()
        if self._cut:
            self._cut = False
            self._pieces.forget()

    def _feed(self, data: bytes, position: i64, end: i64) -> bool:
        pieces = self._pieces
        while self._cut:
            position = pieces.take(data, position, end)
            if pieces.missing:
                return False
            self._cut = False
            item = pieces.joined()
            if pieces.head:
                self._deliver(self._collected(pieces.head, item))
            elif not self._wait(item) and self._run(item, 0, len(item), False):
                self.position = position
                return True
        if self._run(data, position, end, False):
            return True
        if self.position < end:
            self._wait(data[self.position : end])
        return False

    def _wait(self, item: bytes) -> bool:
        """Keep the beginning of an item until there is more of it; returns False if it is complete."""
        need = size_of(item[0], item, 0, len(item), self._level == 0)
        if need <= len(item):
            return False
        self._pieces.wait(item, need)
        self._cut = True
        return True

    def _collected(self, head: bytes, data: bytes) -> Any:
        """Return a large item, all of which is there."""
        tag: i64 = head[0]
        if tag == INTS or tag == FLOATS:
            return self._packed(tag, head, 0, data, 0)
        return body_of(tag, data)

    def _run(self, data: bytes, position: i64, end: i64, whole: bool) -> bool:
        """Read items until the value is complete, or one is cut; `self.position` is behind what was read.

        :param whole: whether nothing will follow behind the end.
        """
        frame = self._frames[self._level]
        left = frame.left
        items = frame.items
        while True:
            if left == 0:
                if self._level == 0:
                    self.position = position
                    return True
                self._finish(frame)
                frame = self._frames[self._level]
                left = frame.left
                items = frame.items
                continue
            if position >= end:
                break
            tag: i64 = data[position]
            if tag < SHORT_STR:
                items.append(tag)
                position += 1
                left -= 1
            elif tag < SHORT_LIST:
                stop: i64 = position + 1 + tag - SHORT_STR
                if stop > end:
                    break
                items.append(data[position + 1 : stop].decode())
                position = stop
                left -= 1
            elif tag < NONE:
                frame.left = left
                self._open_short(tag, end - position - 1 if whole else -1)
                position += 1
                frame = self._frames[self._level]
                left = frame.left
                items = frame.items
            elif tag >= NEGATIVE:
                items.append(tag - 256)
                position += 1
                left -= 1
            elif tag == FLOAT:
                if end - position < 9:
                    break
                items.append(read_f64_le(data, position + 1))
                position += 9
                left -= 1
            elif tag <= TRUE:
                items.append(None if tag == NONE else tag == TRUE)
                position += 1
                left -= 1
            elif tag == I32:
                if end - position < 5:
                    break
                items.append(read_i32_le(data, position + 1))
                position += 5
                left -= 1
            else:
                size = size_of(tag, data, position, end, self._level == 0)
                if end - position < size:
                    break
                if LIST <= tag <= KNOWN16:
                    frame.left = left
                    position += self._open_long(tag, data, position, end, whole)
                    frame = self._frames[self._level]
                    left = frame.left
                    items = frame.items
                else:
                    items.append(self._item(tag, data, position, position + size))
                    position += size
                    left -= 1
        frame.left = left
        self.position = position
        return False

    def _item(self, tag: i64, data: bytes, position: i64, stop: i64) -> Any:
        """Return an item that is there in full."""
        if tag == STR8 or tag == BYTES8:
            return body_of(tag, data[position + 2 : stop])
        if tag == I8:
            byte: i64 = data[position + 1]
            return byte if byte < 128 else byte - 256
        if tag == I16:
            return read_i16_le(data, position + 1)
        if tag == I64:
            return read_i64_le(data, position + 1)
        if tag == STR or tag == BYTES or tag == BIG:
            return body_of(tag, data[position + 5 : stop])
        if tag == BACK:
            return self._met(u32(data, position + 1))
        if tag == INTS:
            return self._packed(tag, data, position, data, position + 6)
        if tag == FLOATS:
            return self._packed(tag, data, position, data, position + 5)
        return get_rare(tag, data[position + 1 : stop], self._zones)

    def _open_short(self, tag: i64, room: i64) -> None:
        """Open a container whose tag has its count."""
        if tag < SHORT_TUPLE:
            self._open(LIST, tag - SHORT_LIST, room)
        elif tag < SHORT_DICT:
            self._open(TUPLE, tag - SHORT_TUPLE, room)
        else:
            self._open(DICT, tag - SHORT_DICT, room)

    def _open_long(self, tag: i64, data: bytes, position: i64, end: i64, whole: bool) -> i64:
        """Open a container; returns the size of its opening."""
        if tag <= FROZENSET:
            self._open(tag, u32(data, position + 1), end - position - 5 if whole else -1)
            return 5
        if tag == RECORD:
            shape = self._known.find(data, position, end)
            if shape is not None:
                size: i64 = len(shape.head)
                self._define(shape)
                self._open_record(shape, end - position - size if whole else -1)
                return size
            count: i64 = data[position + 1]
            if count < 2:
                raise BadValue(f"a record of {count} keys")
            self._admit(count * 2, end - position - 2 if whole else -1)
            self._containers.append(PENDING)
            self._push(SHAPE, count).number = len(self._containers) - 1
            return 2
        number: i64 = data[position + 1]
        if tag == KNOWN16:
            number += data[position + 2] * 256
        if number >= len(self._shapes):
            raise BadValue(f"a record of shape {number}, of {len(self._shapes)}")
        header: i64 = 2 if tag == KNOWN8 else 3
        self._open_record(self._shapes[number], end - position - header if whole else -1)
        return header
