"""Conditions, events and barriers: who is woken, and who is not."""

from __future__ import annotations

from threading import BrokenBarrierError
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from broker.errors import RemoteError
from broker.testing.harness import Pairs
from tests.manager.scene import Client, came, clients, failed

pytestmark = pytest.mark.in_dialects("broker/1")


def owners(client: Client, proxy: Any, *names: str) -> list[Any]:
    return [client.as_owner(proxy, name) for name in names]


def test_notify(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    condition = ann.make("Condition")
    sleepers = owners(ann, condition, "a", "b", "c")
    found = []
    for sleeper in sleepers:
        ann.pair.result(sleeper.acquire())
        found.append(came(sleeper.wait()))
        ann.pair.flush()
    condition.acquire()
    condition.notify()
    assert found == [[], [], []], "the lock is still taken"
    condition.release()
    ann.pair.flush()
    assert found == [[True], [], []]
    ann.pair.result(sleepers[0].notify_all())
    ann.pair.result(sleepers[0].release())
    assert found == [[True], [True], []], "one after the other"
    ann.pair.result(sleepers[1].release())
    assert found == [[True], [True], [True]]


def test_wait_in_vain(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    condition = ann.make("Condition")
    sleeper, other = owners(ann, condition, "a", "b")
    ann.pair.result(sleeper.acquire())
    found = came(sleeper.wait(3))
    ann.pair.flush()
    ann.pair.result(other.acquire())
    server.clock.advance(3)
    ann.pair.flush()
    assert found == [], "it has to have the lock again"
    ann.pair.result(other.release())
    assert found == [False]
    assert ann.pair.result(other.acquire(False)) is False


def test_the_lock_is_needed(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    condition = ann.make("Condition", ann.make("Lock"))
    for call in (condition.wait, condition.notify, condition.notify_all, condition.release):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(RuntimeError):
        condition.wait_for(lambda: True)
    with pytest.raises(TypeError, match="shared Lock or RLock"):
        ann.make("Condition", 3)


def test_a_lock_taken_often_is_taken_as_often_again(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    lock = ann.make("RLock")
    condition = ann.make("Condition", lock)
    sleeper, other = owners(ann, condition, "a", "b")
    ann.pair.result(sleeper.acquire())
    ann.pair.result(sleeper.acquire())
    found = came(sleeper.wait())
    ann.pair.flush()
    ann.pair.result(other.acquire())
    ann.pair.result(other.notify())
    ann.pair.result(other.release())
    assert found == [True]
    ann.pair.result(sleeper.release())
    assert lock.locked()
    ann.pair.result(sleeper.release())
    assert not lock.locked()


def test_wait_for(pairs: Pairs) -> None:
    server, ann = clients(pairs)
    values = ann.make("list")
    condition = ann.make("Condition")
    sleeper, other = owners(ann, condition, "a", "b")
    asked = []

    def enough() -> Any:
        asked.append(len(asked))
        return ann.late(values).__len__ and len(asked) > 2 and "enough"

    ann.pair.result(sleeper.acquire())
    found = came(sleeper.wait_for(enough, 10))
    ann.pair.flush()
    for _ in range(2):
        assert found == []
        ann.pair.result(other.acquire())
        ann.pair.result(other.notify())
        ann.pair.result(other.release())
    assert found == ["enough"]
    assert asked == [0, 1, 2]
    never = came(sleeper.wait_for(lambda: False, 10))
    ann.pair.flush()
    server.clock.advance(10)
    ann.pair.flush()
    assert never == [False]


def test_cancelled_wait_has_the_lock_again(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    condition = ann.make("Condition")
    sleeper, other = owners(ann, condition, "a", "b")
    ann.pair.result(sleeper.acquire())
    waiting = sleeper.wait()
    found = came(waiting)
    ann.pair.flush()
    waiting.cancel()
    ann.pair.flush()
    assert failed(found) is CancelledError
    assert ann.pair.result(other.acquire(False)) is False
    ann.pair.result(sleeper.release())
    assert ann.pair.result(other.acquire(False)) is True


def test_cancelled_wait_gives_up_coming_back_when_it_releases(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    condition = ann.make("Condition")
    sleeper, other = owners(ann, condition, "a", "b")
    ann.pair.result(sleeper.acquire())
    waiting = sleeper.wait()
    came(waiting)
    ann.pair.flush()
    ann.pair.result(other.acquire())
    waiting.cancel()
    # As one does on the way out of a block, though another one has the lock by now.
    ann.pair.result(sleeper.release())
    ann.pair.result(other.release())
    assert not condition.locked()


def test_lost_sleeper(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    condition = ann.make("Condition")
    other = bob.take(ann, condition)
    other.acquire()
    came(bob.late(other).wait())
    bob.pair.flush()
    bob.pair.drop()
    with condition:
        condition.notify()
    assert not condition.locked()


def test_event(pairs: Pairs) -> None:
    server, ann, bob = clients(pairs, 2)
    event = ann.make("Event")
    other = bob.late(bob.take(ann, event))
    found, late = came(other.wait()), came(other.wait(2))
    bob.pair.flush()
    assert (event.is_set(), event.wait(0)) == (False, False)
    server.clock.advance(2)
    bob.pair.flush()
    assert (found, late) == ([], [False])
    event.set()
    bob.pair.flush()
    assert (found, event.wait(), event.is_set()) == ([True], True, True)
    event.clear()
    assert event.isSet() is False
    assert not server.clock.getDelayedCalls()


def come(client: Client, barrier: Any, *names: str, timeout: float | None = None) -> list[list[Any]]:
    found = [came(client.as_owner(barrier, name).wait(timeout)) for name in names]
    client.pair.flush()
    return found


def test_barrier(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    barrier = ann.make("Barrier", 3)
    found = come(ann, barrier, "a", "b")
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (3, 2, False)
    found += come(bob, bob.take(ann, barrier), "c", "d")
    ann.pair.flush()
    assert found == [[0], [1], [2], []]
    assert barrier.n_waiting == 1, "of the next round"
    barrier.reset()
    bob.pair.flush()
    assert failed(found[3]) is not None and issubclass(failed(found[3]), BrokenBarrierError)
    assert not barrier.broken
    with pytest.raises(ValueError):
        ann.make("Barrier", 0)


def test_barrier_breaks(pairs: Pairs) -> None:
    server, ann, bob = clients(pairs, 2)
    for end in ("time", "lost", "abort"):
        barrier = ann.make("Barrier", 3)
        (found,) = come(ann, barrier, "a")
        (other,) = come(bob, bob.take(ann, barrier), "b", timeout=1 if end == "time" else None)
        if end == "time":
            server.clock.advance(1)
        elif end == "abort":
            barrier.abort()
        else:
            bob.pair.drop()
        ann.pair.flush()
        assert issubclass(failed(found), BrokenBarrierError), end
        assert barrier.broken
        with pytest.raises(BrokenBarrierError):
            barrier.wait()
        bob = server.client() if end == "lost" else bob
        del other


def test_barrier_with_an_action(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    called: list[str] = []
    proxy = ann.make("Barrier", 2, lambda: called.append("called"))
    found = come(ann, proxy, "a", "b", "c")
    assert called == ["called"]
    assert found == [[0], [1], []]
    proxy.abort()
    ann.pair.flush()
    assert issubclass(failed(found[2]), BrokenBarrierError)

    def bad() -> None:
        raise KeyError("bad")

    broken = ann.make("Barrier", 2, bad)
    one, two = come(ann, broken, "a", "b")
    assert issubclass(failed(one), BrokenBarrierError)
    assert issubclass(failed(two), KeyError)
    pairs.flush_logged(KeyError, RemoteError)
