"""Turns: how threads share one connection that no reactor runs.

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

import os
import socket
from _thread import allocate_lock, get_ident
from contextlib import suppress
from functools import partial
from struct import pack
from time import monotonic, sleep
from typing import Final

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.blocking.interrupts import NOBODY, SHORT, Guard
from broker.blocking.polling import AT_ONCE, BLOCKS, READ, Poll, Waker
from broker.blocking.protocol import LineProtocol
from broker.blocking.transport import SocketTransport
from broker.blocking.waits import Wait

__all__ = ["Turns"]

_log = Logger()

#: Most bytes read at a time: what Linux keeps for a connection unless it is asked for more.
_SIZE: Final = 128 * 1024
#: Seconds for which a thread looks at the socket before it sleeps: a few times what falling asleep and waking up cost.
_GLANCE: Final = 200e-6
#: Seconds between two looks that tell that others have run on this processor meanwhile: they need it more.
_OTHERS: Final = 30e-6
#: How often at most a thread falls asleep without a look before it looks again.
_MOST_SLEEPS: Final = 1023
_let_others: Final = getattr(os, "sched_yield", partial(sleep, 0))
#: Whether there is a processor for the other end to work on meanwhile.
_GLANCES: Final = BLOCKS and (os.cpu_count() or 1) > 1


class Turns:
    """The locks of one connection, and the threads that read from it.

    :param sock: a connected socket.
    :param protocol: the connection.
    """

    def __init__(self, sock: socket.socket, protocol: LineProtocol) -> None:
        sock.setblocking(BLOCKS)
        if BLOCKS:
            # Who receives looks up now and then: see `SHORT`. Where the system counts time otherwise, it does not.
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, pack("@ll", 0, int(SHORT * 1e6)))
        self.protocol = protocol
        self._socket = sock
        self._number = sock.fileno()
        self._transport = SocketTransport(sock, self._wake)
        self._lock = allocate_lock()
        self._holder = 0
        self._reading = allocate_lock()
        self._followers: dict[Wait, None] = {}
        self._gate = allocate_lock()
        #: The wait of the thread that sleeps on the socket, or None.
        self._asleep: Wait | None = None
        #: Whether others have read since the serving thread looked.
        self._used = False
        #: How the connection ended, as soon as somebody has noticed.
        self._end: Failure | None = None
        self._waker, self._kicker = Waker(), Waker()
        self._poll = Poll()
        self._poll.watch(sock, READ)
        self._poll.watch(self._kicker.reader, READ)
        #: How many sleeps to come are begun without a glance, and how many there were after the last that was in vain.
        self._sleeps = self._slept = 0

    def _wake(self) -> None:
        """Have the serving thread look."""
        self._waker.wake()

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
                        stuck = self._stuck
                        if stuck:
                            self._wake()
                        elif self._followers:
                            self._promote()
                    if not stuck:
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
        if _GLANCES and self._glance(wait):
            return
        if BLOCKS and wait.kick is None and watch.minds:
            # Nothing but what comes will end this wait, so it may be in the socket itself: one trip to the system less.
            self._lead_plainly(wait, watch)
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

    def _glance(self, wait: Wait) -> bool:
        """Look for what comes next without falling asleep; return whether there is the result, or nothing more to read.

        To fall asleep and be woken takes longer than most calls. Where an answer takes longer than that, looking is
        only a waste: each time that it was in vain, twice as many sleeps as the last time go without.
        """
        if self._sleeps:
            self._sleeps -= 1
            return False
        self._used = True
        receive = self._socket.recv
        now = monotonic()
        end = now + _GLANCE
        while True:
            try:
                data = receive(_SIZE, AT_ONCE)
            except (BlockingIOError, InterruptedError):
                if wait.ready:
                    return True
                # Others may have to run before there is something.
                _let_others()
                before, now = now, monotonic()
                if now - before > _OTHERS:
                    return False
                if now > end:
                    self._sleeps = self._slept = min(2 * self._slept + 1, _MOST_SLEEPS)
                    return False
            except OSError as error:
                self._broke(error)
                return True
            else:
                self._slept = 0
                self._take(data, False)
                if wait.ready or self._stuck:
                    return True

    def _lead_plainly(self, wait: Wait, watch: Guard) -> None:
        while not wait.ready and not self._stuck:
            self._used = True
            if watch is NOBODY:
                self._receive(False, 0)
                continue
            watch.receive(self._socket)
            try:
                self._receive(False, 0)
            finally:
                watch.received()

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
