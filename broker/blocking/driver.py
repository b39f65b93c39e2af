"""Driver: what a blocking connection is run by; the port between calls that wait and what makes them happen."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextvars import copy_context
from types import CoroutineType
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from broker.blocking.workers import Workers

__all__ = ["Driver", "NOT_PLAIN"]

#: What `Driver.quick` returns when nothing was done.
NOT_PLAIN: Final = object()


class Driver(ABC):
    """Runs the code of connections, which is for one thread at a time.

    :ivar workers: run what the peer calls.
    """

    workers: Workers

    @abstractmethod
    def held(self) -> bool:
        """Return whether the calling thread is inside already: then it must not wait."""

    @abstractmethod
    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function inside; return what it returns, or raise what it raises."""

    @abstractmethod
    def wait(self, seconds: float | None, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function inside that returns a Deferred; wait for its result.

        :param seconds: how long to wait; None for as long as it takes.
        :raises CannotWait: the calling thread may not wait.
        :raises DeadlineExceeded: the time is over; the Deferred was cancelled.
        :raises DeadReferenceError: the connection was made in the process that this one was forked from.
        :raises KeyboardInterrupt: somebody pressed control-C; the Deferred was cancelled.
        """

    def quick(
        self, target: int | bytes, method: bytes, args: Any, kw: Any, convert: Callable[[Any], Any] | None
    ) -> Any:
        """Make the usual kind of call, with plain arguments and no bound, in few steps, and wait for its result.

        :param convert: makes the result of what is answered, a Failure too; called inside.
        :returns: the result, or `NOT_PLAIN`: then it must go by `wait`.
        """
        return NOT_PLAIN

    @abstractmethod
    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function inside, soon; from any thread."""

    @abstractmethod
    def later(self, seconds: float, function: Callable[..., object], *args: Any) -> Any:
        """Call a function inside, after so many seconds; return the timer. Only from inside."""

    def elsewhere(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a function of the user's in a worker; return a Deferred of its result.

        What is being served is on record, so that a deadline holds for the calls that the function makes.
        """
        done: Deferred[Any] = Deferred()
        context = copy_context()

        def work() -> None:
            try:
                result = context.run(function, *args, **kw)
            except BaseException:  # noqa: BLE001  the caller gets it, whatever it is
                result = Failure()
            self.run(_finish, done, result)

        self.workers.submit(work)
        return done


def _finish(done: Deferred[Any], result: Any) -> None:
    if isinstance(result, CoroutineType):
        result = Deferred.fromCoroutine(result)
    if isinstance(result, Deferred):
        result.chainDeferred(done)
    else:
        done.callback(result)
