"""Locks: who has them, who waits for them, and what happens when one of these is gone."""

from __future__ import annotations

import gc
import inspect
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from broker.errors import RemoteError
from broker.manager import OWNED, standard_types
from broker.manager.locks import Lock, RLock, Semaphore
from broker.testing.harness import Pairs
from tests.manager.scene import came, clients, failed

pytestmark = pytest.mark.in_dialects("broker/1")

LOCKS = ("Lock", "RLock", "Semaphore", "BoundedSemaphore")


@pytest.mark.parametrize("kind", LOCKS)
def test_one_has_it(pairs: Pairs, kind: str) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make(kind)
    other = bob.late(bob.take(ann, lock))
    assert lock.acquire() is True
    waiting = came(other.acquire())
    bob.pair.flush()
    assert waiting == []
    assert bob.pair.result(other.acquire(False)) is False
    lock.release()
    bob.pair.flush()
    assert waiting == [True]


@pytest.mark.parametrize("kind", LOCKS)
def test_waiting_takes_so_long_and_no_longer(pairs: Pairs, kind: str) -> None:
    server, ann, bob = clients(pairs, 2)
    lock = ann.make(kind)
    lock.acquire()
    other = bob.late(bob.take(ann, lock))
    waiting = came(other.acquire(True, 2))
    bob.pair.flush()
    server.clock.advance(1.9)
    bob.pair.flush()
    assert waiting == []
    server.clock.advance(0.1)
    bob.pair.flush()
    assert waiting == [False]
    lock.release()
    assert lock.acquire(True, 1) is True, "nobody waits any more"
    assert not server.clock.getDelayedCalls()


@pytest.mark.parametrize("kind", LOCKS)
def test_wrong_times(pairs: Pairs, kind: str) -> None:
    _, ann = clients(pairs)
    lock = ann.make(kind)
    for arguments in ((True, float("nan")), (False, 3)):
        with pytest.raises(ValueError):
            lock.acquire(*arguments)
    if "Lock" in kind:
        with pytest.raises(ValueError):
            lock.acquire(True, -2)
        assert lock.acquire(True, -1) is True, "as threading has it: no bound"
    else:
        assert lock.acquire(True, -2) is True, "as threading has it: not at all"
    with pytest.raises(TypeError):
        lock.acquire(True, "soon")


@pytest.mark.parametrize("kind", LOCKS)
def test_first_come_first_served(pairs: Pairs, kind: str) -> None:
    _, ann = clients(pairs)
    lock = ann.make(kind)
    lock.acquire(owner="first") if kind == "RLock" else lock.acquire()
    order: list[str] = []
    proxies = {name: ann.as_owner(lock, name) for name in ("b", "c", "d")}
    for name, proxy in proxies.items():
        proxy.acquire().addCallback(lambda _, name=name: order.append(name))
    ann.pair.flush()
    ann.pair.result(ann.as_owner(lock, "first").release())
    for name in ("b", "c"):
        ann.pair.result(proxies[name].release())
    assert order == ["b", "c", "d"]


def test_owners_of_one_connection(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    lock = ann.make("RLock")
    one, two = ann.as_owner(lock, 1), ann.as_owner(lock, 2)
    assert ann.pair.result(one.acquire()) and ann.pair.result(one.acquire())
    assert ann.pair.result(two.acquire(False)) is False
    with pytest.raises(RuntimeError, match="cannot release un-acquired lock"):
        ann.pair.result(two.release())
    ann.pair.result(one.release())
    assert ann.pair.result(two.acquire(False)) is False, "as often as it was taken"
    ann.pair.result(one.release())
    assert ann.pair.result(two.acquire(False)) is True


def test_owner_as_an_argument(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    lock = ann.make("RLock")
    assert lock.acquire(owner=1)
    with pytest.raises(RuntimeError):
        lock.release(owner=2)
    with pytest.raises(TypeError, match="an owner is"):
        lock.release(owner=[1])
    lock.release(owner=1)


def test_a_peer_cannot_say_which_connection_it_is(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    with pytest.raises(TypeError):
        ann.make("RLock").acquire(ctx=None)


def test_another_connection_is_another_owner(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make("RLock")
    lock.acquire()
    with pytest.raises(RuntimeError):
        bob.take(ann, lock).release()


def test_anybody_releases_a_lock(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make("Lock")
    lock.acquire()
    bob.take(ann, lock).release()
    assert not lock.locked()
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()


@pytest.mark.parametrize("kind", LOCKS)
def test_lost_holder(pairs: Pairs, kind: str) -> None:
    _, ann, bob, eve = clients(pairs, 3)
    lock = ann.make(kind)
    eves = eve.take(ann, lock)
    assert eves.acquire() is True
    if kind == "RLock":
        assert eves.acquire() is True
    waiting = came(bob.late(bob.take(ann, lock)).acquire())
    bob.pair.flush()
    assert waiting == []
    eve.pair.drop()
    bob.pair.flush()
    assert waiting == [True]


@pytest.mark.parametrize("kind", LOCKS)
def test_lost_waiter_gets_nothing(pairs: Pairs, kind: str) -> None:
    server, ann, bob, eve = clients(pairs, 3)
    lock = ann.make(kind)
    lock.acquire()
    came(eve.late(eve.take(ann, lock)).acquire(True, 100))
    eve.pair.flush()
    waiting = came(bob.late(bob.take(ann, lock)).acquire())
    bob.pair.flush()
    eve.pair.drop()
    lock.release()
    bob.pair.flush()
    assert waiting == [True], "not the one that is gone, who was there first"
    assert not server.clock.getDelayedCalls()


@pytest.mark.parametrize("kind", LOCKS)
def test_cancelled_waiter_gets_nothing(pairs: Pairs, kind: str) -> None:
    server, ann, bob = clients(pairs, 2)
    lock = ann.make(kind)
    lock.acquire()
    deferred = bob.late(bob.take(ann, lock)).acquire(True, 100)
    waiting = came(deferred)
    bob.pair.flush()
    deferred.cancel()
    bob.pair.flush()
    assert failed(waiting) is CancelledError
    lock.release()
    assert lock.acquire(False) is True
    assert not server.clock.getDelayedCalls()


@pytest.mark.parametrize("kind", (*LOCKS, "Condition"))
def test_context(pairs: Pairs, kind: str) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make(kind)
    other = bob.late(bob.take(ann, lock))
    with lock as taken:
        assert taken is True
        assert bob.pair.result(other.acquire(False)) is False
    assert bob.pair.result(other.acquire(False)) is True


def test_context_notes_the_owner(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    lock = ann.make("RLock")
    one, two = ann.as_owner(lock, "one"), ann.as_owner(lock, "two")

    async def inside() -> None:
        async with one:
            assert await one.acquire(False) is True
            assert await two.acquire(False) is False
            await one.release()
        assert await two.acquire(False) is True

    ann.pair.result(inside())


@pytest.mark.parametrize("kind", LOCKS)
def test_connection_lost_inside_a_context(pairs: Pairs, kind: str) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make(kind)
    bob.take(ann, lock).__enter__()
    assert lock.acquire(False) is False
    bob.pair.drop()
    assert lock.acquire(False) is True
    if kind == "BoundedSemaphore":
        lock.release()
        with pytest.raises(ValueError):
            lock.release()


def test_a_lost_context_releases_nothing_of_anothers(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    lock = ann.make("Lock")
    bobs = bob.take(ann, lock)
    bobs.__enter__()
    bobs.release()
    assert lock.acquire(False) is True
    bob.pair.drop()
    assert lock.locked()


def test_semaphores_count(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    semaphore = ann.make("Semaphore", 2)
    other = bob.take(ann, semaphore)
    assert [semaphore.acquire(False), other.acquire(False), other.acquire(False)] == [True, True, False]
    semaphore.release(2)
    assert [other.acquire(False), other.acquire(False), other.acquire(False)] == [True, True, False]
    with pytest.raises(ValueError, match="n must be one or more"):
        semaphore.release(0)
    with pytest.raises(ValueError, match="initial value"):
        ann.make("Semaphore", -1)
    bounded = ann.make("BoundedSemaphore", 2)
    bounded.acquire()
    bounded.release()
    with pytest.raises(ValueError, match="too many times"):
        bounded.release()


def test_what_another_one_has_released_is_not_released_again(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    semaphore = ann.make("Semaphore", 1)
    bob.take(ann, semaphore).acquire()
    semaphore.release()
    bob.pair.drop()
    assert semaphore.acquire(False) is True
    assert semaphore.acquire(False) is False


def test_a_lock_that_nobody_can_reach_goes_though_it_is_held(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    for kind in LOCKS:
        ann.make(kind).acquire()
    gc.collect()
    ann.pair.flush()
    assert server.hub.number_of_objects() == 0


def test_locks_without_a_connection() -> None:
    lock, again, semaphore = Lock(clock=None), RLock(clock=None), Semaphore(clock=None)
    for one in (lock, again, semaphore):
        assert one.acquire() is True
        assert (one.acquire(False) is True) == (one is again)
        one.release()
    assert repr(lock) == "<unlocked Lock>"
    assert repr(semaphore) == "<Semaphore value=1>"


def test_what_takes_an_owner() -> None:
    for one in standard_types():
        kind: Any = one.callable
        public = [name for name in dir(kind) if not name.startswith("_") and inspect.isfunction(getattr(kind, name))]
        taking = {name for name in public if "owner" in inspect.signature(getattr(kind, name)).parameters}
        assert taking == OWNED.get(one.typeid, set()), one.typeid


def test_errors_are_of_both_kinds(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    with pytest.raises(RemoteError) as caught:
        ann.make("Lock").release()
    assert isinstance(caught.value, RuntimeError)
    assert "release unlocked lock" in caught.value.remoteTraceback
