"""Deadlines: of a call, of a connection, of a block of code; handed on to the other end, and kept here without it."""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock

from broker import DeadlineExceeded, Limits, Referenceable, Root, deadline, remaining
from broker._objects.waiter import Deadlines, Waiter
from broker._wire import frames
from broker._wire.frames import frame
from broker.testing import Pair, tables
from broker.testing.harness import Pairs


class Worker(Root):
    """Says how much time it has."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.heard: list[str] = []
        self.seen: list[float | None] = []

    def step(self) -> Deferred[Any]:
        self.waiting.append(Deferred(lambda _: self.heard.append("cancelled")))
        return self.waiting[-1]

    def remote_never(self, *_: Any) -> Deferred[Any]:
        return self.step()

    def remote_left(self) -> float | None:
        return remaining()

    async def remote_left_later(self) -> Any:
        first = remaining()
        await self.step()
        return [first, remaining()]

    @inlineCallbacks
    def remote_left_in_a_generator(self) -> Generator[Any, Any, Any]:
        first = remaining()
        yield self.step()
        return [first, remaining()]

    def remote_left_in_a_callback(self) -> Deferred[Any]:
        first = remaining()
        return self.step().addCallback(lambda _: [first, remaining()])

    def remote_ask(self, other: Any, name: str = "left") -> Any:
        return other.callRemote(name)

    async def remote_ask_later(self, other: Any) -> Any:
        await self.step()
        return await other.callRemote("left")

    async def remote_ask_tighter(self, other: Any, clock: Any = None) -> Any:
        with deadline(1, self.clock.seconds):
            inside = await other.callRemote("left")
        return [inside, await other.callRemote("left")]

    def remote_ask_only(self, other: Any) -> None:
        other.callRemoteOnly("note")

    def remote_note(self) -> None:
        self.seen.append(remaining())

    clock = Clock()


class Scene:
    """A connection with a clock, and the worker at its other end."""

    def __init__(self, pairs: Pairs, **options: Any) -> None:
        self.clock = Clock()
        self.worker = Worker()
        self.worker.clock = self.clock
        self.pair: Pair = pairs(self.worker, clock=self.clock, keepalive=None, **options)
        self.root = self.pair.root

    def outcome(self, call: Deferred[Any]) -> list[Any]:
        """Return the list that will have what a call comes to."""
        results: list[Any] = []
        call.addErrback(lambda failure: failure.value).addBoth(results.append)
        self.pair.flush()
        return results

    def finish(self) -> None:
        """Nothing is left behind."""
        self.pair.flush()
        for waiting in self.worker.waiting:
            if not waiting.called:
                waiting.callback("late")
        gc.collect()
        self.pair.flush()
        assert set(tables(self.pair.client).values()) == {0}
        assert set(tables(self.pair.server).values()) == {0}
        assert self.pair.client.session.faults == 0


@pytest.fixture
def scene(pairs: Pairs) -> Iterator[Scene]:
    made = Scene(pairs)
    yield made
    made.finish()


@pytest.fixture
def told(in_dialect: str) -> bool:
    """Whether the other end is told: PB has no deadlines, so there they hold at the end that has them."""
    return in_dialect == "broker/1"


# Of one call.


@pytest.mark.parametrize("way", ["options", "connection", "block"])
def test_a_call_that_takes_too_long_fails(pairs: Pairs, told: bool, way: str) -> None:
    scene = Scene(pairs, **({"callTimeout": 5.0} if way == "connection" else {}))
    if way == "options":
        call = scene.root.options(timeout=5).callRemote("never")
    elif way == "block":
        with deadline(5, scene.clock.seconds):
            call = scene.root.callRemote("never")
    else:
        call = scene.root.callRemote("never")
    results = scene.outcome(call)
    scene.clock.advance(4.999)
    scene.pair.flush()
    assert results == [] and scene.worker.heard == []
    scene.clock.advance(0.001)
    (error,) = results
    assert type(error) is DeadlineExceeded and isinstance(error, TimeoutError)
    assert "5 seconds" in str(error)
    scene.pair.flush()
    assert scene.worker.heard == (["cancelled"] if told else [])
    assert scene.clock.getDelayedCalls() == []
    scene.finish()


def test_a_silent_peer_does_not_hold_it_up(scene: Scene) -> None:
    call = scene.root.options(timeout=2).callRemote("never")
    results: list[Any] = []
    call.addErrback(lambda failure: failure.value).addBoth(results.append)
    # Nothing is delivered, and nothing will be until much later.
    scene.clock.advance(2)
    assert type(results[0]) is DeadlineExceeded
    assert scene.worker.waiting == []


def test_an_answer_in_time_is_the_answer(scene: Scene) -> None:
    call = scene.root.options(timeout=5).callRemote("never")
    results = scene.outcome(call)
    scene.clock.advance(4.9)
    scene.worker.waiting[0].callback("in time")
    scene.pair.flush()
    assert results == ["in time"]
    scene.clock.advance(10)
    scene.pair.flush()
    assert results == ["in time"] and scene.worker.heard == []
    assert scene.clock.getDelayedCalls() == []


def test_an_answer_too_late_is_dropped_with_what_is_in_it(scene: Scene, told: bool) -> None:
    call = scene.root.options(timeout=1).callRemote("never")
    results = scene.outcome(call)
    scene.worker.waiting[0].callback([Referenceable()])
    scene.clock.advance(1)
    scene.pair.flush()
    assert [type(result) for result in results] == [DeadlineExceeded]
    assert tables(scene.pair.server)["exports"] == 0


def test_a_call_of_its_own_time_is_not_bound_by_that_of_the_connection(pairs: Pairs) -> None:
    scene = Scene(pairs, callTimeout=2.0)
    calls = {
        "long": scene.outcome(scene.root.options(timeout=10).callRemote("never")),
        "short": scene.outcome(scene.root.options(timeout=1).callRemote("never")),
        "usual": scene.outcome(scene.root.callRemote("never")),
    }
    ended = []
    for second in range(1, 11):
        scene.clock.advance(1)
        ended += [(second, name) for name, results in calls.items() if results]
        for results in calls.values():
            results.clear()
    assert ended == [(1, "short"), (2, "usual"), (10, "long")]
    scene.pair.flush()
    scene.finish()


@pytest.mark.parametrize("way", ["options", "block"])
def test_no_time_at_all_is_over_before_the_call(scene: Scene, way: str) -> None:
    scene.pair.transcript.clear()
    if way == "options":
        call = scene.root.options(timeout=0).callRemote("never")
    else:
        with deadline(0, scene.clock.seconds):
            call = scene.root.callRemote("never", Referenceable())
    assert isinstance(scene.outcome(call)[0], DeadlineExceeded)
    assert scene.pair.transcript == [] and tables(scene.pair.client)["questions"] == 0


@pytest.mark.parametrize("seconds", [1e-9, 1e-4])
def test_hardly_any_time_is_a_millisecond(scene: Scene, told: bool, seconds: float) -> None:
    call = scene.root.options(timeout=seconds).callRemote("left")
    assert scene.outcome(call) == [0.001 if told else None]


@pytest.mark.parametrize("seconds", [1e10, 1e300, float("inf")])
def test_time_without_end_is_no_bound(scene: Scene, seconds: float) -> None:
    call = scene.root.options(timeout=seconds).callRemote("left")
    assert scene.outcome(call) == [None]
    with deadline(seconds, scene.clock.seconds):
        assert scene.outcome(scene.root.callRemote("left")) == [None]
    assert scene.clock.getDelayedCalls() == [] and scene.pair.wire.connected


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_times_that_there_are_not(seconds: float) -> None:
    with pytest.raises(ValueError, match="a deadline lies in the future"), deadline(seconds):
        pass


# Of a block.


def test_of_two_bounds_the_tighter_one_holds() -> None:
    clock = Clock()
    assert remaining() is None
    with deadline(10, clock.seconds):
        assert remaining() == 10
        with deadline(3, clock.seconds):
            assert remaining() == 3
            with deadline(5, clock.seconds):
                assert remaining() == 3
            clock.advance(2)
            assert remaining() == 1
        assert remaining() == 8
        clock.advance(9)
        assert remaining() == -1
    assert remaining() is None


def test_a_block_bounds_its_calls_together(scene: Scene, told: bool) -> None:
    with deadline(10, scene.clock.seconds):
        assert scene.outcome(scene.root.callRemote("left")) == [10 if told else None]
        scene.clock.advance(4)
        assert scene.outcome(scene.root.callRemote("left")) == [6 if told else None]
        # A bound of its own is for less time only.
        assert scene.outcome(scene.root.options(timeout=2).callRemote("left")) == [2 if told else None]
        assert scene.outcome(scene.root.options(timeout=20).callRemote("left")) == [6 if told else None]
        scene.clock.advance(6)
        assert isinstance(scene.outcome(scene.root.callRemote("left"))[0], DeadlineExceeded)
    assert scene.outcome(scene.root.callRemote("left")) == [None]


# At the other end.


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize("name", ["left_later", "left_in_a_generator"])
def test_the_method_knows_how_much_time_it_has(scene: Scene, name: str) -> None:
    call = scene.root.options(timeout=10).callRemote(name)
    results = scene.outcome(call)
    scene.clock.advance(4)
    scene.worker.waiting[0].callback(None)
    scene.pair.flush()
    assert results == [[10, 6]]


@pytest.mark.in_dialects("broker/1")
def test_a_callback_has_no_context(scene: Scene) -> None:
    """What runs from a plain chain of callbacks runs for whoever fires it; the page on deadlines says so."""
    results = scene.outcome(scene.root.options(timeout=10).callRemote("left_in_a_callback"))
    scene.worker.waiting[0].callback(None)
    scene.pair.flush()
    assert results == [[10, None]]


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize("name", ["ask", "ask_later", "ask_tighter"])
def test_calls_made_while_serving_inherit_what_is_left(pairs: Pairs, name: str) -> None:
    """Also those back to the caller, with which it began."""
    scene = Scene(pairs)
    mine = Worker()
    results = scene.outcome(scene.root.options(timeout=10).callRemote(name, mine))
    if name == "ask_later":
        scene.clock.advance(3)
        scene.worker.waiting[0].callback(None)
        scene.pair.flush()
    assert results == [{"ask": 10, "ask_later": 7, "ask_tighter": [1, 10]}[name]]
    scene.clock.advance(20)
    gc.collect()
    scene.finish()


@pytest.mark.in_dialects("broker/1")
def test_a_call_without_a_bound_inherits_none_from_elsewhere(scene: Scene) -> None:
    """The bound of whoever happens to run is not that of what is served."""
    with deadline(5, scene.clock.seconds):
        call = scene.root.options().callRemote("left")
    assert scene.outcome(call) == [5]
    served = scene.root.callRemote("left")
    with deadline(3, scene.clock.seconds):
        # In a test both ends are in one process, and this is served inside the block.
        assert scene.outcome(served) == [None]


@pytest.mark.in_dialects("broker/1")
def test_expiry_stops_the_whole_chain(pairs: Pairs) -> None:
    scene = Scene(pairs)
    mine = Worker()
    results = scene.outcome(scene.root.options(timeout=10).callRemote("ask", mine, "never"))
    assert len(mine.waiting) == 1
    scene.clock.advance(10)
    scene.pair.flush()
    assert type(results[0]) is DeadlineExceeded
    assert mine.heard == ["cancelled"]
    gc.collect()
    scene.finish()


@pytest.mark.in_dialects("broker/1")
def test_a_call_whose_time_is_over_when_it_comes_does_not_run(scene: Scene) -> None:
    outcome: list[Any] = []
    waiter = Waiter()
    waiter.addErrback(lambda failure: failure.value).addBoth(outcome.append)
    client = scene.pair.client
    client.session.call(b"root", b"note", (), {}, waiter, client, False, 0)
    client.flush()
    scene.pair.flush()
    (error,) = outcome
    assert isinstance(error, DeadlineExceeded) and "when it came" in str(error)
    assert scene.worker.seen == []


@pytest.mark.in_dialects("broker/1")
def test_calls_without_answer_have_no_bound(scene: Scene) -> None:
    mine = Worker()
    assert scene.outcome(scene.root.options(timeout=10).callRemote("ask_only", mine)) == [None]
    assert mine.seen == [None]
    gc.collect()


@pytest.mark.in_dialects("pb")
def test_in_pb_nothing_is_told(scene: Scene) -> None:
    scene.pair.transcript.clear()
    scene.outcome(scene.root.options(timeout=10).callRemote("left"))
    with_bound = [data for to, data in scene.pair.transcript if to == "server"]
    scene.pair.transcript.clear()
    scene.outcome(scene.root.callRemote("left"))
    without = [data for to, data in scene.pair.transcript if to == "server"]
    assert len(with_bound[0]) == len(without[0])


@pytest.mark.in_dialects("broker/1")
def test_the_bytes_of_a_deadline(scene: Scene) -> None:
    scene.pair.transcript.clear()
    request = scene.pair.client.session.questions.last + 1
    scene.outcome(scene.root.options(timeout=1.5).callRemote("left"))
    written = scene.pair.transcript[0].data
    flags = frames.WANTS_ANSWER | frames.NAMED | frames.DEADLINE
    assert written == frame(frames.CALL, bytes((flags, request)) + b"\x04root\x04left\xdc\x0b\xb0")


# Timers.


def test_a_connection_has_one_timer(scene: Scene) -> None:
    calls = [scene.outcome(scene.root.options(timeout=seconds).callRemote("never")) for seconds in (5, 3, 9, 3, 7)]
    assert len(scene.clock.getDelayedCalls()) == 1
    times = []
    for second in range(10):
        times += [second for results in calls if results]
        for results in calls:
            results.clear()
        scene.clock.advance(1)
        scene.pair.flush()
    assert times == [3, 3, 5, 7, 9]
    assert scene.clock.getDelayedCalls() == []


def test_no_timer_outlives_the_connection(pairs: Pairs) -> None:
    scene = Scene(pairs)
    results = scene.outcome(scene.root.options(timeout=5).callRemote("never"))
    scene.pair.drop()
    assert len(results) == 1 and scene.clock.getDelayedCalls() == []
    scene.worker.waiting[0].callback(None)


def test_without_a_clock_the_other_end_is_told(pairs: Pairs, told: bool) -> None:
    worker = Worker()
    pair = pairs(worker)
    left = pair.result(pair.root.options(timeout=50).callRemote("left"))
    assert (0 < left <= 50) if told else left is None


@pytest.mark.in_dialects("broker/1")
def test_a_call_that_expires_before_it_was_sent_is_not_sent(pairs: Pairs) -> None:
    scene = Scene(pairs, limits=Limits(calls=1))
    scene.outcome(scene.root.callRemote("never"))
    results = scene.outcome(scene.root.options(timeout=5).callRemote("never", Referenceable()))
    scene.clock.advance(5)
    assert type(results[0]) is DeadlineExceeded and tables(scene.pair.client)["exports"] == 0
    scene.worker.waiting[0].callback(None)
    scene.pair.flush()
    assert len(scene.worker.waiting) == 1
    scene.finish()


def waiters(count: int) -> list[Waiter]:
    return [Waiter() for _ in range(count)]


def test_calls_that_were_answered_are_forgotten() -> None:
    clock = Clock()
    table = Deadlines(clock)
    kept = waiters(10)
    for waiter in kept:
        table.add(waiter, 60)
    for _ in range(50):
        for waiter in waiters(1000):
            table.add(waiter, 60)
            waiter.callback(None)
    assert len(table._heap) < 300, "of fifty thousand"
    assert len(clock.getDelayedCalls()) == 1
    # Those that still wait have not been.
    assert {id(waiter) for waiter in kept} <= {id(entry[3]) for entry in table._heap}
    table.clear()
    assert clock.getDelayedCalls() == []


@pytest.mark.parametrize("live", [1, 64, 127, 128, 1023])
def test_forgetting_costs_little_however_many_wait(live: int) -> None:
    table = Deadlines(Clock())
    for waiter in waiters(live):
        table.add(waiter, 60)
    rebuilt = 0
    heap = table._heap
    for waiter in waiters(2000):
        table.add(waiter, 60)
        waiter.callback(None)
        if table._heap is not heap:
            heap = table._heap
            rebuilt += len(heap)
    assert rebuilt <= 2 * 2000 + live, "in sum no more looks than a few for each call"
