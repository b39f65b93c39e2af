"""Going away: what is in flight is finished, what comes is refused, and nobody can hold it up for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

import broker
from broker._net.leaving import FAREWELL, GRACE
from broker.testing import memory_endpoints, pair


class Service(broker.Root):
    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []

    def remote_echo(self, value: Any) -> Any:
        return value

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


def outcome(waiting: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    waiting.addBoth(results.append)
    return results


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log lines of the test, as text."""
    collected: list[str] = []

    def observe(event: LogEvent) -> None:
        collected.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield collected
    globalLogPublisher.removeObserver(observe)


@pytest.mark.parametrize("require", ["broker/1", "pb"])
def test_calls_in_flight_are_finished_and_others_refused(require: str) -> None:
    service = Service()
    made = pair(service, require=require)
    root = made.root
    call = root.callRemote("later")
    made.flush()
    gone = outcome(made.server_factory.goAway("the shop closes"))
    refused = made.failure(root.callRemote("echo", 1))
    assert isinstance(refused, broker.GoingAway) and "the shop closes" in str(refused)
    assert not gone and not made.server.disconnected
    service.waiting[0].callback("done")
    assert made.result(call) == "done"
    assert gone == [None] and made.server.disconnected and made.client.disconnected


def test_an_idle_connection_is_closed_at_once() -> None:
    made = pair(Service())
    two = made.another()
    gone = outcome(made.server_factory.goAway())
    made.flush()
    assert not gone
    two.flush()
    assert gone == [None] and not made.server_factory.connections
    assert outcome(made.server_factory.goAway()) == [None], "with nobody there it is done at once"


def test_one_that_has_not_been_greeted_is_closed_too() -> None:
    made = pair(Service(), negotiate=False)
    gone = outcome(made.server_factory.goAway())
    made.flush()
    assert gone == [None] and not made.server_factory.unanswered


def test_one_whose_transport_could_not_be_made_is_not_waited_for() -> None:
    factory = broker.ServerFactory(broker.Root())
    assert factory.buildProtocol(None) is not None
    gone = factory.goAway("bye")
    assert gone.called and not factory.unanswered


def test_a_call_that_crosses_the_message_is_refused_and_did_not_run() -> None:
    service = Service()
    made = pair(service)
    root = made.root
    first = root.callRemote("later")
    made.flush()
    made.server_factory.goAway()
    crossing = root.callRemote("later")
    assert isinstance(made.failure(crossing), broker.GoingAway)
    assert len(service.waiting) == 1
    service.waiting[0].callback(1)
    assert made.result(first) == 1


def test_after_the_time_of_grace_it_is_closed_whatever_is_in_flight() -> None:
    clock = Clock()
    made = pair(Service(), clock=clock, keepalive=None)
    call = made.root.callRemote("later")
    made.flush()
    gone = outcome(made.server_factory.goAway(grace=3))
    made.advance(2.9)
    made.flush()
    assert not gone
    made.advance(0.2)
    assert isinstance(made.failure(call), broker.PBConnectionLost)
    assert gone == [None] and clock.getDelayedCalls() == []


def test_without_a_bound_it_waits() -> None:
    clock = Clock()
    service = Service()
    made = pair(service, clock=clock, keepalive=None)
    call = made.root.callRemote("later")
    made.flush()
    gone = outcome(made.server_factory.goAway(grace=None))
    made.advance(100_000)
    assert not gone
    service.waiting[0].callback(1)
    assert made.result(call) == 1 and gone == [None]


def test_a_peer_that_does_not_read_is_cut_off() -> None:
    clock = Clock()
    made = pair(Service(), clock=clock, keepalive=None)
    # The answer waits: nothing is delivered to the client any more.
    made.root.callRemote("echo", b"x" * 5_000_000).addErrback(lambda _: None)
    made.client.transport.pauseProducing()
    made.flush()
    gone = outcome(made.server_factory.goAway())
    made.advance(GRACE)
    made.flush()
    assert not gone
    made.advance(FAREWELL)
    made.flush()
    assert gone == [None] and clock.getDelayedCalls() == []


def test_the_timer_is_of_the_factory_or_of_a_connection() -> None:
    clock = Clock()
    made = pair(Service(), clock=clock, keepalive=None)
    made.root.callRemote("later").addErrback(lambda _: None)
    made.flush()
    own = Clock()
    made.server_factory.reactor = own
    gone = outcome(made.server_factory.goAway(grace=1))
    assert clock.getDelayedCalls() == []
    own.advance(1)
    made.flush()
    assert gone == [None] and own.getDelayedCalls() == []


def test_a_listener_stops_listening_first() -> None:
    ends = memory_endpoints()
    service = Service()
    ports = outcome(broker.serve(ends[0], service, reactor=ends[1].reactor))
    ends[1].flush()
    root = outcome(broker.connect(ends[1], reactor=ends[1].reactor, timeout=None))
    ends[1].flush()
    call = outcome(root[0].callRemote("later"))
    ends[1].flush()
    gone = outcome(ports[0].goAway("closing"))
    ends[1].flush()
    late = outcome(broker.connect(ends[1], reactor=ends[1].reactor, timeout=None))
    ends[1].flush()
    assert late[0].check(ConnectionError, Exception) and "refused" in str(late[0].value).lower()
    assert not gone
    service.waiting[0].callback("done")
    ends[1].flush()
    assert call == ["done"] and gone == [None]


# What was asked for by name, and is not spoken.


@pytest.mark.parametrize("which", ["server_factory", "client_factory"])
@pytest.mark.parametrize(("prefer", "other", "told"), [("broker/1", "pb", True), ("broker/1", "broker/1", False)])
def test_a_connection_that_speaks_another_dialect_is_told_of(
    lines: list[str], which: str, prefer: str, other: str, told: bool
) -> None:
    def make(factory: Any, asked: bool) -> Any:
        return lambda *args, **kw: factory(*args, **({"prefer": prefer} if asked else {"require": other}), **kw)

    made = pair(
        Service(),
        server_factory=make(broker.ServerFactory, which == "server_factory"),
        client_factory=make(broker.ClientFactory, which == "client_factory"),
    )
    assert made.client.dialect == made.server.dialect == other
    found = [line for line in lines if "speaks" in line]
    assert len(found) == told
    assert all("speaks pb, not broker/1" in line for line in found)


def test_who_asks_for_nothing_is_told_nothing(lines: list[str]) -> None:
    pair(Service(), client_factory=lambda **kw: broker.ClientFactory(require="pb", **kw))
    assert [line for line in lines if "speaks" in line] == []


# Why.


def test_calls_learn_why_this_side_gave_up() -> None:
    clock = Clock()
    made = pair(Service(), clock=clock, keepalive=20)
    call = made.root.callRemote("later")
    made.flush()
    made.client.transport.pauseProducing()
    failures = outcome(call)
    for _ in range(60):
        made.advance(1)
    (failure,) = failures
    assert failure.check(broker.PBConnectionLost)
    assert failure.value.args[0].check(broker.PeerSilent)
    assert str(failure.value) == "nothing came from the peer for 40 seconds"


def test_calls_learn_of_a_broken_protocol() -> None:
    made = pair(Service())
    call = made.root.callRemote("later")
    made.flush()
    made.server.transport.write(b"\x02\xff\xff\xff")
    error = made.failure(call)
    assert isinstance(error, broker.PBConnectionLost) and error.args[0].check(broker.ProtocolError)
    assert "a frame of 16777215 bytes" in str(error)
