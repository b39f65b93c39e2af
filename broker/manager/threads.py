"""Threads: run functions that take their time, beside the reactor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from threading import Thread
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

__all__ = ["MOST", "Threads"]

#: Most threads. Of those that wait for something, not those that compute, one needs many.
MOST: Final = 64


class Threads:
    """Runs functions in threads; see `broker.manager.pool.Workers`.

    :param reactor: in whose thread the results arrive.
    :param most: how many threads there may be.
    """

    def __init__(self, reactor: Any, most: int = MOST) -> None:
        self.functions: Mapping[str, Callable[..., Any]] = {}
        self._reactor = reactor
        self._most = most
        self._pool: ThreadPool | None = None

    def run(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a function in a thread; return a Deferred of its result."""
        if self._pool is None:
            self._pool = ThreadPool(0, self._most, "manager")
            # What hangs must not keep the process.
            self._pool.threadFactory = partial(Thread, daemon=True)  # type: ignore[assignment]
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, function, *args, **kw)

    def stop(self) -> None:
        """Run no more; threads end as soon as what they run does."""
        pool, self._pool = self._pool, None
        if pool is not None:
            # It waits for them.
            Thread(target=pool.stop, daemon=True).start()
