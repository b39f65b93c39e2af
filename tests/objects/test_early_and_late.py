"""Calls made before anything can be sent, and when nothing can be sent any more."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker import Copyable, DeadlineExceeded, DeadReferenceError, InsecureJelly, PBConnectionLost, Referenceable, Root
from broker.errors import ProtocolError
from broker.testing import Pair, pair, tables
from broker.testing.harness import Pairs


class Service(Root):
    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.waiting: list[Deferred[Any]] = []

    def remote_see(self, value: Any) -> int:
        self.seen.append(value)
        return len(self.seen)

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


class Odd(Copyable):
    """Fails when it is lowered."""

    def getStateToCopy(self) -> Any:
        return {"no": object()}


def outcome(waiting: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    waiting.addErrback(lambda failure: failure.value).addBoth(results.append)
    return results


def ends(pairs: Pairs, end: str, **options: Any) -> tuple[Pair, Any, Service]:
    """Return a pair that has not greeted, a reference held by one end, and what it refers to at the other."""
    service = Service()
    made = pairs(service, negotiate=False, **options)
    if end == "client":
        return made, made.client.remoteForName(b"root"), service
    made.client.setNameForLocal(b"mine", service)
    return made, made.server.remoteForName(b"mine"), service


END = pytest.mark.parametrize("end", ["client", "server"])


@END
def test_calls_made_before_the_greeting_are_sent_after_it(pairs: Pairs, end: str) -> None:
    made, reference, service = ends(pairs, end)
    first = outcome(reference.callRemote("see", "first"))
    reference.callRemoteOnly("see", "second")
    third = outcome(reference.callRemote("see", ["third"]))
    assert not first and service.seen == []
    made.flush()
    assert service.seen == ["first", "second", ["third"]] and (first, third) == ([1], [3])


@END
def test_they_are_in_front_of_those_made_when_it_is_over(pairs: Pairs, end: str) -> None:
    made, reference, service = ends(pairs, end)
    broker = made.client if end == "client" else made.server
    broker.notifyOnConnect(lambda: reference.callRemoteOnly("see", "connected"))
    reference.callRemoteOnly("see", "early")
    made.flush()
    assert service.seen == ["early", "connected"]


def test_what_cannot_be_sent_fails_when_it_would_be(pairs: Pairs, in_dialect: str) -> None:
    made, reference, service = ends(pairs, "client")
    failed = outcome(reference.callRemote("see", [Referenceable(), Odd()]))
    fine = outcome(reference.callRemote("see", "fine"))
    reference.callRemoteOnly("see", Odd())
    made.flush()
    assert isinstance(failed[0], InsecureJelly) and fine == [1] and service.seen == ["fine"]
    # Nobody waits for the other one: it is logged.
    assert len(pairs.flush_logged(InsecureJelly)) == 1
    assert tables(made.client)["exports"] == 0


@END
def test_they_fail_when_there_is_never_a_greeting(end: str, in_dialect: str) -> None:
    service = Service()
    made = pair(service, negotiate=False)
    broker = made.client if end == "client" else made.server
    waiting = outcome(broker.remoteForName(b"root").callRemote("see", 1))
    broker.remoteForName(b"root").callRemoteOnly("see", 2)
    made.drop()
    (error,) = waiting
    if in_dialect == "pb" and end == "server":
        # A listening end that speaks nothing but PB can send at once, in a form that is right whatever is chosen.
        assert isinstance(error, PBConnectionLost)
    else:
        assert isinstance(error, DeadReferenceError) and error.ran == "no"
    assert service.seen == []


def test_one_that_was_cancelled_is_not_sent(pairs: Pairs) -> None:
    made, reference, service = ends(pairs, "client")
    call = reference.callRemote("see", 1)
    call.cancel()
    assert isinstance(outcome(call)[0], CancelledError)
    made.flush()
    assert service.seen == []


def test_one_whose_time_is_over_is_not_sent(pairs: Pairs) -> None:
    clock = Clock()
    made, reference, service = ends(pairs, "client", clock=clock, keepalive=None)
    late = outcome(reference.options(timeout=1).callRemote("see", "late"))
    fine = outcome(reference.options(timeout=5).callRemote("see", "in time"))
    clock.advance(2)
    made.flush()
    assert isinstance(late[0], DeadlineExceeded) and fine == [1] and service.seen == ["in time"]


def test_without_a_transport_nothing_can_be_sent(in_dialect: str) -> None:
    from broker._net.factory import ClientFactory

    broker = ClientFactory().buildProtocol(None)
    (error,) = outcome(broker.remoteForName(b"root").callRemote("see", 1))
    assert isinstance(error, DeadReferenceError)
    with pytest.raises(DeadReferenceError):
        broker.remoteForName(b"root").callRemoteOnly("see", 1)


def test_on_a_connection_that_has_failed_and_is_not_gone_yet(in_dialect: str) -> None:
    made = pair(Service())
    root = made.root
    waiting = outcome(root.callRemote("later"))
    made.client.failConnection(Failure(ProtocolError("something was wrong")))
    assert not made.client.disconnected
    (error,) = outcome(root.callRemote("see", 1))
    assert isinstance(error, DeadReferenceError)
    with pytest.raises(DeadReferenceError):
        root.callRemoteOnly("see", 1)
    made.flush()
    assert made.client.disconnected and len(waiting) == 1
