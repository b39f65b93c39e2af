"""RPyC: everything that is not a plain immutable value is passed by reference, and attributes are fetched remotely.

Lists and dicts would stay at the client, so values are turned into nested tuples, which RPyC copies, and back, at both
ends.
"""

from __future__ import annotations

import threading
from collections import deque
from time import perf_counter
from typing import Any

from tests.benchmarks.blocking_side import BlockingPeer, Client, Flight, Operation
from tests.benchmarks.installed import lacking
from tests.benchmarks.things import numbers
from tests.benchmarks.workloads import CALLS

__all__ = ["FETCHED", "PEER"]

#: What is measured with a method fetched once: calls, and whatever is the same however the method was come by.
_FETCHED = frozenset(
    ["seq-null", "pipe-null", "seq-struct", "pipe-struct", "bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m"]
    + ["calls-5"]
)
_USUAL = (CALLS | {"attr", "iterate", "chain", "calls-5"}) - (
    {"bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m", "latency-busy"}
)
_PORT = {"allow_public_attrs": False}


def _lower(value: Any) -> Any:
    """Return a value in tuples, marked where they stood for something else."""
    if isinstance(value, dict):
        return ("dict", *[(key, _lower(item)) for key, item in value.items()])
    if isinstance(value, list):
        return ("list", *(value if value and type(value[0]) is int else map(_lower, value)))
    if isinstance(value, tuple):
        return ("tuple", *map(_lower, value))
    return value


def _lift(value: Any) -> Any:
    """Undo `_lower`."""
    if not isinstance(value, tuple):
        return value
    kind, *items = value
    if kind == "dict":
        return {key: _lift(item) for key, item in items}
    if kind == "list":
        return items if items and type(items[0]) is int else [_lift(item) for item in items]
    return tuple(map(_lift, items))


class _Target:
    """What is passed by reference."""

    def exposed_echo(self, value: Any) -> Any:
        """Return the value."""
        return _lower(_lift(value)) if isinstance(value, tuple) else value


class _Shelf:
    """What a chain of operations ends at."""

    def exposed_price(self, value: Any) -> Any:
        """Return the value."""
        return value


class _Stock:
    """What has the shelves."""

    def __init__(self) -> None:
        self.exposed_shelves = {"a": _Shelf()}


def _service() -> Any:
    """Return the class of the server's root."""
    import rpyc

    class Root(rpyc.Service, _Target):
        exposed_number = 1
        exposed_stock = _Stock()

        def exposed_numbers(self, count: int) -> Any:
            return numbers(count)

        def exposed_make(self) -> Any:
            return _Target()

        def exposed_back(self, target: Any, value: Any) -> Any:
            return target.echo(value)

    return Root


class _Client:
    """The connected half."""

    def __init__(self, port: int, fetched: bool) -> None:
        self._port = port
        self._fetched = fetched
        self._connection = self._connect()
        self._held: list[Any] = []

    def _connect(self) -> Any:
        import rpyc

        return rpyc.connect("127.0.0.1", self._port, config=_PORT)

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        root, target = self._connection.root, _Target()
        if name == "echo":
            return self._echo(root, value)
        if name in ("attr", "iterate", "chain", "calls"):
            return self._proxied(root, name, value)

        def refs() -> Any:
            return root.make().echo(value)

        def callback() -> Any:
            return root.back(target, value)

        def connect() -> None:
            connection = self._connect()
            connection.root.echo(value)
            connection.close()

        return {"refs": refs, "callback": callback, "connect": connect}[name]

    def _proxied(self, root: Any, name: str, value: Any) -> Operation:
        """Return what works with a proxy; step by step, for there is no other way."""
        if name == "iterate":
            found = root.numbers(len(value))
            return lambda: [number for number in found]  # noqa: C416  a loop, whatever a list makes of proxies
        if name == "attr":
            return lambda: root.number
        if name == "chain":
            return lambda: root.stock.shelves["a"].price(1) + 1
        if self._fetched:
            echo = root.echo
            return lambda: (echo(1), echo(1), echo(1), echo(1), echo(1))[-1]
        return lambda: (root.echo(1), root.echo(1), root.echo(1), root.echo(1), root.echo(1))[-1]

    def _echo(self, root: Any, value: Any) -> Operation:
        if isinstance(value, (int, bytes)):
            method = root.echo
            return (lambda: method(value)) if self._fetched else (lambda: root.echo(value))
        if self._fetched:
            method = root.echo
            return lambda: _lift(method(_lower(value)))
        return lambda: _lift(root.echo(_lower(value)))

    def flight(self, value: Any) -> Flight:
        """Return what keeps many echoes in flight, with an asynchronous wrapper that is made once for both forms."""
        import rpyc

        call = rpyc.async_(self._connection.root.echo)
        plain = isinstance(value, int)

        def start() -> Any:
            return call(value if plain else _lower(value))

        def flight(in_flight: int, end: float) -> int:
            waiting = deque(start() for _ in range(in_flight))
            count = 0
            while waiting:
                result = waiting.popleft().value
                if not plain:
                    _lift(result)
                count += 1
                if perf_counter() < end:
                    waiting.append(start())
            return count

        return flight

    def hold(self, what: str, count: int) -> None:
        """Open and keep connections or references."""
        root = self._connection.root
        for _ in range(count):
            if what == "connections":
                connection = self._connect()
                self._held.append((connection, connection.root))
            else:
                self._held.append(root.make())


class RPyCPeer(BlockingPeer):
    """A thread for each connection."""

    def __init__(self, name: str, title: str, offers: frozenset[str], fetched: bool) -> None:
        self.name = name
        self.title = title
        self.offers = offers
        self._fetched = fetched

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("rpyc")

    def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        from rpyc.utils.server import ThreadedServer

        server = ThreadedServer(_service(), hostname="127.0.0.1", port=0, protocol_config=_PORT)
        threading.Thread(target=server.start, daemon=True).start()
        port: int = server.port
        return port

    def open(self, port: int) -> Client:
        """Connect."""
        return _Client(port, self._fetched)


PEER = RPyCPeer("rpyc", "RPyC", _USUAL, False)
FETCHED = RPyCPeer("rpyc-fetched", "RPyC, method fetched once", _FETCHED, True)
