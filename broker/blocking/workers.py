"""Workers: threads in which what the peer calls here is run, in the order in which it was sent.

One function runs at a time. One that waits for the peer itself, by a blocking call, lets the next one begin: the answer
it waits for may depend on that one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread, local
from typing import Final

from twisted.logger import Logger

from broker.errors import LimitExceeded

__all__ = ["MOST", "Workers", "employer"]

_log = Logger()

#: Most threads at a time. 64: each but one waits for the peer, for which the peer waits: calls nested that deep are a
#: recursion without end.
MOST: Final = 64


class _Employed(local):
    """For each thread: whose worker it is."""

    by: Workers | None = None


_EMPLOYED: Final = _Employed()


def employer() -> Workers | None:
    """Return the workers of which the calling thread is one, or None."""
    return _EMPLOYED.by


class Workers:
    """Runs functions one after the other, in threads.

    :param name: of the threads.
    :param running: how many may run at a time.
    :param most: how many threads there may be.
    """

    def __init__(self, name: str, running: int = 1, most: int = MOST) -> None:
        self._name = name
        self._limit = running
        self._most = most
        self._queue: deque[Callable[[], object]] = deque()
        self._changed = Condition()
        self._idle = 0
        self._running = 0
        self._threads = 0
        self._starting = 0
        self._closed = False

    def submit(self, function: Callable[[], object]) -> None:
        """Have a function run; what it raises is logged.

        :raises LimitExceeded: all threads wait.
        """
        with self._changed:
            if self._full and self._waiting == self._most:
                raise LimitExceeded(f"all {self._most} threads that serve calls wait for answers themselves")
            self._queue.append(function)
            self._employ()

    @property
    def _full(self) -> bool:
        return self._threads + self._starting >= self._most

    @property
    def _waiting(self) -> int:
        return self._threads + self._starting - self._running - self._idle

    def _employ(self) -> None:
        """See that somebody takes what waits."""
        if not self._queue or self._running >= self._limit:
            return
        if self._idle:
            self._changed.notify()
        elif not self._full and not self._starting:
            self._starting += 1
            Thread(target=self._work, name=f"{self._name} worker", daemon=True).start()

    def _work(self) -> None:
        _EMPLOYED.by = self
        with self._changed:
            self._starting -= 1
            self._threads += 1
        while (function := self._next()) is not None:
            try:
                function()
            except BaseException:  # noqa: BLE001  nothing else hears of it
                _log.failure("a call could not be served")
            del function
            with self._changed:
                self._running -= 1
        with self._changed:
            self._threads -= 1

    def _next(self) -> Callable[[], object] | None:
        """Wait for something to do; return None when there is enough who do."""
        with self._changed:
            while not self._queue or self._running >= self._limit:
                if self._closed or self._idle:
                    return None
                self._idle += 1
                try:
                    self._changed.wait()
                finally:
                    self._idle -= 1
            self._running += 1
            function = self._queue.popleft()
            self._employ()
            return function

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the next function begin while the calling one, which is one of ours, waits."""
        with self._changed:
            self._running -= 1
            self._employ()
        try:
            yield
        finally:
            with self._changed:
                self._running += 1

    def close(self) -> None:
        """Take no more; what waits is dropped, and what runs ends by itself."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            self._changed.notify_all()
