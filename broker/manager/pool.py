"""Pool: runs functions that the manager knows by name, so many at a time, in threads of its process."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from itertools import starmap
from multiprocessing import TimeoutError as NotInTime
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, gatherResults, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._remote.publish import CallContext, publish
from broker.errors import Error
from broker.manager.callers import caller_of
from broker.manager.waits import Waits, checked_timeout

__all__ = ["AsyncResult", "Pool", "Workers"]

_log = Logger()


class Workers(Protocol):
    """What runs functions; see `broker.manager.threads.Threads`.

    :ivar functions: those that may be run, by name.
    """

    functions: Mapping[str, Callable[..., Any]]

    def run(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a function that may take its time; return a Deferred of its result."""


class AsyncResult:
    """What `Pool.apply_async` and its like return.

    :param done: a Deferred of the result.
    :param clock: tells the time, an `IReactorTime`.
    """

    def __init__(self, done: Deferred[Any], clock: Any) -> None:
        self._waits = Waits(clock)
        self._ready = False
        self._result: Any = None
        self._trace: Any = None
        done.addBoth(self._arrived)

    def _arrived(self, result: Any) -> None:
        self._ready, self._result = True, result
        if isinstance(result, Failure) and result.value is not None:
            self._trace = result.value.__traceback__
        for wait in self._waits.all():
            wait.end(True)

    def ready(self) -> bool:
        """Return whether there is a result."""
        return self._ready

    def successful(self) -> bool:
        """Return whether the function has returned.

        :raises ValueError: it has not ended yet.
        """
        if not self._ready:
            raise ValueError(f"{self!r} not ready")
        return not isinstance(self._result, Failure)

    @publish(ctx=True)
    def wait(self, timeout: float | None = None, *, ctx: CallContext | None = None) -> Deferred[None] | None:
        """Wait until there is a result, or the time is over."""
        if self._ready:
            return None
        return self._wait(timeout, ctx).addCallback(lambda _: None)

    @publish(ctx=True)
    def get(self, timeout: float | None = None, *, ctx: CallContext | None = None) -> Any:
        """Return the result, or a Deferred of it; it fails with what the function has raised.

        :param timeout: most seconds to wait; None for as long as it takes.
        :raises multiprocessing.TimeoutError: there was none in time.
        """
        return self._outcome(True) if self._ready else self._wait(timeout, ctx).addCallback(self._outcome)

    def _wait(self, timeout: Any, ctx: CallContext | None) -> Deferred[Any]:
        return self._waits.wait(caller_of(ctx).peer, checked_timeout(timeout), False)

    def _outcome(self, ready: bool) -> Any:
        if not ready:
            raise NotInTime
        if isinstance(self._result, Failure):
            # With what it had then: each time that it is raised adds to it, and it is taken away when it is sent.
            assert self._result.value is not None
            raise self._result.value.with_traceback(self._trace)
        return self._result

    def __repr__(self) -> str:
        return f"<AsyncResult {'ready' if self._ready else 'pending'}>"


class _Job:
    """A call of a function, running or waiting for its turn."""

    __slots__ = ("args", "done", "function", "kw")

    def __init__(self, pool: Pool, function: Callable[..., Any], args: Any, kw: Any) -> None:
        self.function = function
        self.args = args
        self.kw = kw
        self.done: Deferred[Any] = Deferred(lambda _: pool._forget(self))


class Pool:
    """Runs functions.

    :param processes: how many at a time; by default as many as the machine has processors.
    :param clock: tells the time, an `IReactorTime`.
    :param workers: runs them, and knows which may be run.
    :raises ValueError: the number is less than one.
    """

    def __init__(self, processes: int | None = None, *, clock: Any, workers: Workers) -> None:
        self._most = (os.cpu_count() or 1) if processes is None else processes
        if self._most < 1:
            raise ValueError("Number of processes must be at least 1")
        self._clock = clock
        self._workers = workers
        self._waiting: deque[_Job] = deque()
        self._running = 0
        self._closed = False
        self._ended = Waits(clock)

    # One call.

    @publish(ctx=True)
    def apply(self, func: Any, args: Iterable[Any] = (), kwds: Any = None, *, ctx: CallContext | None = None) -> Any:
        """Run a function; return a Deferred of its result.

        :param func: the name of one that the manager knows; or a function of the caller's, which runs at the caller.
        :param args: its arguments.
        :param kwds: its named arguments.
        :raises LookupError: there is none of that name.
        :raises ValueError: the pool was closed.
        """
        return self._tied(self._start(func, tuple(args), kwds or {}), ctx)

    def apply_async(
        self, func: Any, args: Iterable[Any] = (), kwds: Any = None, callback: Any = None, error_callback: Any = None
    ) -> AsyncResult:
        """Run a function; return its result to be.

        :param callback: called with the result when there is one, before those who wait for it have it.
        :param error_callback: called with the exception if it has raised one, likewise.
        """
        return self._result(self._start(func, tuple(args), kwds or {}), callback, error_callback)

    # Many.

    @publish(ctx=True)
    def map(
        self, func: Any, iterable: Iterable[Any], chunksize: int | None = None, *, ctx: CallContext | None = None
    ) -> Deferred[list[Any]]:
        """Run a function for every item; return a Deferred of the results, in order."""
        return self._tied(self._all(func, ((item,) for item in iterable)), ctx)

    @publish(ctx=True)
    def starmap(
        self, func: Any, iterable: Iterable[Any], chunksize: int | None = None, *, ctx: CallContext | None = None
    ) -> Deferred[list[Any]]:
        """Run a function for every tuple of arguments; return a Deferred of the results, in order."""
        return self._tied(self._all(func, iterable), ctx)

    def map_async(
        self,
        func: Any,
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Any = None,
        error_callback: Any = None,
    ) -> AsyncResult:
        """Run a function for every item; return the list of results to be."""
        return self._result(self._all(func, ((item,) for item in iterable)), callback, error_callback)

    def starmap_async(
        self,
        func: Any,
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Any = None,
        error_callback: Any = None,
    ) -> AsyncResult:
        """Run a function for every tuple of arguments; return the list of results to be."""
        return self._result(self._all(func, iterable), callback, error_callback)

    def imap(self, func: Any, iterable: Iterable[Any], chunksize: int = 1) -> AsyncIterator[Any]:
        """Run a function for every item; return an iterator over the results, in order."""
        return _in_order([self._start(func, (item,), {}) for item in list(iterable)])

    def imap_unordered(self, func: Any, iterable: Iterable[Any], chunksize: int = 1) -> AsyncIterator[Any]:
        """Run a function for every item; return an iterator over the results, as they come."""
        return _as_they_come([self._start(func, (item,), {}) for item in list(iterable)])

    # The end.

    def close(self) -> None:
        """Take no more calls."""
        self._closed = True
        self._check_ended()

    def terminate(self) -> None:
        """Take no more calls, and forget those whose turn has not come. What runs in a thread runs to its end."""
        self._closed = True
        while self._waiting:
            job = self._waiting.popleft()
            job.done.errback(CancelledError("the pool was terminated"))
        self._check_ended()

    @publish(ctx=True)
    def join(self, *, ctx: CallContext | None = None) -> Deferred[None] | None:
        """Wait until nothing runs any more. Return None, or a Deferred that fires then.

        :raises ValueError: the pool takes calls.
        """
        if not self._closed:
            raise ValueError("Pool is still running")
        return self._ended.wait(caller_of(ctx).peer, None, None) if self._running or self._waiting else None

    def _check_ended(self) -> None:
        if self._closed and not self._running and not self._waiting:
            for wait in self._ended.all():
                wait.end(None)

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.terminate()

    # Running.

    def _tied(self, done: Deferred[Any], ctx: CallContext | None) -> Deferred[Any]:
        """Have a call cancelled when the connection of the caller goes."""
        peer = caller_of(ctx).peer
        if peer is not None:
            waiting = peer.waiting
            waiting.add(done)

            def over(result: Any) -> Any:
                waiting.discard(done)
                return result

            done.addBoth(over)
        return done

    def _all(self, func: Any, calls: Iterable[Any]) -> Deferred[list[Any]]:
        jobs = [self._start(func, args, {}) for args in list(starmap(_arguments, calls))]
        return gatherResults(jobs, consumeErrors=True).addErrback(_first_failure)

    def _start(self, func: Any, args: Any, kw: Any) -> Deferred[Any]:
        if self._closed:
            raise ValueError("Pool not running")
        if isinstance(func, str):
            known = self._workers.functions.get(func)
            if known is None:
                raise LookupError(f"the manager knows no function {func!r}")
            func = known
        elif not callable(func):
            raise TypeError(f"a function of the pool is called by its name, not by a {type(func).__name__}")
        else:
            # A reference to somebody's function waits for no thread.
            return maybeDeferred(func, *args, **kw)
        job = _Job(self, func, args, kw)
        self._waiting.append(job)
        self._pump()
        return job.done

    def _pump(self) -> None:
        while self._waiting and self._running < self._most:
            job = self._waiting.popleft()
            self._running += 1
            run = maybeDeferred if iscoroutinefunction(job.function) else self._workers.run
            run(job.function, *job.args, **job.kw).addBoth(self._over, job)

    def _over(self, result: Any, job: _Job) -> None:
        self._running -= 1
        self._pump()
        if not job.done.called:
            job.done.callback(result)
        self._check_ended()

    def _forget(self, job: _Job) -> None:
        """A call was cancelled: it need not be made, if it has not been begun."""
        if job in self._waiting:
            self._waiting.remove(job)
            self._check_ended()

    def _result(self, done: Deferred[Any], callback: Any, error_callback: Any) -> AsyncResult:
        if callback is not None or error_callback is not None:
            done.addCallbacks(
                lambda value: _tell(callback, value, value),
                lambda failure: _tell(error_callback, failure.value, failure),
            )
        return AsyncResult(done, self._clock)

    def __repr__(self) -> str:
        return f"<Pool {self._running}/{self._most}, {len(self._waiting)} waiting>"


def _arguments(*args: Any) -> tuple[Any, ...]:
    return args


def _first_failure(failure: Failure) -> Any:
    return failure.value.subFailure  # type: ignore[union-attr]


def _tell(callback: Any, value: Any, result: Any) -> Any:
    """Tell a function of somebody's; return the result, or a Deferred of it for as long as that takes."""
    if callback is None:
        return result
    return maybeDeferred(callback, value).addErrback(_log_unheard).addCallback(lambda _: result)


def _log_unheard(failure: Failure) -> None:
    if failure.check(Error) is None:
        _log.failure("a callback failed:", failure=failure)


async def _in_order(jobs: list[Deferred[Any]]) -> AsyncIterator[Any]:
    try:
        for job in jobs:
            yield await job
    finally:
        _give_up(jobs)


async def _as_they_come(jobs: list[Deferred[Any]]) -> AsyncIterator[Any]:
    come: deque[Any] = deque()
    woken: list[Deferred[None]] = []

    def arrived(result: Any) -> None:
        come.append(result)
        # Whoever is told of it may wait for the next one at once.
        if woken:
            woken.pop().callback(None)

    for job in jobs:
        job.addBoth(arrived)
    try:
        for _ in range(len(jobs)):
            if not come:
                woken.append(Deferred())
                await woken[-1]
            result = come.popleft()
            if isinstance(result, Failure):
                result.raiseException()
            yield result
    finally:
        woken.clear()
        _give_up(jobs)


def _give_up(jobs: list[Deferred[Any]]) -> None:
    for job in jobs:
        job.addErrback(lambda _: None)
        job.cancel()
