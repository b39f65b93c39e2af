"""Pyro5 with either of its serializers: blocking proxies, a thread for each connection; many at once are its batch."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Any

from tests.benchmarks.blocking_side import BlockingPeer, Client, Flight, Operation
from tests.benchmarks.installed import lacking
from tests.benchmarks.workloads import CALLS

__all__ = ["MSGPACK", "SERPENT"]

#: A server has a thread for each connection, at most so many.
_THREADS = 2000


def _lift(value: Any) -> Any:
    """Return a value with the bytes that serpent makes base64 of."""
    import serpent

    if isinstance(value, dict):
        if value.keys() == {"data", "encoding"}:
            return serpent.tobytes(value)
        return {key: _lift(item) if isinstance(item, dict) else item for key, item in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_lift(item) for item in value]
    return value


def _configure(serializer: str) -> None:
    import Pyro5

    Pyro5.config.SERIALIZER = serializer
    Pyro5.config.THREADPOOL_SIZE = _THREADS


def _classes() -> tuple[Any, Any]:
    """Return the classes of what is passed by reference and of the server's root."""
    from Pyro5.api import expose

    class Target:
        @expose
        def echo(self, value: Any) -> Any:
            return value

    class Root(Target):
        @expose
        def take(self, value: Any) -> Any:
            return _lift(value)

        @expose
        def make(self) -> Any:
            target = Target()
            daemon: Any = self._pyroDaemon
            daemon.register(target)
            return target

        @expose
        def back(self, target: Any, value: Any) -> Any:
            return target.echo(value)

    return Target, Root


def _serving(daemon: Any) -> None:
    threading.Thread(target=daemon.requestLoop, daemon=True).start()


class _Client:
    """The connected half."""

    def __init__(self, port: int, serializer: str) -> None:
        self._uri = f"PYRO:root@127.0.0.1:{port}"
        self._base64 = serializer == "serpent"
        self._root = self._connect()
        self._held: list[Any] = []

    def _connect(self) -> Any:
        from Pyro5.api import Proxy

        proxy = Proxy(self._uri)
        proxy._pyroBind()
        return proxy

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        root = self._root

        def refs() -> Any:
            with root.make() as target:
                return target.echo(value)

        def connect() -> None:
            with self._connect() as other:
                other.echo(value)

        if name == "echo":
            # With serpent, whoever wants bytes has to ask for them: the server (`take`), and here the client.
            if self._base64 and not isinstance(value, int) and not (isinstance(value, list) and type(value[0]) is int):
                return lambda: _lift(root.take(value))
            return lambda: root.echo(value)
        return self._callback(value) if name == "callback" else {"refs": refs, "connect": connect}[name]

    def _callback(self, value: Any) -> Operation:
        from Pyro5.api import Daemon

        daemon = Daemon(host="127.0.0.1")
        target = _classes()[0]()
        daemon.register(target)
        _serving(daemon)
        return lambda: self._root.back(target, value)

    def flight(self, value: Any) -> Flight:
        """Return what makes batches."""
        from Pyro5.api import BatchProxy

        lift = self._base64 and not isinstance(value, int)

        def flight(in_flight: int, end: float) -> int:
            count = 0
            while not count or perf_counter() < end:
                batch = BatchProxy(self._root)
                method = batch.take if lift else batch.echo
                for _ in range(in_flight):
                    method(value)
                for result in batch():
                    if lift:
                        _lift(result)
                    count += 1
            return count

        return flight

    def hold(self, what: str, count: int) -> None:
        """Open and keep connections or references."""
        for _ in range(count):
            self._held.append(self._connect() if what == "connections" else self._root.make())


class PyroPeer(BlockingPeer):
    """Pyro5 with one serializer."""

    offers = CALLS - {"latency-busy"}
    batched = frozenset(["pipe-null", "pipe-struct"])

    def __init__(self, serializer: str) -> None:
        self.name = f"pyro-{serializer}"
        self.title = f"Pyro5 {serializer}"
        self._serializer = serializer

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("Pyro5", "serpent", self._serializer)

    def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        from Pyro5.api import Daemon

        _configure(self._serializer)
        daemon = Daemon(host="127.0.0.1")
        daemon.register(_classes()[1](), "root")
        _serving(daemon)
        port: int = daemon.sock.getsockname()[1]
        return port

    def open(self, port: int) -> Client:
        """Connect."""
        _configure(self._serializer)
        return _Client(port, self._serializer)


SERPENT = PyroPeer("serpent")
MSGPACK = PyroPeer("msgpack")
