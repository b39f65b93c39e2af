"""Banana bytes of the jelly of plain values straight back to the values: the way back from `broker._values.plain`.

A head that needs policy, registry or perspective raises `NotPlain`, and so does every form that is not as it should
be: the long way (banana, then unjelly) decides what it is worth. What is accepted here gives what the long way gives.
"""

from __future__ import annotations

from typing import Any

from broker._values.cuts import Frame, Incomplete
from broker._values.forms import WRONG, FormReader
from broker._values.payload import PENDING
from broker._values.plain import NotPlain

__all__ = ["Incomplete", "PlainDecoder"]


class PlainDecoder(FormReader):
    """Decodes plain values for one connection.

    It trusts that the ceilings of the connection are kept elsewhere: the data it is given are at most one message.

    A form that the data end in can be gone on with: each container that is open then leaves a frame, on the way out of
    the recursion, and `resume` walks back from the innermost. So nothing is read twice but the item that was cut.

    :param vocabulary: whether words come as numbers.
    :param depth: deepest nesting of containers; above 64 it is 64.

    at: the position of the item that was cut, after `Incomplete`.
    stuck: whether going on would read something large again, after `Incomplete`.
    """

    __slots__ = ()

    def decode(self, data: bytes, position: int = 0) -> tuple[Any, int]:
        """Read one form.

        :returns: the value, and the position behind its form.
        :raises NotPlain: the form needs the long way, or is no right form; the long way tells.
        :raises Incomplete: the data end before the form does; `resume` goes on if `owed` is not 0.
        """
        if self._shared is not None or self._open or self.stuck:
            self._forget()
        try:
            found = self._value(data, position, self._depth)
        except (IndexError, Incomplete) as cut:
            raise self._suspended(cut) from None
        except WRONG as error:
            # Unhashable keys, broken UTF-8, dates and decimals that do not exist; a caller deep in recursion.
            self._forget()
            raise NotPlain(str(error)) from None
        self._shared = None
        return found

    def resume(self, data: bytes) -> tuple[Any, int]:
        """Go on with the form that was cut last.

        :param data: the rest of it, beginning with the item that was cut.
        :returns: the value, and the position behind its form.
        :raises NotPlain: as `decode` does.
        :raises Incomplete: as `decode` does.
        """
        position = 0
        value: Any = PENDING
        try:
            while self._open:
                frame = self._open[-1]
                if value is not PENDING:
                    self._put(frame, value)
                if frame.kind is dict:
                    value, position = self._entries(data, position, frame.left, frame.depth, frame.items)
                elif frame.kind is not None:
                    value, position = self._items(data, position, frame.left, frame.depth, frame.items, frame.kind)
                self._open.pop()
        except (IndexError, Incomplete) as cut:
            # It left a new frame.
            self._open.pop()
            raise self._suspended(cut) from None
        except WRONG as error:
            self._forget()
            raise NotPlain(str(error)) from None
        self._shared = None
        return value, position

    @property
    def owed(self) -> int:
        """Most elements that the containers still open have declared and the data read did not hold."""
        return sum(frame.left * 2 for frame in self._open)

    def _put(self, frame: Frame, value: Any) -> None:
        """Put an item that is whole now where it belongs."""
        frame.left -= 1
        if frame.kind is None:
            self._share(frame.key, value)
        elif frame.kind is dict:
            frame.items[frame.key] = value
        else:
            frame.items.append(value)

    def _suspended(self, cut: Exception) -> Incomplete:
        """Arrange the frames for `resume`."""
        self._open += reversed(self._cut)
        self._cut.clear()
        return cut if isinstance(cut, Incomplete) else Incomplete()

    def _forget(self) -> None:
        """Drop what was kept of a form; nothing of a value is kept once it is read."""
        self._shared = None
        self._open.clear()
        self._cut.clear()
        self.stuck = False
