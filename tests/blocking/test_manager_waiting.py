"""Shared queues, locks and their like: each operation, alone, among threads and among processes."""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, Full
from threading import BrokenBarrierError
from time import monotonic
from typing import Any

import pytest

from broker.blocking import Manager
from tests.blocking.family import in_process, in_threads, processes

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")

#: Seconds that something is waited for in vain.
SHORT = 0.02
#: What clocks may differ by.
TICK = 0.005


def took(seconds: float, function: Callable[..., Any], *args: Any, **kw: Any) -> Any:
    """Return what a function returns, or the exception that it raises; it must not have taken less time."""
    begin = monotonic()
    try:
        result = function(*args, **kw)
    except Exception as error:  # noqa: BLE001  the test looks at it
        result = error
    assert monotonic() - begin >= seconds - TICK
    return result


# Queues.


def _get_six(queue: Any, go: Any, gone: Any) -> None:
    go.wait()
    for _ in range(6):
        queue.get()
    gone.set()


def test_putting(manager: Manager) -> None:
    queue, go, gone = manager.Queue(maxsize=6), manager.Event(), manager.Event()
    with processes(1, _get_six, queue, go, gone):
        assert queue.empty() and not queue.full()
        queue.put(1)
        queue.put(2, True)
        queue.put(3, True, None)
        queue.put(4, False)
        queue.put(5, False, None)
        queue.put_nowait(6)
        assert queue.full() and not queue.empty()
        for args, seconds in (
            ((7, False), 0),
            ((7, False, None), 0),
            ((7, True, SHORT), SHORT),
            ((7, False, SHORT), 0),
        ):
            assert isinstance(took(seconds, queue.put, *args), Full)
        assert isinstance(took(SHORT, queue.put, 7, True, timeout=SHORT), Full)
        assert isinstance(took(0, queue.put_nowait, 7), Full)
        go.set()
        gone.wait()
        assert queue.empty() and not queue.full()


def _put_five(queue: Any, go: Any, there: Any) -> None:
    go.wait()
    for number in range(1, 6):
        queue.put(number)
    there.set()


def test_getting(manager: Manager) -> None:
    queue, go, there = manager.Queue(), manager.Event(), manager.Event()
    with processes(1, _put_five, queue, go, there):
        assert queue.empty()
        go.set()
        there.wait()
        assert not queue.empty()
        assert [queue.get(), queue.get(True, None), queue.get(True)] == [1, 2, 3]
        assert queue.get(timeout=1) == 4 and queue.get_nowait() == 5 and queue.empty()
        for args, seconds in (((False,), 0), ((False, None), 0), ((True, SHORT), SHORT), ((False, SHORT), 0)):
            assert isinstance(took(seconds, queue.get, *args), Empty)
        assert isinstance(took(SHORT, queue.get, timeout=SHORT), Empty)
        assert isinstance(took(0, queue.get_nowait), Empty)


def _put_ten(queue: Any) -> None:
    for number in range(10, 20):
        queue.put(number)


def test_a_queue_that_was_used_goes_to_a_process(manager: Manager) -> None:
    queue = manager.Queue()
    for number in range(10):
        queue.put(number)
    in_process(_put_ten, queue)
    assert [queue.get() for _ in range(20)] == list(range(20))
    with pytest.raises(Empty):
        queue.get(False)


def test_the_size_of_a_queue(manager: Manager) -> None:
    queue = manager.Queue()
    sizes = [queue.qsize()]
    for change in (lambda: queue.put(1), lambda: queue.put(5), queue.get, queue.get):
        change()
        sizes.append(queue.qsize())
    assert sizes == [0, 1, 2, 1, 0]


def _do_tasks(queue: Any) -> None:
    for _ in iter(queue.get, None):
        queue.task_done()


def test_joining_a_queue(manager: Manager) -> None:
    queue = manager.JoinableQueue()
    with processes(4, _do_tasks, queue):
        for number in range(10):
            queue.put(number)
        queue.join()
        assert queue.empty()
        for _ in range(4):
            queue.put(None)
    with pytest.raises(ValueError, match="too many times"):
        for _ in range(5):
            queue.task_done()


def _take_two(queue: Any) -> None:
    assert queue.qsize() == 2 and queue.full() and not queue.empty()
    assert queue.get() == 5 and not queue.empty() and queue.get() == 6 and queue.empty()


@pytest.mark.parametrize("kind", ["Queue", "JoinableQueue"])
def test_a_queue_in_a_process(manager: Manager, kind: str) -> None:
    queue = manager.create(kind, 2)
    queue.put(5)
    queue.put(6)
    in_process(_take_two, queue)
    assert queue.empty() and not queue.full()


# Locks.


def test_lock_operations(manager: Manager) -> None:
    lock = manager.Lock()
    assert lock.acquire() is True and lock.acquire(False) is False and lock.locked()
    assert took(SHORT, lock.acquire, True, SHORT) is False and took(SHORT, lock.acquire, timeout=SHORT) is False
    assert lock.release() is None and not lock.locked()
    with pytest.raises(RuntimeError):
        lock.release()
    with lock as entered:
        assert entered is True and lock.locked()
    with pytest.raises(ZeroDivisionError), lock:
        raise ZeroDivisionError
    assert not lock.locked()
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)


def test_rlock_operations(manager: Manager) -> None:
    lock = manager.RLock()
    assert [lock.acquire() for _ in range(3)] == [True] * 3
    assert [lock.release() for _ in range(3)] == [None] * 3
    with pytest.raises(RuntimeError):
        lock.release()
    with lock, lock:
        pass
    assert lock.acquire(False) is True
    lock.release()


def _acquire(lock: Any) -> None:
    assert lock.acquire() is True


def _acquire_and_release(lock: Any) -> None:
    with lock:
        pass


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore"])
def test_a_lock_in_a_process(manager: Manager, kind: str) -> None:
    lock = manager.create(kind)
    in_process(_acquire_and_release, lock)
    assert lock.acquire(False) is True
    lock.release()


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "BoundedSemaphore"])
def test_what_a_process_holds_is_released_when_it_ends(manager: Manager, kind: str) -> None:
    # With `multiprocessing`, this process would have to release it for the other.
    lock = manager.create(kind)
    in_process(_acquire, lock)
    assert lock.acquire(timeout=60) is True
    lock.release()
    if kind != "Semaphore":
        with pytest.raises((RuntimeError, ValueError)):
            lock.release()


def _count_with(lock: Any, value: Any) -> None:
    for _ in range(20):
        with lock:
            value.value += 1


def test_counting_with_a_lock(manager: Manager) -> None:
    lock, value = manager.Lock(), manager.Value("i", 0)
    with processes(2, _count_with, lock, value), in_threads(2, _count_with, lock, value):
        pass
    assert value.value == 80


# Semaphores.


@pytest.mark.parametrize("kind", ["Semaphore", "BoundedSemaphore"])
def test_semaphore_operations(manager: Manager, kind: str) -> None:
    semaphore = manager.create(kind, 2)
    assert semaphore.acquire() is True and semaphore.acquire() is True and semaphore.acquire(False) is False
    assert took(SHORT, semaphore.acquire, True, SHORT) is False
    assert took(0, semaphore.acquire, False) is False and took(SHORT, semaphore.acquire, timeout=SHORT) is False
    assert semaphore.release() is None and semaphore.release() is None
    if kind == "Semaphore":
        semaphore.release()
        semaphore.release()
        assert [semaphore.acquire(False) for _ in range(5)] == [True] * 4 + [False]
        semaphore.release(3)
        assert [semaphore.acquire(False) for _ in range(4)] == [True] * 3 + [False]
    else:
        with pytest.raises(ValueError, match="too many times"):
            semaphore.release()
        with semaphore:
            assert semaphore.acquire(False) is True and semaphore.acquire(False) is False


# Conditions.


def _sleep(condition: Any, asleep: Any, woken: Any, timeout: float | None = None) -> None:
    with condition:
        # Whoever notifies has to wait for the lock, until this one waits.
        asleep.release()
        condition.wait(timeout)
        woken.release()


def notify(condition: Any, *number: int) -> None:
    """Notify some who wait."""
    with condition:
        condition.notify(*number)


def test_notifying_one(manager: Manager) -> None:
    condition, asleep, woken = manager.Condition(), manager.Semaphore(0), manager.Semaphore(0)
    args = condition, asleep, woken
    with processes(1, _sleep, *args), in_threads(1, _sleep, *args):
        asleep.acquire()
        asleep.acquire()
        assert woken.acquire(False) is False
        notify(condition)
        woken.acquire()
        assert woken.acquire(False) is False, "the other one is asleep"
        notify(condition)
        woken.acquire()


def test_notifying_all(manager: Manager) -> None:
    condition, asleep, woken = manager.Condition(), manager.Semaphore(0), manager.Semaphore(0)
    args = condition, asleep, woken
    with processes(2, _sleep, *args, SHORT), in_threads(2, _sleep, *args, SHORT):
        # Their time is over.
        for semaphore in (asleep, woken):
            for _ in range(4):
                semaphore.acquire()
    with processes(2, _sleep, *args), in_threads(2, _sleep, *args):
        for _ in range(4):
            asleep.acquire()
        assert woken.acquire(False) is False
        with condition:
            condition.notify_all()
        for _ in range(4):
            woken.acquire()


def test_notifying_some(manager: Manager) -> None:
    condition, asleep, woken = manager.Condition(), manager.Semaphore(0), manager.Semaphore(0)
    args = condition, asleep, woken
    with processes(2, _sleep, *args), in_threads(2, _sleep, *args):
        for _ in range(4):
            asleep.acquire()
        with condition:
            condition.notify(n=3)
        for _ in range(3):
            woken.acquire()
        assert woken.acquire(False) is False
        notify(condition, 4)
        woken.acquire()
        notify(condition, 3)
    assert woken.acquire(False) is False


def test_waiting_for_a_condition(manager: Manager) -> None:
    condition = manager.Condition()
    with condition:
        assert took(SHORT, condition.wait, SHORT) is False and took(0, condition.wait, 0) is False
        with processes(1, notify, condition):
            assert condition.wait(60) is True
    with pytest.raises(RuntimeError):
        condition.wait()
    with pytest.raises(RuntimeError):
        condition.notify_all()
    with pytest.raises(RuntimeError):
        condition.release()


def _until_four(condition: Any, state: Any) -> None:
    with condition:
        state.value = 0
        condition.notify()
        assert condition.wait_for(lambda: state.value == 4) and state.value == 4


def test_waiting_for_something_to_be_true(manager: Manager) -> None:
    condition, state = manager.Condition(), manager.Value("i", -1)
    with processes(1, _until_four, condition, state):
        with condition:
            assert condition.wait_for(lambda: state.value == 0) is True
        for _ in range(4):
            with condition:
                state.value += 1
                condition.notify()


def _in_vain(condition: Any, state: Any, found: Any, ready: Any) -> None:
    with condition:
        ready.release()
        found.value = took(0.1, condition.wait_for, lambda: state.value == 4, timeout=0.1) is False


def test_waiting_in_vain_for_something_to_be_true(manager: Manager) -> None:
    condition, state, found = manager.Condition(), manager.Value("i", 0), manager.Value("i", 0)
    ready = manager.Semaphore(0)
    with processes(1, _in_vain, condition, state, found, ready):
        ready.acquire()
        for _ in range(3):
            with condition:
                state.value += 1
                condition.notify()
    assert found.value is True and condition.acquire(False) is True
    condition.release()


def test_a_condition_with_a_lock_of_its_callers(manager: Manager) -> None:
    lock = manager.Lock()
    one, other = manager.Condition(lock), manager.Condition(lock)
    with one:
        assert lock.locked() and not other.acquire(False)
        assert other.wait(SHORT) is False
    assert not lock.locked()


# Events.


def test_event_operations(manager: Manager) -> None:
    event = manager.Event()
    assert event.is_set() is False and took(0, event.wait, 0.0) is False and took(SHORT, event.wait, SHORT) is False
    event.set()
    assert event.is_set() is True and event.wait() is True and event.wait(SHORT) is True
    event.clear()
    assert event.is_set() is False
    with processes(1, _set, event):
        assert event.wait() is True


def _set(event: Any) -> None:
    event.set()


def _clear(event: Any) -> None:
    assert event.is_set() and event.wait() is True
    event.clear()
    assert event.wait(0.001) is False


def test_an_event_in_a_process(manager: Manager) -> None:
    event = manager.Event()
    event.set()
    in_process(_clear, event)
    assert not event.is_set() and event.wait(0.001) is False


def test_the_text_of_an_event(manager: Manager) -> None:
    event = manager.Event()
    before = repr(event)
    event.set()
    assert before == repr(event) and before.startswith("<Event proxy ")


# Barriers.

PARTIES = 5


def run(function: Callable[..., None], *args: Any) -> None:
    """Have a function run in this thread, in others and in other processes, as many as meet at the barriers."""
    with processes(2, function, *args), in_threads(PARTIES - 3, function, *args):
        function(*args)


def _pass(barrier: Any, first: Any, second: Any, times: int) -> None:
    for number in range(times):
        first.append(True)
        assert len(second) == number * PARTIES
        barrier.wait()
        second.append(True)
        assert len(first) == (number + 1) * PARTIES
        barrier.wait()
    assert barrier.n_waiting == 0 and not barrier.broken and barrier.parties == PARTIES


@pytest.mark.parametrize("times", [1, 10])
def test_a_barrier_is_passed_together(manager: Manager, times: int) -> None:
    run(_pass, manager.Barrier(PARTIES), manager.list(), manager.list(), times)


def _tell_number(barrier: Any, numbers: Any) -> None:
    numbers.append(barrier.wait())


def test_each_gets_a_number_at_a_barrier(manager: Manager) -> None:
    numbers = manager.list()
    run(_tell_number, manager.Barrier(PARTIES), numbers)
    assert sorted(numbers) == list(range(PARTIES))


def _see_one(barrier: Any, results: Any) -> None:
    barrier.wait()
    assert len(results) == 1


def test_the_action_of_a_barrier(manager: Manager) -> None:
    results = manager.list()
    run(_see_one, manager.Barrier(PARTIES, action=lambda: results.append(True)), results)
    assert results == [True]


def _abort(barrier: Any, passed: Any, broken: Any) -> None:
    try:
        if barrier.wait() == PARTIES // 2:
            barrier.abort()
            return
        barrier.wait()
        passed.append(True)
    except BrokenBarrierError:
        broken.append(True)


def test_a_barrier_that_is_aborted(manager: Manager) -> None:
    barrier, passed, broken = manager.Barrier(PARTIES), manager.list(), manager.list()
    run(_abort, barrier, passed, broken)
    assert (len(passed), len(broken), barrier.broken) == (0, PARTIES - 1, True)


def _reset(barrier: Any, passed: Any, broken: Any, at_last: Any) -> None:
    if barrier.wait() == PARTIES // 2:
        while barrier.n_waiting < PARTIES - 1:
            pass
        barrier.reset()
    else:
        try:
            barrier.wait()
            passed.append(True)
        except BrokenBarrierError:
            broken.append(True)
    barrier.wait()
    at_last.append(True)


def test_a_barrier_that_is_reset(manager: Manager) -> None:
    passed, broken, at_last = manager.list(), manager.list(), manager.list()
    run(_reset, manager.Barrier(PARTIES), passed, broken, at_last)
    assert (len(passed), len(broken), len(at_last)) == (0, PARTIES - 1, PARTIES)


def _abort_and_reset(barrier: Any, other: Any, passed: Any, broken: Any, at_last: Any) -> None:
    _abort(barrier, passed, broken)
    # All have left it; and nobody comes before it is as new.
    if other.wait() == PARTIES // 2:
        barrier.reset()
    other.wait()
    barrier.wait()
    at_last.append(True)


def test_a_barrier_that_is_reset_after_it_was_aborted(manager: Manager) -> None:
    passed, broken, at_last = manager.list(), manager.list(), manager.list()
    run(_abort_and_reset, manager.Barrier(PARTIES), manager.Barrier(PARTIES), passed, broken, at_last)
    assert (len(passed), len(broken), len(at_last)) == (0, PARTIES - 1, PARTIES)


def _late(barrier: Any, broken: Any, over: Any, *timeout: float) -> None:
    late = barrier.wait(60) == PARTIES // 2
    if late:
        # Until the others have waited long enough.
        over.wait()
    try:
        barrier.wait(*timeout)
    except BrokenBarrierError:
        broken.append(True)
        over.set()


@pytest.mark.parametrize("default", [False, True])
def test_one_is_late_at_a_barrier(manager: Manager, default: bool) -> None:
    barrier = manager.Barrier(PARTIES, timeout=SHORT if default else None)
    broken, over = manager.list(), manager.Event()
    run(_late, barrier, broken, over, *(() if default else (SHORT,)))
    assert len(broken) == barrier.parties and barrier.broken


def test_a_barrier_for_one(manager: Manager) -> None:
    barrier = manager.Barrier(1)
    assert [barrier.wait(), barrier.wait()] == [0, 0]


def _reset_only(barrier: Any) -> None:
    assert barrier.parties == 5
    barrier.reset()


def test_a_barrier_in_a_process(manager: Manager) -> None:
    barrier = manager.Barrier(5)
    in_process(_reset_only, barrier)
    assert not barrier.broken and barrier.n_waiting == 0
