"""Values to the bytes of the native dialect.

A value is encoded here when it is of exactly one of the types that the dialect has a tag for, with everything in it.
Whatever else is met raises `NotPlain`, and the long way (jelly, then tag DF) decides: it knows policy, registry and
perspective. `broker._values.unnative` is the way back; `broker._values.tags` has the layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from broker._values.moments import put_rare
from broker._values.plain import NotPlain
from broker._values.runs import put_run
from broker._values.shapes import SentShapes
from broker._values.tags import (
    BACK,
    BIG,
    BYTES,
    BYTES8,
    DICT,
    FALSE,
    FLOAT,
    FROZENSET,
    I8,
    I16,
    I32,
    I64,
    KNOWN8,
    KNOWN16,
    LIST,
    MOST_SHAPES,
    NONE,
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
from broker._wire.pack import BytesWriter, write_f64_le, write_i16_le, write_i32_le, write_i64_le
from broker.errors import LimitExceeded

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["DEEPEST", "NativeEncoder"]

#: Byte strings of this size on are not copied into the writer. A message with one is larger than a frame.
_LONG: Final = 64 * 1024
#: The encoder recurses. Containers nested deeper than this go the long way, which does not; 300 fit into the smallest
#: stack that a thread has anywhere, 128 KiB.
DEEPEST: Final = 300
#: Lists of this many items on are looked at whether they can be packed.
_RUN: Final = 16
#: A set costs so many elements more than it has, sending and receiving.
_SET: Final = 4


def _put_size(writer: BytesWriter, size: int) -> None:
    """Append a count or a length of four bytes."""
    if size > 0xFFFFFFFF:
        raise LimitExceeded(f"{size} bytes or items in one; the protocol has no more than {0xFFFFFFFF}")
    write_i32_le(writer, size if size <= 0x7FFFFFFF else size - 0x100000000)


def _put_int(writer: BytesWriter, value: int) -> None:
    """Append an integer that is not its own tag."""
    if -0x80000000 <= value <= 0x7FFFFFFF:
        if -0x80 <= value <= 0x7F:
            writer.append(I8)
            writer.append(value & 0xFF)
        elif -0x8000 <= value <= 0x7FFF:
            writer.append(I16)
            write_i16_le(writer, value)
        else:
            writer.append(I32)
            write_i32_le(writer, value)
    elif -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
        writer.append(I64)
        write_i64_le(writer, value)
    else:
        size = value.bit_length() // 8 + 1
        writer.append(BIG)
        _put_size(writer, size)
        writer.write(value.to_bytes(size, "little", signed=True))


def _put_str(writer: BytesWriter, value: str) -> None:
    """Append a text."""
    data = value.encode()
    size = len(data)
    if size < 32:
        writer.append(SHORT_STR + size)
    elif size < 256:
        writer.append(STR8)
        writer.append(size)
    else:
        writer.append(STR)
        _put_size(writer, size)
    writer.write(data)


@final
class NativeEncoder:
    """Encodes values for one connection.

    :param depth: deepest nesting of containers that the peer takes.
    :param elements: most elements of one value that the peer takes. An item is one, an entry of a dictionary two, and
        a set costs four more.
    :ivar writer: what is encoded goes here.
    :ivar parts: what stands before that, once a long byte string was met: it is not copied until all is joined.
    """

    __slots__ = (
        "_clipped",
        "_depth",
        "_elements",
        "_epoch",
        "_known",
        "_left",
        "_number",
        "_open",
        "_seen",
        "_shapes",
        "parts",
        "writer",
    )

    def __init__(self, depth: int, elements: int) -> None:
        self.writer = BytesWriter()
        self.parts: list[bytes] = []
        self._depth: i64 = min(depth, DEEPEST)
        self._clipped = depth > DEEPEST
        self._elements: i64 = min(elements, 0x7FFFFFFFFFFF)
        #: Elements that the value being encoded may still have.
        self._left: i64 = 0
        #: The number of the next container, and those of the containers met, by identity.
        self._number = 0
        self._seen: dict[int, int] = {}
        #: The numbers of the tuples and frozensets that are not complete.
        self._open: list[int] = []
        #: Shapes of this value and earlier ones; they have a number if their epoch is that of this value.
        self._known = SentShapes()
        self._epoch: i64 = 0
        self._shapes: i64 = 0

    def encode(self, value: Any) -> bytes:
        """Return the bytes of a value.

        :raises NotPlain: something in it has no tag of its own, or is a tuple that contains itself; or it is nested
            deeper than 300, and the peer may take that.
        :raises LimitExceeded: it is larger or nested deeper than the peer accepts.
        """
        before = self.take()
        try:
            self.put(value)
            return self.take()
        finally:
            self.writer.write(before)

    def take(self) -> bytes:
        """Return what has been written, and begin anew."""
        parts = self.take_parts()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def take_parts(self) -> list[bytes]:
        """Return what has been written, long byte strings by themselves, and begin anew."""
        parts = [*self.parts, self.writer.getvalue()]
        self.clear()
        return parts

    def clear(self) -> None:
        """Forget what has been written."""
        self.writer.truncate(0)
        if self.parts:
            self.parts.clear()

    def put(self, value: Any) -> None:
        """Append a value to the writer; if that fails, the writer is as it was.

        :raises NotPlain: as `encode` does.
        :raises LimitExceeded: as `encode` does.
        """
        writer = self.writer
        start: i64 = len(writer)
        parts = len(self.parts)
        done = False
        self._epoch += 1
        self._left = self._elements
        self._number = 0
        self._shapes = 0
        try:
            self._put(writer, value, self._depth)
            done = True
        except UnicodeEncodeError:
            raise NotPlain("a text with a lone surrogate") from None
        except RecursionError:
            raise NotPlain("containers nested deeply") from None
        finally:
            # Nothing of the value is kept, whatever happened.
            if not done:
                if len(self.parts) > parts:
                    before = self.parts[parts]
                    del self.parts[parts:]
                    writer.truncate(0)
                    writer.write(before)
                writer.truncate(start)
            self._seen.clear()
            self._open.clear()

    def _put(self, writer: BytesWriter, value: Any, depth: i64) -> None:
        """Append any value."""
        kind = type(value)
        if kind is str:
            _put_str(writer, value)
        elif kind is int:
            number: int = value
            if -32 <= number <= 127:
                writer.append(number & 0xFF)
            else:
                _put_int(writer, number)
        elif kind is dict:
            self._put_dict(writer, value, depth)
        elif kind is list:
            self._put_list(writer, value, depth)
        elif kind is tuple:
            self._put_tuple(writer, value, depth)
        elif kind is float:
            writer.append(FLOAT)
            write_f64_le(writer, value)
        elif value is None:
            writer.append(NONE)
        elif kind is bool:
            writer.append(TRUE if value else FALSE)
        elif kind is bytes:
            self._put_bytes(writer, value)
        elif kind is set or kind is frozenset:
            self._put_set(writer, value, kind is set, depth)
        else:
            put_rare(writer, value)

    def _put_bytes(self, writer: BytesWriter, value: bytes) -> None:
        """Append a byte string."""
        size = len(value)
        if size < 256:
            writer.append(BYTES8)
            writer.append(size)
        else:
            writer.append(BYTES)
            _put_size(writer, size)
            if size >= _LONG:
                self.parts.append(writer.getvalue())
                self.parts.append(value)
                writer.truncate(0)
                return
        writer.write(value)

    def _met(self, writer: BytesWriter, value: Any, depth: i64) -> bool:
        """Append a reference to a container that was met before, or give it its number."""
        number = self._number
        found = self._seen.setdefault(id(value), number)
        if found == number:
            if depth <= 0:
                if self._clipped:
                    raise NotPlain("containers nested deeply")
                raise LimitExceeded(f"nested deeper than the {self._depth} that the peer accepts")
            self._number = number + 1
            return False
        if self._open and found in self._open:
            raise NotPlain("a tuple or frozenset that contains itself")
        writer.append(BACK)
        _put_size(writer, found)
        return True

    def _charge(self, count: i64) -> None:
        """Count elements."""
        self._left -= count
        if self._left < 0:
            raise LimitExceeded(f"more elements than the {self._elements} that the peer accepts in one value")

    def _put_list(self, writer: BytesWriter, value: list[Any], depth: i64) -> None:
        """Append a list."""
        if self._met(writer, value, depth):
            return
        count = len(value)
        self._charge(count)
        if count < 16:
            writer.append(SHORT_LIST + count)
        else:
            if count >= _RUN and put_run(writer, value):
                return
            writer.append(LIST)
            _put_size(writer, count)
        self._put_items(writer, value, depth - 1)
        if len(value) != count:
            # The collector of garbage may run code, and that may do anything.
            raise RuntimeError("list changed size while it was encoded")

    def _put_items(self, writer: BytesWriter, value: list[Any], depth: i64) -> None:
        """Append the items of a list."""
        for item in value:
            kind = type(item)
            if kind is int:
                number: int = item
                if -32 <= number <= 127:
                    writer.append(number & 0xFF)
                else:
                    _put_int(writer, number)
            elif kind is str:
                _put_str(writer, item)
            else:
                self._put(writer, item, depth)

    def _put_tuple(self, writer: BytesWriter, value: tuple[Any, ...], depth: i64) -> None:
        """Append a tuple."""
        count = len(value)
        if count == 0:
            writer.append(SHORT_TUPLE)
            return
        if self._met(writer, value, depth):
            return
        self._charge(count)
        if count < 8:
            writer.append(SHORT_TUPLE + count)
        else:
            writer.append(TUPLE)
            _put_size(writer, count)
        self._open.append(self._number - 1)
        for item in value:
            self._put(writer, item, depth - 1)
        self._open.pop()

    def _put_set(self, writer: BytesWriter, value: Any, mutable: bool, depth: i64) -> None:
        """Append a set or frozenset."""
        count = len(value)
        if (mutable or count) and self._met(writer, value, depth):
            return
        self._charge(count + _SET)
        writer.append(SET if mutable else FROZENSET)
        _put_size(writer, count)
        if not mutable:
            self._open.append(self._number - 1)
        for item in value:
            self._put(writer, item, depth - 1)
        if not mutable:
            self._open.pop()

    def _put_dict(self, writer: BytesWriter, value: dict[Any, Any], depth: i64) -> None:
        """Append a dictionary."""
        if self._met(writer, value, depth):
            return
        count = len(value)
        self._charge(count * 2)
        if 1 < count < 256 and self._put_shape(writer, list(value.keys())):
            self._put_items(writer, list(value.values()), depth - 1)
            return
        if count < 8:
            writer.append(SHORT_DICT + count)
        else:
            writer.append(DICT)
            _put_size(writer, count)
        for key, item in value.items():
            self._put(writer, key, depth - 1)
            self._put(writer, item, depth - 1)

    def _put_shape(self, writer: BytesWriter, keys: list[Any]) -> bool:
        """Append the opening of a record, if the dictionary with these keys is one."""
        for key in keys:
            if type(key) is not str:
                return False
        shape = self._known.find(keys)
        if shape is None:
            return False
        if shape.epoch != self._epoch:
            if self._shapes == MOST_SHAPES:
                return False
            shape.epoch = self._epoch
            shape.number = self._shapes
            self._shapes += 1
            writer.write(shape.head)
            return True
        number: int = shape.number
        if number < 256:
            writer.append(KNOWN8)
            writer.append(number)
        else:
            writer.append(KNOWN16)
            write_i16_le(writer, number)
        return True
