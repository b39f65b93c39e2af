"""Whatever callers do and whenever they vanish: nothing is lost, nothing handed out twice, nobody waits in vain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker._remote.publish import CallContext
from broker.manager.locks import BoundedSemaphore, Lock, RLock, Semaphore
from broker.manager.queues import Queue


class Connection:
    """As much of a connection as shared objects see."""

    def __init__(self) -> None:
        self.disconnected = False
        self.session: dict[Any, Any] = {}
        self.notifiers: list[Callable[[], object]] = []

    def notifyOnDisconnect(self, notifier: Callable[[], object]) -> None:
        self.notifiers.append(notifier)

    def context(self, owner: int | None = None) -> CallContext:
        broker: Any = self
        return CallContext(broker, self.session, {} if owner is None else {"owner": owner})

    def lose(self) -> None:
        self.disconnected = True
        for notifier in self.notifiers:
            notifier()


def outcome(result: Any) -> list[Any]:
    """Return a list that gets the result, or what a Deferred comes to."""
    found: list[Any] = []
    if isinstance(result, Deferred):
        result.addBoth(found.append)
    else:
        found.append(result)
    return found


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["take", "take", "give", "give", "cancel", "lose", "time"]), st.integers(0, 3)),
    min_size=12,
    max_size=40,
)


@settings(max_examples=200)
@given(st.sampled_from([Lock, RLock, Semaphore, BoundedSemaphore]), ACTIONS)
def test_locks(kind: Any, actions: list[tuple[str, int]]) -> None:
    clock = Clock()
    room = 2 if issubclass(kind, Semaphore) else 1
    lock = kind(2, clock=clock) if room == 2 else kind(clock=clock)
    people = [Connection() for _ in range(4)]
    holding = [0] * 4
    waiting: list[tuple[int, Deferred[bool], list[Any]]] = []

    def settle() -> None:
        for entry in list(waiting):
            who, _, found = entry
            if found:
                waiting.remove(entry)
                holding[who] += found[0] is True

    for action, who in actions:
        ctx = people[who].context()
        if action == "take" and not (kind is RLock and holding[who]):
            taken = lock.acquire(True, 3, ctx=ctx)
            if isinstance(taken, Deferred):
                waiting.append((who, taken, outcome(taken)))
            else:
                holding[who] += taken
        elif action == "give" and holding[who]:
            holding[who] -= 1
            lock.release(ctx=ctx)
        elif action == "cancel" and waiting:
            waiting[who % len(waiting)][1].cancel()
        elif action == "lose":
            holding[who] = 0
            people[who].lose()
            people[who] = Connection()
            # Those who waited there are gone, too; nothing was given to them.
            gone = [entry for entry in waiting if entry[0] == who]
            assert all(isinstance(found[0], Failure) for _, _, found in gone)
        elif action == "time":
            clock.advance(1)
        settle()
        assert 0 <= sum(holding) <= room
        assert not waiting or sum(holding) == room, "who waits, waits for somebody"
    for _, deferred, _ in waiting:
        deferred.cancel()
    assert not clock.getDelayedCalls()
    for who, count in enumerate(holding):
        for _ in range(count):
            lock.release(ctx=people[who].context())
    for _ in range(room):
        assert lock.acquire(False) is True
    assert kind is RLock or lock.acquire(False) is False


@settings(max_examples=200)
@given(st.sampled_from([1, 2, 0]), ACTIONS)
def test_queues(maxsize: int, actions: list[tuple[str, int]]) -> None:
    clock = Clock()
    items = Queue(maxsize, clock=clock)
    people = [Connection() for _ in range(4)]
    put: set[int] = set()
    got: list[int] = []
    waiting: list[tuple[int, Deferred[Any], list[Any], int | None]] = []
    number = 0

    def settle() -> None:
        for entry in list(waiting):
            _, _, found, item = entry
            if found:
                waiting.remove(entry)
                if item is None:
                    got.extend(one for one in found if not isinstance(one, Failure))
                elif found == [None]:
                    put.add(item)

    for action, who in actions:
        ctx = people[who].context()
        if action == "take":
            if items.empty():
                taken = items.get(True, 3, ctx=ctx)
                waiting.append((who, taken, outcome(taken), None))
            else:
                got.append(items.get(ctx=ctx))
        elif action == "give":
            number += 1
            given = items.put(number, True, 3, ctx=ctx)
            if given is None:
                put.add(number)
            else:
                waiting.append((who, given, outcome(given), number))
        elif action == "cancel" and waiting:
            waiting[who % len(waiting)][1].cancel()
        elif action == "lose":
            people[who].lose()
            people[who] = Connection()
        elif action == "time":
            clock.advance(1)
        settle()
        assert items.qsize() == len(put) - len(got)
        getting = [entry for entry in waiting if entry[3] is None]
        assert not getting or items.empty()
        assert len(getting) in (0, len(waiting)), "nobody waits to give what somebody waits for"
        assert len(getting) == len(waiting) or items.full()
    for _, deferred, _, _ in waiting:
        deferred.cancel()
    while not items.empty():
        got.append(items.get())
    assert sorted(got) == got or maxsize, "in order"
    assert set(got) == put and len(got) == len(put)
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_both_vanish(order: tuple[int, int]) -> None:
    lock = Lock(clock=Clock())
    people = [Connection(), Connection()]
    assert lock.acquire(ctx=people[0].context()) is True
    found = outcome(lock.acquire(ctx=people[1].context()))
    for who in order:
        people[who].lose()
    assert len(found) == 1 and not lock.locked()
