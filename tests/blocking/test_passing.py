"""Proxies on their way to other processes: pickled, forked, and back at their owner."""

from __future__ import annotations

import gc
import io
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from multiprocessing import AuthenticationError
from typing import Any

import pytest

from broker.blocking import Manager
from broker.blocking.keys import Keyring, family_key, keyring
from broker.blocking.station import Station
from broker.errors import DeadReferenceError, UnknownName
from broker.transparent import same
from tests.blocking.scene import ROOT
from tests.blocking.shares import CounterProxy, Own, pool_worker, worker

METHODS = [name for name in ("fork", "spawn", "forkserver") if name in multiprocessing.get_all_start_methods()]
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")


def in_fork(function: Any) -> Any:
    """Return what a function returns in a forked child, which ends then."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            try:
                answer = function()
            except Exception as error:  # noqa: BLE001  the parent looks at it
                answer = repr(error)
            os.write(writing, pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        answer = pickle.loads(file.read())
    os.waitpid(pid, 0)
    return answer


# Pickles.


def test_pickle_drop_unpickle(manager: Manager) -> None:
    numbers = manager.list([1])
    data = pickle.dumps(numbers)
    assert pickle.loads(data) is numbers, "the proxy that is in use"
    before = manager.number_of_objects()
    del numbers
    gc.collect()
    again = pickle.loads(data)
    assert again == [1] and manager.number_of_objects() == before
    again.append(2)
    assert pickle.loads(pickle.dumps({"there": [again]})) == {"there": [[1, 2]]}


def test_no_key_is_in_a_pickle() -> None:
    with Manager(key=b"a secret that nobody has") as manager:
        data = pickle.dumps(manager.list())
        assert b"a secret" not in data and family_key() not in data
        assert manager._station is not None and keyring()[manager._station.where] == b"a secret that nobody has"
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(keyring())
    assert isinstance(keyring(), Keyring) and "a secret" not in repr(keyring())


def test_unpickling_does_no_io(manager: Manager) -> None:
    numbers = manager.list([1])
    data = pickle.dumps(numbers).replace(b"/socket", b"/nobody")
    elsewhere = pickle.loads(data)
    assert "/nobody" in repr(elsewhere)
    with pytest.raises(OSError):
        elsewhere.append(2)
    assert "no text" in str(elsewhere)


def test_a_grant_is_over_sometime(manager: Manager) -> None:
    numbers = manager.list([1])
    data = pickle.dumps(numbers)
    before = manager.number_of_objects()
    manager.hub.withdraw(secret_in(data))
    del numbers
    gc.collect()
    # Until what was dropped is released, which goes with other messages.
    while manager.number_of_objects() == before:
        pass
    late = pickle.loads(data)
    with pytest.raises(UnknownName):
        late.append(1)


def secret_in(data: bytes) -> bytes:
    """Return the secret that is in a pickle."""
    found: list[bytes] = []

    class Looking(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if name == "_unpickled":
                return lambda where, ticket, *rest: found.append(ticket[2])
            return super().find_class(module, name)

    Looking(io.BytesIO(data)).load()
    return found[0]


def test_unpickled_in_another_program() -> None:
    with Manager(key=b"shared secret") as other:
        numbers = other.list([1])
        code = (
            "import pickle, sys; from broker.blocking.keys import keyring\n"
            "keyring()[sys.argv[2]] = sys.argv[3].encode()\n"
            "numbers = pickle.loads(bytes.fromhex(sys.argv[1])); numbers.append(2); print(numbers)"
        )
        command = [sys.executable, "-c", code, pickle.dumps(numbers).hex(), str(other.address)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([*command, "shared secret"], capture_output=True, text=True, env=environment)
        assert done.stdout == "[1, 2]\n", done.stderr
        assert numbers == [1, 2]
        done = subprocess.run([*command, "another"], capture_output=True, text=True, env=environment)
        assert AuthenticationError.__name__ in done.stderr


def test_in_the_owner_it_is_the_referent(own: Own) -> None:
    desk, counter = own.Desk(), own.Counter()
    desk.keep(counter)
    assert desk.loads(pickle.dumps(counter))


def test_classes_of_proxies_go_along(own: Own) -> None:
    counter = own.Counter()
    data = pickle.dumps(counter)
    del counter
    gc.collect()
    again = pickle.loads(data)
    assert type(again) is CounterProxy and again.add() == 1
    desk = pickle.loads(pickle.dumps(own.Desk()))
    assert type(desk.counter()) is CounterProxy


def test_an_unpickled_proxy_among_arguments(own: Own) -> None:
    desk, counter = own.Desk(), own.Counter()
    data = pickle.dumps(counter)
    desk.keep(counter)
    del counter
    gc.collect()
    assert desk.is_kept(pickle.loads(data))
    assert not Station.unresolved


# Forks.


@forks
def test_a_fork_goes_on(manager: Manager) -> None:
    numbers, table = manager.list([1]), manager.dict()
    table["numbers"] = numbers

    def child() -> Any:
        numbers.append(2)
        return numbers[:], same(table["numbers"], numbers), table["numbers"] == [1, 2], manager.number_of_objects() > 1

    assert in_fork(child) == ([1, 2], True, True, True)
    numbers.append(3)
    assert numbers == [1, 2, 3], "the parent's connection goes on"


@forks
def test_a_fork_goes_on_beside_another_connection() -> None:
    with Manager() as manager:
        numbers, others = manager.list([1]), [Manager(manager.address).connect() for _ in range(2)]
        theirs = others[0].list([2])
        others[1].shutdown()
        assert in_fork(lambda: (numbers[:], theirs[:])) == ([1], [2])
        with pytest.raises(DeadReferenceError, match=r"^the connection to the manager at unix:\S+ was closed$"):
            _ = others[0].shutdown() or theirs[:]


@forks
def test_what_is_let_go_of_after_a_fork_is_held(manager: Manager) -> None:
    numbers = manager.list([1])
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            # Until the parent has let go of it.
            os.read(reading, 1)
            numbers.append(2)
            os._exit(int(numbers != [1, 2]))
        finally:
            os._exit(9)
    del numbers
    gc.collect()
    manager.number_of_objects()
    os.write(writing, b"x")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for number in (reading, writing):
        os.close(number)


@forks
def test_the_child_does_not_end_the_manager() -> None:
    with Manager() as manager:
        numbers = manager.list()
        assert in_fork(lambda: manager.shutdown()) is None
        numbers.append(1)
        pid = os.fork()
        if not pid:
            # A child that stays has nothing that keeps the manager's process.
            os.read(os.pipe()[0], 1)
        process = manager._process
        assert process is not None
        process.let_go()
        assert manager._ended(process, 60.0), "though there is a child"
        os.kill(pid, 9)
        os.waitpid(pid, 0)


@forks
def test_a_proxy_that_was_unpickled_is_forked(manager: Manager) -> None:
    data = pickle.dumps(manager.list([1]))
    gc.collect()
    numbers = pickle.loads(data)
    numbers.append(2)
    assert in_fork(lambda: (numbers.append(3), numbers[:])[1]) == [1, 2, 3]


# Processes of multiprocessing.


@pytest.mark.parametrize("method", METHODS)
def test_processes(method: str) -> None:
    context = multiprocessing.get_context(method)
    with Manager(key=b"a key of its own") as manager:
        numbers, lock, results = manager.list([0]), manager.Lock(), context.Queue()
        children = [context.Process(target=worker, args=(numbers, lock, results, 5)) for _ in range(2)]
        for child in children:
            child.start()
        found = [results.get() for _ in children]
        for child in children:
            child.join()
            assert child.exitcode == 0
        assert numbers == [10] and all(same(one, numbers) for one, _ in found)
        assert len({pid for _, pid in found}) == 2
        assert not lock.locked()
        results.close()
        results.join_thread()


@pytest.mark.parametrize("method", METHODS)
def test_pools(method: str) -> None:
    # If a reactor runs in this process, what it does at SIGTERM is forked too: then no pool could end its processes.
    context = multiprocessing.get_context(method)
    with context.Pool(1, signal.signal, (signal.SIGTERM, signal.SIG_DFL)) as pool, Manager() as manager:
        # The processes were there before the manager, whose key they know all the same.
        numbers = manager.list()
        assert pool.map(pool_worker, [numbers, numbers]) == [1, 2]
        assert len(numbers) == 2
        pool.close()
        pool.join()


def test_what_cannot_be_pickled(manager: Manager) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(manager.hub)
