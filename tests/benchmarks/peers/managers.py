"""`multiprocessing.managers` of the standard library: pickles over sockets, proxies with a connection each."""

from __future__ import annotations

import threading
from multiprocessing import current_process
from multiprocessing.managers import BaseManager, ListProxy, Namespace, NamespaceProxy
from typing import Any

from tests.benchmarks.blocking_side import BlockingPeer, Client, Flight, Operation
from tests.benchmarks.things import numbers

__all__ = ["PEER"]

_KEY = b"benchmark"


class _Target:
    """What is passed by reference."""

    def echo(self, value: Any) -> Any:
        """Return the value."""
        return value


class _Manager(BaseManager):
    """The client's way to the server's objects."""


_ROOT = _Target()
_Manager.register("root", callable=lambda: _ROOT)
_Manager.register("make", _Target)
_Manager.register("numbers", numbers, ListProxy)
_Manager.register("namespace", lambda: Namespace(number=1), NamespaceProxy)


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._address = ("127.0.0.1", port)
        self._manager = self._connect()
        self._root = self._manager.root()

    def _connect(self) -> Any:
        manager = _Manager(self._address, _KEY)
        manager.connect()
        return manager

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        manager: Any = self._manager
        echo = self._root.echo

        def refs() -> Any:
            return manager.make().echo(value)

        def connect() -> None:
            self._connect().root().echo(value)

        if name == "attr":
            namespace = manager.namespace()
            return lambda: namespace.number
        if name == "iterate":
            found = manager.numbers(len(value))
            return lambda: [number for number in found]  # noqa: C416  a loop, whatever a list makes of proxies
        return {
            "echo": lambda: echo(value),
            "refs": refs,
            "connect": connect,
            "calls": lambda: (echo(1), echo(1), echo(1), echo(1), echo(1))[-1],
        }[name]

    def flight(self, value: Any) -> Flight:
        """Refuse: a blocking call waits."""
        raise NotImplementedError("a manager does one call at a time")

    def hold(self, what: str, count: int) -> None:
        """Refuse: what a proxy holds is a connection, so neither can be told from the other."""
        raise NotImplementedError("a reference is a connection")


class ManagersPeer(BlockingPeer):
    """Proxies to objects in another process."""

    name = "managers"
    title = "multiprocessing.managers"
    offers = frozenset(
        ["seq-null", "seq-struct", "bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m", "refs", "connect", "latency"]
        + ["attr", "iterate", "calls-5"]
    )

    def missing(self) -> str | None:
        """Nothing can be missing."""
        return None

    def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        current_process().authkey = _KEY
        server = _Manager(("127.0.0.1", 0), _KEY).get_server()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port: int = server.address[1]
        return port

    def open(self, port: int) -> Client:
        """Connect."""
        current_process().authkey = _KEY
        return _Client(port)


PEER = ManagersPeer()
