"""broker from a thread that waits, without a reactor: the client is `broker.blocking`, the server that of broker/1."""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Any

from tests.benchmarks.blocking_side import BlockingPeer, Client, Flight, Operation
from tests.benchmarks.peers.broker import NATIVE
from tests.benchmarks.port import Control

__all__ = ["PEER"]

_OFFERS = frozenset(
    ["seq-null", "pipe-null", "seq-struct", "pipe-struct", "bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m"]
    + ["refs", "callback", "connect", "attr", "iterate", "chain", "steps", "calls-5", "latency"]
)


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._endpoint = f"tcp:127.0.0.1:{port}"
        self._connection = self._connect()

    def _connect(self) -> Any:
        from broker.blocking import connect

        return connect(self._endpoint, require="broker/1")

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        if name in ("attr", "iterate", "chain", "steps", "calls"):
            return self._proxied(name, value)
        import broker

        class Target(broker.Referenceable):
            def remote_echo(self, value: Any) -> Any:
                return value

        root, target = self._connection.reference, Target()

        def connect() -> None:
            with self._connect() as connection:
                connection.reference.callRemote("echo", value)

        return {
            "echo": lambda: root.callRemote("echo", value),
            "refs": lambda: root.callRemote("make").callRemote("echo", value),
            "callback": lambda: root.callRemote("back", target, value),
            "connect": connect,
        }[name]

    def _proxied(self, name: str, value: Any) -> Operation:
        from broker.blocking import run
        from broker.transparent import expr

        store = self._connection.live(self._connection.reference.callRemote("offered"))
        if name == "iterate":
            numbers = store.numbers(len(value))
            return lambda: [number for number in numbers]  # noqa: C416  a loop, whatever a list makes of proxies
        if name == "calls":
            return lambda: (store.echo(1), store.echo(1), store.echo(1), store.echo(1), store.echo(1))[-1]
        if name == "attr":
            return lambda: store.number
        if name == "steps":
            return lambda: store.stock.shelves["a"].price(1) + 1
        return lambda: run(expr(store).stock.shelves["a"].price(1) + 1)

    def flight(self, value: Any) -> Flight:
        """Return what keeps many echoes in flight."""
        from broker.blocking import async_

        call = async_(self._connection.reference.remoteMethod("echo"))

        def flight(in_flight: int, end: float) -> int:
            waiting = deque(call(value) for _ in range(in_flight))
            count = 0
            while waiting:
                waiting.popleft().value  # noqa: B018
                count += 1
                if perf_counter() < end:
                    waiting.append(call(value))
            return count

        return flight

    def hold(self, what: str, count: int) -> None:
        """Refuse: what is held costs what it costs with a reactor."""
        raise NotImplementedError("measured with broker-native")


class BlockingBroker(BlockingPeer):
    """A client that waits, and a server with a reactor."""

    name = "broker-blocking"
    title = "broker.blocking"
    kind = "ours"
    offers = _OFFERS

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return NATIVE.missing()

    def listen(self) -> int:
        """Refuse: the server has a reactor, see `serve`."""
        raise NotImplementedError("the server has a reactor")

    def serve(self, control: Control) -> None:
        """Be the server until the harness is gone."""
        NATIVE.serve(control)

    def open(self, port: int) -> Client:
        """Connect."""
        return _Client(port)


PEER = BlockingBroker()
