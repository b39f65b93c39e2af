"""The limit: a bare Twisted protocol that sends back the bytes it gets, as many as `marshal` makes of the value."""

from __future__ import annotations

import marshal
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from tests.benchmarks.port import Done, Failed, Hold, Operation
from tests.benchmarks.twisted_side import Client, Server, TwistedPeer
from tests.benchmarks.workloads import CALLS

__all__ = ["PEER"]


class _Mirror(Protocol):
    """The server."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class _Caller(Protocol):
    """The client: echoes come back in order, so counting bytes tells which is complete."""

    transport: Any

    def __init__(self) -> None:
        self._awaited: deque[tuple[int, Any, Done, Failed]] = deque()
        self._got = 0
        self.made: Deferred[_Caller] = Deferred()
        self.lost: Done | None = None

    def connectionMade(self) -> None:
        """Tell that calls can be made."""
        self.made.callback(self)

    def send(self, data: bytes, value: Any, done: Done, failed: Failed) -> None:
        """Send bytes; `done` gets the value when as many are back."""
        self._awaited.append((len(data), value, done, failed))
        self.transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        """Count."""
        self._got += len(data)
        awaited = self._awaited
        while awaited and self._got >= awaited[0][0]:
            size, value, done, _ = awaited.popleft()
            self._got -= size
            done(value)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Fail what is open, or end a `connect`."""
        for _, _, _, failed in self._awaited:
            failed(reason)
        if self.lost is not None:
            self.lost(None)


class _Server:
    """The listening half."""

    name = ""

    def __init__(self) -> None:
        from twisted.internet import reactor as installed

        reactor: Any = installed
        factory: Any = ServerFactory.forProtocol(_Mirror)
        self.port: int = reactor.listenTCP(0, factory, interface="127.0.0.1").getHost().port

    def tables(self) -> dict[str, int]:
        """There are none."""
        return {}


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._caller: _Caller | None = None
        self._held: list[_Caller] = []

    def connect(self, made: Done, failed: Failed) -> None:
        """Open one more connection."""
        from twisted.internet import reactor as installed

        reactor: Any = installed
        caller = _Caller()
        factory: Any = ClientFactory()
        factory.protocol = lambda: caller
        caller.made.addCallbacks(made, failed)
        reactor.connectTCP("127.0.0.1", self._port, factory)

    def opened(self, caller: _Caller) -> Client:
        """Use this connection."""
        self._caller = caller
        return self

    def operation(self, name: str, value: Any) -> Operation:
        """Return an echo, or a connect with one."""
        caller, data = self._caller, marshal.dumps(value)
        assert caller is not None

        def echo(done: Done, failed: Failed) -> None:
            caller.send(data, value, done, failed)

        def connect(done: Done, failed: Failed) -> None:
            def made(caller: _Caller) -> None:
                caller.lost = done
                caller.send(data, value, lambda _: caller.transport.loseConnection(), failed)

            self.connect(made, failed)

        return {"echo": echo, "connect": connect}[name]

    def hold(self, what: str) -> Hold:
        """Return what opens connections."""

        def hold(count: int, done: Done, failed: Failed) -> None:
            def made(caller: _Caller) -> None:
                self._held.append(caller)
                hold(count - 1, done, failed)

            if count:
                self.connect(made, failed)
            else:
                done(None)

        return {"connections": hold}[what]

    def tables(self) -> dict[str, int]:
        """There are none."""
        return {}


class EchoPeer(TwistedPeer):
    """Bytes back, nothing else."""

    name = "echo"
    title = "limit: bare Twisted echo"
    kind = "limit"
    offers = frozenset(
        name for name in CALLS if name not in ("refs", "callback", "memory-ref", "memory-import", "rss-ref")
    )

    def listen(self) -> Server:
        """Listen on a free port of 127.0.0.1."""
        return _Server()

    def open(self, port: int, name: str) -> Deferred[Client]:
        """Connect."""
        client, done = _Client(port), Deferred[Any]()
        client.connect(done.callback, done.errback)
        return done.addCallback(client.opened)


PEER = EchoPeer()
