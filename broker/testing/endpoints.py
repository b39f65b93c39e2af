"""Endpoints in memory, for testing code that takes endpoints."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from broker.testing.transport import MemoryAddress
from broker.testing.wire import ClockReactor, NotQuiet, Wire

__all__ = ["MemoryClientEndpoint", "MemoryPort", "MemoryServerEndpoint", "memory_endpoints"]


def memory_endpoints(
    *, clock: Clock | None = None, **wire_options: Any
) -> tuple[MemoryServerEndpoint, MemoryClientEndpoint]:
    """Return a server endpoint and a client endpoint that leads to it.

    Each connection is a `Wire`; they are in the client endpoint's `wires`, and its `flush` delivers on all of them.
    Code that takes a reactor too is given the client endpoint's `reactor`.

    :param clock: drives the timers of all connections; by default a new one.
    :param wire_options: for each `Wire`: ``latency``, ``chunk``, ``high_water``.
    """
    server = MemoryServerEndpoint()
    return server, MemoryClientEndpoint(server, clock or Clock(), wire_options)


@implementer(IListeningPort)
class MemoryPort:
    """What `MemoryServerEndpoint.listen` gives."""

    def __init__(self, endpoint: MemoryServerEndpoint, factory: Any) -> None:
        self.endpoint = endpoint
        self.factory = factory

    def startListening(self) -> None:
        """Accept connections.

        :raises CannotListenError: another port does.
        """
        if self.endpoint.port is not None:
            raise CannotListenError("memory", 0, OSError("another factory listens on this endpoint"))
        self.factory.doStart()
        self.endpoint.port = self

    def stopListening(self) -> Deferred[None]:
        """Accept no more connections; those that stand go on."""
        if self.endpoint.port is self:
            self.endpoint.port = None
            self.factory.doStop()
        return succeed(None)

    def getHost(self) -> MemoryAddress:
        """Return the address."""
        return MemoryAddress("server")


@implementer(IStreamServerEndpoint)
class MemoryServerEndpoint:
    """Where a factory listens; one at a time."""

    def __init__(self) -> None:
        self.port: MemoryPort | None = None

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen with a factory; see `IStreamServerEndpoint.listen`."""
        port = MemoryPort(self, protocolFactory)
        try:
            port.startListening()
        except CannotListenError as error:
            return fail(error)
        return succeed(port)


@implementer(IStreamClientEndpoint)
class MemoryClientEndpoint:
    """Leads to whatever listens on a `MemoryServerEndpoint`.

    :ivar wires: every connection made so far, oldest first.
    :ivar clock: drives the timers.
    :ivar reactor: the clock in the shape of a reactor.
    """

    def __init__(self, server: MemoryServerEndpoint, clock: Clock, wire_options: dict[str, Any]) -> None:
        self.wires: list[Wire] = []
        self.clock = clock
        self.reactor = ClockReactor(clock)
        self._server = server
        self._wire_options = wire_options

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect with a factory; see `IStreamClientEndpoint.connect`."""
        port = self._server.port
        if port is None:
            return fail(ConnectionRefusedError("nobody listens on this memory endpoint"))
        number = len(self.wires) + 1
        client = protocolFactory.buildProtocol(MemoryAddress("server", number))
        if client is None:
            return fail(ConnectionRefusedError("the client's factory made no protocol"))
        accepted = port.factory.buildProtocol(MemoryAddress("client", number))
        # As over TCP: a server that turns a client away does so after the connection has come about.
        wire = Wire(client, accepted or Protocol(), number=number, clock=self.clock, **self._wire_options)
        self.wires.append(wire)
        if accepted is None:
            wire.server.loseConnection()
        return succeed(client)

    def flush(self, rounds: int = 10_000) -> None:
        """Deliver on all connections until all are quiet.

        :param rounds: how many rounds each may take.
        :raises NotQuiet: one took more.
        """
        for _ in range(rounds):
            for wire in list(self.wires):
                wire.flush(rounds)
            if not any(wire.step() for wire in list(self.wires)):
                return
        raise NotQuiet(f"the connections still talk after {rounds} rounds")
