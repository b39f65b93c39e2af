"""Reigns: who comes back at once has a lock again before those who wait, for some time."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock

from broker.manager.locks import Lock, RLock
from broker.manager.reigns import GRACE, REIGN


class Fine(Clock):
    """A clock for short times."""

    glances = True


@pytest.fixture
def clock() -> Fine:
    return Fine()


def waiting(lock: Lock, owner: int) -> tuple[Any, list[Any]]:
    """Have somebody wait for a lock; return the Deferred and what came of it."""
    deferred, came = lock.acquire(owner=owner), []
    assert not isinstance(deferred, bool)
    deferred.addBoth(came.append)
    return deferred, came


@pytest.mark.parametrize("kind", [Lock, RLock])
def test_who_comes_back_at_once_has_it_again(clock: Fine, kind: type[Lock]) -> None:
    lock = kind(clock=clock)
    lock.acquire(owner=1)
    _, came = waiting(lock, 2)
    for _ in range(5):
        lock.release(owner=1)
        clock.advance(GRACE / 2)
        assert (came, lock.locked()) == ([], False)
        assert lock.acquire(owner=1) is True
    clock.advance(GRACE * 2)
    assert (came, clock.getDelayedCalls()) == ([], []), "it is held"
    lock.release(owner=1)
    clock.advance(GRACE * 1.01)
    assert (came, lock.locked()) == ([True], True)


def test_the_reign_ends(clock: Fine) -> None:
    lock = Lock(clock=clock)
    lock.acquire(owner=1)
    _, second = waiting(lock, 2)
    _, third = waiting(lock, 3)
    clock.advance(REIGN * 1.01)
    lock.release(owner=1)
    assert (second, third) == ([True], [])
    clock.advance(REIGN / 2)
    lock.release(owner=2)
    assert lock.acquire(owner=2) is True
    clock.advance(REIGN)
    lock.release(owner=2)
    assert third == [True]


def test_where_nobody_comes_back_it_is_handed_on_at_once(clock: Fine) -> None:
    lock = Lock(clock=clock)
    lock.acquire(owner=0)
    at_once = []
    for number in range(1, 12):
        _, came = waiting(lock, number)
        lock.release(owner=number - 1)
        at_once.append(bool(came))
        clock.advance(GRACE * 1.01)
        assert came == [True]
    assert at_once == [False, False, True, False, True, True, True, False, *[True] * 3]


def test_who_does_not_wait_any_more_gets_nothing(clock: Fine) -> None:
    lock = Lock(clock=clock)
    lock.acquire(owner=1)
    deferred, came = waiting(lock, 2)
    lock.release(owner=1)
    deferred.cancel()
    assert came[0].check(CancelledError) is not None
    clock.advance(GRACE * 1.01)
    assert lock.acquire(owner=3) is True


def test_clocks_that_are_not_so_fine() -> None:
    lock = Lock(clock=Clock())
    lock.acquire(owner=1)
    _, came = waiting(lock, 2)
    lock.release(owner=1)
    assert came == [True]
