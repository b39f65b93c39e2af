"""Closing from inside: what was answered and called before still goes, in both dialects."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker import ClientFactory, PBConnectionLost, Referenceable, Root, ServerFactory
from broker._limits import Limits
from broker.testing import pair
from broker.testing.pairs import Pair


class Other(Referenceable):
    def remote_echo(self, value: Any) -> Any:
        return value


class Service(Root):
    """Serves a pair that the test gives it."""

    pair: Pair

    def __init__(self) -> None:
        self.noted: list[Any] = []
        self.gone: list[Deferred[None]] = []

    def remote_echo(self, value: Any) -> Any:
        return value

    def remote_note(self, value: Any) -> None:
        self.noted.append(value)

    def remote_leave(self, value: Any) -> Any:
        self.gone.append(self.pair.server.disconnect())
        return value

    def remote_fail(self) -> None:
        self.pair.server.disconnect()
        raise ValueError("on the way out")

    def remote_new(self) -> Any:
        return Other()

    def remote_later(self) -> Deferred[Any]:
        return Deferred()


@pytest.fixture(params=["broker/1", "pb"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def serving(dialect: str, **options: Any) -> tuple[Service, Pair]:
    service = Service()
    service.pair = pair(service, require=dialect, **options)
    return service, service.pair


def closings(made: Pair, side: str) -> list[int]:
    """Note how many bytes had been written for the other end at each `loseConnection` of a side."""
    transport = getattr(made.wire, side)
    noted: list[int] = []
    lose = transport.loseConnection

    def losing() -> None:
        noted.append(sum(len(data) for to, data in made.transcript if to == transport.far))
        lose()

    transport.loseConnection = losing
    return noted


def written(made: Pair, to: str) -> int:
    return sum(len(data) for end, data in made.transcript if end == to)


def test_the_call_that_closes_is_answered_first(dialect: str) -> None:
    service, made = serving(dialect)
    noted = closings(made, "server")
    result = made.root.callRemote("leave", "goodbye")
    made.flush()
    assert made.result(result) == "goodbye"
    # A transport with TLS drops what is written after that.
    assert noted == [written(made, "client")]
    assert made.server.disconnected and service.gone[0].called


def test_the_failure_of_the_call_that_closes_is_sent_first(dialect: str) -> None:
    _, made = serving(dialect)
    noted = closings(made, "server")
    failing = made.root.callRemote("fail")
    failing.addErrback(lambda failure: failure.getErrorMessage())
    made.flush()
    assert "on the way out" in made.result(failing)
    assert noted == [written(made, "client")] and made.server.disconnected


def test_calls_that_came_with_it_are_answered_too(dialect: str) -> None:
    _, made = serving(dialect)
    root = made.root
    noted = closings(made, "server")
    results = [root.callRemote("echo", 1), root.callRemote("leave", 2), root.callRemote("echo", 3)]
    waiting = root.callRemote("later")
    made.flush()
    assert [made.result(result) for result in results] == [1, 2, 3]
    assert isinstance(made.failure(waiting), PBConnectionLost)
    assert noted == [written(made, "client")]


def test_a_client_that_closes_in_a_callback_sends_what_it_called_before(dialect: str) -> None:
    service, made = serving(dialect)
    root = made.root
    noted = closings(made, "client")

    def leave(_: Any) -> Deferred[None]:
        root.callRemoteOnly("note", "before")
        gone: Deferred[None] = made.client.disconnect()
        root.callRemoteOnly("note", "in the same turn")
        return gone

    result = root.callRemote("echo", 1).addCallback(leave)
    made.flush()
    assert result.called and made.client.disconnected
    assert service.noted == ["before", "in the same turn"]
    assert noted == [written(made, "server")]


def test_the_factory_closes_in_a_callback_as_well(dialect: str) -> None:
    service, made = serving(dialect)
    root = made.root
    noted = closings(made, "client")

    def leave(_: Any) -> None:
        root.callRemoteOnly("note", "before")
        made.client_factory.disconnect()
        assert not noted, "the turn is not over"

    root.callRemote("echo", 1).addCallback(leave)
    made.flush()
    assert made.client.disconnected and service.noted == ["before"]
    assert noted == [written(made, "server")]


def test_a_connection_given_up_closes_behind_what_it_sent(dialect: str) -> None:
    service, made = serving(dialect)
    root = made.root
    noted = closings(made, "client")
    with made.client.turn():
        root.callRemoteOnly("note", "before")
        made.client_factory.abort(made.client)
    assert noted == [written(made, "server")]
    made.flush()
    assert made.client.disconnected and service.noted == ["before"]
    made.client_factory.abort(made.client)
    made.client_factory.disconnect()


def test_outside_of_a_turn_it_closes_at_once(dialect: str) -> None:
    _, made = serving(dialect)
    gone = made.client.disconnect()
    assert made.wire.client.disconnecting and not gone.called
    made.flush()
    assert gone.called and made.client.disconnect().called


def test_closing_twice_in_a_turn_tells_both(dialect: str) -> None:
    _, made = serving(dialect)
    with made.client.turn():
        both = [made.client.disconnect(), made.client.disconnect()]
        assert not made.wire.client.disconnecting
    made.flush()
    assert [gone.called for gone in both] == [True, True]


def test_a_turn_that_outlives_the_connection(dialect: str) -> None:
    _, made = serving(dialect)
    with made.client.turn():
        gone = made.client.disconnect()
        made.drop()
        assert gone.called
    assert made.client.disconnected


# With large messages under way.


def test_small_calls_pass_a_large_one() -> None:
    _, made = serving("broker/1", chunk=10_000)
    root = made.root
    other = made.call(root, "new")
    answered: list[Any] = []
    large = root.callRemote("echo", b"x" * 5_000_000)
    large.addCallback(lambda value: answered.append(("large", value)))
    small = other.callRemote("echo", 1)
    small.addCallback(lambda value: answered.append(("small", made.pending("client"))))
    made.flush()
    assert [kind for kind, _ in answered] == ["small", "large"]
    assert answered[0][1] == 0 and answered[1][1] == b"x" * 5_000_000, "the large answer had not begun"
    assert made.wire.client.producer is None and made.wire.server.producer is None


def test_what_waits_below_stays_small() -> None:
    _, made = serving("broker/1")
    large = made.root.callRemote("echo", b"x" * 5_000_000)
    assert made.pending("server") <= 256 * 1024
    made.deliver("server", 1)
    assert made.pending("server") <= 256 * 1024
    assert made.result(large) == b"x" * 5_000_000


def test_a_large_answer_is_sent_whole_before_it_closes() -> None:
    _, made = serving("broker/1")
    result = made.root.callRemote("leave", b"x" * 5_000_000)
    made.flush()
    assert made.result(result) == b"x" * 5_000_000
    assert made.server.disconnected


def test_a_large_answer_dies_with_its_connection() -> None:
    _, made = serving("broker/1")
    result = made.root.callRemote("echo", b"x" * 5_000_000)
    for _ in range(50):
        made.deliver("server")
    made.deliver("client")
    made.drop()
    assert isinstance(made.failure(result), PBConnectionLost)


def test_a_peer_that_breaks_the_protocol_during_a_large_answer_learns_why() -> None:
    clock = Clock()
    _, made = serving("broker/1", clock=clock, limits=Limits(handshake=5))
    result = made.root.callRemote("echo", b"x" * 5_000_000)
    while not made.pending("client"):
        made.deliver("server")
    made.server.dataReceived(b"\x0f\xff\xff\xff")
    assert not made.wire.server.aborted, "it reads, so it can be told"
    made.flush()
    assert isinstance(made.failure(result), PBConnectionLost)
    assert made.client.failed is not None and "the most" in made.client.failed.getErrorMessage()
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("isClient", [True, False])
def test_what_is_gone_is_freed_without_the_garbage_collector(isClient: bool) -> None:
    factory: Any = ClientFactory() if isClient else ServerFactory(Service())
    connection = factory.buildProtocol(None)
    connection.makeConnection(StringTransport())
    assert connection.session.imports.wake is not None and not connection.session.caches.cores
    seen = [weakref.ref(connection)]
    gc.disable()
    try:
        connection.connectionLost(Failure(ConnectionDone()))
        del connection
        assert seen[0]() is None
    finally:
        gc.enable()
