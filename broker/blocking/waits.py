"""Who may wait, for how long, and what the waiting thread gets: the rules that both drivers share."""

from __future__ import annotations

import sys
from _thread import allocate_lock, get_ident
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, NoReturn

from twisted.internet.defer import Deferred
from twisted.python import threadable
from twisted.python.failure import Failure

from broker._objects.context import CURRENT
from broker._remote.program import Program
from broker.blocking.forks import note
from broker.errors import DeadlineExceeded

__all__ = ["CannotWait", "Wait", "bound", "check_thread", "expired", "raised", "reactor_left"]


class CannotWait(RuntimeError):
    """The thread that called may not wait: it runs the reactor, an asyncio task, or the connection itself."""

    # The name by which users import it, which tracebacks show.
    __module__ = "broker.blocking"


class Wait:
    """One thread's wait for one result.

    It may also be what the connection tells of an answer, in place of a Deferred: `request` and `journal` are for that.

    :param kick: called when there is a result, from whatever thread found it.
    :param convert: makes the result of an answer, inside.
    :ivar ready: whether there is one.
    :ivar result: it, or a Failure.
    :ivar lock: what the thread sleeps on, once it has to.
    """

    __slots__ = ("convert", "deferred", "journal", "kick", "lock", "ready", "request", "result")

    def __init__(self, kick: Callable[[Wait], None] | None = None, convert: Callable[[Any], Any] | None = None) -> None:
        self.ready = False
        self.result: Any = None
        self.lock: Any = None
        self.kick = kick
        self.deferred: Deferred[Any] | None = None
        self.convert = convert
        self.request = 0
        self.journal: Any = ()

    def callback(self, result: Any) -> None:
        """Take an answer."""
        self.done(result if self.convert is None else self.convert(result))

    def errback(self, failure: Any) -> None:
        """Take a failure, or an exception."""
        self.callback(failure if isinstance(failure, Failure) else Failure(failure))

    def done(self, result: Any) -> None:
        """Take the result; the callback of a Deferred."""
        self.result = result
        # In this order: who is about to sleep makes the lock first and looks for the result then.
        self.ready = True
        if self.lock is not None:
            self.wake()
        if self.kick is not None:
            self.kick(self)

    def sleeper(self) -> Any:
        """Return the lock to sleep on: acquired, until somebody wakes the thread."""
        if self.lock is None:
            lock = allocate_lock()
            lock.acquire()
            self.lock = lock
        return self.lock

    def wake(self) -> None:
        """Have the thread look again."""
        try:
            self.lock.release()
        except RuntimeError:
            # It was awake already.
            pass

    def sleep(self, deadline: float | None) -> None:
        """Wait to be woken, until a moment at most."""
        lock = self.sleeper()
        if deadline is None:
            lock.acquire()
        else:
            lock.acquire(True, max(0.0, min(deadline - monotonic(), 1e6)))


def raised(holder: list[Any]) -> NoReturn:
    """Raise what a failure stands for.

    The exception must go when its handler is done with it, not when the collector runs: so no frame that it has come
    through may have it, and the failure is handed over.

    :param holder: has the failure; empty afterwards.
    """
    failure = holder.pop()
    error, trace = failure.value, failure.getTracebackObject()
    try:
        raise error.with_traceback(trace)
    finally:
        del failure, error, trace


def bound(broker: Any, timeout: float | None = None) -> float | None:
    """Return how many seconds a call over a connection may take, by all that bounds it; None for any time."""
    if timeout is None:
        timeout = broker.callTimeout
    current = CURRENT.get()
    if current is None:
        return timeout
    left: float = current.left
    return left if timeout is None or left < timeout else timeout


def expired(seconds: float, args: tuple[Any, ...]) -> DeadlineExceeded:
    """Return the error for a call that took too long; it names the operation."""
    what = ""
    for part in args:
        if isinstance(part, Program):
            what = f" to {part.text}"
        elif isinstance(part, bytes) and part:
            # The method comes behind the object, which may have a name too.
            what = f" to {part.decode('utf-8', 'replace')!r}"
    return DeadlineExceeded(f"no answer{what} within {seconds:g} seconds")


class _Reactor:
    """Which thread ran Twisted's reactor when this process was forked, if it was: none of its own does.

    Its number says nothing any more: threads of the child may have the numbers of those that stayed behind.
    """

    def __init__(self) -> None:
        self.thread: int | None = None

    def forked(self) -> None:
        """This is the child."""
        self.thread = threadable.ioThread


_LEFT: Final = _Reactor()
note(_LEFT)


def reactor_left() -> bool:
    """Return whether the thread that runs Twisted's reactor belongs to the process that this one was forked from."""
    # The same object: a reactor that is started here makes another one, which may well be equal.
    return _LEFT.thread is not None and threadable.ioThread is _LEFT.thread


def check_thread(me: int | None = None) -> None:
    """Make sure that the calling thread may wait.

    :param me: its number.
    :raises CannotWait: it runs the reactor or an asyncio task: nothing would go on while it waits.
    """
    if threadable.ioThread == (me or get_ident()) and not reactor_left():
        running = sys.modules.get("twisted.internet.reactor")
        if running is not None and getattr(running, "running", False):
            raise CannotWait(
                "this thread runs the reactor, which would stand still: use broker.connect and await, or "
                "call this in another thread (twisted.internet.threads.deferToThread)"
            )
    events: Any = sys.modules.get("asyncio.events")
    if events is not None and events._get_running_loop() is not None:
        raise CannotWait(
            "this is an asyncio task, whose loop would stand still: use broker.connect and await, or call this in "
            "another thread (asyncio.to_thread)"
        )
