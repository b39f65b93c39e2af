"""Connections that a reactor runs, in the thread that it has already or in one made for it."""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from threading import Event, Lock, Thread, main_thread
from time import monotonic
from typing import Any, Final

from twisted.internet.defer import maybeDeferred
from twisted.python import threadable
from twisted.python.failure import Failure

from broker._net.endpoints import is_secure
from broker.blocking.driver import Driver
from broker.blocking.forks import NO_REACTOR, TEXT, note
from broker.blocking.protocol import BlockingProtocol
from broker.blocking.waits import CannotWait, Wait, check_thread, expired, raised, reactor_left
from broker.blocking.workers import Workers, employer
from broker.errors import DeadReferenceError

__all__ = ["Threaded", "ThreadedProtocol", "reactor_thread"]


class Threaded(Driver):
    """Drives connections by the thread of a reactor: a call wakes it, and it wakes the caller.

    :param reactor: the reactor; it runs.
    :param thread: the number of its thread; by default that of Twisted's own.
    """

    def __init__(self, reactor: Any, thread: int | None = None) -> None:
        self.reactor = reactor
        self.thread = thread
        self.workers = Workers("broker")
        self.dead: str | None = None
        note(self)

    def held(self) -> bool:
        """Return whether this is the reactor's thread."""
        return get_ident() == (self.thread or threadable.ioThread)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in the reactor's thread."""
        if self.held():
            return function(*args)
        return self._wait(None, maybeDeferred, function, *args)

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function in the reactor's thread, soon."""
        self.reactor.callFromThread(function, *args)

    def later(self, seconds: float, function: Callable[..., object], *args: Any) -> Any:
        """Call a function in the reactor's thread after so many seconds; only from there."""
        return self.reactor.callLater(seconds, function, *args)

    def wait(self, seconds: float | None, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in the reactor's thread that returns a Deferred; wait for its result."""
        if self.held():
            raise CannotWait(
                "this thread runs the reactor, which would stand still: use broker.connect and await, or call this in "
                "another thread (twisted.internet.threads.deferToThread)"
            )
        check_thread()
        return self._wait(seconds, function, *args)

    def _wait(self, seconds: float | None, function: Callable[..., Any], *args: Any) -> Any:
        if self.dead is not None:
            raise DeadReferenceError(self.dead)
        wait = Wait()
        wait.sleeper()
        end = None if seconds is None else monotonic() + seconds
        workers = employer()
        late = False
        try:
            self.reactor.callFromThread(_begin, wait, function, args)
            if workers is None:
                self._sleep(wait, end)
            else:
                with workers.waiting():
                    self._sleep(wait, end)
            late = not wait.ready
        finally:
            if not wait.ready:
                self.reactor.callFromThread(_give_up, wait)
        if late:
            # Not asked again: by now it may be ready, with word that it was cancelled.
            assert seconds is not None
            raise expired(seconds, args)
        if isinstance(wait.result, Failure):
            failed, wait.result = [wait.result], None
            raised(failed)
        return wait.result

    def _sleep(self, wait: Wait, end: float | None) -> None:
        while not wait.ready and (end is None or monotonic() < end):
            wait.sleep(end)

    def forked(self) -> None:
        """This is a child of the process that has the thread: there is none here."""
        self.dead = TEXT


def _begin(wait: Wait, function: Callable[..., Any], args: Any) -> None:
    try:
        wait.deferred = function(*args)
    except BaseException:  # noqa: BLE001  the thread that waits gets it, whatever it is
        wait.done(Failure())
        return
    wait.deferred.addBoth(wait.done)


def _give_up(wait: Wait) -> None:
    if wait.deferred is not None:
        wait.deferred.cancel()


class ThreadedProtocol(BlockingProtocol):
    """A connection that a reactor runs, and that threads wait at."""

    def connectionMade(self) -> None:
        """The transport is there."""
        shared: Threaded = self.factory.driver
        # With workers of its own: what one peer has called here does not wait for what another one has.
        self.drivenBy(Threaded(shared.reactor, shared.thread))
        super().connectionMade()

    def connectionLost(self, *reason: Any) -> None:
        """The transport is gone."""
        super().connectionLost(*reason)
        self.driver.workers.close()


class _Threads:
    """The threads made for reactors, one each."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.known: dict[int, tuple[Any, Threaded]] = {}

    def driver(self, reactor: Any) -> Threaded:
        """Return what drives connections by a reactor; one that does not run is started, in a thread of its own."""
        with self.lock:
            known = self.known.get(id(reactor))
            if known is not None:
                return known[1]
            if reactor.running and reactor_left():
                raise DeadReferenceError(NO_REACTOR)
            driver = Threaded(reactor, None if reactor.running else _start(reactor))
            self.known[id(reactor)] = reactor, driver
            return driver


_THREADS: Final = _Threads()


def reactor_thread(reactor: Any = None, endpoint: Any = None) -> Threaded:
    """Return what drives connections by a reactor.

    :param reactor: by default Twisted's own. One that does not run is started in a thread, and stopped when the
        program ends.
    :param endpoint: what it is for.
    :raises DeadReferenceError: its thread stayed behind when this process was forked.
    :raises ValueError: the endpoint needs Twisted's own, and this is another one.
    """
    if reactor is None or is_secure(endpoint):
        from twisted.internet import reactor as own

        if reactor is not None and reactor is not own:
            # Twisted's TLS sets its timers there: the handshake would never end.
            raise ValueError("Twisted runs TLS with its own reactor only: leave out `reactor`")
        reactor = own
    driver = _THREADS.driver(reactor)
    if driver.dead is not None:
        raise DeadReferenceError(NO_REACTOR)
    return driver


def _start(reactor: Any) -> int:
    started = Event()
    reactor.callWhenRunning(started.set)
    thread = Thread(target=reactor.run, kwargs={"installSignalHandlers": False}, name="reactor", daemon=True)
    thread.start()
    started.wait()
    # Twisted's thread pool would keep the process from ending.
    Thread(target=_stop_with_main, args=(reactor,), name="reactor's end", daemon=True).start()
    assert thread.ident is not None
    return thread.ident


def _stop_with_main(reactor: Any) -> None:
    main_thread().join()
    if reactor.running:
        reactor.callFromThread(reactor.stop)
