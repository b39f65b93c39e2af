"""Going away, of one connection: what is in flight is finished, what comes is refused, and then it is over."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from broker import GoingAway, PBConnectionLost, Referenceable, RemoteError, Root
from broker.testing import Pair, pair
from broker.testing.harness import Pairs


class Worker(Root):
    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.ran: list[str] = []
        self.leave: Any = None

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def remote_echo(self, value: Any) -> Any:
        self.ran.append("echo")
        return value

    def remote_leave(self, value: Any) -> Any:
        self.leave()
        return value

    async def remote_ask(self, other: Any) -> Any:
        await self.remote_later()
        return await other.callRemote("echo", "from here")


def outcome(waiting: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    waiting.addErrback(lambda failure: failure.value).addBoth(results.append)
    return results


def over(made: Pair) -> None:
    """The connection is closed at both ends."""
    made.flush()
    assert made.client.disconnected and made.server.disconnected


def test_calls_in_flight_are_finished_and_then_it_is_over(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker)
    calls = [outcome(made.root.callRemote("later")) for _ in range(3)]
    made.flush()
    gone = outcome(made.server.goAway())
    made.flush()
    for number in range(3):
        assert not gone and made.wire.connected
        worker.waiting[number].callback(number)
        made.flush()
        assert calls[number] == [number]
    assert gone == [None]
    over(made)


def test_an_idle_connection_is_over_at_once(pairs: Pairs) -> None:
    made = pairs(Worker())
    gone = outcome(made.server.goAway())
    over(made)
    assert gone == [None]


@pytest.mark.parametrize("end", ["client", "server"])
def test_new_calls_are_refused_and_do_not_run(pairs: Pairs, in_dialect: str, end: Any) -> None:
    """Whichever end goes."""
    worker, mine = Worker(), Worker()
    made = pairs(worker)
    made.client.setNameForLocal("mine", mine)
    here, there = (worker, made.client) if end == "server" else (mine, made.server)
    reference = there.remoteForName(b"root" if end == "server" else b"mine")
    call = outcome(reference.callRemote("later"))
    made.flush()
    gone = outcome(made.broker(end).goAway("we move"))
    made.flush()
    made.transcript.clear()
    refused = outcome(reference.callRemote("echo", Referenceable()))
    made.flush()
    (error,) = refused
    assert isinstance(error, GoingAway) and "we move" in str(error)
    # In our own dialect it is known here; PB has no word for it, so the other end has to say it to each.
    assert isinstance(error, RemoteError) is (in_dialect == "pb")
    assert (made.transcript == []) is (in_dialect == "broker/1")
    assert here.ran == [] and error.ran == "no"
    here.waiting[0].callback("done")
    over(made)
    assert (call, gone) == (["done"], [None])
    del refused, error
    gc.collect()


def test_a_call_that_crosses_the_farewell_is_refused(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker)
    first = outcome(made.root.callRemote("later"))
    made.flush()
    crossing = outcome(made.root.callRemote("echo", 1))
    made.server.goAway("closing time")
    made.flush()
    assert isinstance(crossing[0], GoingAway) and isinstance(crossing[0], RemoteError)
    assert "closing time" in str(crossing[0]) and worker.ran == []
    worker.waiting[0].callback("done")
    over(made)
    assert first == ["done"]


def test_calls_without_answer_are_not_begun_either(pairs: Pairs, in_dialect: str) -> None:
    worker = Worker()
    made = pairs(worker)
    root = made.root
    outcome(root.callRemote("later"))
    made.flush()
    root.callRemoteOnly("echo", "crossing")
    made.server.goAway()
    made.flush()
    if in_dialect == "broker/1":
        with pytest.raises(GoingAway):
            root.callRemoteOnly("echo", "late")
    else:
        root.callRemoteOnly("echo", "late")
    made.flush()
    assert worker.ran == []
    worker.waiting[0].callback(None)
    over(made)


def test_whoever_goes_may_go_on_calling(pairs: Pairs) -> None:
    worker, mine = Worker(), Worker()
    made = pairs(worker)
    call = outcome(made.root.callRemote("ask", mine))
    made.flush()
    made.server.goAway()
    made.flush()
    worker.waiting[0].callback(None)
    made.flush()
    # What was in flight needed a call back to be finished.
    assert call == ["from here"]
    over(made)
    gc.collect()


def test_what_is_asked_by_whoever_goes_is_lost_when_it_is_over(pairs: Pairs) -> None:
    mine = Worker()
    made = pairs(Worker())
    made.client.setNameForLocal("mine", mine)
    asked = outcome(made.server.remoteForName(b"mine").callRemote("later"))
    made.flush()
    made.server.goAway()
    over(made)
    assert isinstance(asked[0], PBConnectionLost)
    mine.waiting[0].callback(None)


@pytest.mark.parametrize("size", [1, 300_000])
def test_a_method_may_send_its_own_side_away(pairs: Pairs, size: int) -> None:
    worker = Worker()
    made = pairs(worker, high_water=1000)
    worker.leave = made.server.goAway
    answered = outcome(made.root.callRemote("leave", b"x" * size))
    over(made)
    assert answered == [b"x" * size], "its own answer still arrives, however large"


def test_a_large_answer_that_is_on_its_way_arrives_whole(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker, high_water=1000)
    call = outcome(made.root.callRemote("later"))
    made.flush()
    worker.waiting[0].callback(b"x" * 400_000)
    gone = outcome(made.server.goAway())
    assert not gone and made.wire.connected
    over(made)
    assert call == [b"x" * 400_000] and gone == [None]


def test_both_ends_go(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker)
    call = outcome(made.root.callRemote("later"))
    made.flush()
    gone = [outcome(made.server.goAway()), outcome(made.client.goAway())]
    over(made)
    # The client had nothing to finish for the other end, so it is over.
    assert isinstance(call[0], PBConnectionLost)
    assert gone == [[None], [None]]
    worker.waiting[0].callback(None)


def test_going_twice_is_going_once(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker)
    call = outcome(made.root.callRemote("later"))
    made.flush()
    first, second = outcome(made.server.goAway("once")), outcome(made.server.goAway("twice"))
    assert made.server.leaving == "once"
    worker.waiting[0].callback("done")
    over(made)
    assert (call, first, second) == (["done"], [None], [None])
    assert outcome(made.server.goAway()) == [None], "it is over already"


def test_before_the_greeting_there_is_nothing_to_finish(in_dialect: str) -> None:
    made = pair(Worker(), negotiate=False)
    gone = outcome(made.server.goAway())
    over(made)
    assert gone == [None]


def test_a_connection_that_goes_first(pairs: Pairs) -> None:
    worker = Worker()
    made = pairs(worker)
    outcome(made.root.callRemote("later"))
    made.flush()
    gone = outcome(made.server.goAway())
    made.drop()
    assert gone == [None]
    worker.waiting[0].callback(None)


@pytest.mark.in_dialects("broker/1")
def test_the_reason_is_written_down_where_it_is_told(pairs: Pairs) -> None:
    from twisted.logger import formatEvent

    lines: list[str] = []

    def observe(event: Any) -> None:
        lines.append(formatEvent(event))

    worker = Worker()
    made = pairs(worker)
    outcome(made.root.callRemote("later"))
    made.flush()
    observer: Any = observe
    globalLogPublisher.addObserver(observer)
    try:
        made.server.goAway("a new version\nwith a second line")
        made.flush()
    finally:
        globalLogPublisher.removeObserver(observer)
    (line,) = lines
    assert "is going away: " in line and "a new version" in line and "\n" not in line
    worker.waiting[0].callback(None)
    over(made)
