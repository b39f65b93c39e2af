"""A wire in memory: two transports back to back, over which nothing moves until the test says so.

Theory of operation. What one end writes waits in that end's transport, as it would in a kernel's buffer, until
`Wire.deliver` or `Wire.step` hands it to the other end's protocol. So a test decides how many bytes arrive and when,
and no reactor, port or real clock is needed. Both ends behave as a Twisted TCP transport does: bytes written before
`loseConnection` still arrive, a closing end reads no more, producers are paused at the high-water mark and resumed
when everything has been taken, and an exception that escapes a protocol is logged and costs the connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IProtocol,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["End", "MemoryAddress", "MemoryTransport", "NotQuiet", "Wire", "Written"]

log = Logger()

#: The two ends of a wire. The server's protocol is the one that listened.
End = Literal["client", "server"]

#: What Twisted's own transports hold before they pause their producer.
HIGH_WATER = 64 * 1024


class NotQuiet(AssertionError):
    """The two ends did not stop talking within the given number of rounds."""


class Written(NamedTuple):
    """One write: the end it was written for, and the bytes."""

    to: End
    data: bytes


@implementer(IAddress)
@dataclass(frozen=True)
class MemoryAddress:
    """The address of one end of a wire.

    :param name: ``"client"`` or ``"server"``.
    :param number: tells the wires of one test apart.
    """

    name: str
    number: int = 1


class _Reactor:
    """What protocols ask of a reactor, driven by a test's clock."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = clock.seconds
        self.callLater = clock.callLater
        self.getDelayedCalls = clock.getDelayedCalls

    def callFromThread(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Call a function in a later turn."""
        self.callLater(0, function, *args, **kw)


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a `Wire`, as its protocol sees it.

    :ivar name: which end this is.
    :ivar protocol: what reads here.
    :ivar connected: whether the connection stands.
    :ivar disconnecting: whether this end is closing.
    :ivar reading: whether the protocol wants to read; `pauseProducing` and `resumeProducing` change it.
    :ivar reactor: drives timers from the wire's clock; None for a wire without one.
    """

    def __init__(self, wire: Wire, name: End, number: int) -> None:
        self.name: End = name
        self.far: End = "server" if name == "client" else "client"
        self.number = number
        self.protocol: Any = None
        self.connected = True
        self.disconnecting = False
        self.aborted = False
        self.reading = True
        self.producer: Any = None
        self.streaming = False
        self.producerPaused = False
        self.noDelay = False
        self.keepAlive = False
        self.reactor: Any = None if wire.clock is None else _Reactor(wire.clock)
        self._wire = wire
        self._segments: deque[tuple[float, bytes]] = deque()
        self.size = 0
        #: When the farewell of `loseConnection` arrives.
        self.ends = 0.0

    # ITransport.

    def write(self, data: bytes) -> None:
        """Have bytes sent to the other end. After the connection is lost they are dropped, as any transport does."""
        if isinstance(data, str):
            raise TypeError("a transport takes bytes, not str")
        if not data or not self.connected or self.aborted:
            return
        data = bytes(data)
        self._wire.transcript.append(Written(self.far, data))
        self._segments.append((self._wire.arrival(), data))
        self.size += len(data)
        if self.producer is not None and self.streaming and self.size > self._wire.high_water:
            if not self.producerPaused:
                self.producerPaused = True
                self.producer.pauseProducing()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Have several pieces sent as one."""
        self.write(b"".join(data))

    def loseConnection(self, reason: Failure | None = None) -> None:
        """Close, once what was written has been delivered and no producer has more. This end reads no more."""
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.reading = False
            self.ends = self._wire.arrival()

    def abortConnection(self) -> None:
        """Close in the next round; what was written and not delivered is lost."""
        if self.connected:
            self.aborted = True
            self.disconnecting = True
            self.reading = False
            self.discard()

    def getHost(self) -> MemoryAddress:
        """Return the address of this end."""
        return MemoryAddress(self.name, self.number)

    def getPeer(self) -> MemoryAddress:
        """Return the address of the other end."""
        return MemoryAddress(self.far, self.number)

    # What programs set on TCP connections; kept to be looked at.

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Note the setting in `noDelay`."""
        self.noDelay = bool(enabled)

    def getTcpNoDelay(self) -> bool:
        """Return `noDelay`."""
        return self.noDelay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Note the setting in `keepAlive`."""
        self.keepAlive = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """Return `keepAlive`."""
        return self.keepAlive

    # IConsumer: somebody fills this end's buffer.

    def registerProducer(self, producer: IPushProducer | IPullProducer, streaming: bool) -> None:
        """Let a producer fill the buffer.

        :param streaming: true for one that is paused and resumed; false for one that is asked for each piece.
        :raises RuntimeError: there is one already.
        """
        if self.producer is not None:
            raise RuntimeError(f"cannot register {producer!r}: {self.producer!r} is registered")
        if not self.connected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streaming = bool(streaming)
        self.producerPaused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """The producer has no more."""
        self.producer = None

    # IPushProducer: this end reads, or does not.

    def pauseProducing(self) -> None:
        """Read no more until `resumeProducing`; what arrives waits in the other end's transport."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Read again."""
        if self.connected and not self.disconnecting:
            self.reading = True

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()

    # What the wire does with this end.

    def available(self, now: float) -> int:
        """Return how many written bytes have arrived at the other end by a point in time."""
        return sum(len(data) for due, data in self._segments if due <= now)

    def next_due(self) -> float | None:
        """Return when the next written bytes arrive, or None if there are none."""
        return self._segments[0][0] if self._segments else None

    def take(self, count: int) -> bytes:
        """Remove and return the next bytes that were written."""
        taken: list[bytes] = []
        while count and self._segments:
            due, data = self._segments.popleft()
            if len(data) > count:
                self._segments.appendleft((due, data[count:]))
                data = data[:count]
            taken.append(data)
            count -= len(data)
            self.size -= len(data)
        return b"".join(taken)

    def drained(self) -> None:
        """Everything written has been delivered: ask the producer for more."""
        if self.producer is not None and (not self.streaming or self.producerPaused):
            self.producerPaused = False
            self.producer.resumeProducing()

    def discard(self) -> None:
        """Forget what was written and not delivered."""
        self._segments.clear()
        self.size = 0

    def finished(self) -> bool:
        """Return whether a closing end has nothing more to deliver."""
        busy = self.producer is not None and (not self.streaming or self.producerPaused)
        return self.disconnecting and not self.size and not busy


class Wire:
    """Two transports back to back.

    :param client: the protocol of the end that connected.
    :param server: the protocol of the end that listened.
    :param clock: gives the protocols timers, as ``transport.reactor``. Without one they get none.
    :param latency: seconds of `clock` that each write needs to arrive.
    :param chunk: most bytes that one ``dataReceived`` is given; None for everything that has arrived.
    :param high_water: bytes waiting in one transport above which it pauses its producer.
    :param number: tells the wires of one test apart, in addresses.
    :raises ValueError: there is a latency and no clock.

    :ivar client: the transport of the client's protocol.
    :ivar server: the transport of the server's protocol.
    :ivar transcript: every write so far, oldest first.
    :ivar escaped: every exception that escaped one of the protocols, with the end where it did.
    """

    def __init__(
        self,
        client: IProtocol,
        server: IProtocol,
        *,
        clock: Clock | None = None,
        latency: float = 0.0,
        chunk: int | None = None,
        high_water: int = HIGH_WATER,
        number: int = 1,
    ) -> None:
        if latency and clock is None:
            raise ValueError("latency takes a clock to pass")
        self.clock = clock
        self.latency = latency
        self.chunk = chunk
        self.high_water = high_water
        self.transcript: list[Written] = []
        self.escaped: list[tuple[End, Failure]] = []
        self._delivering = False
        self.client = MemoryTransport(self, "client", number)
        self.server = MemoryTransport(self, "server", number)
        # The listening end first, as its operating system completes the connection first.
        for transport, protocol in ((self.server, server), (self.client, client)):
            transport.protocol = protocol
            protocol.makeConnection(transport)

    def end(self, name: End) -> MemoryTransport:
        """Return the transport of one end.

        :raises ValueError: there is no such end.
        """
        if name not in ("client", "server"):
            raise ValueError(f"an end is 'client' or 'server', not {name!r}")
        return self.server if name == "server" else self.client

    @property
    def connected(self) -> bool:
        """Whether both ends are connected."""
        return self.client.connected and self.server.connected

    def now(self) -> float:
        """Return the time of the clock, or 0 without one."""
        return 0.0 if self.clock is None else self.clock.seconds()

    def arrival(self) -> float:
        """Return when what is written now arrives."""
        return self.now() + self.latency

    def pending(self, to: End | None = None) -> int:
        """Return how many bytes wait to be delivered to one end, or to both together."""
        names: tuple[End, ...] = ("client", "server") if to is None else (to,)
        return sum(self.end(self.end(name).far).size for name in names)

    # Delivery.

    def deliver(self, to: End, count: int | None = None) -> int:
        """Hand bytes to one end's protocol.

        :param to: the end that gets them.
        :param count: exactly how many; None for everything that has arrived so far.
        :returns: how many it took: fewer than asked for if it paused or closed meanwhile.
        :raises ValueError: fewer than `count` have arrived.
        :raises RuntimeError: called from inside a delivery.
        """
        if self._delivering:
            raise RuntimeError("a delivery is under way: deliver from the test, not from inside a protocol")
        receiver = self.end(to)
        sender = self.end(receiver.far)
        arrived = sender.available(self.now())
        if count is not None and count > arrived:
            raise ValueError(f"only {arrived} bytes have arrived for the {to}, not {count}")
        left = arrived if count is None else count
        taken = 0
        while left and receiver.connected and receiver.reading:
            data = sender.take(left if self.chunk is None else min(left, self.chunk))
            if not data:
                break
            left -= len(data)
            taken += len(data)
            self._guarded(receiver, receiver.protocol.dataReceived, data)
        if taken and not sender.size and sender.connected:
            self._guarded(sender, sender.drained)
        return taken

    def step(self) -> bool:
        """Do one round: what has arrived is delivered to both ends, due timers run, closing ends close.

        What an end writes in the round is delivered in the next.

        :returns: whether anything happened.
        """
        waiting = {to: self.end(self.end(to).far).available(self.now()) for to in _ENDS}
        moved = 0
        for to in _ENDS:
            if waiting[to]:
                moved += self.deliver(to, min(waiting[to], self.end(self.end(to).far).available(self.now())))
        return bool(moved) | self._run_timers() | self._close()

    def flush(self, rounds: int = 10_000) -> None:
        """Deliver until nothing is left to deliver, moving the clock as far as the latency needs.

        :param rounds: how many rounds that may take.
        :raises NotQuiet: it took more.
        """
        for _ in range(rounds):
            if self.step():
                continue
            due = self._next_arrival()
            if due is None:
                return
            assert self.clock is not None
            self.clock.advance(due - self.now())
        raise NotQuiet(f"the two ends still talk after {rounds} rounds; last written: {self.transcript[-4:]!r}")

    def advance(self, seconds: float) -> None:
        """Let time pass: timers run and bytes arrive in the order of their times.

        :raises ValueError: the wire has no clock.
        """
        if self.clock is None:
            raise ValueError("this wire has no clock; make the pair with clock=Clock()")
        until = self.now() + seconds
        while True:
            while self.step():
                pass
            times = [call.getTime() for call in self.clock.getDelayedCalls()]
            arrival = self._next_arrival()
            if arrival is not None:
                times.append(arrival)
            due = min(times, default=until)
            if due >= until:
                break
            self.clock.advance(due - self.now())
        self.clock.advance(until - self.now())
        while self.step():
            pass

    def _next_arrival(self) -> float | None:
        """Return when the next bytes or the next farewell in flight arrive, or None."""
        now = self.now()
        times = [due for due in (self.client.next_due(), self.server.next_due()) if due is not None and due > now]
        times += [end.ends for end in (self.client, self.server) if end.connected and end.disconnecting]
        return min((due for due in times if due > now), default=None)

    def _run_timers(self) -> bool:
        if self.clock is None:
            return False
        now = self.now()
        due: list[IDelayedCall] = [call for call in self.clock.getDelayedCalls() if call.getTime() <= now]
        if due:
            self.clock.advance(0)
        return bool(due)

    # The end.

    def drop(self, reason: Failure | BaseException | None = None, *, only: End | None = None) -> None:
        """Cut the wire: what was not delivered is lost, and the protocols are told.

        :param reason: why; `ConnectionLost` by default. Pass `ConnectionDone` for a clean end.
        :param only: the one end that notices; the other goes on believing in the connection.
        """
        failure = reason if isinstance(reason, Failure) else Failure(ConnectionLost() if reason is None else reason)
        for name in _ENDS if only is None else (only,):
            self._lose(self.end(name), failure)

    def _close(self) -> bool:
        """Close what is to be closed; return whether anything was."""
        for name in _ENDS:
            end = self.end(name)
            far = self.end(end.far)
            if not end.connected or not end.disconnecting:
                continue
            if end.aborted:
                self._lose(end, Failure(ConnectionAborted()))
                self._lose(far, Failure(ConnectionLost()))
                return True
            # Bytes for an end that reads no more go nowhere; a paused end does not notice the farewell either.
            gone = far.disconnecting or not far.connected
            if gone or (end.finished() and end.ends <= self.now() and far.reading):
                self._lose(end, Failure(ConnectionDone()))
                self._lose(far, Failure(ConnectionDone()))
                return True
        return False

    def _lose(self, end: MemoryTransport, reason: Failure) -> None:
        if not end.connected:
            return
        end.connected = False
        end.reading = False
        end.discard()
        producer, end.producer = end.producer, None
        if producer is not None:
            self._guarded(end, producer.stopProducing)
        self._guarded(end, end.protocol.connectionLost, reason)

    def _guarded(self, end: MemoryTransport, function: Callable[..., object], *args: Any) -> None:
        """Call into an end's protocol and do what a reactor does with an exception."""
        outer, self._delivering = self._delivering, True
        try:
            function(*args)
        except Exception:
            failure = Failure()
            self.escaped.append((end.name, failure))
            log.failure("an exception escaped the {end}'s protocol", failure=failure, end=end.name)
            self._lose(end, failure)
            self._lose(self.end(end.far), Failure(ConnectionLost()))
        finally:
            self._delivering = outer


_ENDS: tuple[End, ...] = ("server", "client")
