"""The Twisted edge of a connection: time, back-pressure, ceilings, and how it ends."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, globalLogPublisher

import broker._net.protocol as protocol_module
from broker._limits import Limits
from broker._net.factory import ClientFactory, ServerFactory
from broker._net.protocol import BrokerProtocol
from broker._objects.referenceable import Referenceable, Root
from broker._wire import frames
from broker._wire.banana import encode
from broker._wire.frames import frame, varint
from broker.errors import DeadReferenceError, LimitExceeded, PBConnectionLost, ProtocolError
from broker.testing.leftovers import assert_empty, tables
from broker.testing.pairs import Pair, pair

pytestmark = pytest.mark.usefixtures("in_dialect")


class Service(Root):
    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.calls = 0
        self.waiting: list[Deferred[Any]] = []

    def remote_echo(self, value: Any) -> Any:
        self.calls += 1
        return value

    def remote_keep(self, value: Any) -> None:
        self.kept.append(value)

    def remote_new(self) -> Referenceable:
        return Referenceable()

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log lines of the test, as text."""
    from twisted.logger import formatEvent

    collected: list[str] = []

    def observe(event: LogEvent) -> None:
        collected.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield collected
    globalLogPublisher.removeObserver(observe)


def message(*fields: Any) -> bytes:
    return encode(list(fields), vocabulary=True)


# Time.


def test_a_silent_peer_is_cut_off_after_the_handshake_time(lines: list[str]) -> None:
    clock = Clock()
    connected = pair(Service(), clock=clock, negotiate=False, limits=Limits(handshake=5))
    connected.deliver("client", 0)
    clock.advance(4.9)
    assert not connected.server.disconnected
    clock.advance(0.2)
    connected.flush()
    assert connected.server.disconnected
    assert any("no greeting within 5" in line for line in lines)


def test_a_greeted_connection_leaves_no_timer() -> None:
    clock = Clock()
    connected = pair(Service(), clock=clock, keepalive=None)
    assert connected.call(connected.root, "echo", 1) == 1
    assert clock.getDelayedCalls() == []
    connected.close()
    assert clock.getDelayedCalls() == []


def test_a_burst_is_served_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    clock = Clock()
    connected = pair(service, clock=clock, keepalive=None)
    root = connected.root
    results = [root.callRemote("echo", number) for number in range(100)]
    monkeypatch.setattr(protocol_module, "SLICE", -1.0)
    connected.deliver("server")
    assert service.calls == 1, "the slice was over after one call"
    assert len(clock.getDelayedCalls()) == 1, "the rest was put off to a later turn"
    clock.advance(0)
    assert service.calls == 100, "a turn for each of them"
    assert [connected.result(result) for result in results] == list(range(100))


def test_without_a_reactor_nothing_is_put_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_module, "SLICE", -1.0)
    service = Service()
    connected = pair(service)
    root = connected.root
    results = [root.callRemote("echo", number) for number in range(10)]
    connected.deliver("server")
    assert service.calls == 10
    assert [connected.result(result) for result in results] == list(range(10))


def test_what_is_put_off_is_given_up_with_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    service = Service()
    connected = pair(service, clock=clock)
    root = connected.root
    for number in range(10):
        root.callRemote("echo", number).addErrback(lambda _: None)
    monkeypatch.setattr(protocol_module, "SLICE", -1.0)
    connected.deliver("server")
    connected.drop()
    assert clock.getDelayedCalls() == []
    assert service.calls == 1


# Releases.


def test_a_reference_dropped_between_turns_wakes_the_reactor_once() -> None:
    clock = Clock()
    connected = pair(Service(), clock=clock, keepalive=None)
    held = [connected.call(connected.root, "new") for _ in range(5)]
    assert tables(connected.server)["exports"] == 5
    held.clear()
    gc.collect()
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(0)
    connected.flush()
    assert_empty(connected)


def test_a_reference_dropped_by_another_thread_is_released_by_the_reactor() -> None:
    clock = Clock()
    connected = pair(Service(), clock=clock)
    held = [connected.call(connected.root, "new")]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    assert connected.pending() == 0, "nothing was written by that thread"
    clock.advance(0)
    connected.flush()
    assert_empty(connected)


def test_releases_go_out_behind_the_answers_of_the_turn(in_dialect: str) -> None:
    connected = pair(Service())
    mine = Referenceable()
    connected.transcript.clear()
    assert connected.call(connected.root, "echo", mine) is mine
    to_client = b"".join(data for to, data in connected.transcript if to == "client")
    if in_dialect == "pb":
        answer, release = message(b"answer", 1, [b"local", 1]), message(b"decref", 1)
    else:
        answer, release = frame(frames.ANSWER, b"\x01\xdf\xa2\xcb\x05local\x01"), frame(frames.RELEASE, b"\x01\x01")
    assert to_client == answer + release


# Back-pressure and ceilings.


def test_a_peer_that_does_not_read_is_cut_off_at_the_ceiling(lines: list[str]) -> None:
    connected = pair(Service(), limits=Limits(buffer=100_000), high_water=1000)
    root = connected.root
    for _ in range(40):
        root.callRemote("echo", b"x" * 10_000).addErrback(lambda _: None)
        connected.deliver("server")
        if connected.server.disconnected:
            break
    connected.flush()
    assert connected.server.disconnected
    assert any("does not read" in line for line in lines)


def test_what_waits_for_a_slow_reader_arrives_in_order() -> None:
    connected = pair(Service(), high_water=100)
    root = connected.root
    results = [root.callRemote("echo", b"%d" % number * 50) for number in range(100)]
    assert [connected.result(result) for result in results] == [b"%d" % number * 50 for number in range(100)]
    assert_empty(connected)


@pytest.mark.in_dialects("broker/1")
def test_too_many_calls_in_flight_are_held_back() -> None:
    service = Service()
    connected = pair(service, limits=Limits(calls=3))
    results = [connected.root.callRemote("later") for _ in range(5)]
    connected.flush()
    assert len(service.waiting) == 3
    for waiting in service.waiting[:]:
        waiting.callback("first")
    connected.flush()
    for waiting in service.waiting[3:]:
        waiting.callback("then")
    assert [connected.result(result) for result in results] == ["first"] * 3 + ["then"] * 2
    assert_empty(connected)


# In our own dialect the other end says how many it takes, and no more are sent.
@pytest.mark.in_dialects("pb")
def test_too_many_calls_in_flight_are_refused_one_by_one(lines: list[str]) -> None:
    service = Service()
    connected = pair(service, limits=Limits(calls=3))
    results = [connected.root.callRemote("later") for _ in range(5)]
    connected.flush()
    assert len(service.waiting) == 3
    refused = [connected.failure(result) for result in results[3:]]
    assert all("Too many calls" in str(error) for error in refused)
    service.waiting[0].callback("first")
    assert connected.result(results[0]) == "first"
    again = connected.root.callRemote("later")
    connected.flush()
    for waiting in service.waiting[1:]:
        waiting.callback("rest")
    assert [connected.result(result) for result in [*results[1:3], again]] == ["rest"] * 3
    assert_empty(connected)
    assert sum("was refused" in line for line in lines) == 2


def test_connections_without_greeting_are_limited(lines: list[str]) -> None:
    factory = ServerFactory(Service(), limits=Limits(unanswered=2))
    first, second = factory.buildProtocol(None), factory.buildProtocol(None)
    assert factory.buildProtocol(None) is None
    assert any("turned away" in line for line in lines)
    for connection in (first, second):
        connection.makeConnection(StringTransport())
    first.dataReceived(encode(b"pb", vocabulary=False))
    assert factory.buildProtocol(None) is not None
    assert factory.connections == {first}


def test_wrong_messages_are_forgiven_up_to_the_ceiling(lines: list[str], in_dialect: str) -> None:
    wrong = message(b"answer", 99, 1) if in_dialect == "pb" else frame(frames.ANSWER, b"\x63\x01")
    connected = pair(Service(), limits=Limits(faults=5))
    for _ in range(5):
        connected.server.dataReceived(wrong)
    assert connected.call(connected.root, "echo", 1) == 1
    connected.server.dataReceived(wrong)
    connected.flush()
    assert connected.server.disconnected
    assert any("too many wrong messages" in line for line in lines)


def test_the_ceiling_of_references_closes_in_the_end() -> None:
    connected = pair(Service(), limits=Limits(references=10))
    held = []
    failures: list[Any] = []
    for _ in range(20):
        if connected.server.disconnected:
            break
        connected.root.callRemote("new").addCallbacks(held.append, failures.append)
        connected.flush()
    assert connected.server.disconnected
    assert len(held) == 10, "the root's name counts as well"
    assert all(failure.check(LimitExceeded, PBConnectionLost) for failure in failures)


# Broken bytes.


def broken(data: bytes, lines: list[str]) -> list[str]:
    """Give the server broken bytes; return what is then said of closing."""
    connected = pair(Service())
    other = connected.another()
    answered = connected.root.callRemote("echo", 1)
    connected.flush()
    lines.clear()
    connected.server.dataReceived(data)
    connected.flush()
    assert connected.server.disconnected
    assert connected.result(answered) == 1
    assert other.call(other.root, "echo", 2) == 2
    return [line for line in lines if "closing the connection" in line]


@pytest.mark.in_dialects("pb")
@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x01" * 65,
        b"\x01" * 65 + b"\x81",
        encode(7, vocabulary=True),
        encode(b"message", vocabulary=True),
        b"\x00\x80",
        b"\x01\x80\x01\x81",
        message(b"version", 7),
        b"\x20\x87",
        b"\x01\x80\x7f\x7f\x7f\x7f\x7f\x82",
        b"\x7f\x7f\x7f\x7f\x7f\x80",
    ],
)
def test_broken_bytes_close_with_one_line(data: bytes, lines: list[str]) -> None:
    assert len(broken(data, lines)) == 1


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        bytes((frames.CALL,)) + (frames.FRAME + 1).to_bytes(3, "little"),
        frame(frames.CALL, b""),
        frame(frames.CALL, b"\x01" + b"\xff" * 9),
        frame(frames.CALL, b"\x05\x01\xffroot"),
        frame(frames.ANSWER, b""),
        frame(frames.RELEASE, b"\x01"),
        frame(frames.CANCEL, b"\x01\x01"),
        frame(frames.PING, b"123456789"),
        frame(frames.PART, varint(1)),
        frame(frames.PART, varint(1) + bytes((frames.PING,)) + b"1"),
    ],
)
def test_broken_frames_close_with_one_line_at_each_end(data: bytes, lines: list[str]) -> None:
    first, second = broken(data, lines)
    reason = first.rpartition("): ")[2]
    assert reason and second.endswith(f"the peer closes the connection: {reason}")


def test_answers_given_before_the_break_still_arrive() -> None:
    connected = pair(Service())
    result = connected.root.callRemote("echo", "in time")
    connected.deliver("server")
    connected.server.dataReceived(b"\xff" * 4)
    assert connected.result(result) == "in time"


# The end.


def test_disconnect_fires_when_the_connection_is_gone() -> None:
    connected = pair(Service())
    root = connected.root
    gone = root.broker.disconnect()
    assert not gone.called
    connected.flush()
    assert gone.called
    assert root.broker.disconnect().called


def test_a_call_on_a_dead_connection_fails_its_deferred() -> None:
    connected = pair(Service())
    root = connected.root
    connected.drop()
    error = connected.failure(root.callRemote("echo", 1))
    assert isinstance(error, DeadReferenceError)
    with pytest.raises(DeadReferenceError):
        root.callRemoteOnly("echo", 1)


def test_calls_in_flight_fail_with_the_reason() -> None:
    connected = pair(Service())
    waiting = [connected.root.callRemote("later") for _ in range(3)]
    connected.flush()
    connected.drop(ConnectionResetError("pulled the plug"))
    for call in waiting:
        error = connected.failure(call)
        assert isinstance(error, PBConnectionLost)
        assert "pulled the plug" in str(error)
    assert_empty(connected)


def test_notifications_after_the_end_fire_at_once_and_one_failing_does_not_stop_the_rest() -> None:
    connected = pair(Service())
    root = connected.root
    heard: list[Any] = []

    def raises(_: Any = None) -> None:
        raise RuntimeError("callback")

    root.notifyOnDisconnect(raises)
    root.notifyOnDisconnect(heard.append)
    connected.client.notifyOnDisconnect(raises)
    connected.client.notifyOnDisconnect(lambda: heard.append("broker"))
    connected.drop()
    assert heard == [root, "broker"]
    root.notifyOnDisconnect(heard.append)
    assert heard == [root, "broker", root]


def test_a_client_that_is_refused_says_why() -> None:
    factory = ClientFactory()
    waiting = factory.getRootObject()
    connection: BrokerProtocol = factory.buildProtocol(None)
    transport = StringTransport()
    connection.makeConnection(transport)
    connection.dataReceived(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n")
    assert transport.disconnecting
    from twisted.internet.main import CONNECTION_DONE
    from twisted.python.failure import Failure

    connection.connectionLost(Failure(CONNECTION_DONE))
    errors: list[Any] = []
    waiting.addErrback(errors.append)
    assert errors[0].check(PBConnectionLost)
    assert isinstance(errors[0].value.args[0].value, ProtocolError)


def test_a_pair_leaves_nothing_behind() -> None:
    connected: Pair = pair(Service())
    assert connected.call(connected.root, "echo", [1, {"two": (3, b"4")}]) == [1, {"two": (3, b"4")}]
    assert_empty(connected)


def test_no_producer_keeps_an_idle_transport_open() -> None:
    # A transport with TLS does not close while it has one.
    connected = pair(Service())
    assert connected.call(connected.root, "echo", b"x" * 500_000) == b"x" * 500_000
    assert connected.wire.server.producer is None and connected.wire.client.producer is None


def test_a_full_transport_has_a_producer_until_it_is_empty() -> None:
    connected = pair(Service(), high_water=1000)
    root = connected.root
    results = [root.callRemote("echo", b"x" * 50_000) for _ in range(4)]
    connected.deliver("server")
    assert connected.wire.server.producer is not None, "the client does not read"
    assert [connected.result(result) for result in results] == [b"x" * 50_000] * 4
    assert connected.wire.server.producer is None


def test_a_peer_that_does_not_take_the_farewell_is_cut_off() -> None:
    clock = Clock()
    connected = pair(Service(), clock=clock, keepalive=None, limits=Limits(handshake=5))
    root = connected.root
    root.callRemote("echo", 1).addErrback(lambda _: None)
    connected.deliver("server")
    connected.server.dataReceived(b"\xff" * 4)
    clock.advance(4.9)
    assert not connected.server.disconnected, "the answer has not been read yet"
    clock.advance(0.2)
    assert connected.wire.server.aborted
    connected.flush()
    assert connected.server.disconnected and clock.getDelayedCalls() == []
