"""Line: a connection without a reactor, driven in turns by the threads that wait.

Theory of operation. There are two locks, and one thread of the line's own, which *serves*.

* Whoever touches the connection is *inside*: holds `_lock`. It is held for microseconds, never while anybody sleeps
  and never while code of the user's runs that may wait.
* Whoever takes bytes off the socket, and messages out of them, has the *reading*: holds `_reading`. The first thread
  that waits takes it, sleeps on the socket itself, and so has its answer without any other thread in between. The
  others are *followers*, each asleep on a lock of its own; whoever lets go of the reading wakes one of them.

No wake-up is lost: a follower enters itself among the followers before it tries for the reading, and whoever lets go
of the reading does so before it looks for followers. So either the try succeeds, or the thread that had the reading at
that time sees the follower later.

The thread that reads may be anybody's, waiting for something of its own. It takes answers out of what came; at anything
else it stops, *parks* it, lets go of the reading and sleeps as a follower. Then it is the serving thread's turn, and
what is parked is served there, or from there in workers. Nobody else has the reading for longer than it takes to see
that something is parked.

When nobody waits, the serving thread reads. As long as others read, it would be woken by each of their answers; so it
stays away from the socket for a tick after each time that it was too late.
"""

from __future__ import annotations

import socket
from _thread import allocate_lock, get_ident
from collections import deque
from collections.abc import Callable
from threading import Thread
from time import monotonic
from typing import Any, Final
from weakref import ref

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.blocking.clock import Timer, Timers
from broker.blocking.driver import NOT_PLAIN, Driver
from broker.blocking.forks import TEXT, note
from broker.blocking.interrupts import NOBODY, SHORT, Guard, guard
from broker.blocking.polling import AT_ONCE, BLOCKS, READ, WRITE, Poll, Waker
from broker.blocking.protocol import LineProtocol
from broker.blocking.transport import SocketTransport
from broker.blocking.waits import CannotWait, Wait, check_thread, expired, raised
from broker.blocking.workers import Workers, employer
from broker.errors import DeadlineExceeded, DeadReferenceError

__all__ = ["Line", "TICK"]

_log = Logger()

#: Seconds for which the serving thread leaves the socket to others. What comes when nobody waits any more is late by
#: two of these at most; and to wake up so often takes less than a hundredth of a processor.
TICK: Final = 0.004
#: Most bytes read at a time: what Linux keeps for a connection unless it is asked for more.
_SIZE: Final = 128 * 1024
#: Seconds by which the other end's clock may be ahead.
_SLACK: Final = 0.005


class Line(Driver):
    """Drives one connection over a socket.

    :param sock: a connected socket; it is the line's from now on.
    :param protocol: the connection.
    :param name: of its threads.

    For `protocol`, it is the reactor too: it has `seconds`, `callLater` and `callFromThread`.
    """

    def __init__(self, sock: socket.socket, protocol: LineProtocol, name: str) -> None:
        sock.setblocking(BLOCKS)
        self.protocol = protocol
        self.workers = Workers(name)
        #: Why it must not be used any more, or None.
        self.dead: str | None = None
        self._socket = sock
        self._number = sock.fileno()
        self._transport = SocketTransport(sock, self._wake)
        self._timers = Timers()
        self.seconds = self._timers.seconds
        self._lock = allocate_lock()
        self._holder = 0
        self._reading = allocate_lock()
        self._followers: dict[Wait, None] = {}
        self._gate = allocate_lock()
        #: The wait of the thread that sleeps on the socket, or None.
        self._asleep: Wait | None = None
        #: Whether others have read since the serving thread looked.
        self._used = False
        #: Whether the serving thread sleeps for longer than a tick.
        self._idle = False
        self._posted: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        #: How the connection ended, as soon as somebody has noticed; and whether everybody has been told.
        self._end: Failure | None = None
        self.lost = False
        self._waker, self._kicker = Waker(), Waker()
        self._poll = Poll()
        self._poll.watch(sock, READ)
        self._poll.watch(self._kicker.reader, READ)
        self._name = name

    def start(self) -> None:
        """Begin: the protocol is connected, and the serving thread started."""
        note(self)
        protocol: Any = self.protocol
        protocol.drivenBy(self)
        transport: Any = self._transport
        transport.reactor = self
        self.run(protocol.makeConnection, transport)
        Thread(target=_serve, args=(ref(self), self._waker, self._kicker, self._socket), name=self._name, daemon=True).start()

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

    def _wake(self) -> None:
        """Have the serving thread look."""
        self._waker.wake()

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
        result = wait.result
        if isinstance(result, Failure):
            wait.result = None
            if seconds is not None and (late or _ran_out(result, end)):
                raise expired(seconds, args)
            return raised(result)
        return result

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
        result = wait.result
        if isinstance(result, Failure):
            wait.result = None
            return raised(result)
        return result

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

    def _kick(self, wait: Wait) -> None:
        """There is a result: wake the thread that waits for it, if it sleeps on the socket."""
        if self._asleep is wait:
            self._kicker.wake()

    def _await(self, wait: Wait, end: float | None, watch: Guard) -> None:
        """Read, or sleep while somebody else does, until there is a result or the time is over."""
        entered = False
        try:
            while not wait.ready and (end is None or monotonic() < end):
                if self._reading.acquire(False):
                    try:
                        if not self._stuck:
                            self._lead(wait, end, watch)
                    finally:
                        self._reading.release()
                        if self._stuck:
                            self._wake()
                        elif self._followers:
                            self._promote()
                    if not self._stuck:
                        continue
                if entered:
                    self._follow(wait, end, watch)
                else:
                    # And try again: see the theory of operation.
                    entered = True
                    wait.sleeper()
                    with self._gate:
                        self._followers[wait] = None
        finally:
            if entered:
                with self._gate:
                    del self._followers[wait]
                if self._followers and not self._reading.locked():
                    # It may have been this thread that was to read.
                    self._promote()

    @property
    def _stuck(self) -> bool:
        """Whether it is the serving thread's turn."""
        return self.protocol.parked is not None or self._end is not None

    def _lead(self, wait: Wait, end: float | None, watch: Guard) -> None:
        """Read, until there is the result, the time is over, or it is the serving thread's turn."""
        if BLOCKS and wait.kick is None and watch is NOBODY:
            # Nothing but what comes will end this wait, so it may be in the socket itself: one trip to the system less.
            # Not in the main thread, though: an interrupt that is raised when bytes have been read would lose them.
            self._lead_plainly(wait)
            return
        number = self._number
        while not wait.ready:
            left = None if end is None else end - monotonic()
            if left is not None and left <= 0:
                return
            self._used = True
            self._asleep = wait
            try:
                # Asked after it is known who sleeps: see `Wait.done`.
                if wait.ready:
                    return
                if watch is NOBODY:
                    ready = self._poll.wait(left)
                else:
                    try:
                        watch.check()
                        ready = self._poll.wait(SHORT if left is None else min(left, SHORT))
                    finally:
                        watch.sleeping = False
            finally:
                self._asleep = None
            for found, _ in ready:
                if found == number:
                    self._receive(False)
                    if self._stuck:
                        return
                else:
                    self._kicker.clear()

    def _lead_plainly(self, wait: Wait) -> None:
        while not wait.ready and not self._stuck:
            self._used = True
            self._receive(False, 0)

    def _follow(self, wait: Wait, end: float | None, watch: Guard) -> None:
        """Sleep until somebody wakes this thread."""
        if watch is NOBODY:
            wait.sleep(end)
            return
        try:
            watch.check()
            soon = monotonic() + SHORT
            wait.sleep(soon if end is None else min(end, soon))
        finally:
            watch.sleeping = False

    def _promote(self) -> None:
        """Wake a follower: nobody reads."""
        with self._gate:
            follower = next(iter(self._followers), None)
        if follower is not None:
            follower.wake()

    def _receive(self, serving: bool, flags: int = AT_ONCE) -> None:
        """Take what the socket has, and the messages in it; for the thread that has the reading."""
        try:
            data = self._socket.recv(_SIZE, flags)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._broke(error)
        else:
            self._take(data, serving)

    def _broke(self, error: OSError) -> None:
        self._end = Failure(self._transport.aborted or ConnectionLost(str(error)))

    def _take(self, data: bytes, serving: bool) -> None:
        """Take the messages in what came."""
        if not data:
            self._end = Failure(self._transport.aborted or ConnectionDone())
            return
        protocol = self.protocol
        with self._lock:
            self._holder = get_ident()
            protocol.serving = serving
            try:
                protocol.dataReceived(data)
            except Exception:  # noqa: BLE001  as a reactor does: what no message may lead to costs the connection
                _log.failure("a connection failed")
                self._end = Failure()
            finally:
                protocol.serving = False
                self._holder = 0

    # The serving thread.

    def _turn(self) -> tuple[int, float | None] | None:
        """Do what there is to do; return what to watch the socket for and for how long, or None at the end."""
        self._waker.clear()
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
            return watched, TICK if left is None else min(TICK, left)
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
