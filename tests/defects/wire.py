"""Two brokers, or one broker and a hand-made peer, linked in memory: no reactor, no sockets."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.spread import banana
from zope.interface import implementer

__all__ = [
    "Implementation",
    "Log",
    "RawPeer",
    "Sides",
    "Transport",
    "Wire",
    "collect",
    "encode",
    "failure_of",
    "logged",
    "same_turn",
    "value_of",
]

ADDRESS = IPv4Address("TCP", "127.0.0.1", 8787)


@dataclass(frozen=True)
class Implementation:
    """The modules of one implementation of Perspective Broker."""

    package: str

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return importlib.import_module(f"{self.package}.{name}")

    @property
    def stock(self) -> bool:
        return self.package == "twisted.spread"


@dataclass(frozen=True)
class Sides:
    """Which implementation listens and which one connects."""

    server: Implementation
    client: Implementation
    #: What two ends of ours speak.
    dialect: str = "broker/1"


@implementer(ITransport, IConsumer, IPushProducer)
class Transport:
    """One end of a wire; what its protocol writes waits in `sent` until the wire is pumped."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol
        self.sent = bytearray()
        self.disconnecting = False
        self.disconnected = False
        self.connected = True
        self.aborted = False
        self.paused = False
        self.producer: Any = None
        self.streaming = False
        self.written_after_loss = 0

    def write(self, data: bytes) -> None:
        if self.disconnected:
            self.written_after_loss += 1
        elif not self.disconnecting:
            self.sent += data

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self, *_args: Any) -> None:
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.disconnecting = self.aborted = True
        self.sent.clear()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self.producer is not None:
            raise RuntimeError("a producer is registered already")
        self.producer, self.streaming = producer, bool(streaming)

    def unregisterProducer(self) -> None:
        self.producer = None

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.loseConnection()

    def getPeer(self) -> IPv4Address:
        return ADDRESS

    def getHost(self) -> IPv4Address:
        return ADDRESS

    def setTcpKeepAlive(self, _enabled: bool) -> None:
        """Nothing to keep alive."""

    def setTcpNoDelay(self, _enabled: bool) -> None:
        """Nothing is delayed."""

    def take(self) -> bytes:
        data = bytes(self.sent)
        self.sent.clear()
        return data

    def lost(self, reason: Failure) -> None:
        """Tell the protocol, once, that the connection is gone."""
        if not self.disconnected:
            self.disconnected = True
            self.connected = False
            self.protocol.connectionLost(reason)


class Wire:
    """A broker that listens and one that connects.

    What escapes `dataReceived` fails the test, unless the wire is `tolerant`: then it is noted in `escaped` and the
    connection is dropped, as a reactor does. SystemExit and KeyboardInterrupt are no failure of a protocol: they are
    noted in `exits`, as the reactor's caller would see them.
    """

    def __init__(
        self,
        sides: Sides,
        root: Any,
        *,
        server_factory: Any = None,
        client_factory: Any = None,
        tolerant: bool = False,
    ) -> None:
        self.sides = sides
        self.tolerant = tolerant
        self.escaped: list[Exception] = []
        self.exits: list[BaseException] = []
        self.page_budget = 10_000
        self.server_factory = server_factory or sides.server.pb.PBServerFactory(root)
        self.client_factory = client_factory or sides.client.pb.PBClientFactory()
        self.server = self.server_factory.buildProtocol(ADDRESS)
        self.client = self.client_factory.buildProtocol(ADDRESS)
        self.server_end = Transport(self.server)
        self.client_end = Transport(self.client)
        self.server.makeConnection(self.server_end)
        self.client.makeConnection(self.client_end)

    def root(self) -> Any:
        self.pump()
        if not (self.sides.server.stock or self.sides.client.stock):
            assert self.client.currentDialect == self.sides.dialect.encode()
        return value_of(self.client_factory.getRootObject())

    def call(self, _name: str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Call a method of the root and pump until quiet."""
        called: Deferred[Any] = self.root().callRemote(_name, *args, **kwargs)
        self.pump()
        return called

    def pump(self) -> None:
        """Move bytes both ways until nothing moves any more."""
        for _ in range(100_000):
            same_turn()
            moved = self._move(self.client_end, self.server_end)
            moved = self._move(self.server_end, self.client_end) or moved
            if not moved:
                return
        raise AssertionError("the wire never became quiet")

    def _move(self, source: Transport, target: Transport) -> bool:
        producer = source.producer
        if producer is not None and not source.streaming and not source.sent and not source.disconnected:
            if self.page_budget > 0:
                self.page_budget -= 1
                producer.resumeProducing()
        if source.disconnected or target.disconnected:
            return False
        if source.sent and not target.paused:
            self._deliver(source.take(), target)
            return True
        if source.disconnecting and not source.sent:
            self.lose()
            return True
        return False

    def _deliver(self, data: bytes, target: Transport) -> None:
        try:
            target.protocol.dataReceived(data)
        except (SystemExit, KeyboardInterrupt) as reached:
            self.exits.append(reached)
        except Exception as error:
            if not self.tolerant:
                raise AssertionError(f"escaped dataReceived: {type(error).__name__}: {error}") from error
            self.escaped.append(error)
            target.sent.clear()
            self.lose(error)

    def lose(self, reason: Exception | None = None) -> None:
        """Cut the wire: both ends are told, the client's factory is not (as behind an endpoint)."""
        failure = Failure(reason or ConnectionDone())
        self.client_end.lost(failure)
        self.server_end.lost(failure)
        same_turn()

    def connected(self) -> bool:
        ends = (self.client_end, self.server_end)
        return not any(end.disconnected or end.disconnecting for end in ends)


def same_turn() -> None:
    """Run what was put off to the reactor's next turn; no time passes."""
    from twisted.internet import reactor

    reactor.runUntilCurrent()  # type: ignore[attr-defined]


def encode(expression: Any) -> bytes:
    """The banana of one expression, without vocabulary."""
    if isinstance(expression, (list, tuple)):
        return _head(len(expression), 0x80) + b"".join(encode(item) for item in expression)
    if isinstance(expression, bytes):
        return _head(len(expression), 0x82) + expression
    if expression < 0:
        return _head(-expression, 0x83 if expression >= -(2**31) else 0x86)
    return _head(expression, 0x81 if expression < 2**31 else 0x85)


def _head(number: int, kind: int) -> bytes:
    digits = bytearray()
    while number or not digits:
        digits.append(number & 0x7F)
        number >>= 7
    return bytes(digits) + bytes([kind])


#: The stock decoder, which carries no annotations.
StockBanana: Any = banana.Banana


class _Reader(StockBanana):  # type: ignore[misc]
    """Decodes what the broker under test writes; the reader itself speaks to nobody."""

    def __init__(self, received: list[Any]) -> None:
        super().__init__()
        self.setPrefixLimit(64)
        self.currentDialect = b"pb"
        self.received = received

    def expressionReceived(self, expression: Any) -> None:
        self.received.append(expression)


class RawPeer:
    """A peer made by hand at the other end of one broker: `send` expressions, look at `received` ones."""

    def __init__(self, protocol: Any, *, listening: bool) -> None:
        self.protocol = protocol
        self.received: list[Any] = []
        self._reader = _Reader(self.received)
        self.end = Transport(protocol)
        protocol.makeConnection(self.end)
        if listening:
            self.send_bytes(encode([b"pb", b"none"]))
        else:
            self.send_bytes(encode(b"pb"))
        self.send([b"version", 6])
        self.received.clear()

    @classmethod
    def of_server(cls, implementation: Implementation, root: Any) -> RawPeer:
        """Connect to a server of the implementation."""
        return cls(implementation.pb.PBServerFactory(root).buildProtocol(ADDRESS), listening=False)

    @classmethod
    def of_client(cls, implementation: Implementation) -> RawPeer:
        """Be the server of a client of the implementation; its root reference is `root`."""
        factory = implementation.pb.PBClientFactory()
        peer = cls(factory.buildProtocol(ADDRESS), listening=True)
        peer.root = value_of(factory.getRootObject())
        return peer

    root: Any = None

    def send(self, *expressions: Any) -> None:
        """Send messages, and read what comes back."""
        self.send_bytes(b"".join(encode(expression) for expression in expressions))

    def send_bytes(self, data: bytes) -> None:
        try:
            self.protocol.dataReceived(data)
        except Exception as error:
            raise AssertionError(f"escaped dataReceived: {type(error).__name__}: {error}") from error
        self.read()

    def read(self) -> None:
        same_turn()
        self._reader.dataReceived(self.end.take())

    def call(self, _name: str, *args: Any) -> Deferred[Any]:
        """Let the client under test call the hand-made server's root."""
        called: Deferred[Any] = self.root.callRemote(_name, *args)
        self.read()
        return called

    def closed(self) -> bool:
        return self.end.disconnecting or self.end.disconnected


@dataclass
class Log:
    """What was logged while a `logged` block ran."""

    events: list[LogEvent]

    def errors(self) -> list[str]:
        collect()
        return [_text(event) for event in self.events if event.get("isError") or "log_failure" in event]

    def lines(self) -> list[str]:
        collect()
        return [_text(event) for event in self.events]


def _text(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return formatEvent(event) + (f" [{failure.type.__name__}: {failure.getErrorMessage()}]" if failure else "")


@contextmanager
def logged() -> Iterator[Log]:
    """Record everything that goes to Twisted's log, old or new."""
    log = Log([])
    observer: Any = log.events.append
    globalLogPublisher.addObserver(observer)
    try:
        yield log
    finally:
        globalLogPublisher.removeObserver(observer)


def collect() -> None:
    """Collect garbage until finalisers of finalisers have run."""
    for _ in range(2):
        gc.collect()


def _outcome(deferred: Any) -> Any:
    if not isinstance(deferred, Deferred):
        raise AssertionError(f"no Deferred but {deferred!r}")
    results: list[Any] = []
    deferred.addBoth(results.append)
    if not results:
        raise AssertionError("the Deferred never fired")
    return results[0]


def value_of(deferred: Any) -> Any:
    """The value a Deferred has fired with."""
    result = _outcome(deferred)
    if isinstance(result, Failure):
        raise AssertionError(f"failed: {result.type!r}: {result.getErrorMessage()}")
    return result


def failure_of(deferred: Any) -> Any:
    """The failure a Deferred has fired with."""
    result = _outcome(deferred)
    if not isinstance(result, Failure):
        raise AssertionError(f"no failure but {result!r}")
    return result
