"""Running one coroutine in the reactor until it is done, or until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

__all__ = ["Work", "fail", "log_to", "run"]

Work = Callable[[Any], Coroutine[Deferred[Any], Any, int]]


def fail(command: str, reason: str) -> int:
    """Tell why a command failed, in one line on standard error.

    :returns: the exit code.
    """
    print(f"broker {command}: {reason}", file=sys.stderr)
    return 1


def log_to(stream: Any) -> None:
    """Write the log to a stream, or nowhere if None: Twisted would show the worst of it, with tracebacks."""
    observers = [] if stream is None else [textFileLogObserver(stream)]
    globalLogBeginner.beginLoggingTo(observers, redirectStandardIO=False)


class _Runner:
    """One run of the reactor."""

    def __init__(self, work: Work, reactor: Any) -> None:
        self._work = work
        self._reactor = reactor
        self._running: Deferred[None] | None = None
        self._stopping = False
        self._interrupted = False
        self._outcome: int | Failure = 1

    def run(self) -> int:
        # Twisted leaves a SIGINT handler that is not Python's own alone, and takes care of SIGTERM itself.
        previous = signal.signal(signal.SIGINT, self._interrupt)
        self._reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        self._reactor.callWhenRunning(self._begin)
        try:
            self._reactor.run()
        finally:
            signal.signal(signal.SIGINT, previous)
        if self._interrupted:
            return 130
        if isinstance(self._outcome, Failure):
            self._outcome.raiseException()
        return self._outcome

    def _begin(self) -> None:
        self._running = ensureDeferred(self._work(self._reactor)).addBoth(self._finish)

    def _finish(self, outcome: int | Failure) -> None:
        self._outcome = 0 if isinstance(outcome, Failure) and outcome.check(CancelledError) else outcome
        if not self._stopping:
            self._reactor.stop()

    def _interrupt(self, number: int, frame: Any) -> None:
        # The second Ctrl-C ends a cleanup that hangs.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        self._interrupted = True
        self._reactor.callFromThread(self._reactor.stop)

    def _shut_down(self) -> Deferred[None] | None:
        self._stopping = True
        running = self._running
        if running is not None:
            running.cancel()
        return running


def run(work: Work) -> int:
    """Run a coroutine function in the global reactor and return its exit code.

    :param work: called with the reactor. It is cancelled when the process is to end, and may then clean up.
    :returns: the exit code; 130 after Ctrl-C.
    """
    from twisted.internet import reactor

    return _Runner(work, reactor).run()
