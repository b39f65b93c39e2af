"""The same over real sockets: what a reactor does with what escapes is no defence."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Protocol

from broker._net.factory import ClientFactory, ServerFactory
from tests.hostile.scene import CLOSED, Log, Service, call, message, nested


class Raw(Protocol):
    """A peer that writes bytes and waits for the end."""

    def __init__(self) -> None:
        self.data = b""
        self.gone: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.gone.callback(self.data)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff" * 10,
        b"\x02\x82pb" + call(b"echo", 1) + b"\xff",
        b"\x02\x82pb" + b"\x01" * 100,
        b"\x02\x82pb" + nested(10**5, head=b"answer") + b"\xff",
    ],
    ids=["noise", "after a call", "prefix", "deep"],
)
@pytest_twisted.inlineCallbacks  # type: ignore[untyped-decorator]
def test_hostile_peer_is_cut_off_and_others_are_served(data: bytes) -> Any:
    from twisted.internet import reactor

    log = Log()
    port = yield TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(ServerFactory(Service()))
    where = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    factory = ClientFactory()
    yield where.connect(factory)
    root = yield factory.getRootObject()
    try:
        peer = yield connectProtocol(where, Raw())
        log.take()
        peer.transport.write(data)
        answers = yield peer.gone
        assert (message(b"answer", 1, 1) in answers) == (call(b"echo", 1) in data)
        assert log.tracebacks == []
        assert len([line for line in log.take() if CLOSED in line]) == 1
        assert (yield root.callRemote("echo", "honest")) == "honest"
    finally:
        gone: Deferred[None] = root.broker.disconnect()
        yield gone
        yield port.stopListening()
        log.close()
