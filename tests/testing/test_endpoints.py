"""Endpoints in memory."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from broker import pb
from broker._net.connect import connect, serve
from broker.testing import NotQuiet, memory_endpoints


def outcome(deferred: Any) -> Any:
    results: list[Any] = []
    deferred.addBoth(results.append)
    return results[0]


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Hearer(Protocol):
    def __init__(self) -> None:
        self.heard = b""
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


def test_interfaces() -> None:
    server, client = memory_endpoints()
    verifyObject(IStreamServerEndpoint, server)
    verifyObject(IStreamClientEndpoint, client)
    verifyObject(IListeningPort, outcome(server.listen(Factory.forProtocol(Echo))))


def test_connect() -> None:
    server, client = memory_endpoints(chunk=1)
    outcome(server.listen(Factory.forProtocol(Echo)))
    first = outcome(client.connect(Factory.forProtocol(Hearer)))
    second = outcome(client.connect(Factory.forProtocol(Hearer)))
    first.transport.write(b"one")
    second.transport.write(b"two")
    client.flush()
    assert (first.heard, second.heard) == (b"one", b"two")
    assert len(client.wires) == 2
    assert first.transport.getHost() != second.transport.getHost()


def test_nobody_listens() -> None:
    server, client = memory_endpoints()
    assert outcome(client.connect(Factory.forProtocol(Hearer))).type is ConnectionRefusedError
    port = outcome(server.listen(Factory.forProtocol(Echo)))
    assert outcome(server.listen(Factory.forProtocol(Echo))).type is CannotListenError
    assert port.getHost().name == "server"
    port.stopListening()
    assert outcome(client.connect(Factory.forProtocol(Hearer))).type is ConnectionRefusedError


def test_factories_are_started_and_stopped() -> None:
    happened: list[str] = []

    class Counting(Factory):
        protocol = Echo
        noisy = False

        def startFactory(self) -> None:
            happened.append("start")

        def stopFactory(self) -> None:
            happened.append("stop")

    server, _ = memory_endpoints()
    port = outcome(server.listen(Counting()))
    port.stopListening()
    port.stopListening()
    assert happened == ["start", "stop"]


def test_turned_away() -> None:
    class Closed(Factory):
        def buildProtocol(self, addr: Any) -> None:
            return None

    server, client = memory_endpoints()
    outcome(server.listen(Closed()))
    hearer = outcome(client.connect(Factory.forProtocol(Hearer)))
    client.flush()
    assert hearer.lost[0].type is ConnectionDone
    assert outcome(client.connect(Closed())).type is ConnectionRefusedError


def test_connect_and_serve() -> None:
    class Root(pb.Root):
        def remote_add(self, a: int, b: int) -> int:
            return a + b

    server, client = memory_endpoints()
    outcome(serve(server, Root(), reactor=client.reactor, keepalive=None))
    waiting = connect(client, reactor=client.reactor, keepalive=None)
    client.flush()
    root = outcome(waiting)
    waiting = root.callRemote("add", 2, 3)
    client.flush()
    assert outcome(waiting) == 5
    assert client.clock.getDelayedCalls() == []


def test_endless_talk() -> None:
    server, client = memory_endpoints()
    outcome(server.listen(Factory.forProtocol(Echo)))
    echo = outcome(client.connect(Factory.forProtocol(Echo)))
    echo.transport.write(b"ping")
    with pytest.raises(NotQuiet):
        client.flush(rounds=3)
