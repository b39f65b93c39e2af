"""An item of the native dialect that is cut: its pieces, until all of it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from broker._values.sizes import size_of_head

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = ["Pieces"]

#: An item is kept as it is if it is no larger than this; of a larger one the pieces are collected, without its head.
_LARGE: Final = 1024
#: Pieces smaller than this are put together at once: an object for each would be many times their size.
_PIECE: Final = 4096


@final
class Pieces:
    """What has come of an item that is cut.

    :ivar missing: how many bytes it takes, at least, until more can be said; 0 if no item is cut, or it is all there.
    :ivar head: what a large item begins with; empty for any other.
    """

    __slots__ = ("_parts", "head", "missing")

    def __init__(self) -> None:
        self.missing: i64 = 0
        self.head = b""
        self._parts: list[Any] = []

    def wait(self, item: bytes, need: i64) -> None:
        """Begin with what there is of an item that needs so many bytes, which are more."""
        size: i64 = len(item)
        head = size_of_head(item[0])
        self.missing = need - size
        if need > _LARGE and 0 < head <= size:
            self.head = item[:head]
            if size > head:
                self._parts.append(item[head:])
        else:
            self.head = b""
            self._parts.append(bytearray(item))

    def take(self, data: bytes, position: i64, end: i64) -> i64:
        """Take what is there of what is missing; returns the position behind it."""
        stop: i64 = min(position + self.missing, end)
        size: i64 = stop - position
        self.missing -= size
        parts = self._parts
        if size >= _PIECE and size * 2 >= len(data):
            # All of the data stays as long as a part of it does.
            parts.append(memoryview(data)[position:stop])
            return stop
        part = data[position:stop]
        if size >= _PIECE:
            parts.append(part)
        elif parts and type(parts[-1]) is bytearray and len(parts[-1]) < _PIECE:
            parts[-1] += part
        else:
            parts.append(bytearray(part))
        return stop

    def joined(self) -> bytes:
        """Return what has come, without the head of a large item, and forget it."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data

    def forget(self) -> None:
        """Drop everything."""
        if self.missing or self._parts:
            self.missing = 0
            self._parts.clear()
        self.head = b""
