"""Queues: items go to those who are there, and never get lost."""

from __future__ import annotations

import queue

import pytest
from twisted.internet.defer import CancelledError

from broker.manager.queues import Queue, ShutDown
from broker.testing.harness import Pairs
from tests.manager.scene import came, clients, failed

pytestmark = pytest.mark.in_dialects("broker/1")

QUEUES = ("Queue", "JoinableQueue", "LifoQueue", "PriorityQueue")


@pytest.mark.parametrize(
    ("kind", "order"),
    [("Queue", [2, 1, 3]), ("JoinableQueue", [2, 1, 3]), ("LifoQueue", [3, 1, 2]), ("PriorityQueue", [1, 2, 3])],
)
def test_order(pairs: Pairs, kind: str, order: list[int]) -> None:
    _, ann = clients(pairs)
    items = ann.make(kind)
    for item in (2, 1, 3):
        items.put(item)
    assert (items.qsize(), items.empty(), items.full()) == (3, False, False)
    assert [items.get() for _ in range(3)] == order
    assert items.empty()


@pytest.mark.parametrize("kind", QUEUES)
def test_waiting_for_items(pairs: Pairs, kind: str) -> None:
    server, ann, bob = clients(pairs, 2)
    items = ann.make(kind)
    other = bob.late(bob.take(ann, items))
    found, late = came(other.get()), came(other.get(timeout=2))
    bob.pair.flush()
    server.clock.advance(2)
    bob.pair.flush()
    assert found == [] and issubclass(failed(late), queue.Empty)
    items.put("item")
    bob.pair.flush()
    assert (found, items.qsize()) == (["item"], 0)
    for call in (lambda: items.get(False), lambda: items.get(True, 0), items.get_nowait):
        with pytest.raises(queue.Empty):
            call()
    with pytest.raises(ValueError):
        items.get(True, -1)
    assert not server.clock.getDelayedCalls()


@pytest.mark.parametrize("kind", QUEUES)
def test_waiting_for_room(pairs: Pairs, kind: str) -> None:
    server, ann, bob = clients(pairs, 2)
    items = ann.make(kind, 1)
    items.put(1)
    assert items.full()
    other = bob.late(bob.take(ann, items))
    found, late = came(other.put(2)), came(other.put(3, timeout=2))
    bob.pair.flush()
    server.clock.advance(2)
    bob.pair.flush()
    assert found == [] and issubclass(failed(late), queue.Full)
    for call in (lambda: items.put(4, False), lambda: items.put_nowait(4)):
        with pytest.raises(queue.Full):
            call()
    assert items.get() == 1
    bob.pair.flush()
    assert found == [None]
    assert items.get() == 2 and items.empty()


@pytest.mark.parametrize("end", ["lost", "cancelled"])
def test_who_is_gone_gets_no_item(pairs: Pairs, end: str) -> None:
    server, ann, bob = clients(pairs, 2)
    items = ann.make("Queue")
    deferred = bob.late(bob.take(ann, items)).get(True, 100)
    found = came(deferred)
    bob.pair.flush()
    if end == "lost":
        bob.pair.drop()
    else:
        deferred.cancel()
        bob.pair.flush()
        assert failed(found) is CancelledError
    items.put("item")
    assert items.qsize() == 1
    assert not server.clock.getDelayedCalls()


def test_who_is_gone_puts_no_item(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    items = ann.make("Queue", 1)
    items.put(1)
    came(bob.late(bob.take(ann, items)).put(2))
    bob.pair.flush()
    bob.pair.drop()
    assert items.get() == 1
    assert items.empty()


def test_join(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    items = ann.make("JoinableQueue")
    assert items.join() is None
    for item in range(2):
        items.put(item)
    found = came(bob.late(bob.take(ann, items)).join())
    bob.pair.flush()
    for _ in range(2):
        assert found == []
        items.get()
        items.task_done()
    bob.pair.flush()
    assert found == [None]
    with pytest.raises(ValueError, match="too many times"):
        items.task_done()


def test_shutdown(pairs: Pairs) -> None:
    _, ann, bob = clients(pairs, 2)
    items = ann.make("Queue", 2)
    waiting = came(bob.late(bob.take(ann, items)).get())
    bob.pair.flush()
    items.shutdown()
    bob.pair.flush()
    assert issubclass(failed(waiting), ShutDown) and items.is_shutdown
    with pytest.raises(ShutDown):
        items.put(1)
    full = ann.make("Queue", 1)
    full.put(1)
    putting, joining = (came(call()) for call in (lambda: ann.late(full).put(2), ann.late(full).join))
    ann.pair.flush()
    full.shutdown()
    ann.pair.flush()
    assert issubclass(failed(putting), ShutDown) and joining == []
    full.shutdown(True)
    ann.pair.flush()
    assert joining == [None]
    with pytest.raises(ShutDown):
        full.get()


def test_items_are_shared_objects_and_exceptions(pairs: Pairs) -> None:
    _, ann = clients(pairs)
    items, inner = ann.make("Queue"), ann.make("list", [1])
    items.put(inner)
    items.get().append(2)
    assert inner == [1, 2]
    local = Queue(clock=None)
    found = came(local.get())
    error = ValueError("an item")
    local.put(error)
    assert found == [error]
