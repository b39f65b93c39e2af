"""The flow on a transport with TLS, which collects small writes and closes in a way of its own."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

pytest.importorskip("OpenSSL")

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker._net.direct import is_plain
from broker._net.flow import Flow
from broker.testing.wire import Wire
from tests.interop.peer.certificate import make_options

# Twisted has not caught up with the last names of pyOpenSSL.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PIECE = 65_536


class Sender(Protocol):
    """Has a flow on its transport."""

    flow: Flow
    lost: Failure | None = None

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason

    def connectionMade(self) -> None:
        self.flow = Flow(self.transport, 10_000_000, lambda: None, lambda function, *args: function(*args))


class Reader(Protocol):
    """Keeps what comes."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.got.append(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason


class Pieces:
    def __init__(self, *pieces: bytes) -> None:
        self.queue = deque(pieces)

    @property
    def pieces(self) -> bool:
        return bool(self.queue)

    def next_piece(self) -> bytes:
        return self.queue.popleft()


class Secured:
    """A wire in memory with TLS at both ends, the handshake done."""

    def __init__(self) -> None:
        from twisted.internet.ssl import Certificate, optionsForClientTLS
        from twisted.protocols.tls import TLSMemoryBIOFactory

        options, public = make_options()
        trusted = optionsForClientTLS("localhost", Certificate.loadPEM(public.encode()))
        self.clock: Any = Clock()
        self.sender, self.reader = Sender(), Reader()

        def wrapped(context: Any, is_client: bool, protocol: Any) -> Any:
            factory = TLSMemoryBIOFactory(context, is_client, Factory.forProtocol(lambda: protocol), clock=self.clock)
            factory.noisy = False
            return factory.buildProtocol(None)

        server, client = wrapped(options, False, self.sender), wrapped(trusted, True, self.reader)
        self.wire = Wire(client, server, clock=self.clock)
        self.run()
        self.flow = self.sender.flow

    def run(self) -> bytes:
        """Let everything happen; return what the reader got."""
        while self.wire.pending() or self.clock.getDelayedCalls():
            self.clock.advance(0)
            self.wire.flush()
        self.wire.flush()
        return b"".join(self.reader.got)


@pytest.fixture
def secured() -> Secured:
    return Secured()


def test_nothing_is_sent_at_once_past_it(secured: Secured) -> None:
    assert not is_plain(secured.sender.transport)
    secured.flow.write(b"abc")
    assert secured.wire.pending() == 0
    assert secured.run() == b"abc"


def test_back_pressure_reaches_through_it(secured: Secured) -> None:
    for _ in range(6):
        secured.flow.write(b"a" * 50_000)
    assert secured.flow.paused
    secured.flow.write(b"last")
    assert secured.run() == b"a" * 300_000 + b"last"
    assert not secured.flow.paused


def test_pieces_go_as_far_as_there_is_room(secured: Secured) -> None:
    source = Pieces(*[b"p" * PIECE] * 50)
    secured.flow.fill(source)
    assert len(source.queue) > 45
    secured.flow.write(b"small")
    got = secured.run()
    assert got.count(b"p") == 50 * PIECE and got.index(b"small") <= 4 * PIECE


@pytest.mark.parametrize("last", [b"z", b"z" * 70_000], ids=len)
def test_what_is_kept_while_it_closes_is_still_sent(secured: Secured, last: bytes) -> None:
    for _ in range(6):
        secured.flow.write(b"a" * 50_000)
    assert secured.flow.paused
    secured.flow.write(last)
    secured.sender.transport.loseConnection()
    assert secured.run() == b"a" * 300_000 + last
    assert secured.reader.lost is not None


@pytest.mark.parametrize("last", [b"z", b"z" * PIECE], ids=len)
def test_pieces_that_wait_while_it_closes_are_still_sent(secured: Secured, last: bytes) -> None:
    secured.flow.fill(Pieces(*[b"p" * PIECE] * 20, last))
    secured.flow.write(b"small")
    secured.sender.transport.loseConnection()
    got = secured.run()
    assert got.replace(b"small", b"") == b"p" * 20 * PIECE + last
    assert secured.reader.lost is not None


def test_it_closes_when_nothing_waits(secured: Secured) -> None:
    secured.flow.fill(Pieces(*[b"p" * PIECE] * 20))
    secured.run()
    secured.flow.write(b"small")
    secured.sender.transport.loseConnection()
    assert secured.run() == b"p" * 20 * PIECE + b"small"
    assert secured.reader.lost is not None


def test_it_can_be_aborted_while_pieces_wait(secured: Secured) -> None:
    source = Pieces(*[b"p" * PIECE] * 50)
    secured.flow.fill(source)
    secured.sender.transport.abortConnection()
    secured.run()
    assert secured.reader.lost is not None and len(source.queue) > 40


def test_new_writes_on_a_connection_that_closes_are_dropped_without_harm(secured: Secured) -> None:
    secured.flow.write(b"farewell")
    secured.sender.transport.loseConnection()
    for _ in range(3):
        secured.flow.write(b"x" * 50_000)
    secured.flow.fill(Pieces(b"late"))
    assert secured.run() == b"farewell"
    assert secured.sender.lost is not None and secured.sender.lost.check(ConnectionDone), secured.sender.lost
