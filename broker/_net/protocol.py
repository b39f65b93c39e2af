"""BrokerProtocol: a `Broker` with a Twisted transport under it.

Fairness. What one read brings may be thousands of calls. After `SLICE` seconds of serving them the rest is put off to
a later turn of the reactor, and reading stops meanwhile, so that other connections get theirs. Those that have put off
something share one such slice, lest many greedy ones add up.

Writes. What is written while one read is served goes out as one `transport.write`, with an early one every `BATCH`
messages so that the peer can begin. Releases of what was dropped go out behind the answers of the same turn; dropped
at any other time, from whatever thread, they wake the reactor once.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._messages.messages import Call
from broker._net.allowance import Allowance
from broker._net.direct import read_bytes, read_usually
from broker._net.flow import Flow
from broker._objects.broker import Broker
from broker._objects.serving import serve
from broker._session.events import Answered
from broker._session.states import State
from broker.errors import LimitExceeded, PeerSilent, ProtocolError

__all__ = ["BATCH", "BrokerProtocol", "SHORTEST", "SLICE"]

_log = Logger()

#: Seconds of one connection's work before the others get their turn. Two of PB's slowest calls; short enough that a
#: second client's call waits for a few of these rather than for a burst.
SLICE: Final = 0.005
#: The shortest one, where many share: what it takes to come back is no more than a tenth of it.
SHORTEST: Final = 0.0005
#: Messages between early writes while one read is served.
BATCH: Final = 25


class BrokerProtocol(Broker, Protocol):
    """One connection; see `Broker` for its parameters.

    :ivar reactor: the reactor that drives it, taken from the factory or the transport. None where there is none, as
        in a test: then nothing is put off.
    """

    reactor: Any = None
    _flow: Flow | None = None
    _waking = False
    _working = False
    _leaving = False
    _put_off: Any = None
    _allowance: Allowance | None = None
    _handshake: Any = None
    #: Whether something came since somebody last looked.
    heard = True
    #: Why this side closed the connection, if it did so because of an error.
    failed: Failure | None = None

    # The transport's life.

    def connectionMade(self) -> None:
        """The transport is there: greet the peer."""
        self.reactor = getattr(self.factory, "reactor", None) or getattr(self.transport, "reactor", None)
        nodelay = getattr(self.transport, "setTcpNoDelay", None)
        if nodelay is not None:
            # Without it a large message waits for the acknowledgement of its last piece. A socket may refuse: a UNIX
            # socket of Twisted before 24.11 has the method all the same, and macOS when the peer has gone already.
            with suppress(OSError):
                nodelay(True)
        self._flow = Flow(self.transport, self.limits.buffer, self._overflow, self.guarded)
        read_bytes(self.transport)
        if self.reactor is not None:
            self._handshake = self.reactor.callLater(self.limits.handshake, self._too_slow)
        self.session.connected()
        self.flush()

    def connectionReady(self) -> None:
        """The greeting is over: tell those who wait for it, and the factory."""
        self._stop_clock()
        opened = getattr(self.factory, "brokerOpened", None)
        if opened is not None:
            opened(self)
        watch = getattr(self.factory, "watch", None)
        if watch is not None:
            watch(self)
        super().connectionReady()
        if self.factory is not None:
            self.factory.clientConnectionMade(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._stop_clock()
        if self._put_off is not None:
            self._put_off.cancel()
            self._put_off = None
            self._count_busy(-1)
        if self._flow is not None:
            self._flow.close()
            # It knows this protocol: without it what is gone is freed at once, not when garbage is collected.
            self._flow = None
            read_usually(self.transport)
        self.closed(self.failed or reason)
        unwatch = getattr(self.factory, "unwatch", None)
        if unwatch is not None:
            unwatch(self)
        lost = getattr(self.factory, "brokerLost", None)
        if lost is not None:
            lost(self, reason)

    def _stop_clock(self) -> None:
        if self._handshake is not None:
            if self._handshake.active():
                self._handshake.cancel()
            self._handshake = None

    def _too_slow(self) -> None:
        self._handshake = None
        self.failConnection(Failure(ProtocolError(f"no greeting within {self.limits.handshake} seconds")))

    def _overflow(self) -> None:
        problem = f"the peer does not read: more than {self.limits.buffer} bytes wait for it"
        self.failConnection(Failure(LimitExceeded(problem)))

    # Bytes in.

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport."""
        if self.session.state is State.CLOSED:
            return
        self.heard = True
        self.session.receive_data(data)
        if self._put_off is None and not self._working:
            self._work()

    def _work(self) -> None:
        """Handle what was received, for a slice of time at most."""
        self._put_off = None
        session = self.session
        end = perf_counter() + self._slice() if self.reactor is not None else 0.0
        handled = 0
        self._turns += 1
        self._working = True
        if self._flow is not None:
            self._flow.burst = 0
        try:
            while True:
                event = session.next_event()
                if type(event) is Call:
                    serve(self, event)
                elif type(event) is Answered:
                    self.answered(event)
                elif event is None:
                    break
                else:
                    self.handle(event)
                handled += 1
                if not handled % BATCH:
                    self._write_early()
                if end and perf_counter() > end:
                    self._put_off_rest()
                    break
            if session.controls:
                self._police(session.controls)
                session.controls = 0
        except ProtocolError:
            self.failConnection(Failure())
        finally:
            self._working = False
            self._turns -= 1
            self.flush()

    def _police(self, controls: int) -> None:
        """Let pings and the like pass.

        :raises ProtocolError: they are too many.
        """
        if self._allowance is None:
            seconds = perf_counter if self.reactor is None else self.reactor.seconds
            self._allowance = Allowance(self.limits.controls, self.limits.controls, seconds)
        if not self._allowance.take(controls):
            raise ProtocolError(f"more than {self.limits.controls} pings and the like in a second")

    def silent(self, seconds: float) -> None:
        """Close, since nothing came for so many seconds; see `broker._net.keepalive`."""
        self.failConnection(Failure(PeerSilent(f"nothing came from the peer for {seconds:g} seconds")))
        # It would not take a polite farewell either.
        self.transport.abortConnection()

    def _slice(self) -> float:
        """Return how many seconds may be spent before the others get their turn."""
        busy: int = getattr(self.factory, "_busy", 0)
        return SLICE if not busy else max(min(SHORTEST, SLICE), SLICE / (busy + 1))

    def _put_off_rest(self) -> None:
        if not self.disconnected:
            self.transport.pauseProducing()
            self._put_off = self.reactor.callLater(0, self._resume)
            self._count_busy(1)

    def _count_busy(self, change: int) -> None:
        """Count a connection that has put off something, or no more."""
        if self.factory is not None:
            self.factory._busy = getattr(self.factory, "_busy", 0) + change

    def _resume(self) -> None:
        self._put_off = None
        self._count_busy(-1)
        self._work()
        if self._put_off is None and self.session.state is State.OPEN:
            self.transport.resumeProducing()

    # Bytes out.

    def flush(self) -> None:
        """Write what waits to be written, releases last."""
        if self._turns:
            return
        session = self.session
        if not session.silent:
            session.release_dropped()
            self._write()
        if self._leaving:
            self._leaving = False
            self.transport.loseConnection()

    def _write(self) -> None:
        flow = self._flow
        if flow is None:
            return
        data = self.session.data_to_send()
        if data:
            flow.write(data)
        if self.session.owed > self.limits.buffer:
            flow.too_much()
        if self.session.pieces:
            flow.fill(self.session)

    def _write_early(self) -> None:
        if self._flow is not None:
            self._flow.burst = 0
        self._write()

    def releasesWaiting(self) -> None:
        """Something held was dropped: see that its release goes out, soon and from the right thread."""
        if self._turns or self._waking or self.disconnected:
            return
        if self.reactor is None:
            self.flush()
            return
        self._waking = True
        self.reactor.callFromThread(self._woken)

    def _woken(self) -> None:
        self._waking = False
        self.flush()

    # The end.

    def failConnection(self, reason: Failure) -> None:
        """Log why the connection is closed, in one line, and close it. What was answered before is still written."""
        if self.session.state is State.CLOSED:
            return
        _log.error(
            "closing the connection with {peer}: {reason}", peer=self.peerName(), reason=reason.getErrorMessage()[:1000]
        )
        self.session.abort(reason.getErrorMessage())
        self._write()
        self.session.closed()
        self.failed = reason
        if self.transport is not None:
            self.transport.loseConnection()
            self._stop_clock()
            # A peer that does not read could keep a polite farewell waiting for ever.
            if self._flow is not None and (self._flow.overflowed or (self._flow.paused and self.reactor is None)):
                self.transport.abortConnection()
            elif self.reactor is not None and not self.disconnected:
                self._handshake = self.reactor.callLater(self.limits.handshake, self._give_up)

    def _give_up(self) -> None:
        self._handshake = None
        self.transport.abortConnection()

    def disconnect(self) -> Deferred[None]:
        """Close the connection, after what was sent; return a Deferred that fires when it is gone."""
        if self.disconnected or self.transport is None:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self.notifyOnDisconnect(lambda: gone.callback(None))
        # In a turn that is at its end: what was answered in it is still to be written.
        self._leaving = True
        self.flush()
        return gone

    def peerName(self) -> str:
        """Return the address of the peer, for logs."""
        return str(self.transport.getPeer()) if self.transport is not None else "the peer"

    # Pagers.

    @property
    def pageProducers(self) -> list[Any]:
        """The pagers that send to the peer at the moment."""
        return self._flow.pagers if self._flow is not None else []

    def registerPageProducer(self, pager: Any) -> None:
        """Let a pager send its pages, see `broker._objects.pager.Pager`."""
        if self._flow is not None and not self.disconnected:
            self._flow.add_pager(pager)
