"""AMP, Twisted's own messages: commands with typed arguments, up to 64 KiB each."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, ServerFactory, connectionDone
from twisted.protocols import amp
from twisted.python.failure import Failure

from tests.benchmarks.port import Done, Failed, Hold, Operation
from tests.benchmarks.twisted_side import Client, Server, TwistedPeer

__all__ = ["PEER"]

_RECORD: list[tuple[bytes, Any]] = [
    (b"id", amp.Integer()),
    (b"serial", amp.Integer()),
    (b"delta", amp.Integer()),
    (b"name", amp.Unicode()),
    (b"title", amp.Unicode()),
    (b"city", amp.Unicode()),
    (b"tags", amp.ListOf(amp.Unicode())),
    (b"scores", amp.ListOf(amp.Integer())),
    (b"point", amp.ListOf(amp.Integer())),
    (b"bounds", amp.ListOf(amp.Float())),
    (b"ratio", amp.Float()),
    (b"price", amp.Float()),
    (b"active", amp.Boolean()),
    (b"deleted", amp.Boolean()),
    (b"parent", amp.Integer(optional=True)),
    (b"digest", amp.String()),
    (b"attributes", amp.AmpList([(b"key", amp.Unicode()), (b"value", amp.Integer())])),
]


class _Echo(amp.Command):
    """Echo a number."""

    arguments = [(b"value", amp.Integer())]
    response = [(b"value", amp.Integer())]


class _EchoRecord(amp.Command):
    """Echo a record, field by field."""

    arguments = _RECORD
    response = _RECORD


class _Back(amp.Command):
    """Echo a number by way of the caller."""

    arguments = [(b"value", amp.Integer())]
    response = [(b"value", amp.Integer())]


def _lower(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with what AMP has instead of a dict."""
    return {**record, "attributes": [{"key": key, "value": value} for key, value in record["attributes"].items()]}


def _lift(record: dict[str, Any]) -> dict[str, Any]:
    """Undo `_lower`."""
    return {**record, "attributes": {entry["key"]: entry["value"] for entry in record["attributes"]}}


class _Peer(amp.AMP):
    """Both ends: in AMP either may call."""

    def __init__(self) -> None:
        super().__init__()
        self.made: Deferred[_Peer] = Deferred()
        self.lost: Done | None = None

    def connectionMade(self) -> None:
        """Tell that calls can be made."""
        super().connectionMade()
        self.made.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End a `connect`."""
        super().connectionLost(reason)
        if self.lost is not None:
            self.lost(None)

    @_Echo.responder
    def echo(self, value: int) -> dict[str, Any]:
        """Return the number."""
        return {"value": value}

    @_EchoRecord.responder
    def echo_record(self, **fields: Any) -> dict[str, Any]:
        """Return the record, which was a dict meanwhile, as everywhere."""
        return _lower(_lift(fields))

    @_Back.responder
    def back(self, value: int) -> Any:
        """Ask the caller."""
        return self.callRemote(_Echo, value=value)


class _Server:
    """The listening half."""

    name = ""

    def __init__(self) -> None:
        from twisted.internet import reactor as installed

        reactor: Any = installed
        factory: Any = ServerFactory.forProtocol(_Peer)
        factory.noisy = False
        self.port: int = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port

    def tables(self) -> dict[str, int]:
        """There are none."""
        return {}


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._peer: Any = None
        self._held: list[_Peer] = []

    def connect(self, made: Done, failed: Failed) -> None:
        """Open one more connection."""
        from twisted.internet import reactor as installed

        reactor: Any = installed
        peer = _Peer()
        factory: Any = ClientFactory()
        factory.noisy = False
        factory.protocol = lambda: peer
        peer.made.addCallbacks(made, failed)
        reactor.connectTCP("127.0.0.1", self._port, factory)

    def opened(self, peer: _Peer) -> Client:
        """Use this connection."""
        self._peer = peer
        return self

    def operation(self, name: str, value: Any) -> Operation:
        """Return an echo of a number or a record, a callback, or a connect."""
        call = self._peer.callRemote

        def echo(done: Done, failed: Failed) -> None:
            call(_Echo, value=value).addCallback(lambda answer: answer["value"]).addCallbacks(done, failed)

        def record(done: Done, failed: Failed) -> None:
            call(_EchoRecord, **_lower(value)).addCallback(_lift).addCallbacks(done, failed)

        def callback(done: Done, failed: Failed) -> None:
            call(_Back, value=value).addCallback(lambda answer: answer["value"]).addCallbacks(done, failed)

        def connect(done: Done, failed: Failed) -> None:
            def made(peer: Any) -> None:
                peer.lost = done
                peer.callRemote(_Echo, value=value).addCallbacks(lambda _: peer.transport.loseConnection(), failed)

            self.connect(made, failed)

        if isinstance(value, dict):
            return record
        return {"echo": echo, "callback": callback, "connect": connect}[name]

    def hold(self, what: str) -> Hold:
        """Return what opens connections."""

        def hold(count: int, done: Done, failed: Failed) -> None:
            def made(peer: _Peer) -> None:
                self._held.append(peer)
                hold(count - 1, done, failed)

            if count:
                self.connect(made, failed)
            else:
                done(None)

        return hold

    def tables(self) -> dict[str, int]:
        """There are none."""
        return {}


class AMPPeer(TwistedPeer):
    """Messages, no objects."""

    name = "amp"
    title = "AMP"
    offers = frozenset(
        ["seq-null", "pipe-null", "seq-struct", "pipe-struct", "callback", "connect", "latency"]
        + ["memory-conn", "rss-conn"]
    )

    def listen(self) -> Server:
        """Listen on a free port of 127.0.0.1."""
        return _Server()

    def open(self, port: int, name: str) -> Deferred[Client]:
        """Connect."""
        client, done = _Client(port), Deferred[Any]()
        client.connect(done.callback, done.errback)
        return done.addCallback(client.opened)


PEER = AMPPeer()
