"""A live server, a hostile peer on one connection to it, an honest client on another, and the log of both."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from broker._limits import Limits
from broker._net.factory import ClientFactory
from broker._objects.referenceable import Referenceable, Root
from broker._wire.banana import encode
from broker._wire.buffer import Decoder
from broker.testing.leftovers import tables
from broker.testing.pairs import pair
from broker.testing.transport import MemoryAddress
from broker.testing.wire import Wire

__all__ = ["CLOSED", "NO_KW", "Log", "Peer", "Reverse", "Scene", "Service", "call", "flat", "message", "nested", "peak"]

NO_KW: list[Any] = [b"dictionary"]
CLOSED = "closing the connection"


def message(*fields: Any) -> bytes:
    """Return the bytes of one message."""
    return encode(list(fields), vocabulary=True, string_limit=2**30)


def nested(depth: int, kernel: bytes = b"\x01\x81", head: bytes = b"list") -> bytes:
    """Return the bytes of containers inside each other, made without recursion."""
    return (b"\x02\x80" + encode(head, vocabulary=True)) * depth + kernel


def call(name: bytes, *args: Any, request: int = 1, target: Any = b"root", kw: Any = NO_KW, wants: int = 1) -> bytes:
    """Return the bytes of a call; arguments are s-expressions."""
    return message(b"message", request, target, name, wants, [b"tuple", *args], kw)


@implementer(ILogObserver)
class Log:
    """Hears everything that is logged.

    :ivar events: the events so far.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        """Hear no more, and let go of what failures hold."""
        globalLogPublisher.removeObserver(self)
        for event in self.events:
            failure = event.get("log_failure")
            if failure is not None:
                failure.tb = None
                failure.value.__traceback__ = None

    @property
    def lines(self) -> list[str]:
        """The events as text, without tracebacks."""
        return [formatEvent(event) for event in self.events]

    @property
    def tracebacks(self) -> list[Failure]:
        """The failures logged."""
        return [event["log_failure"] for event in self.events if "log_failure" in event]

    def take(self) -> list[str]:
        """Return the lines so far and forget them."""
        lines = self.lines
        self.events.clear()
        return lines


class Service(Root):
    """What the server serves."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.waiting: list[Deferred[Any]] = []
        self.calls = 0
        self.result: Any = None
        self.stored = Referenceable()
        self.action: Callable[..., Any] = lambda *args: None

    def remote_echo(self, value: Any = None) -> Any:
        self.calls += 1
        return value

    def remote_take(self, *args: Any, **kw: Any) -> int:
        self.calls += 1
        return len(args) + len(kw)

    def remote_same(self, one: Any, two: Any) -> bool:
        return bool(one == two)

    def remote_keep(self, value: Any) -> None:
        self.kept.append(value)

    def remote_new(self) -> Referenceable:
        return Referenceable()

    def remote_stored(self) -> Referenceable:
        return self.stored

    def remote_later(self, *_: Any) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def remote_give(self) -> Any:
        return self.result

    def remote_act(self, *args: Any) -> Any:
        return self.action(*args)


class Peer(Protocol):
    """The hostile end: writes what bytes it likes and keeps what comes.

    :ivar received: every expression that came, the greeting first.
    :ivar lost: whether the connection is gone.
    """

    def __init__(self, keep: bool = True) -> None:
        self.received: list[Any] = []
        self.lost = False
        self.size = 0
        self._keep = keep
        self._decoder = Decoder(Limits(depth=1000), vocabulary=True)

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)
        if self._keep:
            self._decoder.receive_data(data)
            while (expression := self._decoder.next_expression()) is not None:
                self.received.append(expression)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class Scene:
    """A live server, a hostile peer on one connection and an honest client on another.

    :param root: what is served.
    :param greet: the bytes of the peer's greeting; empty for none.
    :param peer: the hostile end, if it is not to be the usual one.
    :param options: for the factories.
    """

    def __init__(
        self,
        root: Any = None,
        *,
        greet: bytes = b"\x02\x82pb",
        keep: bool = True,
        peer: Any = None,
        **options: Any,
    ) -> None:
        self.service = Service() if root is None else root
        self.log = Log()
        clock = options.pop("clock", None)
        high_water = options.pop("high_water", 64 * 1024)
        self.honest = pair(self.service, clock=clock, **options)
        self.factory = self.honest.server_factory
        self.peer = Peer(keep) if peer is None else peer
        self.server = self.factory.buildProtocol(MemoryAddress("client", 99))
        self.wire = Wire(self.peer, self.server, number=99, clock=clock, high_water=high_water)
        if greet:
            self.raw(greet)
            self.peer.received.clear()
        self.log.take()

    def __enter__(self) -> Scene:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self.check()
        finally:
            self.log.close()

    def raw(self, data: bytes) -> list[Any]:
        """Send bytes and return what came back for them."""
        before = len(self.peer.received)
        self.wire.client.write(data)
        self.wire.transcript.clear()
        self.wire.flush()
        return self.peer.received[before:]

    def send(self, *fields: Any) -> list[Any]:
        """Send one message and return what came back for it."""
        return self.raw(message(*fields))

    def call(self, name: bytes, *args: Any, **how: Any) -> list[Any]:
        """Call the root and return what came back for it."""
        return self.raw(call(name, *args, **how))

    @property
    def open(self) -> bool:
        """Whether the hostile connection stands."""
        return not self.server.disconnected

    def logged(self, text: str = "", tracebacks: int = 0) -> None:
        """Exactly one thing was logged since the last time: a line with a text in it, and no traceback."""
        assert len(self.log.tracebacks) == tracebacks, [failure.value for failure in self.log.tracebacks]
        lines = self.log.take()
        assert len(lines) == 1, f"{len(lines)} lines: " + "\n".join(line[:200] for line in lines[:20])
        assert text in lines[0] and len(lines[0]) < 3000, lines[0][:3000]

    def refused(self, answer: list[Any], kind: bytes = b"", request: int = 1) -> None:
        """The answer was an error, of this kind, on that call; and the connection stands."""
        assert self.open
        assert len(answer) == 1, answer
        assert answer[0][:2] == [b"error", request]
        assert kind in flat(answer[0][2]), answer

    def healthy(self) -> None:
        """Nothing escaped, and the honest client and its connection are served."""
        assert self.wire.escaped == []
        assert self.honest.wire.escaped == []
        assert self.honest.call(self.honest.root, "echo", "honest") == "honest"

    def alive(self) -> None:
        """The hostile connection stands and is served, too."""
        assert self.open
        answer = self.call(b"echo", 77, request=99_999)
        assert answer[-1] == [b"answer", 99_999, 77]

    def check(self) -> None:
        """Whatever happened: nothing escaped, others are served, and with the connection go its tables."""
        self.healthy()
        self.wire.drop()
        assert set(tables(self.server).values()) == {0}
        assert self.wire.escaped == []
        assert self.server not in self.factory.connections and self.server not in self.factory.unanswered


class Reverse:
    """Our client, and a server that is the hostile one."""

    def __init__(self, *, offer: bytes = b"\x02\x80\x02\x82pb\x04\x82none", **options: Any) -> None:
        self.log = Log()
        self.peer = Peer()
        self.factory = ClientFactory(**options)
        self.client = self.factory.buildProtocol(MemoryAddress("server", 99))
        self.wire = Wire(self.client, self.peer, number=99)
        self.peer._decoder.vocabulary = True
        self.raw(offer)
        self.log.take()

    def __enter__(self) -> Reverse:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                assert self.wire.escaped == []
                self.wire.drop()
                assert self.wire.escaped == []
                assert set(tables(self.client).values()) == {0}
        finally:
            self.log.close()

    def raw(self, data: bytes) -> None:
        """Send bytes to our client."""
        self.wire.server.write(data)
        self.wire.transcript.clear()
        self.wire.flush()

    def ask(self, *args: Any) -> list[Any]:
        """Let our client call; return the list that will have the outcome."""
        outcome: list[Any] = []
        root = self.client.remoteForName(b"root")
        root.callRemote("method", *args).addBoth(outcome.append)
        self.wire.flush()
        return outcome

    def answer(self, kind: bytes, payload: bytes) -> Any:
        """Let our client call and answer with these bytes; return what its Deferred came to."""
        outcome = self.ask()
        request = self.client.session.questions.last
        self.raw(b"\x03\x80" + encode(kind, vocabulary=True) + encode(request, vocabulary=True) + payload)
        assert len(outcome) == 1, "the call was not answered"
        return outcome[0]


def flat(expression: Any) -> bytes:
    """Return all byte strings of an expression, to look for one."""
    if isinstance(expression, bytes):
        return expression + b" "
    return b"".join(flat(item) for item in expression) if isinstance(expression, list) else b""


@contextmanager
def peak(most: int) -> Iterator[None]:
    """Assert that what is inside needs no more bytes of memory than so many, at any time.

    :param most: how many.
    """
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        yield
        used = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert used < most, f"{used} bytes at the peak"
