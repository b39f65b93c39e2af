"""The wire in memory behaves as Twisted's own transports do."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from broker.testing import NotQuiet, Wire

# Nothing here has a dialect.
pytestmark = pytest.mark.in_dialects("broker/1")


class Talker(Protocol):
    """Keeps what happens to it; answers with `reply`."""

    def __init__(self, reply: Any = None) -> None:
        self.received: list[bytes] = []
        self.lost: list[Failure] = []
        self.reply = reply

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)
        if self.reply is not None:
            self.reply(self, data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@implementer(IPushProducer)
class Producer:
    """Keeps what its consumer asked of it."""

    def __init__(self, on_resume: Any = lambda: None) -> None:
        self.asked: list[str] = []
        self.on_resume = on_resume

    def pauseProducing(self) -> None:
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        self.asked.append("resume")
        self.on_resume()

    def stopProducing(self) -> None:
        self.asked.append("stop")


def joined(**options: Any) -> tuple[Wire, Talker, Talker]:
    client, server = Talker(), Talker()
    return Wire(client, server, **options), client, server


def test_interfaces() -> None:
    wire, _, _ = joined()
    for interface in (ITransport, IConsumer, IPushProducer):
        verifyObject(interface, wire.client)


def test_nothing_moves_by_itself() -> None:
    wire, client, server = joined()
    wire.client.write(b"abc")
    wire.client.writeSequence([b"de", b"f"])
    assert server.received == []
    assert wire.pending("server") == 6
    assert wire.pending("client") == 0
    assert wire.pending() == 6
    assert wire.transcript == [("server", b"abc"), ("server", b"def")]


def test_exact_delivery() -> None:
    wire, _, server = joined()
    wire.client.write(b"abcdef")
    assert wire.deliver("server", 2) == 2
    assert wire.deliver("server", 1) == 1
    assert server.received == [b"ab", b"c"]
    with pytest.raises(ValueError, match="only 3 bytes"):
        wire.deliver("server", 4)
    assert wire.deliver("server") == 3
    assert server.received == [b"ab", b"c", b"def"]
    assert wire.deliver("server") == 0


def test_no_such_end() -> None:
    wire, _, _ = joined()
    with pytest.raises(ValueError, match="not 'sever'"):
        wire.deliver("sever")  # type: ignore[arg-type]


def test_chunks() -> None:
    wire, _, server = joined(chunk=2)
    wire.client.write(b"abcde")
    wire.flush()
    assert server.received == [b"ab", b"cd", b"e"]


def test_a_round_delivers_what_was_there_before_it() -> None:
    client, server = Talker(), Talker(reply=lambda self, data: self.transport.write(b"<" + data + b">"))
    wire = Wire(client, server)
    wire.client.write(b"a")
    assert wire.step()
    assert (server.received, client.received) == ([b"a"], [])
    assert wire.step()
    assert client.received == [b"<a>"]
    assert not wire.step()


def test_endless_talk_is_an_error() -> None:
    def echo(self: Talker, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)

    wire = Wire(Talker(echo), Talker(echo))
    wire.client.write(b"ping")
    with pytest.raises(NotQuiet, match="after 50 rounds.*ping"):
        wire.flush(50)


def test_lose_connection_delivers_first() -> None:
    wire, client, server = joined()
    wire.client.write(b"last words")
    wire.client.loseConnection()
    wire.server.write(b"unread")
    assert wire.client.disconnecting and wire.connected
    wire.flush()
    assert server.received == [b"last words"]
    assert client.received == []
    assert [f.type for f in client.lost] == [ConnectionDone]
    assert [f.type for f in server.lost] == [ConnectionDone]
    wire.client.write(b"too late")
    assert wire.pending() == 0
    assert ("server", b"too late") not in wire.transcript


def test_both_ends_close() -> None:
    wire, client, server = joined()
    wire.server.write(b"nobody reads this")
    wire.client.loseConnection()
    wire.server.loseConnection()
    wire.flush()
    assert client.received == []
    assert len(client.lost) == len(server.lost) == 1


def test_abort() -> None:
    wire, client, server = joined()
    wire.client.write(b"lost")
    wire.client.abortConnection()
    assert client.lost == []
    wire.flush()
    assert server.received == []
    assert [f.type for f in client.lost] == [ConnectionAborted]
    assert [f.type for f in server.lost] == [ConnectionLost]


def test_drop() -> None:
    wire, client, server = joined()
    wire.client.write(b"lost")
    wire.drop()
    assert server.received == [] and wire.pending() == 0
    assert [f.type for f in client.lost + server.lost] == [ConnectionLost, ConnectionLost]
    wire.drop()
    assert len(client.lost) == 1


def test_drop_for_a_reason() -> None:
    wire, client, _ = joined()
    reason = ConnectionDone("enough")
    wire.drop(reason)
    assert client.lost[0].value is reason


def test_only_one_end_notices() -> None:
    wire, client, server = joined()
    wire.drop(only="client")
    assert len(client.lost) == 1 and server.lost == []
    wire.server.write(b"into the void")
    wire.flush()
    assert client.received == []


def test_a_paused_end_gets_nothing() -> None:
    wire, _, server = joined()
    wire.server.pauseProducing()
    wire.client.write(b"abc")
    wire.client.loseConnection()
    wire.flush()
    assert server.received == [] and server.lost == []
    assert wire.pending("server") == 3
    wire.server.resumeProducing()
    wire.flush()
    assert server.received == [b"abc"] and len(server.lost) == 1


def test_an_end_may_pause_in_the_middle() -> None:
    server = Talker(reply=lambda self, data: self.transport.pauseProducing())
    wire = Wire(Talker(), server, chunk=2)
    wire.client.write(b"abcd")
    assert wire.deliver("server") == 2
    assert server.received == [b"ab"]


def test_streaming_producer() -> None:
    wire, _, _ = joined(high_water=4)
    producer = Producer()
    wire.client.registerProducer(producer, True)
    with pytest.raises(RuntimeError):
        wire.client.registerProducer(producer, True)
    wire.client.write(b"1234")
    assert producer.asked == []
    wire.client.write(b"5")
    wire.client.write(b"6")
    assert producer.asked == ["pause"]
    wire.deliver("server", 5)
    assert producer.asked == ["pause"]
    wire.flush()
    assert producer.asked == ["pause", "resume"]
    wire.drop()
    assert producer.asked == ["pause", "resume", "stop"]


def test_pull_producer() -> None:
    wire, _, server = joined()
    pages = [b"one", b"two", b"three"]

    def page() -> None:
        wire.client.write(pages.pop(0))
        if not pages:
            wire.client.unregisterProducer()

    producer = Producer(page)
    wire.client.registerProducer(producer, False)
    assert producer.asked == ["resume"]
    wire.client.loseConnection()
    wire.flush()
    assert server.received == [b"one", b"two", b"three"]
    assert len(server.lost) == 1


def test_producer_of_a_lost_connection() -> None:
    wire, _, _ = joined()
    wire.drop()
    producer = Producer()
    wire.client.registerProducer(producer, True)
    assert producer.asked == ["stop"]


def test_escaping_exception() -> None:
    def fail(self: Talker, data: bytes) -> None:
        raise ZeroDivisionError("oops")

    client, server = Talker(), Talker(fail)
    wire = Wire(client, server)
    wire.client.write(b"x")
    wire.flush()
    assert [(end, f.type) for end, f in wire.escaped] == [("server", ZeroDivisionError)]
    assert server.lost[0].type is ZeroDivisionError
    assert client.lost[0].type is ConnectionLost


def test_no_delivery_inside_a_delivery() -> None:
    wire: Wire
    wire = Wire(Talker(), Talker(lambda self, data: wire.deliver("client")))
    wire.client.write(b"x")
    wire.flush()
    assert [f.type for _, f in wire.escaped] == [RuntimeError]


def test_text_is_no_data() -> None:
    wire, _, _ = joined()
    with pytest.raises(TypeError):
        wire.client.write("text")  # type: ignore[arg-type]


def test_addresses() -> None:
    wire, _, _ = joined(number=3)
    assert wire.client.getPeer() == wire.server.getHost() != wire.client.getHost()
    assert (wire.client.getHost().name, wire.client.getHost().number) == ("client", 3)


def test_latency() -> None:
    clock = Clock()
    wire, _, server = joined(clock=clock, latency=0.5)
    wire.client.write(b"early")
    wire.advance(0.3)
    wire.client.write(b"late")
    assert server.received == []
    assert wire.deliver("server") == 0
    wire.advance(0.3)
    assert server.received == [b"early"]
    wire.flush()
    assert server.received == [b"early", b"late"]
    assert clock.seconds() == pytest.approx(0.8)
    wire.client.loseConnection()
    assert not wire.step()
    wire.flush()
    assert len(server.lost) == 1 and clock.seconds() == pytest.approx(1.3)


def test_latency_needs_a_clock() -> None:
    with pytest.raises(ValueError, match="clock"):
        joined(latency=1)
    wire, _, _ = joined()
    with pytest.raises(ValueError, match="clock"):
        wire.advance(1)


def test_timers_and_bytes_in_order() -> None:
    wire, _, server = joined(clock=Clock(), latency=1.0)
    happened: list[Any] = []
    server.reply = lambda self, data: happened.append(data)
    wire.client.reactor.callLater(0.5, happened.append, "timer")
    wire.client.write(b"bytes")
    wire.client.reactor.callLater(1.5, happened.append, "second timer")
    wire.advance(2)
    assert happened == ["timer", b"bytes", "second timer"]


def test_call_from_thread_runs_in_a_later_turn() -> None:
    wire, _, _ = joined(clock=Clock())
    happened: list[int] = []
    wire.client.reactor.callFromThread(happened.append, 1)
    assert happened == []
    wire.flush()
    assert happened == [1]
    bare, _, _ = joined()
    assert bare.client.reactor is None


def test_tcp_settings_are_kept() -> None:
    wire, _, _ = joined()
    wire.client.setTcpNoDelay(True)
    wire.client.setTcpKeepAlive(1)  # type: ignore[arg-type]
    assert wire.client.getTcpNoDelay() is True and wire.client.getTcpKeepAlive() is True
    assert wire.server.noDelay is False
