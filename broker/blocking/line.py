"""Line: a connection without a reactor, driven in turns by the threads that wait.

The rules by which its threads share it are in `broker.blocking.turns`.
"""

from __future__ import annotations

import socket
from _thread import get_ident
from collections import deque
from collections.abc import Callable
from threading import Thread
from time import monotonic
from typing import Any, Final
from weakref import ref

from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.blocking.clock import Timer, Timers
from broker.blocking.driver import NOT_PLAIN, Driver
from broker.blocking.forks import TEXT, note
from broker.blocking.interrupts import Guard, guard
from broker.blocking.polling import READ, WRITE, Poll, Waker
from broker.blocking.protocol import LineProtocol
from broker.blocking.turns import Turns
from broker.blocking.waits import CannotWait, Wait, check_thread, expired, raised
from broker.blocking.workers import Workers, employer
from broker.errors import DeadlineExceeded, DeadReferenceError

__all__ = ["Line", "TICK"]

_log = Logger()

#: Seconds for which the serving thread leaves the socket to others at first, and at most, where they read all the time:
#: each time that it looks it is in their way. What comes when nobody waits any more is late by two of these at most.
TICK: Final = 0.004
_MOST_TICK: Final = 4 * TICK
#: Seconds by which the other end's clock may be ahead.
_SLACK: Final = 0.005


class Line(Turns, Driver):
    """Drives one connection over a socket.

    :param sock: a connected socket; it is the line's from now on.
    :param protocol: the connection.
    :param name: of its threads.

    For `protocol`, it is the reactor too: it has `seconds`, `callLater` and `callFromThread`.
    """

    def __init__(self, sock: socket.socket, protocol: LineProtocol, name: str) -> None:
        super().__init__(sock, protocol)
        self.workers = Workers(name)
        #: Why it must not be used any more, or None.
        self.dead: str | None = None
        self._timers = Timers()
        self.seconds = self._timers.seconds
        #: Whether the connection has ended, and everybody has been told.
        self.lost = False
        #: Whether the serving thread sleeps for longer than a tick.
        self._idle = False
        self._tick = TICK
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._name = name

    def start(self) -> None:
        """Begin: the protocol is connected, and the serving thread started."""
        note(self)
        protocol: Any = self.protocol
        protocol.drivenBy(self)
        transport: Any = self._transport
        transport.reactor = self
        self.run(protocol.makeConnection, transport)
        Thread(
            target=_serve, args=(ref(self), self._waker, self._kicker, self._socket), name=self._name, daemon=True
        ).start()

    # Inside.

    def held(self) -> bool:
        """Return whether the calling thread is inside."""
        return self._holder == get_ident()

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function inside."""
        me = get_ident()
        if self._holder == me:
            return function(*args)
        self._check_alive()
        watch = guard(me)
        try:
            with self._lock:
                self._holder = me
                try:
                    return function(*args)
                finally:
                    self._holder = 0
        finally:
            watch.leave()

    def post(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function inside, in the serving thread."""
        self.callFromThread(function, *args)
        self._wake()

    def callFromThread(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function inside, within a few ticks. Takes no lock: finalisers call it."""
        self._posted.append((function, args))
        if self._idle:
            self._wake()

    def callLater(self, seconds: float, function: Callable[..., object], *args: Any, **kw: Any) -> Timer:
        """Call a function inside, after so many seconds. Only from inside."""
        timer = self._timers.add(seconds, function, args, kw)
        if self._timers.next == timer.at:
            self._wake()
        return timer

    def later(self, seconds: float, function: Callable[..., object], *args: Any) -> Timer:
        """Call a function inside, after so many seconds; only from inside."""
        return self.callLater(seconds, function, *args)

    def _check_alive(self) -> None:
        if self.dead is not None:
            raise DeadReferenceError(self.dead)

    # Waiting.

    def wait(self, seconds: float | None, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function inside that returns a Deferred; wait for its result."""
        me = self._checked()
        wait = Wait(self._kick)
        end = None if seconds is None else monotonic() + seconds
        late = False
        watch = guard(me)
        try:
            with self._lock:
                self._holder = me
                try:
                    wait.deferred = function(*args).addBoth(wait.done)
                finally:
                    self._holder = 0
            self._until(wait, end, watch)
            late = not wait.ready
        finally:
            if not wait.ready and wait.deferred is not None:
                self.run(wait.deferred.cancel)
            watch.leave()
        if isinstance(wait.result, Failure):
            failed, wait.result = [wait.result], None
            if seconds is not None and (late or _ran_out(failed[0], end)):
                raise expired(seconds, args)
            raised(failed)
        return wait.result

    def quick(
        self, target: int | bytes, method: bytes, args: Any, kw: Any, convert: Callable[[Any], Any] | None
    ) -> Any:
        """Make the usual kind of call, see `Driver.quick`: without a Deferred, and without a poll."""
        me = self._checked()
        wait = Wait(None, convert)
        watch = guard(me)
        try:
            with self._lock:
                self._holder = me
                try:
                    if not self.protocol.askPlainly(wait, target, method, args, kw):
                        return NOT_PLAIN
                finally:
                    self._holder = 0
            self._until(wait, None, watch)
        finally:
            if not wait.ready and wait.request:
                self.run(self.protocol.withdraw, wait)
            watch.leave()
        if isinstance(wait.result, Failure):
            failed, wait.result = [wait.result], None
            raised(failed)
        return wait.result

    def _checked(self) -> int:
        """Make sure that the calling thread may wait; return its number."""
        if self.dead is not None:
            raise DeadReferenceError(self.dead)
        me = get_ident()
        if self._holder == me:
            raise CannotWait(
                "this code runs inside the connection, which would stand still: what is called here gets Deferreds"
            )
        check_thread(me)
        return me

    def _until(self, wait: Wait, end: float | None, watch: Guard) -> None:
        """Wait until there is a result or the time is over."""
        if wait.ready:
            return
        workers = employer()
        if workers is None:
            self._await(wait, end, watch)
        else:
            with workers.waiting():
                self._await(wait, end, watch)

    # The serving thread.

    def _turn(self) -> tuple[int, float | None] | None:
        """Do what there is to do; return what to watch the socket for and for how long, or None at the end."""
        self._idle = False
        if self._stuck:
            with self._reading:
                self.run(self._unpark)
            self._promote()
        self.run(self._do_due)
        if self.lost:
            with self._reading:
                self.workers.close()
                return None
        used, self._used = self._used, False
        # From here on whoever posts something wakes this thread.
        self._idle = not used
        if self._posted or self._stuck:
            return 0, 0.0
        following = self._timers.next
        left = None if following is None else following - monotonic()
        watched = WRITE if self._transport.unsent else 0
        if used:
            tick, self._tick = self._tick, min(2 * self._tick, _MOST_TICK)
            return watched, tick if left is None else min(tick, left)
        self._tick = TICK
        return watched | READ, left

    def _unpark(self) -> None:
        protocol = self.protocol
        try:
            protocol.unpark()
        except Exception:  # noqa: BLE001  as in `_receive`
            _log.failure("a connection failed")
            self._end = self._end or Failure()
            protocol.parked = None
        if self._end is not None and not self.lost:
            self.lost = True
            self._transport.abortConnection()
            protocol.connectionLost(self._end)
            self._timers.clear()

    def _do_due(self) -> None:
        while self._posted:
            function, args = self._posted.popleft()
            self.protocol.guarded(function, *args)
        for timer in self._timers.take_due():
            if timer.active():
                self.protocol.guarded(timer.run)
        if self._transport.unsent:
            self._transport.pump()

    def _readable(self) -> None:
        """Something came: read it, unless somebody else does."""
        if not self._reading.acquire(False):
            self._used = True
            return
        try:
            if not self._stuck:
                self._receive(True)
        finally:
            self._reading.release()
        if self._followers:
            self._promote()

    # The end.

    def forked(self) -> None:
        """This is a child of the process that made the connection: it is not ours. Locks may be held for ever."""
        self.dead = TEXT
        self.protocol.disconnected = True
        self._socket.close()
        self._waker.close()
        self._kicker.close()

    def __del__(self) -> None:
        # The serving thread closes what nobody can use any more.
        waker = getattr(self, "_waker", None)
        if waker is not None:
            waker.wake()


def _ran_out(result: Failure, end: float | None) -> bool:
    """Return whether a call failed because its time was over, as somebody else noticed first."""
    over = end is not None and monotonic() >= end - _SLACK
    return over and result.check(DeadlineExceeded) is not None


def _serve(line: ref[Line], waker: Waker, kicker: Waker, sock: socket.socket) -> None:
    """Be the serving thread of a line, until it has ended or nobody has it any more."""
    poll = Poll()
    poll.watch(waker.reader, READ)
    number = sock.fileno()
    try:
        while (interest := _look(line, None)) is not None:
            events, seconds = interest
            poll.watch(sock, events)
            for found, _ in poll.wait(seconds):
                if found == number:
                    _look(line, Line._readable)
                else:
                    waker.clear()
    finally:
        for one in (sock, waker, kicker):
            one.close()


def _look(line: ref[Line], function: Callable[[Line], None] | None) -> tuple[int, float | None] | None:
    """Have a line do something; keep it no longer than that."""
    found = line()
    if found is None:
        return None
    if function is not None:
        function(found)
        return None
    return found._turn()
