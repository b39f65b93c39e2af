"""Containers of the native dialect while they are made: frames of those that are not complete, and their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from broker._values.graph import Keys
from broker._values.hashed import fill_dict, fill_set
from broker._values.payload import PENDING
from broker._values.runs import floats, ints
from broker._values.shapes import NO_SHAPE, KnownShapes, Shape, fill_record
from broker._values.sizes import u32
from broker._values.tags import DICT, FROZENSET, INTS, MOST_SHAPES, RECORD, SET, TUPLE
from broker.errors import BadValue, LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["Builder", "Frame", "ROOT", "SHAPE"]

#: What a frame is of: `LIST`, `TUPLE`, `DICT`, `SET`, `FROZENSET`, `RECORD` for the values of a record, or one of
#: these: the value itself, the keys of a record.
ROOT: Final = 0
SHAPE: Final = 1
#: A set costs so many elements more than it has, sending and receiving.
_SET: Final = 4
#: The items of a frame that is not in use.
_NOTHING: Final[list[Any]] = []
#: So many frames are kept.
_FRAMES: Final = 64


@final
class Frame:
    """A container that is not complete.

    :ivar left: how many items are missing.
    :ivar items: those that have come; of a list, the list itself.
    :ivar target: the dictionary or set that is filled when all have come.
    :ivar number: of a tuple or frozenset, its number as a container.
    """

    __slots__ = ("items", "kind", "left", "number", "shape", "target")

    def __init__(self) -> None:
        self.kind: i64 = ROOT
        self.left: i64 = 0
        self.number: i64 = 0
        self.items = _NOTHING
        self.target: Any = None
        self.shape = NO_SHAPE


class Builder:
    """What is being made of one value.

    :param depth: deepest nesting of containers.
    :param elements: most elements of one value.
    """

    __slots__ = (
        "_containers",
        "_deepest",
        "_depth",
        "_elements",
        "_frames",
        "_hashing",
        "_known",
        "_left",
        "_level",
        "_shapes",
    )

    def __init__(self, depth: int, elements: int) -> None:
        self._depth: i64 = min(depth, 0x7FFFFFFF)
        self._elements: i64 = min(elements, 0x7FFFFFFFFFFF)
        self._left: i64 = 0
        #: Frames are used again; those up to `_level` are in use, those up to `_deepest` have been, for this value.
        self._frames: list[Frame] = [Frame()]
        self._level: i64 = 0
        self._deepest: i64 = 0
        self._containers: list[Any] = []
        #: Those that this value has defined, and those that the connection knows.
        self._shapes: list[Shape] = []
        self._known = KnownShapes()
        #: The guard of what is hashed, once a container has been referred to.
        self._hashing: Keys | None = None

    def _start(self) -> None:
        """Begin a value."""
        self._left = self._elements
        root = self._frames[0]
        root.items = []
        root.left = 1

    def _drop(self) -> None:
        """Drop what was kept of a value."""
        frames = self._frames
        level = self._deepest
        while level >= 0:
            frame = frames[level]
            frame.items = _NOTHING
            frame.target = None
            level -= 1
        if self._deepest >= _FRAMES:
            del frames[_FRAMES:]
        self._deepest = 0
        self._level = 0
        self._containers.clear()
        self._shapes.clear()
        self._hashing = None

    def _deliver(self, value: Any) -> None:
        frame = self._frames[self._level]
        frame.items.append(value)
        frame.left -= 1

    def _push(self, kind: i64, count: i64) -> Frame:
        """Return the frame of a new container."""
        self._level += 1
        if self._level > self._deepest:
            self._deepest = self._level
            if self._level == len(self._frames):
                self._frames.append(Frame())
        frame = self._frames[self._level]
        frame.kind = kind
        frame.left = count
        frame.items = []
        return frame

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

    def _charge(self, elements: i64) -> None:
        self._left -= elements
        if self._left < 0:
            raise LimitExceeded(f"more than {self._elements} elements in one value")

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

    def _define(self, shape: Shape) -> None:
        """Give a shape the next number."""
        if len(self._shapes) >= MOST_SHAPES:
            raise BadValue(f"more than {MOST_SHAPES} shapes of records in one value")
        self._shapes.append(shape)

    def _met(self, number: i64) -> Any:
        """Return a container met before."""
        if number >= len(self._containers):
            raise BadValue(f"a reference to container {number}, of {len(self._containers)}")
        value = self._containers[number]
        if value is PENDING:
            raise BadValue("a tuple or frozenset that contains itself")
        if self._hashing is None:
            self._hashing = Keys(self._depth)
            self._hashing.shared = True
        return value

    def _packed(self, tag: i64, head: bytes, at: i64, data: bytes, position: i64) -> list[Any]:
        """Return a packed list whose tag is at `head[at]`, and its numbers at `data[position]`."""
        if tag == INTS:
            count = u32(head, at + 2)
            self._admit(count, -1)
            made = ints(data, position, head[at + 1], count)
        else:
            count = u32(head, at + 1)
            self._admit(count, -1)
            made = floats(data, position, count)
        self._containers.append(made)
        return made

    def _finish(self, frame: Frame) -> None:
        """Complete a container all of whose items have come."""
        kind = frame.kind
        if kind == SHAPE:
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

    def _shaped(self, frame: Frame) -> None:
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
