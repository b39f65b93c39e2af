"""What the tests of waiting code play with: servers in a thread, in this process, and objects to serve."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from broker._objects.referenceable import Referenceable, Root
from broker.blocking import Connection, Server, connect, serve
from broker.transparent import LIVE

#: As RPyC has it, and attributes may be set.
OPEN = LIVE.but(expose=replace(LIVE.expose, writable=True))
ROOT = Path(__file__).resolve().parents[2]
_lock = threading.Lock()
_reactors: list[Any] = []


def reactor() -> Any:
    """Return a reactor that is not Twisted's own, for which other tests may have their plans."""
    from twisted.internet.selectreactor import SelectReactor

    with _lock:
        if not _reactors:
            _reactors.append(SelectReactor())
        return _reactors[0]


@contextmanager
def served(root: Any, **options: Any) -> Iterator[Server]:
    """Serve something from a thread."""
    server = serve(root, reactor=reactor(), **{"policy": OPEN, **options})
    try:
        yield server
    finally:
        server.close()


@contextmanager
def connected(root: Any, **options: Any) -> Iterator[Connection]:
    """Serve something from a thread, and connect to it."""
    with served(root) as server, connect(server.endpoint, **options) as connection:
        yield connection


def settled(connection: Connection, asked: Callable[[], object]) -> dict[str, int]:
    """Return the sizes of a connection's tables, after everything was collected and one call was made."""
    gc.collect()
    asked()
    return connection.statistics()


def in_threads(count: int, function: Callable[[int], object]) -> None:
    """Call a function in so many threads at a time; raise what one of them raises."""
    problems: list[BaseException] = []
    together = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            together.wait()
            function(number)
        except BaseException as error:  # noqa: BLE001  raised below
            problems.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def script(text: str, *args: str) -> subprocess.Popen[str]:
    """Run a script in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", text, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


class Shop:
    """An object to serve: what it does takes as long as the test wants."""

    name = "shop"

    def __init__(self) -> None:
        self.goods = list(range(100))
        self.price = 3
        self.log: list[Any] = []
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.kept: list[Any] = []

    def echo(self, value: Any) -> Any:
        return value

    def child(self) -> Shop:
        return Shop()

    def wait(self, value: Any = None) -> Any:
        """Return when the gate is open."""
        self.entered.set()
        if not self.gate.wait(30):
            raise AssertionError("nobody opened the gate")
        return self if value == "me" else value

    def wait_for_child(self) -> Any:
        self.wait()
        return Shop()

    def call(self, function: Any, *args: Any) -> Any:
        return function(*args)

    def keep(self, value: Any) -> None:
        self.kept.append(value)

    def drop(self) -> None:
        self.kept.clear()

    def note(self, value: Any) -> None:
        self.log.append(value)

    def noted(self) -> list[Any]:
        return list(self.log)

    def fail(self) -> None:
        raise ValueError("bad", 3)

    def exit(self) -> None:
        raise SystemExit(3)


class Echo(Root):
    """A root of PB."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Event()

    def remote_echo(self, value: Any) -> Any:
        return value

    def remote_new(self) -> Any:
        return Echo()

    def remote_call(self, target: Any, *args: Any) -> Any:
        return target.callRemote("go", *args)

    def remote_wait(self) -> Any:
        self.entered.set()
        assert self.gate.wait(30)
        return Echo()

    def remote_fail(self) -> None:
        raise ValueError("bad")


class Target(Referenceable):
    """Something of the client's for a server to call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def remote_go(self, *args: Any) -> Any:
        return self.function(*args)
