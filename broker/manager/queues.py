"""Queues, whose waiting is a Deferred: an item is handed to one who is there, or stays."""

from __future__ import annotations

import queue
from collections import deque
from heapq import heappop, heappush
from typing import Any, Final

from twisted.internet.defer import Deferred

from broker._remote.publish import CallContext, publish
from broker.manager.callers import caller_of
from broker.manager.waits import Waits, checked_timeout

__all__ = ["JoinableQueue", "LifoQueue", "PriorityQueue", "Queue", "ShutDown"]


class _ShutDown(Exception):
    """The queue was shut down."""


#: What the operations of a queue that was shut down fail with; that of `queue` where Python has one.
ShutDown: Final[type[Exception]] = getattr(queue, "ShutDown", _ShutDown)


class Queue:
    """A queue, first in first out.

    :param maxsize: most items; 0 for any number.
    :param clock: tells the time, an `IReactorTime`.
    """

    def __init__(self, maxsize: int = 0, *, clock: Any) -> None:
        self._most = maxsize
        self._getting = Waits(clock)
        self._putting = Waits(clock)
        self._joining = Waits(clock)
        self._unfinished = 0
        self.__shut = False
        self._items: Any = self._made()

    # What the kinds of queues differ in.

    def _made(self) -> Any:
        return deque()

    def _push(self, item: Any) -> None:
        self._items.append(item)

    def _pop(self) -> Any:
        return self._items.popleft()

    # Putting.

    @publish(ctx=True)
    def put(
        self, item: Any, block: bool = True, timeout: float | None = None, *, ctx: CallContext | None = None
    ) -> Deferred[None] | None:
        """Put an item in.

        :param block: whether to wait for room.
        :param timeout: most seconds to wait; None for as long as it takes.
        :returns: None, or a Deferred that fires when the item is in.
        :raises queue.Full: there is no room, or was none in time.
        :raises ValueError: the timeout is negative.
        """
        seconds = _patience(block, timeout)
        self._check_open()
        if self.full():
            if seconds == 0:
                raise queue.Full
            return self._putting.wait(caller_of(ctx).peer, seconds, queue.Full(), item)
        self._admit(item)
        return None

    def put_nowait(self, item: Any) -> None:
        """Put an item in if there is room.

        :raises queue.Full: there is none.
        """
        self.put(item, False)

    def _admit(self, item: Any) -> None:
        self._unfinished += 1
        wait = self._getting.first
        if wait is None:
            self._push(item)
        else:
            wait.end(_Item(item))

    # Getting.

    @publish(ctx=True)
    def get(self, block: bool = True, timeout: float | None = None, *, ctx: CallContext | None = None) -> Any:
        """Take an item out.

        :param block: whether to wait for one.
        :param timeout: most seconds to wait; None for as long as it takes.
        :returns: the item, or a Deferred of it.
        :raises queue.Empty: there is none, or was none in time.
        :raises ValueError: the timeout is negative.
        """
        seconds = _patience(block, timeout)
        if self._items:
            item = self._pop()
            self._refill()
            return item
        self._check_open()
        if seconds == 0:
            raise queue.Empty
        return self._getting.wait(caller_of(ctx).peer, seconds, queue.Empty()).addCallback(_taken_out)

    def get_nowait(self) -> Any:
        """Take an item out if there is one.

        :raises queue.Empty: there is none.
        """
        return self.get(False)

    def _refill(self) -> None:
        """There is room: let one go on who waits for it."""
        wait = self._putting.first
        if wait is not None:
            self._admit(wait.value)
            wait.end(None)

    # Counting.

    def qsize(self) -> int:
        """Return how many items there are."""
        return len(self._items)

    def empty(self) -> bool:
        """Return whether there are none."""
        return not self._items

    def full(self) -> bool:
        """Return whether there is no room."""
        return 0 < self._most <= len(self._items)

    def task_done(self) -> None:
        """Tell that what was to be done about an item has been done.

        :raises ValueError: that was told of all items already.
        """
        if not self._unfinished:
            raise ValueError("task_done() called too many times")
        self._unfinished -= 1
        self._check_finished()

    def _check_finished(self) -> None:
        if not self._unfinished:
            for wait in self._joining.all():
                wait.end(None)

    @publish(ctx=True)
    def join(self, *, ctx: CallContext | None = None) -> Deferred[None] | None:
        """Wait until `task_done` was called for every item. Return None, or a Deferred that fires then."""
        return self._joining.wait(caller_of(ctx).peer, None, None) if self._unfinished else None

    # The end.

    @property
    def is_shutdown(self) -> bool:
        """Whether the queue was shut down."""
        return self.__shut

    def shutdown(self, immediate: bool = False) -> None:
        """Take no more items; who waits to put one in, or for one, fails with `ShutDown`.

        :param immediate: whether the items that are there go as well, as if they were done.
        """
        self.__shut = True
        if immediate:
            self._unfinished -= min(len(self._items), self._unfinished)
            self._items = self._made()
            self._check_finished()
        for wait in (*self._putting.all(), *self._getting.all()):
            wait.end(ShutDown())

    def _check_open(self) -> None:
        if self.__shut:
            raise ShutDown

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._items)}>"


def _patience(block: Any, timeout: Any) -> float | None:
    if not block:
        return 0.0
    seconds = checked_timeout(timeout)
    if seconds is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return seconds


class _Item:
    """An item on its way to one who waits: it may be an exception, and is none for that."""

    __slots__ = ("item",)

    def __init__(self, item: Any) -> None:
        self.item = item


def _taken_out(taken: _Item) -> Any:
    return taken.item


class JoinableQueue(Queue):
    """A queue, first in first out; every queue can be joined."""


class LifoQueue(Queue):
    """A queue, last in first out."""

    def _made(self) -> Any:
        return []

    def _pop(self) -> Any:
        return self._items.pop()


class PriorityQueue(Queue):
    """A queue, smallest first."""

    def _made(self) -> Any:
        return []

    def _push(self, item: Any) -> None:
        heappush(self._items, item)

    def _pop(self) -> Any:
        return heappop(self._items)
