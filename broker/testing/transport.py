"""One end of a wire in memory, as its protocol sees it: a transport that does what Twisted's TCP transport does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from twisted.internet.interfaces import IAddress, IConsumer, IProducer, IPushProducer, ITransport
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["HIGH_WATER", "End", "MemoryAddress", "MemoryTransport"]

#: The two ends of a wire. The server's protocol is the one that listened.
End = Literal["client", "server"]

#: What Twisted's own transports hold before they pause their producer.
HIGH_WATER = 64 * 1024


@implementer(IAddress)
@dataclass(frozen=True)
class MemoryAddress:
    """The address of one end of a wire.

    :param name: ``"client"`` or ``"server"``.
    :param number: tells the wires of one test apart.
    """

    name: str
    number: int = 1


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """One end of a `broker.testing.wire.Wire`, as its protocol sees it.

    :param name: which end this is.
    :param number: tells the wires of one test apart, in addresses.
    :param high_water: bytes waiting here above which the producer is paused.
    :param arrival: returns when what is written now arrives at the other end.
    :param written: told of each write, with the end it is for.
    :param reactor: drives timers from the wire's clock; None for a wire without one.

    :ivar protocol: what reads here.
    :ivar connected: whether the connection stands.
    :ivar disconnecting: whether this end is closing.
    :ivar reading: whether the protocol wants to read; `pauseProducing` and `resumeProducing` change it.
    """

    def __init__(
        self,
        name: End,
        number: int,
        *,
        high_water: int,
        arrival: Callable[[], float],
        written: Callable[[End, bytes], object],
        reactor: Any,
    ) -> None:
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
        self.reactor = reactor
        self._high_water = high_water
        self._arrival = arrival
        self._written = written
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
        self._written(self.far, data)
        self._segments.append((self._arrival(), data))
        self.size += len(data)
        if self.producer is not None and self.streaming and self.size > self._high_water:
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
            self.ends = self._arrival()

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

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
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
            self.producer.resumeProducing()

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
