"""Peers that are silent: asked after an interval, given up after their patience, all by one timer."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from broker._net.allowance import Allowance
from broker._net.keepalive import STEP, Keeper


class Connection:
    """Notes what it is asked, and when; `answers` says whether its peer is there."""

    def __init__(self, clock: Clock, answers: bool = False) -> None:
        self.clock = clock
        self.answers = answers
        self.heard = False
        self.pings: list[float] = []
        self.ended: tuple[float, float] | None = None

    def ping(self) -> None:
        self.pings.append(self.clock.seconds())
        if self.answers:
            self.heard = True

    def silent(self, seconds: float) -> None:
        assert self.ended is None
        self.ended = self.clock.seconds(), seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def later(clock: Clock, seconds: int) -> None:
    """Let time pass as it does for a reactor that has nothing else to do."""
    clock.pump([1.0] * seconds)


def test_a_silent_peer_is_asked_and_then_given_up(clock: Clock) -> None:
    keeper = Keeper(clock, 10, patience=4)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 60)
    # It was heard, for it connected; so the first look asks nothing.
    assert connection.pings == [20]
    assert connection.ended == (24, 14)
    assert len(keeper) == 0 and clock.getDelayedCalls() == []


def test_patience_is_an_interval_by_default(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 60)
    assert (connection.pings, connection.ended) == ([20], (30, 20))


@pytest.mark.parametrize("patience", [4, 10, 25])
def test_a_peer_that_answers_is_kept(clock: Clock, patience: float) -> None:
    keeper = Keeper(clock, 10, patience)
    connection = Connection(clock, answers=True)
    keeper.add(connection)
    later(clock, 200)
    assert connection.ended is None
    # An answer is heard, so every other look asks.
    assert connection.pings == [20, 40, 60, 80, 100, 120, 140, 160, 180, 200]


@pytest.mark.parametrize("patience", [4, 10, 25])
def test_a_late_answer_counts(clock: Clock, patience: int) -> None:
    keeper = Keeper(clock, 10, patience)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 20 + patience - 1)
    assert connection.pings == [20]
    connection.heard = True
    later(clock, 5)
    assert connection.ended is None
    connection.answers = True
    later(clock, 200)
    assert connection.ended is None


def test_a_peer_that_speaks_is_not_asked(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection = Connection(clock)
    keeper.add(connection)
    for _ in range(50):
        later(clock, 3)
        connection.heard = True
    assert connection.pings == [] and connection.ended is None


def test_a_patience_longer_than_the_interval_asks_once(clock: Clock) -> None:
    keeper = Keeper(clock, 10, patience=35)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 100)
    assert connection.pings == [20] and connection.ended == (55, 45)


def test_one_timer_and_only_while_there_are_connections(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    assert clock.getDelayedCalls() == []
    connections = [Connection(clock) for _ in range(50)]
    for connection in connections:
        keeper.add(connection)
        assert len(clock.getDelayedCalls()) == 1
    for _ in range(25):
        later(clock, 1)
        assert len(clock.getDelayedCalls()) == 1
    for connection in connections:
        keeper.remove(connection)
        keeper.remove(connection)
    assert clock.getDelayedCalls() == []
    later(clock, 100)
    assert all(connection.ended is None for connection in connections)
    again = Connection(clock)
    keeper.add(again)
    later(clock, 30)
    assert again.pings == [145] and again.ended == (155, 20)


def test_a_connection_that_goes_while_it_is_asked_is_forgotten(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection, other = Connection(clock), Connection(clock, answers=True)
    keeper.add(connection)
    keeper.add(other)
    later(clock, 25)
    keeper.remove(connection)
    later(clock, 100)
    assert connection.pings == [20] and connection.ended is None and len(keeper) == 1


def test_a_connection_that_goes_at_the_last_moment_is_not_closed_again(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connections = [Connection(clock) for _ in range(2)]

    class First(Connection):
        def silent(self, seconds: float) -> None:
            super().silent(seconds)
            for connection in connections:
                keeper.remove(connection)

    keeper.add(First(clock))
    for connection in connections:
        keeper.add(connection)
    later(clock, 60)
    assert [connection.ended for connection in connections] == [None, None]
    assert clock.getDelayedCalls() == []


def test_a_connection_that_goes_during_a_round_is_not_asked(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connections = [Connection(clock) for _ in range(3 * STEP)]
    for connection in connections:
        keeper.add(connection)
    later(clock, 21)
    asked = [connection for connection in connections if connection.pings]
    assert len(asked) == STEP
    for connection in connections:
        if connection not in asked[:10]:
            keeper.remove(connection)
    later(clock, 100)
    assert [connection for connection in connections if connection.pings] == asked
    assert [connection for connection in connections if connection.ended] == asked[:10]


@pytest.mark.parametrize("seconds", [5, 15, 25, 30])
def test_nothing_is_kept_of_a_connection_that_went(clock: Clock, seconds: int) -> None:
    keeper = Keeper(clock, 10, patience=20)
    connections = [Connection(clock) for _ in range(3 * STEP)]
    for connection in connections:
        keeper.add(connection)
    later(clock, seconds)
    gone = [weakref.ref(connection) for connection in connections]
    for connection in connections:
        keeper.remove(connection)
    del connections, connection
    gc.collect()
    assert {connection() for connection in gone} == {None}


def test_closing_may_take_connections_away_and_bring_new_ones(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    fresh = Connection(clock, answers=True)

    class Reconnecting(Connection):
        def silent(self, seconds: float) -> None:
            super().silent(seconds)
            keeper.remove(self)
            keeper.add(fresh)

    keeper.add(Reconnecting(clock))
    later(clock, 30)
    assert len(keeper) == 1 and len(clock.getDelayedCalls()) == 1
    later(clock, 20)
    assert fresh.pings == [50]


def test_a_ping_that_fails_does_not_stop_the_others() -> None:
    class Strict(Clock):
        """A clock that goes on after an error, as a reactor does."""

        errors = 0

        def advance(self, amount: float) -> None:
            try:
                super().advance(amount)
            except ZeroDivisionError:
                self.errors += 1

    class Broken(Connection):
        def ping(self) -> None:
            raise ZeroDivisionError

    clock = Strict()
    keeper = Keeper(clock, 10)
    connection = Connection(clock)
    keeper.add(Broken(clock))
    keeper.add(connection)
    later(clock, 60)
    assert clock.errors == 1 and connection.ended is not None


def test_many_are_asked_in_steps_over_the_interval(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connections = [Connection(clock, answers=True) for _ in range(10 * STEP)]
    for connection in connections:
        keeper.add(connection)
    asked: list[int] = []
    before = 0
    for _ in range(400):
        clock.advance(0.25)
        pings = sum(len(connection.pings) for connection in connections)
        asked.append(pings - before)
        before = pings
    assert max(asked) <= STEP, "never more in one turn"
    times = [connection.pings for connection in connections]
    assert min(map(len, times)) >= 4
    gaps = {after - earlier for pings in times for earlier, after in zip(pings, pings[1:], strict=False)}
    assert gaps == {20.0}, "each has its own time"
    assert not any(connection.ended for connection in connections)


# This process itself was away.


def test_a_process_that_was_suspended_gives_nobody_up(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 25)
    assert connection.pings == [20]
    clock.advance(3600)
    assert connection.ended is None, "its patience begins anew"
    connection.heard = connection.answers = True
    later(clock, 100)
    assert connection.ended is None


def test_looks_that_were_missed_are_not_made_up_for(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection = Connection(clock, answers=True)
    keeper.add(connection)
    clock.advance(3600)
    later(clock, 40)
    assert len(connection.pings) <= 3


def test_a_peer_that_died_meanwhile_is_given_up_all_the_same(clock: Clock) -> None:
    keeper = Keeper(clock, 10)
    connection = Connection(clock)
    keeper.add(connection)
    later(clock, 25)
    clock.advance(3600)
    later(clock, 10)
    assert connection.ended is not None


def test_what_waits_to_be_read_when_the_patience_ends_counts() -> None:
    class Reactor(Clock):
        """Reads between two rounds of its timers, as reactors do."""

        def turn(self) -> None:
            due: list[Any] = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
            for call in due:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    reactor = Reactor()
    keeper = Keeper(reactor, 10)
    connections = [Connection(reactor), Connection(reactor)]
    for connection in connections:
        keeper.add(connection)
    for _ in range(29):
        reactor.rightNow += 1
        reactor.turn()
    assert [connection.pings for connection in connections] == [[20], [20]]
    reactor.rightNow += 1
    reactor.turn()
    assert all(connection.ended is None for connection in connections), "nothing was read yet"
    connections[0].heard = True
    reactor.turn()
    assert [connection.ended for connection in connections] == [None, (30, 20)]


@pytest.mark.parametrize(("interval", "patience"), [(0, 1), (-1, None), (1, 0)])
def test_times_are_positive(clock: Clock, interval: float, patience: float | None) -> None:
    with pytest.raises(ValueError, match="positive"):
        Keeper(clock, interval, patience)


# Allowances.


def test_an_allowance_is_a_burst_and_then_a_rate(clock: Clock) -> None:
    allowance = Allowance(10, 20, clock.seconds)
    assert [allowance.take() for _ in range(21)] == [True] * 20 + [False]
    clock.advance(0.5)
    assert [allowance.take() for _ in range(6)] == [True] * 5 + [False]
    clock.advance(1000)
    assert allowance.take(20) and not allowance.take()


def test_what_is_refused_costs_nothing(clock: Clock) -> None:
    allowance = Allowance(1, 5, clock.seconds)
    assert not allowance.take(6) and allowance.take(5)


def test_a_clock_that_goes_backwards_brings_nothing() -> None:
    now = [100.0]
    allowance = Allowance(1, 2, lambda: now[0])
    assert allowance.take(2)
    now[0] = 0.0
    assert not allowance.take()
    now[0] = 1.0
    assert allowance.take() and not allowance.take()


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 20))), st.floats(0.1, 100), st.floats(1, 100))
def test_no_more_is_taken_than_came(steps: list[tuple[float, float]], rate: float, burst: float) -> None:
    clock = Clock()
    allowance = Allowance(rate, burst, clock.seconds)
    taken = 0.0
    for pause, amount in steps:
        clock.advance(pause)
        taken += amount if allowance.take(amount) else 0.0
    assert taken <= (burst + rate * clock.seconds()) * 1.000001
