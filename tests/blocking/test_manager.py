"""Managers for code that waits: from start to end, and what their proxies do."""

from __future__ import annotations

import copy
import gc
import os
import signal
import threading
from collections.abc import MutableSequence
from multiprocessing import AuthenticationError, ProcessError
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

from broker.blocking import BaseManager, BaseProxy, Manager, async_, run
from broker.errors import DeadReferenceError, InsecureJelly, RemoteError, UnknownName
from broker.manager import CannotStart, UnknownType
from broker.transparent import expr, same
from tests.blocking.family import in_threads
from tests.blocking.shares import (
    CounterProxy,
    GeneratorProxy,
    Own,
    Remembering,
    leaving_a_child,
    remember,
)
from tests.manager.own import bad, ending


def test_from_start_to_end() -> None:
    manager = Manager()
    assert manager.pid is None
    with manager:
        numbers = manager.list([1])
        pid = manager.pid
        assert pid is not None and pid != os.getpid()
        assert manager.number_of_objects() == 1 and manager.debug_info() == "list: [1]"
        assert manager.address is not None
        where = Path(manager.address.removeprefix("unix:")).parent
        assert where.is_dir()
        for again in (manager.start, manager.connect):
            with pytest.raises(ProcessError, match="started already"):
                again()
    assert manager.pid is None and not where.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(DeadReferenceError, match=r"^the manager at unix:\S+ was shut down$"):
        numbers.append(2)
    with pytest.raises(ProcessError, match="shut down"):
        manager.list()
    manager.shutdown()


def test_started_when_first_used() -> None:
    manager = Manager()
    numbers = []
    with in_threads(3, lambda: numbers.append(manager.list([1]))):
        pass
    assert numbers == [[1]] * 3 and manager.pid is not None and manager.number_of_objects() == 3
    with pytest.raises(ProcessError, match="started already"):
        manager.start()
    manager.shutdown()
    for other in (manager, Own(), Manager("tcp:127.0.0.1:1")):
        # A manager of one's own is started, as with `multiprocessing`; and one that has an address may be connected.
        with pytest.raises(ProcessError, match="no connection"):
            other.number_of_objects()


def test_initializer_and_own_types() -> None:
    with Remembering().start(remember, ["a", (1, b"b")]) as manager:
        assert manager.recalled() == ["a", (1, b"b")]
    assert not hasattr(Manager, "recalled")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_it_ends_though_somebody_holds_its_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker.blocking.manager._ENDING", 0.05)
    manager = Remembering().start(leaving_a_child)
    pid, (child,) = manager.pid, manager.recalled()
    try:
        manager.shutdown()
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_the_reason_why_it_does_not_start() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Manager().start(bad, ["on purpose"])
    assert caught.value.errno == 2
    with pytest.raises(CannotStart, match="exit code 3"):
        Manager().start(ending)
    with pytest.raises(TypeError, match="callable"):
        Manager().start(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by name"):
        Manager().start(lambda: None)


def test_another_connects() -> None:
    with Manager("tcp:0:interface=127.0.0.1", key=b"secret") as manager:
        numbers = manager.list([1])
        other = Manager(manager.address, key=b"secret").connect()
        assert other.number_of_objects() == 1
        theirs = other.hub.redeem(manager.hub.grant(numbers))
        theirs.append(2)
        assert numbers == [1, 2]
        other.shutdown()
        assert manager.number_of_objects() == 1, "only the connection has ended"
        with pytest.raises(AuthenticationError):
            Manager(manager.address, key=b"another").connect()
    with pytest.raises(ValueError, match="address"):
        Manager().connect()
    wrong: Any = ("localhost", 5000)
    with pytest.raises(TypeError, match=r"endpoint string, such as .*: \('localhost', 5000\)"):
        Manager(wrong)
    wrong = "secret"
    with pytest.raises(TypeError, match="bytes, not str"):
        Manager(key=wrong)
    assert manager.address is not None
    with pytest.raises(OSError):
        Manager(manager.address, key=b"secret").connect()


def test_restarts_at_the_same_address(tmp_path: Path) -> None:
    where = f"unix:{tmp_path}/socket"
    for text in ("first", "second"):
        with Manager(where) as manager:
            assert manager.list([text]) == [text] and manager.number_of_objects() <= 1


def test_ends_when_nobody_has_it() -> None:
    manager = Manager().start()
    process, numbers = manager._process, manager.list()
    assert process is not None
    del manager
    gc.collect()
    assert process._lifeline >= 0, "a proxy has it"
    del numbers
    gc.collect()
    assert process._lifeline == -1
    assert process._popen.wait(60) == 0
    assert process._folder is not None and not os.path.exists(process._folder)


# Proxies, as the page of `processing` has them.


def test_nesting(manager: Manager) -> None:
    outer, inner = manager.list(), manager.list()
    outer.append(inner)
    assert f"{outer} {inner}" == "[[]] []"
    inner.append("hello")
    assert f"{outer} {inner}" == "[['hello']] ['hello']"
    found = outer[0]
    assert found is inner and same(found, inner)
    found.append("again")
    assert inner == ["hello", "again"] and outer == [["hello", "again"]]
    table = manager.dict(inner=inner)
    table["inner"].append(1)
    assert inner[2] == 1 and [one is inner for one in outer] == [True]


def test_texts(manager: Manager) -> None:
    numbers = manager.list(range(3))
    assert str(numbers) == "[0, 1, 2]" and f"{numbers}" == "[0, 1, 2]"
    assert repr(numbers).startswith("<list proxy ") and str(manager.address) in repr(numbers)


def test_equality_and_copies(manager: Manager) -> None:
    one, other = manager.list([1, 2]), manager.list([1, 2])
    assert one == other and one == [1, 2] and [1, 2] == one and one != [1]
    assert isinstance(one, MutableSequence) and isinstance(one, BaseProxy) and not isinstance(one, list)
    assert copy.copy(one) == one and same(copy.copy(one), one)
    assert type(copy.deepcopy(one)) is list and type(one._getvalue()) is list
    one += [3]
    assert one == [1, 2, 3] and type(one[1:]) is list and one[1:] == [2, 3]
    one[1:] = "ab"
    assert one == [1, "a", "b"]
    assert sorted(manager.dict(b=1, a=2).items()) == [("a", 2), ("b", 1)]


def test_iterating_while_other_calls_go_on(manager: Manager) -> None:
    numbers = manager.list(range(3))
    table = manager.dict({number: number for number in range(5)})
    found = []
    for key in table:
        numbers.append(key)
        table[key] = -key
        found.append(key)
    assert found == list(range(5)) and table == {key: -key for key in range(5)}
    assert numbers == [*range(3), *range(5)]


def test_calls_by_name(manager: Manager, own: Own) -> None:
    numbers = manager.list(range(10))
    assert numbers._callmethod("__len__") == 10
    assert numbers._callmethod("__getitem__", (slice(2, 5),)) == [2, 3, 4]
    assert list(numbers._callmethod("__iter__")) == list(range(10))
    with pytest.raises(IndexError, match="out of range"):
        numbers._callmethod("pop", (99,))
    with pytest.raises(RemoteError) as caught:
        numbers._callmethod("nothing")
    assert "is offered" in str(caught.value)
    numbers._callmethod("sort", (), {"reverse": True})
    assert numbers[0] == 9


def test_what_goes_wrong_there(own: Own) -> None:
    desk = own.Desk()
    with pytest.raises(KeyError, match="why") as caught:
        desk.fail("why")
    assert "in fail" in str(caught.value.__cause__)
    with pytest.raises(RemoteError, match="may not be sent") as refused:
        desk.odd()
    assert "Traceback" in str(refused.value.__cause__)
    with pytest.raises(RemoteError, match="cannot be copied"):
        desk._getvalue()
    with pytest.raises(InsecureJelly):
        desk._getvalue()
    with pytest.raises(AttributeError):
        desk.nothing()
    with pytest.raises(UnknownType):
        own.create("nothing")


def test_what_is_exposed(own: Own) -> None:
    counter = own.Counter()
    assert type(counter) is CounterProxy and counter.add(2) == 2 and str(counter) == "counted 2"
    assert not hasattr(counter, "count") and not hasattr(counter, "_hidden")
    restricted = own.Restricted()
    assert restricted.add() == 1 and restricted._callmethod("_hidden") == 1
    assert str(restricted) == "counted 1"
    with pytest.raises(RemoteError):
        restricted._callmethod("__eq__", (1,))
    word, proxy = own.wrapped()
    assert word == "wrapped" and proxy.add() == 1
    assert not hasattr(own, "remembered")
    with pytest.raises(UnknownType):
        own.create("remembered")


def test_results_that_are_shared(own: Own) -> None:
    desk = own.Desk()
    counter = desk.counter()
    assert type(counter) is CounterProxy and counter.add(5) == 5
    assert list(desk.numbers()) == [0, 1, 2]
    generator = own.squares()
    assert type(generator) is GeneratorProxy and list(generator) == [0, 1, 4, 9]
    assert next(generator, "over") == "over"


def test_a_proxy_becomes_the_referent(own: Own) -> None:
    desk, counter = own.Desk(), own.Counter()
    assert desk.keep(counter) == "tests.blocking.shares.Counter"
    assert desk.is_kept(counter) and desk.keep([counter]) == "builtins.list"


# Those that wait.


def test_locks_are_held_by_threads(manager: Manager) -> None:
    lock, tried = manager.RLock(), []
    with lock, lock:
        thread = threading.Thread(target=lambda: tried.append(lock.acquire(False)))
        thread.start()
        thread.join()
        assert tried == [False]
        with pytest.raises(RuntimeError):
            raise_in_thread(lock.release)
    assert raise_in_thread(lock.acquire) is True


def raise_in_thread(function: Any) -> Any:
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(function())
        except Exception as error:  # noqa: BLE001  the test looks at it
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]


def test_conditions(manager: Manager) -> None:
    condition, items = manager.Condition(), manager.list()
    found = []

    def consume() -> None:
        with condition:
            found.append(condition.wait_for(lambda: len(items)))

    thread = threading.Thread(target=consume)
    thread.start()
    with condition:
        items.append(1)
        condition.notify_all()
    thread.join()
    assert found == [1]
    with condition:
        assert condition.wait_for(lambda: False, 0.001) is False
        assert condition.wait(0.001) is False
    with pytest.raises(RuntimeError):
        condition.notify()


def test_queues_events_and_the_rest(manager: Manager) -> None:
    queue = manager.Queue(2)
    queue.put(1)
    assert queue.get() == 1 and queue.empty()
    with pytest.raises(Empty):
        queue.get(timeout=0.001)
    event = manager.Event()
    assert not event.wait(0.001)
    event.set()
    assert event.wait()
    names, value, array = manager.Namespace(x=1), manager.Value("i", 3), manager.Array("i", [1, 2])
    names.y = 2
    value.value += 1
    array[0] = 7
    assert names.x + names.y == 3 and str(names) == "Namespace(x=1, y=2)"
    assert value.value == value.get() == 4 and list(array) == [7, 2]
    del names.x
    assert not hasattr(names, "x")


def test_objects_go_when_nobody_has_them() -> None:
    with Manager() as manager:
        outer, inner = manager.list(), manager.list()
        outer.append(inner)
        del inner
        gc.collect()
        assert manager.number_of_objects() == 2
        outer.pop()
        del outer
        gc.collect()
        # Releases are sent in batches; the next ticket that nobody has sees to it that they were.
        assert settled(manager) == 0


def settled(manager: BaseManager) -> int:
    """Return how many objects there are as soon as no more are released."""
    for _ in range(1000):
        count = manager.number_of_objects()
        if not count:
            break
    with pytest.raises(UnknownName):
        manager.hub.adopt(b"", 0)
    return count


def test_methods_of_proxies_as_values(manager: Manager) -> None:
    numbers, order = manager.list([3, 1, 2]), manager.dict({1: 30, 2: 20, 3: 10})
    append = numbers.append
    assert append == numbers.append != numbers.pop
    assert append.__name__ == "append"
    assert async_(append)(4).value is None
    assert list(numbers) == [3, 1, 2, 4]
    order[4] = 0
    # It is called here, one number after the other.
    numbers.sort(key=order.get)
    assert list(numbers) == [4, 3, 2, 1]
    # They are parts of expressions.
    assert run(expr(append)(5)) is None and run(expr(numbers.index)(5) + 1) == 5
    assert run(expr(manager.Lock().acquire)()) is True
    with pytest.raises(TypeError, match="method is no expression, proxy or reference"):
        expr([].append)


def test_methods_of_the_proxy_come_before_those_of_the_object(own: Own) -> None:
    deep = own.Deep()
    assert deep._callmethod("_getvalue") == "of the object"
    with pytest.raises(InsecureJelly):
        deep._getvalue()
