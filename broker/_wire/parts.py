"""The bytes of a message that is too large for a frame: in parts, as they were written."""

from __future__ import annotations

from typing import Any, final

__all__ = ["Parts"]


@final
class Parts:
    """Bytes in several parts, read once, from the beginning to the end. The length is that of what is left.

    :param parts: none of them empty but the last.
    """

    __slots__ = ("_index", "_left", "_parts", "_position")

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts
        self._index = 0
        self._position = 0
        self._left = 0
        for part in parts:
            self._left += len(part)

    def __len__(self) -> int:
        return self._left

    def take(self, size: int) -> list[Any]:
        """Return the next bytes, as what can be joined: those of long parts are not copied.

        :param size: how many; there may be fewer.
        """
        found: list[Any] = []
        parts = self._parts
        while size > 0 and self._index < len(parts):
            part = parts[self._index]
            start = self._position
            stop = start + size
            if stop < len(part):
                self._position = stop
            else:
                stop = len(part)
                self._index += 1
                self._position = 0
            found.append(memoryview(part)[start:stop])
            size -= stop - start
            self._left -= stop - start
        return found
