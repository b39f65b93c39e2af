"""A wire in memory: two transports back to back, over which nothing moves until the test says so.

Theory of operation. What one end writes waits in that end's transport, as it would in a kernel's buffer, until
`Wire.deliver` or `Wire.step` hands it to the other end's protocol. So a test decides how many bytes arrive and when,
and no reactor, port or real clock is needed. Both ends behave as a Twisted TCP transport does: bytes written before
`loseConnection` still arrive, a closing end reads no more, producers are paused at the high-water mark and resumed
when everything has been taken, and an exception that escapes a protocol is logged and costs the connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IProtocol
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker.testing.transport import HIGH_WATER, End, MemoryTransport

__all__ = ["ClockReactor", "log", "NotQuiet", "Wire", "Written"]

log = Logger()

_CLIENT_FIRST: tuple[End, End] = ("client", "server")
#: The order in which both ends get things: the server answers what came before the client sends more.
_ENDS: tuple[End, End] = ("server", "client")


class NotQuiet(AssertionError):
    """The two ends did not stop talking within the given number of rounds."""


class Written(NamedTuple):
    """One write: the end it was written for, and the bytes."""

    to: End
    data: bytes


class ClockReactor:
    """What protocols ask of a reactor, driven by a test's clock."""

    def __init__(self, clock: Clock) -> None:
        self.seconds = clock.seconds
        self.callLater = clock.callLater
        self.getDelayedCalls = clock.getDelayedCalls

    def callFromThread(self, function: Callable[..., object], *args: Any, **kw: Any) -> None:
        """Call a function in a later turn."""
        self.callLater(0, function, *args, **kw)


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
        self.transcript: list[Written] = []
        self.escaped: list[tuple[End, Failure]] = []
        self._delivering = False
        reactor = None if clock is None else ClockReactor(clock)
        self.client, self.server = (
            MemoryTransport(
                name, number, high_water=high_water, arrival=self.arrival, written=self._written, reactor=reactor
            )
            for name in _CLIENT_FIRST
        )
        # The listening end first, as its operating system completes the connection first.
        for transport, protocol in ((self.server, server), (self.client, client)):
            transport.protocol = protocol
            protocol.makeConnection(transport)

    def _written(self, to: End, data: bytes) -> None:
        self.transcript.append(Written(to, data))

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
        except Exception:  # noqa: BLE001  kept, logged and fatal to the connection, as with a reactor
            failure = Failure()
            self.escaped.append((end.name, failure))
            log.failure("an exception escaped the {end}'s protocol", failure=failure, end=end.name)
            self._lose(end, failure)
            self._lose(self.end(end.far), Failure(ConnectionLost()))
        finally:
            self._delivering = outer
