"""Shielded methods finish what they began, whatever becomes of their caller."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, inlineCallbacks, succeed
from twisted.internet.task import Clock

import broker
from broker.testing import tables
from broker.testing.harness import Pairs


class Ledger(broker.Root):
    """Books in two steps, between which nobody may stop it."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.done: list[Any] = []
        self.left: list[float | None] = []

    def step(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    @broker.shielded
    def remote_at_once(self, value: Any) -> Any:
        """Answers as ever."""
        return value

    @broker.shielded
    def remote_fails(self) -> None:
        raise broker.Error("no")

    @broker.shielded
    def remote_deferred(self) -> Deferred[Any]:
        return self.step().addBoth(self.book)

    @broker.shielded
    async def remote_coroutine(self) -> Any:
        self.left.append(broker.remaining())
        try:
            value = await self.step()
        except BaseException as error:
            self.book(error)
            raise
        self.left.append(broker.remaining())
        return self.book(value)

    @broker.shielded
    @inlineCallbacks
    def remote_generator(self) -> Any:
        value = yield self.step()
        return self.book(value)

    @broker.shielded
    async def remote_asks(self, other: Any) -> Any:
        """Makes a call of its own, for which the caller's deadline does not hold."""
        return self.book(await other.callRemote("later"))

    async def remote_unshielded(self) -> Any:
        return self.book(await self.step())

    def book(self, value: Any) -> Any:
        self.done.append(value)
        return value


SLOW = ["deferred", "coroutine", "generator"]


@pytest.mark.parametrize("name", ["at_once", "deferred", "coroutine", "generator"])
def test_they_answer(pairs: Pairs, name: str) -> None:
    ledger = Ledger()
    made = pairs(ledger)
    call = made.root.callRemote(name, *["value"] if name == "at_once" else [])
    made.flush()
    if ledger.waiting:
        ledger.waiting[0].callback("value")
    assert made.result(call) == "value"


@pytest.mark.parametrize("name", ["fails", *SLOW])
def test_they_fail(pairs: Pairs, name: str) -> None:
    ledger = Ledger()
    made = pairs(ledger)
    call = made.root.callRemote(name)
    made.flush()
    if ledger.waiting:
        ledger.waiting[0].errback(broker.Error("no"))
    error = made.failure(call)
    assert isinstance(error, broker.Error) and str(error) == "no"


@pytest.mark.parametrize("how", ["tell", "wait", "forget"])
@pytest.mark.parametrize("name", SLOW)
def test_cancelling_does_not_reach_them(pairs: Pairs, in_dialect: str, name: str, how: Any) -> None:
    ledger = Ledger()
    made = pairs(ledger)
    call = made.root.options(cancel=how).callRemote(name)
    made.flush()
    call.cancel()
    made.flush()
    assert not ledger.waiting[0].called
    assert tables(made.server)["answers"] == 1, "it is in flight until it has ended"
    ledger.waiting[0].callback("value")
    # PB cannot tell that a call is cancelled, so nobody could say what comes of it.
    if how == "wait" and in_dialect == "broker/1":
        assert made.result(call) == "value"
    else:
        assert isinstance(made.failure(call), CancelledError)
    assert ledger.done == ["value"]
    assert tables(made.server)["answers"] == 0


def test_others_are_cancelled(pairs: Pairs, in_dialect: str) -> None:
    ledger = Ledger()
    made = pairs(ledger)
    call = made.root.callRemote("unshielded")
    made.flush()
    call.cancel()
    made.flush()
    # In PB's dialect cancelling is not told.
    assert ledger.waiting[0].called is (in_dialect == "broker/1") and ledger.done == []
    assert isinstance(made.failure(call), CancelledError)
    if in_dialect == "pb":
        ledger.waiting[0].callback("value")


def test_the_callers_deadline_does_not_hold(pairs: Pairs) -> None:
    ledger = Ledger()
    clock = Clock()
    made = pairs(ledger, clock=clock)
    call = made.root.options(timeout=2).callRemote("coroutine")
    made.flush()
    made.advance(3)
    assert isinstance(made.failure(call), broker.DeadlineExceeded)
    ledger.waiting[0].callback("value")
    made.flush()
    assert ledger.done == ["value"] and ledger.left == [None, None]


def test_nor_does_it_for_the_calls_they_make(pairs: Pairs) -> None:
    class Friend(broker.Referenceable):
        def __init__(self) -> None:
            self.answer: Deferred[Any] = Deferred()

        def remote_later(self) -> Deferred[Any]:
            return self.answer

    ledger, friend = Ledger(), Friend()
    made = pairs(ledger, clock=Clock())
    call = made.root.options(timeout=2).callRemote("asks", friend)
    made.flush()
    made.advance(3)
    assert isinstance(made.failure(call), broker.DeadlineExceeded)
    friend.answer.callback("late")
    made.flush()
    assert ledger.done == ["late"]


def test_the_deadline_of_whoever_runs_them_is_back_afterwards() -> None:
    seen = []

    @broker.shielded
    def method() -> None:
        seen.append(broker.remaining())
        raise KeyError("any")

    with broker.deadline(5):
        with pytest.raises(KeyError):
            method()
        left = broker.remaining()
    assert seen == [None] and left is not None and 0 < left <= 5


def test_the_method_is_still_itself() -> None:
    assert Ledger.remote_at_once.__doc__ == "Answers as ever."
    assert Ledger.remote_at_once.__name__ == "remote_at_once"
    ledger = Ledger()
    assert ledger.remote_at_once(5) == 5


def test_a_result_that_is_there_already() -> None:
    @broker.shielded
    def method() -> Deferred[int]:
        return succeed(3)

    results: list[int] = []
    method().addCallback(results.append)
    assert results == [3]
