"""Managers with types of one's own, reached from elsewhere, started anew; and what their errors leave behind."""

from __future__ import annotations

import gc
import importlib
import os
import re
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest

import broker.blocking
import broker.manager
from broker.blocking import Manager
from broker.errors import RemoteError
from tests.blocking.family import CONTEXT, in_process, in_threads
from tests.blocking.scene import ROOT
from tests.blocking.shares import Customized, QueueClient, QueueManager, count_up, squares

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


# Types of one's own.


def check(manager: Customized) -> None:
    """See that a manager has what it should."""
    foo, bar, baz = manager.Foo(), manager.Bar(), manager.baz()
    assert [name for name in ("f", "g", "_h") if hasattr(foo, name)] == ["f", "g"]
    assert [name for name in ("f", "g", "_h") if hasattr(bar, name)] == ["f", "_h"]
    assert foo.f() == foo._callmethod("f") == bar.f() == bar._callmethod("f") == "f()"
    assert bar._h() == bar._callmethod("_h") == "_h()"
    with pytest.raises(ValueError):
        foo.g()
    for proxy, name in ((foo, "_h"), (bar, "g")):
        with pytest.raises(RemoteError, match="is offered"):
            proxy._callmethod(name)
    assert list(baz) == list(squares())


def ended(manager: Any) -> bool:
    """Return whether a manager has ended, and its process with it."""
    return manager.pid is None and repr(manager).startswith("<Customized shut down")


def test_started_and_shut_down() -> None:
    manager = Customized()
    manager.start()
    check(manager)
    manager.shutdown()
    assert ended(manager)


def test_as_a_context() -> None:
    with Customized() as manager:
        check(manager)
    assert ended(manager)


def test_as_a_context_when_it_was_started() -> None:
    manager = Customized().start()
    pid = manager.pid
    with manager as same:
        assert same is manager and manager.pid == pid
        check(manager)
    assert ended(manager)


# From elsewhere.

VALUES = ("hello world", None, True, 2.25, "hallå världen", "привіт світ", "hallå världen".encode("latin-1"))


def _put_values(address: str, key: bytes) -> None:
    QueueClient(address, key).connect().get_queue().put(VALUES)


def test_from_another_process() -> None:
    key = os.urandom(32)
    with QueueManager("tcp:0:interface=127.0.0.1", key) as manager:
        client = QueueClient(manager.address, key).connect()
        queue = client.get_queue()
        in_process(_put_values, manager.address, key)
        found = queue.get()
        assert found == VALUES and list(map(type, found)) == list(map(type, VALUES))
        # A function stays where it is: others have it as a reference, and we get it back as itself.
        queue.put(time.sleep)
        assert queue.get() is time.sleep
        client.shutdown()


def test_one_waits_for_the_other() -> None:
    with QueueManager() as manager:
        queue = manager.get_queue()

        def put() -> None:
            queue.put("here")

        with in_threads(1, put):
            assert queue.get(timeout=60) == "here", "who waits there keeps nobody from coming"


def _put_hello(address: str, key: bytes) -> None:
    QueueManager(address, key).connect().get_queue().put("hello world")


def test_restarted_at_once_at_the_same_address() -> None:
    key, address = os.urandom(32), "tcp:0:interface=127.0.0.1"
    for _ in range(2):
        with QueueManager(address, key) as manager:
            in_process(_put_hello, manager.address, key)
            assert manager.get_queue().get() == "hello world" and manager.get_queue().empty()
            assert manager.address is not None
            host, port = manager.address.split(":")[1:3]
            address = f"tcp:{port}:interface={host}"


# Initializers.


def test_an_initializer_of_a_manager() -> None:
    other = Manager()
    with pytest.raises(TypeError):
        other.start(1)  # type: ignore[arg-type]
    with Manager(key=b"ours") as one:
        names = one.Namespace(test=0)
        with Manager().start(count_up, (str(one.address), b"ours", one.hub.grant(names))):
            assert names.test == 1


def _count_here(names: Any) -> None:
    names.test += 1


def test_an_initializer_of_a_pool_of_processes(manager: Manager) -> None:
    names = manager.Namespace(test=0)
    pool = CONTEXT.Pool(1, _count_here, (names,))
    pool.close()
    pool.join()
    assert names.test == 1


# What errors leave behind.


def error_of(function: Callable[..., Any], *args: Any) -> weakref.ref[BaseException]:
    """Return a weak reference to what a function raises."""
    try:
        function(*args)
    except Exception as error:  # noqa: BLE001  whatever it is, it must not stay
        return weakref.ref(error)
    raise AssertionError("nothing was raised")


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_exceptions_go_without_the_collector(manager: Manager, no_collector: None) -> None:
    queue, numbers, table, lock = manager.Queue(), manager.list([1]), manager.dict(a=1), manager.Lock()
    changing = iter(table)
    table["b"] = 2
    for function, *args in (
        (queue.get_nowait,),
        (queue.get, True, 0.001),
        (lock.release,),
        (numbers._callmethod, "pop", (9,)),
        (numbers._callmethod, "nothing"),
        (lambda: numbers[9],),
        (lambda: table["nothing"],),
        (lambda: next(changing),),
        (manager.create, "nothing"),
    ):
        assert error_of(function, *args)() is None, args


def test_an_exception_keeps_no_object(manager: Manager, no_collector: None) -> None:
    queue = manager.Queue()
    watched = weakref.ref(queue)
    with pytest.raises(Empty):
        queue.get_nowait()
    del queue
    assert watched() is None


# Names.


@pytest.mark.parametrize("module", [broker.blocking, broker.manager])
def test_every_name_that_is_said_to_be_there_is(module: Any) -> None:
    assert importlib.import_module(module.__name__) is module
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert {"BaseManager", "Manager"} <= set(module.__all__)


# Programs that are run once more.

PROGRAM = """
import multiprocessing
from broker.blocking import BaseManager


class Own(BaseManager):
    pass


def twice(number):
    return [number, number]


def work():
    with Own() as manager:
        print(manager.twice(3), flush=True)


Own.register("twice", twice)
"""
SPAWNING = """
if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    print(process.exitcode)
"""


def said(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run a program of one's own to its end."""
    program = folder / "program.py"
    program.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, str(program)], env=environment, capture_output=True, text=True, timeout=60)


def test_a_program_that_starts_a_manager_whenever_it_is_run(tmp_path: Path) -> None:
    assert said(tmp_path, PROGRAM + 'if __name__ == "__main__":\n    work()\n').stdout == "[3, 3]\n"
    wrong = said(tmp_path, PROGRAM + "work()\n")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    last = wrong.stderr.splitlines()[-1]
    assert re.match(r"RuntimeError: the program is being run once more.*belongs below if __name__ == .__main__", last)


def test_a_manager_of_a_process_that_was_spawned(tmp_path: Path) -> None:
    run = said(tmp_path, PROGRAM + SPAWNING)
    assert (run.stdout, run.stderr) == ("[3, 3]\n0\n", "")
