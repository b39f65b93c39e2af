"""The bytes of the native dialect back to values: the way back from `broker._values.native`.

There is no recursion: each container that is not complete has a frame, so a value that comes in pieces is gone on with
where it was cut. Nothing is made larger than what has come: counts and lengths that a peer declares are compared with
the ceilings, and believed when their bytes are there.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, final

from broker._values.hashed import Guard, fill_dict, fill_set
from broker._values.moments import get_rare, size_of_rare
from broker._values.payload import PENDING
from broker._values.plain import NotPlain
from broker._values.runs import floats, ints
from broker._values.shapes import NO_SHAPE, KnownShapes, Shape, fill_record
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
    JELLY,
    KNOWN8,
    KNOWN16,
    LIST,
    MOST_SHAPES,
    NEGATIVE,
    NONE,
    RECORD,
    SET,
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
from broker.errors import BadValue, LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["NativeDecoder"]

#: What a frame is of: `LIST`, `TUPLE`, `DICT`, `SET`, `FROZENSET`, `RECORD` for the values of a record, or one of
#: these: the value itself, the keys of a record.
_ROOT: Final = 0
_SHAPE: Final = 1
#: A set costs so many elements more than it has, sending and receiving.
_SET: Final = 4
#: An item that is cut is kept as bytes if it is no larger than this; of a larger one the pieces are collected.
_LARGE: Final = 1024
#: Pieces smaller than this are collected as bytes too: an object for each would be many times their size.
_PIECE: Final = 4096
#: The items of a frame that is not in use.
_NOTHING: Final[list[Any]] = []


@final
class _Frame:
    """A container that is not complete.

    :ivar left: how many items are missing.
    :ivar items: those that have come; of a list, the list itself.
    :ivar target: the dictionary or set that is filled when all have come.
    :ivar number: of a tuple or frozenset, its number as a container.
    """

    __slots__ = ("items", "kind", "left", "number", "shape", "target")

    def __init__(self) -> None:
        self.kind: i64 = _ROOT
        self.left: i64 = 0
        self.number: i64 = 0
        self.items = _NOTHING
        self.target: Any = None
        self.shape = NO_SHAPE


def _u32(data: bytes, position: i64) -> i64:
    number: int = read_i32_le(data, position)
    return number & 0xFFFFFFFF


@final
class NativeDecoder:
    """Decodes values for one connection.

    :param depth: deepest nesting of containers.
    :param elements: most elements of one value. An item is one, an entry of a dictionary two, and a set costs
        four more.
    :ivar position: behind the value, after `decode`, or `feed` that returned True.
    :ivar value: the value, after `feed` that returned True; until then, and after `begin`, None.
    """

    __slots__ = (
        "_containers",
        "_deepest",
        "_depth",
        "_elements",
        "_frames",
        "_hashing",
        "_head",
        "_kept",
        "_known",
        "_left",
        "_level",
        "_need",
        "_pieces",
        "_shapes",
        "_want",
        "_zones",
        "position",
        "value",
    )

    def __init__(self, depth: int, elements: int) -> None:
        self.position: i64 = 0
        self.value: Any = None
        self._depth: i64 = min(depth, 0x7FFFFFFF)
        self._elements: i64 = min(elements, 0x7FFFFFFFFFFF)
        self._left: i64 = 0
        #: Frames are used again; those up to `_level` are in use, those up to `_deepest` have been, for this value.
        self._frames: list[_Frame] = [_Frame()]
        self._level: i64 = 0
        self._deepest: i64 = 0
        self._containers: list[Any] = []
        self._shapes: list[Shape] = []
        #: The guard of what is hashed, once a container has been referred to.
        self._hashing: Guard | None = None
        self._known = KnownShapes()
        self._zones: dict[str, tzinfo] = {}
        #: The beginning of an item that was cut, and how many bytes it needs to be understood.
        self._kept = bytearray()
        self._need: i64 = 0
        #: Of a large item: what it begins with, pieces of the rest, and how many bytes are missing.
        self._head = b""
        self._pieces: list[Any] = []
        self._want: i64 = 0

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
        self._left = self._elements
        root = self._frames[0]
        root.items = []
        root.left = 1

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
        frames = self._frames
        level = self._deepest
        while level >= 0:
            frame = frames[level]
            frame.items = _NOTHING
            frame.target = None
            level -= 1
        self._deepest = 0
        self._level = 0
        self._containers.clear()
        self._shapes.clear()
        self._hashing = None
        if self._need:
            self._need = 0
            self._want = 0
            self._kept.clear()
            self._pieces.clear()

    def _feed(self, data: bytes, position: i64, end: i64) -> bool:
        while True:
            if self._want:
                position = self._collect(data, position, end)
                if self._want:
                    return False
                self._deliver(self._collected())
            elif self._kept:
                kept = self._kept
                stop: i64 = min(position + self._need - len(kept), end)
                kept += data[position:stop]
                position = stop
                if len(kept) < self._need:
                    return False
                item = bytes(kept)
                kept.clear()
                if self._wait(item):
                    continue
                if self._run(item, 0, len(item), False):
                    self.position = position
                    return True
            if self._run(data, position, end, False):
                return True
            if self.position < end:
                self._wait(data[self.position : end])
            return False

    def _wait(self, item: bytes) -> bool:
        """Keep the beginning of an item until there is more of it; returns False if it is complete."""
        size: i64 = len(item)
        tag: i64 = item[0]
        need = self._size(tag, item, 0, size)
        if need <= size:
            return False
        start = _start(tag)
        if need > _LARGE and start and size >= start:
            self._head = item[:start]
            self._need = need
            self._want = need - size
            if size > start:
                self._pieces.append(item[start:])
        else:
            self._kept += item
            self._need = need
        return True

    def _collect(self, data: bytes, position: i64, end: i64) -> i64:
        """Take what is there of a large item; returns the position behind it."""
        stop: i64 = min(position + self._want, end)
        piece = data[position:stop]
        self._want -= stop - position
        pieces = self._pieces
        if len(piece) >= _PIECE:
            pieces.append(piece)
        elif pieces and type(pieces[-1]) is bytearray and len(pieces[-1]) < _PIECE:
            pieces[-1] += piece
        else:
            pieces.append(bytearray(piece))
        return stop

    def _collected(self) -> Any:
        """Return the large item, all of which is there."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        tag: i64 = self._head[0]
        if tag == INTS or tag == FLOATS:
            return self._packed(tag, self._head, 0, data, 0)
        return _body(tag, data)

    def _deliver(self, value: Any) -> None:
        frame = self._frames[self._level]
        frame.items.append(value)
        frame.left -= 1

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
                size = self._size(tag, data, position, end)
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

    def _size(self, tag: i64, data: bytes, position: i64, end: i64) -> i64:
        """Return how many bytes the item, or the opening of the container, at `position` has.

        If it is cut, that may be too few, but always more than there are.
        """
        left: i64 = end - position
        if tag < SHORT_STR or tag >= NEGATIVE or SHORT_LIST <= tag <= TRUE:
            return 1
        if tag < SHORT_LIST:
            return 1 + tag - SHORT_STR
        if tag == JELLY:
            if self._level == 0:
                raise NotPlain("an s-expression")
            raise BadValue("an s-expression within a value")
        if tag == STR8 or tag == BYTES8:
            return 2 if left < 2 else 2 + data[position + 1]
        if tag == BIG or tag == STR or tag == BYTES:
            return 5 if left < 5 else 5 + _u32(data, position + 1)
        if LIST <= tag <= FROZENSET or tag == BACK or tag == I32:
            return 5
        if tag == I8 or tag == RECORD or tag == KNOWN8:
            return 2
        if tag == I16 or tag == KNOWN16:
            return 3
        if tag == I64 or tag == FLOAT:
            return 9
        if tag == INTS:
            if left < 6:
                return 6
            width: i64 = data[position + 1]
            if width != 1 and width != 2 and width != 4 and width != 8:
                raise BadValue(f"integers of {width} bytes")
            return 6 + width * _u32(data, position + 2)
        if tag == FLOATS:
            return 5 if left < 5 else 5 + 8 * _u32(data, position + 1)
        return size_of_rare(tag, data, position, end)

    def _item(self, tag: i64, data: bytes, position: i64, stop: i64) -> Any:
        """Return an item that is there in full."""
        if tag == STR8 or tag == BYTES8:
            return _body(tag, data[position + 2 : stop])
        if tag == I8:
            byte: i64 = data[position + 1]
            return byte if byte < 128 else byte - 256
        if tag == I16:
            return read_i16_le(data, position + 1)
        if tag == I64:
            return read_i64_le(data, position + 1)
        if tag == STR or tag == BYTES or tag == BIG:
            return _body(tag, data[position + 5 : stop])
        if tag == BACK:
            return self._met(_u32(data, position + 1))
        if tag == INTS:
            return self._packed(tag, data, position, data, position + 6)
        if tag == FLOATS:
            return self._packed(tag, data, position, data, position + 5)
        return get_rare(tag, data[position + 1 : stop], self._zones)

    def _met(self, number: i64) -> Any:
        """Return a container met before."""
        if number >= len(self._containers):
            raise BadValue(f"a reference to container {number}, of {len(self._containers)}")
        value = self._containers[number]
        if value is PENDING:
            raise BadValue("a tuple or frozenset that contains itself")
        if self._hashing is None:
            self._hashing = Guard(self._depth)
        return value

    def _packed(self, tag: i64, head: bytes, at: i64, data: bytes, position: i64) -> list[Any]:
        """Return a packed list whose tag is at `head[at]`, and its numbers at `data[position]`."""
        if tag == INTS:
            count = _u32(head, at + 2)
            self._admit(count, -1)
            made = ints(data, position, head[at + 1], count)
        else:
            count = _u32(head, at + 1)
            self._admit(count, -1)
            made = floats(data, position, count)
        self._containers.append(made)
        return made

    def _admit(self, elements: i64, room: i64) -> None:
        """Let a container in, or not.

        :param room: how many bytes are left, or -1 if that is not known.
        """
        if self._level >= self._depth:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        self._left -= elements
        if self._left < 0:
            raise LimitExceeded(f"more than {self._elements} elements in one value")
        if room >= 0 and elements > room:
            raise BadValue("a container with more items than there are bytes")

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
            self._open(tag, _u32(data, position + 1), end - position - 5 if whole else -1)
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
            self._push(_SHAPE, count).number = len(self._containers) - 1
            return 2
        number: i64 = data[position + 1]
        if tag == KNOWN16:
            number += data[position + 2] * 256
        if number >= len(self._shapes):
            raise BadValue(f"a record of shape {number}, of {len(self._shapes)}")
        header: i64 = 2 if tag == KNOWN8 else 3
        self._open_record(self._shapes[number], end - position - header if whole else -1)
        return header

    def _define(self, shape: Shape) -> None:
        """Give a shape the next number."""
        if len(self._shapes) >= MOST_SHAPES:
            raise BadValue(f"more than {MOST_SHAPES} shapes of records in one value")
        self._shapes.append(shape)

    def _push(self, kind: i64, count: i64) -> _Frame:
        """Return the frame of a new container."""
        self._level += 1
        if self._level > self._deepest:
            self._deepest = self._level
            if self._level == len(self._frames):
                self._frames.append(_Frame())
        frame = self._frames[self._level]
        frame.kind = kind
        frame.left = count
        frame.items = []
        return frame

    def _open(self, kind: i64, count: i64, room: i64) -> None:
        """Open a list, tuple, dictionary or set."""
        if count == 0 and (kind == TUPLE or kind == FROZENSET):
            if kind == TUPLE:
                self._deliver(())
            else:
                self._charge(_SET)
                self._deliver(frozenset())
            return
        entries: i64 = count * 2 if kind == DICT else count
        self._admit(entries, room)
        parent = self._frames[self._level]
        frame = self._push(kind, entries)
        target: Any = frame.items
        if kind == TUPLE or kind == FROZENSET:
            frame.number = len(self._containers)
            target = PENDING
        elif kind == DICT:
            target = {}
        elif kind == SET:
            target = set()
        if kind == SET or kind == FROZENSET:
            self._charge(_SET)
        frame.target = target
        self._containers.append(target)
        if target is not PENDING:
            parent.items.append(target)
            parent.left -= 1

    def _charge(self, elements: i64) -> None:
        self._left -= elements
        if self._left < 0:
            raise LimitExceeded(f"more than {self._elements} elements in one value")

    def _open_record(self, shape: Shape, room: i64) -> None:
        """Open a record whose keys are known."""
        count: i64 = len(shape.keys)
        if room >= 0 and count > room:
            raise BadValue("a record with more values than there are bytes")
        self._admit(count * 2, -1)
        parent = self._frames[self._level]
        frame = self._push(RECORD, count)
        table = shape.blank.copy()
        frame.target = table
        frame.shape = shape
        self._containers.append(table)
        parent.items.append(table)
        parent.left -= 1

    def _finish(self, frame: _Frame) -> None:
        """Complete a container all of whose items have come."""
        kind = frame.kind
        if kind == _SHAPE:
            self._shaped(frame)
            return
        self._level -= 1
        if kind == RECORD:
            fill_record(frame.target, frame.shape, frame.items)
        elif kind == TUPLE:
            made = tuple(frame.items)
            self._containers[frame.number] = made
            self._deliver(made)
        elif kind == DICT:
            fill_dict(frame.target, frame.items, self._hashing, self._known)
        elif kind == SET:
            fill_set(frame.target, frame.items, self._hashing)
        elif kind == FROZENSET:
            members: set[Any] = set()
            fill_set(members, frame.items, self._hashing)
            frozen = frozenset(members)
            self._containers[frame.number] = frozen
            self._deliver(frozen)

    def _shaped(self, frame: _Frame) -> None:
        """All keys of a record have come; its values follow."""
        shape = self._known.add(frame.items)
        self._define(shape)
        table = shape.blank.copy()
        self._containers[frame.number] = table
        frame.kind = RECORD
        frame.left = len(frame.items)
        frame.items = []
        frame.target = table
        frame.shape = shape
        parent = self._frames[self._level - 1]
        parent.items.append(table)
        parent.left -= 1


def _start(tag: i64) -> i64:
    """Return the size of what a large item begins with; 0 if it cannot be large."""
    if tag == STR or tag == BYTES or tag == BIG or tag == FLOATS:
        return 5
    return 6 if tag == INTS else 0


def _body(tag: i64, data: bytes) -> Any:
    """Return a text, byte string or integer."""
    if tag == BYTES or tag == BYTES8:
        return data
    if tag == BIG:
        return int.from_bytes(data, "little", signed=True)
    return data.decode()
