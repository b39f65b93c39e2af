"""Cancelling a call: what the other end hears of it, what comes of it here, and that nothing is left behind."""

from __future__ import annotations

import gc
from collections.abc import Generator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, inlineCallbacks
from twisted.internet.task import Clock

import broker
from broker import Cacheable, Limits, PBConnectionLost, Referenceable, Registry, RemoteCache, RemoteError, Root
from broker.testing import Pair, tables
from broker.testing.harness import Pairs


class Worker(Root):
    """Works until the test says that it is done."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.heard: list[str] = []
        self.kept: list[Any] = []

    def step(self) -> Deferred[Any]:
        self.waiting.append(Deferred(lambda _: self.heard.append("cancelled")))
        return self.waiting[-1]

    def remote_deferred(self, *_: Any) -> Deferred[Any]:
        return self.step()

    async def remote_coroutine(self) -> Any:
        try:
            return await self.step()
        except CancelledError:
            self.heard.append("inside")
            raise
        finally:
            self.heard.append("finally")

    @inlineCallbacks
    def remote_generator(self) -> Generator[Any, Any, Any]:
        try:
            result = yield self.step()
        finally:
            self.heard.append("finally")
        return result

    async def remote_stubborn(self) -> Any:
        try:
            return await self.step()
        except CancelledError:
            return [await self.step(), "all the same"]

    async def remote_relay(self, other: Any, how: str = "callRemote") -> Any:
        if how == "callback":
            # Not in the context of this call.
            return await other.callRemote("deferred").addCallback(lambda result: [result])
        return await other.callRemote("coroutine")

    def remote_clumsy(self) -> Deferred[Any]:
        def fails(_: Any) -> None:
            raise RuntimeError("while cancelling")

        self.waiting.append(Deferred(fails))
        return self.waiting[-1]

    def remote_count(self) -> int:
        return len(self.waiting)

    def remote_keep(self, *values: Any) -> None:
        self.kept.extend(values)


class Kind:
    """How a connection speaks, for what differs."""

    def __init__(self, dialect: str) -> None:
        #: PB has no message that tells of cancelling: it ends here, and the other end goes on.
        self.told = dialect == "broker/1"


@pytest.fixture
def kind(in_dialect: str) -> Kind:
    return Kind(in_dialect)


def outcome(call: Deferred[Any]) -> list[Any]:
    results: list[Any] = []
    call.addErrback(lambda failure: failure.value).addBoth(results.append)
    return results


def finish(pair: Pair, worker: Worker, value: Any = "late") -> None:
    """Let what still waits come to its end, and see that nothing is left of it."""
    for waiting in worker.waiting:
        if not waiting.called:
            waiting.callback(value)
    pair.flush()
    assert set(tables(pair.client).values()) == {0}
    assert set(tables(pair.server).values()) == {0}
    assert pair.client.session.faults == pair.server.session.faults == 0


SLOW = {
    "deferred": ["cancelled"],
    "coroutine": ["cancelled", "inside", "finally"],
    "generator": ["cancelled", "finally"],
}


@pytest.mark.parametrize("name", SLOW)
def test_cancelling_reaches_what_the_method_waits_for(pairs: Pairs, kind: Kind, name: str) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.callRemote(name)
    pair.flush()
    call.cancel()
    results = outcome(call)
    assert [type(error) for error in results] == [CancelledError], "whoever cancels need not wait"
    assert worker.heard == [] and tables(pair.client)["questions"] == 1
    pair.flush()
    assert worker.heard == (SLOW[name] if kind.told else [])
    assert tables(pair.server)["answers"] == (0 if kind.told else 1)
    finish(pair, worker)


@pytest.mark.parametrize("name", SLOW)
def test_waiting_for_what_comes_of_it(pairs: Pairs, kind: Kind, name: str) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel="wait").callRemote(name)
    pair.flush()
    call.cancel()
    results = outcome(call)
    if kind.told:
        assert results == []
        pair.flush()
        assert isinstance(results[0], CancelledError) and isinstance(results[0], RemoteError)
        assert worker.heard == SLOW[name]
    else:
        # Nobody could say what came of it.
        assert type(results[0]) is CancelledError
    finish(pair, worker)


@pytest.mark.parametrize("how", ["tell", "wait", "forget"])
def test_a_method_that_goes_on_all_the_same(pairs: Pairs, kind: Kind, how: Any) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel=how).callRemote("stubborn")
    pair.flush()
    call.cancel()
    results = outcome(call)
    pair.flush()
    if kind.told and how == "wait":
        assert results == [] and worker.heard == ["cancelled"]
        worker.waiting[1].callback("result")
        pair.flush()
        assert results == [["result", "all the same"]]
    else:
        assert type(results[0]) is CancelledError
        assert worker.heard == (["cancelled"] if kind.told and how == "tell" else [])
        assert tables(pair.server)["answers"] == 1
    finish(pair, worker)


@pytest.mark.parametrize("name", SLOW)
def test_forgetting_lets_the_other_end_go_on(pairs: Pairs, name: str) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel="forget").callRemote(name)
    pair.flush()
    pair.transcript.clear()
    call.cancel()
    assert type(outcome(call)[0]) is CancelledError
    pair.flush()
    assert worker.heard == [] and pair.transcript == [], "nothing was sent"
    finish(pair, worker)
    assert worker.heard in ([], ["finally"])


def test_ways_and_times_that_there_are_not(pairs: Pairs) -> None:
    root = pairs(Worker()).root
    for wrong in ({"cancel": "never"}, {"cancel": None}, {"timeout": -1}, {"timeout": float("nan")}):
        with pytest.raises(ValueError):
            root.options(**wrong)


# Crossing on the way.


@pytest.mark.parametrize("how", ["tell", "wait", "forget"])
def test_a_cancel_that_crosses_the_answer(pairs: Pairs, kind: Kind, how: Any) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel=how).callRemote("deferred")
    pair.flush()
    worker.waiting[0].callback([Referenceable(), "in time"])
    assert pair.pending("client")
    call.cancel()
    results = outcome(call)
    pair.flush()
    if kind.told and how == "wait":
        assert results[0][1] == "in time"
        results.clear()
    else:
        assert type(results[0]) is CancelledError
    assert worker.heard == []
    gc.collect()
    finish(pair, worker)


@pytest.mark.parametrize("how", ["tell", "forget"])
def test_references_in_a_late_answer_are_released(pairs: Pairs, how: Any) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel=how).callRemote("stubborn")
    pair.flush()
    call.cancel()
    outcome(call)
    pair.flush()
    worker.waiting[-1].callback([Referenceable(), {"more": Referenceable()}])
    pair.flush()
    assert tables(pair.server)["exports"] == 0
    finish(pair, worker)


def test_cancelling_again_and_too_late_is_nothing(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.callRemote("deferred")
    pair.flush()
    worker.waiting[0].callback("in time")
    assert pair.result(call) == "in time"
    pair.transcript.clear()
    call.cancel()
    pair.flush()
    assert pair.transcript == []
    waiting = pair.root.options(cancel="wait").callRemote("stubborn")
    pair.flush()
    waiting.cancel()
    waiting.cancel()
    results = outcome(waiting)
    pair.flush()
    waiting.cancel()
    pair.flush()
    assert pair.server.session.faults == 0
    finish(pair, worker)
    assert len(results) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_goes(pairs: Pairs, when: str) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel="wait").callRemote("deferred")
    pair.flush()
    if when == "before":
        pair.drop()
        assert isinstance(outcome(call)[0], PBConnectionLost)
        call.cancel()
        assert worker.heard == []
    else:
        call.cancel()
        pair.drop()
        assert isinstance(outcome(call)[0], (PBConnectionLost, CancelledError))
    if not worker.waiting[0].called:
        worker.waiting[0].callback(None)


# Before it was sent.


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize("how", ["tell", "wait"])
def test_a_call_that_was_not_sent_yet_is_not_sent(pairs: Pairs, how: Any) -> None:
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=1))
    pair.root.callRemote("deferred").addErrback(lambda _: None)
    held = pair.root.options(cancel=how).callRemote("keep", Referenceable(), [Referenceable()])
    behind = pair.root.callRemote("count")
    pair.flush()
    assert tables(pair.client)["exports"] == 2
    held.cancel()
    assert type(outcome(held)[0]) is CancelledError
    assert tables(pair.client)["exports"] == 0, "what was counted for it is taken back"
    worker.waiting[0].callback(None)
    assert pair.result(behind) == 1
    assert worker.kept == []
    finish(pair, worker)


@pytest.mark.in_dialects("broker/1")
def test_forgetting_a_call_that_was_not_sent_yet_lets_it_be_sent(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=1))
    pair.root.callRemote("deferred").addErrback(lambda _: None)
    held = pair.root.options(cancel="forget").callRemote("keep", "kept")
    held.cancel()
    assert type(outcome(held)[0]) is CancelledError
    pair.flush()
    finish(pair, worker)
    assert worker.kept == ["kept"]


class Price(Cacheable):
    """Something whose state crosses once."""

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> Any:
        return {"price": 7}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        """Nothing is sent to it."""


class PriceCopy(RemoteCache):
    price: int


@pytest.mark.in_dialects("broker/1")
def test_a_copy_in_a_call_that_was_not_sent_yet_reaches_those_behind_it(pairs: Pairs) -> None:
    registry = Registry(broker.globalRegistry)
    registry.setUnjellyableForClass(Price, PriceCopy)
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=1), registry=registry)
    pair.root.callRemote("deferred").addErrback(lambda _: None)
    price = Price()
    first, second = pair.root.callRemote("keep", price), pair.root.callRemote("keep", price)
    first.cancel()
    assert type(outcome(first)[0]) is CancelledError
    worker.waiting[0].callback(None)
    assert pair.result(second) is None
    assert [copy.price for copy in worker.kept] == [7, 7] and worker.kept[0] == worker.kept[1]
    worker.kept.clear()
    gc.collect()
    finish(pair, worker)


@pytest.mark.in_dialects("broker/1")
def test_a_call_that_is_on_its_way_in_pieces(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker, high_water=1000)
    call = pair.root.callRemote("deferred", b"x" * 300_000)
    assert pair.pending("server") < 200_000, "the rest waits"
    call.cancel()
    outcome(call)
    pair.flush()
    assert worker.heard == ["cancelled"]
    finish(pair, worker)


# What a cancelled call costs until it has ended.


@pytest.mark.in_dialects("broker/1")
def test_a_cancelled_call_counts_until_its_method_has_ended(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=2))
    calls = [pair.root.callRemote("stubborn") for _ in range(2)]
    pair.flush()
    for call in calls:
        call.cancel()
        outcome(call)
    third = pair.root.callRemote("count")
    pair.flush()
    assert tables(pair.server)["answers"] == 2
    assert not third.called, "whoever cancels and calls again has no more running there than agreed"
    worker.waiting[-1].callback("ended")
    assert pair.result(third) == 4
    finish(pair, worker)


def test_cancelling_many_leaves_nothing(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker)
    for number in range(200):
        call = pair.root.callRemote(list(SLOW)[number % 3])
        if number % 2:
            pair.flush()
        call.cancel()
        outcome(call)
    pair.flush()
    finish(pair, worker)


# Along a chain, and from other code.


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize("how", ["callRemote", "callback"])
def test_cancelling_goes_down_a_chain_of_calls(pairs: Pairs, how: str) -> None:
    far = Worker()
    second = pairs(far)
    near = Worker()
    first = pairs(near)
    # The middle holds a reference of the second connection and calls it while it serves the first.
    reference = second.root
    near.remote_through = lambda: near.remote_relay(reference, how)  # type: ignore[attr-defined]
    call = first.root.callRemote("through")
    first.flush()
    second.flush()
    assert len(far.waiting) == 1
    call.cancel()
    outcome(call)
    first.flush()
    second.flush()
    assert far.heard[0] == "cancelled"
    finish(second, far)
    finish(first, near)


@pytest.mark.in_dialects("broker/1")
def test_cancelling_reaches_a_call_back_to_the_caller(pairs: Pairs) -> None:
    worker, mine = Worker(), Worker()
    pair = pairs(worker)
    call = pair.root.callRemote("relay", mine)
    pair.flush()
    assert len(mine.waiting) == 1
    call.cancel()
    outcome(call)
    pair.flush()
    assert mine.heard == ["cancelled", "inside", "finally"]
    gc.collect()
    pair.flush()
    finish(pair, worker)


def test_a_timeout_of_twisteds_is_a_cancel(pairs: Pairs, kind: Kind) -> None:
    worker = Worker()
    clock = Clock()
    pair = pairs(worker, clock=clock, keepalive=None)
    call = pair.root.callRemote("deferred").addTimeout(5, clock)
    pair.flush()
    clock.advance(5)
    pair.flush()
    assert isinstance(outcome(call)[0], TimeoutError)
    assert worker.heard == (["cancelled"] if kind.told else [])
    finish(pair, worker)


@pytest.mark.in_dialects("broker/1")
def test_a_canceller_that_fails_is_logged_and_the_call_goes_on(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker)
    call = pair.root.options(cancel="wait").callRemote("clumsy")
    pair.flush()
    call.cancel()
    pair.flush()
    assert len(pairs.flush_logged(RuntimeError)) == 1
    worker.waiting[0].callback("done")
    assert pair.result(call) == "done"
    finish(pair, worker)
