"""What waits to be sent on one connection, and in which order it goes.

Theory of operation. Small messages go at once. A message that needs more than a frame goes in pieces, one at a time
whenever the transport has room, in turns with the other large ones; small messages pass between the pieces. Three
things must not pass, lest order be lost where it is promised:

* a call on the same object as a large call before it waits in that object's *lane*;
* what refers to cached objects stays behind everything before it, and everything behind it (`Outbox.in_order`);
* a release stays behind the large messages that were there before it, for one of them may refer to what is released.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, PIECE, varint
from broker._wire.parts import Parts

__all__ = ["ENTRY", "SMALL", "Outbox"]

#: What a few bytes cost that wait by themselves, beside their number.
ENTRY: Final = 100

#: Most bytes of a message that goes in one frame, its head included.
SMALL: Final = FRAME + HEAD


class _Item:
    """A message that could not go at once. `age` counts them; of a large one `rest` is what was not sent."""

    __slots__ = ("age", "begun", "in_order", "lane", "rest", "size", "small")

    def __init__(self, age: int, data: bytes | Parts, lane: int | bytes | None, in_order: bool) -> None:
        self.age = age
        self.size = len(data)
        self.small = b""
        self.rest: Parts | None = None
        if isinstance(data, Parts):
            self.rest = data
        elif len(data) <= SMALL:
            self.small = data
        else:
            self.rest = Parts([data])
        self.lane = lane
        self.in_order = in_order
        self.begun = False


class Outbox:
    """The outgoing side of one connection where something is large.

    :param streams: most large messages that may be under way at a time.
    :param buffer: most bytes that they may have together; one alone may have any number.
    :param now: what goes at once is appended here.

    size: bytes of messages that wait here.
    owed: those among them that the peer caused: of answers and releases.
    """

    __slots__ = (
        "_active",
        "_age",
        "_ages",
        "_behind",
        "_buffer",
        "_gone",
        "_lanes",
        "_now",
        "_ordered",
        "_queue",
        "_streams",
        "_under_way",
        "owed",
        "size",
    )

    def __init__(self, streams: int, buffer: int, now: list[bytes]) -> None:
        self._streams = streams
        self._buffer = buffer
        self._now = now
        self.size = 0
        self.owed = 0
        self._age = 0
        #: The ages of what waits, oldest first, and those in it that have gone.
        self._ages: deque[int] = deque()
        self._gone: set[int] = set()
        #: The large messages that have begun, and how many bytes they have; then those that may not begin yet.
        self._active: deque[_Item] = deque()
        self._under_way = 0
        self._queue: deque[_Item] = deque()
        self._lanes: dict[int | bytes, deque[_Item]] = {}
        self._ordered: deque[_Item] = deque()
        #: Releases, each with the age of the youngest message that it must stay behind.
        self._behind: deque[tuple[int, bytes]] = deque()

    @property
    def pieces(self) -> bool:
        """Whether pieces wait to be sent."""
        return bool(self._active)

    def put(self, data: bytes | Parts, lane: int | bytes | None, in_order: bool) -> None:
        """Send a message with a value in it.

        :param data: its bytes; of a large one, the length in its head says nothing.
        :param lane: the object that it calls, or None for an answer.
        :param in_order: it refers to cached objects.
        """
        if not self._ages and isinstance(data, bytes) and len(data) <= SMALL:
            self._now.append(data)
            return
        self._age += 1
        self._ages.append(self._age)
        self.size += len(data)
        if lane is None:
            self.owed += len(data)
        item = _Item(self._age, data, lane, in_order)
        if self._ordered or (in_order and self._active):
            self._ordered.append(item)
        else:
            self._route(item)

    def put_release(self, data: bytes) -> None:
        """Send releases."""
        if self._ages:
            self._behind.append((self._age, data))
            self.owed += len(data) + ENTRY
        else:
            self._now.append(data)

    def _route(self, item: _Item) -> None:
        """Put a message where it belongs now."""
        waiting = None if item.lane is None else self._lanes.get(item.lane)
        if waiting is not None:
            waiting.append(item)
        elif item.rest is None:
            self._now.append(item.small)
            self._went(item)
        else:
            if item.lane is not None:
                self._lanes[item.lane] = deque()
            self._queue.append(item)
            self._begin()

    def _begin(self) -> None:
        """Begin as many large messages as the other end takes, in their order: one that fits passes none that does not.

        What has come of them counts there until they are whole, and an end that has to keep too much gives up.
        """
        while self._queue and len(self._active) < self._streams:
            size = self._queue[0].size
            if self._active and self._under_way + size > self._buffer:
                break
            self._under_way += size
            self._active.append(self._queue.popleft())

    def _went(self, item: _Item) -> None:
        """A message has been sent whole; releases that waited for nothing else follow."""
        self.size -= item.size
        if item.lane is None:
            self.owed -= item.size
        self._gone.add(item.age)
        while self._ages and self._ages[0] in self._gone:
            self._gone.discard(self._ages.popleft())
        while self._behind and not (self._ages and self._ages[0] <= self._behind[0][0]):
            released = self._behind.popleft()[1]
            self.owed -= len(released) + ENTRY
            self._now.append(released)

    def next_piece(self) -> bytes:
        """Return the next piece of a large message as a frame, or nothing when there is none."""
        if not self._active:
            return b""
        item = self._active.popleft()
        rest = item.rest
        assert rest is not None
        number = varint(item.age)
        if not item.begun:
            # Of the head only the kind is sent: it stands alone in front of the first piece.
            item.begun = True
            number += b"".join(rest.take(HEAD))[:1]
        size = min(len(rest), PIECE)
        chunks = rest.take(PIECE)
        last = not len(rest)
        kind = frames.LAST if last else frames.PART
        piece = b"".join([(kind | (len(number) + size) << 8).to_bytes(HEAD, "little"), number, *chunks])
        if last:
            # What waited for it must not be sent before its last piece, so that goes first.
            self._now.append(piece)
            self._finished(item)
            piece = b"".join(self._now)
            self._now.clear()
        else:
            self._active.append(item)
        return piece

    def _finished(self, item: _Item) -> None:
        """Let go what waited for a large message."""
        self._under_way -= item.size
        waiting = None if item.lane is None else self._lanes.pop(item.lane)
        while waiting:
            self._route(waiting.popleft())
            if item.lane in self._lanes:
                # That was another large one, for which the rest waits.
                self._lanes[item.lane] = waiting
                break
        self._begin()
        while self._ordered and not (self._ordered[0].in_order and (self._active or self._queue)):
            self._route(self._ordered.popleft())
        self._went(item)

    def clear(self) -> None:
        """Nothing more will be sent."""
        for waiting in (self._active, self._queue, self._ordered, self._ages, self._behind):
            waiting.clear()
        self._lanes.clear()
        self._gone.clear()
        self.size = self.owed = self._under_way = 0
