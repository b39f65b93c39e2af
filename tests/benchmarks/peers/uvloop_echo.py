"""A limit: asyncio's protocols on uvloop send back the bytes they get, as many as `marshal` makes of the value."""

from __future__ import annotations

import asyncio
import marshal
from collections import deque
from collections.abc import Coroutine
from typing import Any

from tests.benchmarks.asyncio_side import AsyncioPeer, Client, Operation
from tests.benchmarks.installed import lacking
from tests.benchmarks.workloads import CALLS, COUNTED

__all__ = ["PEER"]


class _Mirror(asyncio.Protocol):
    """The server."""

    def connection_made(self, transport: Any) -> None:
        """Note where to write."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class _Caller(asyncio.Protocol):
    """The client: echoes come back in order, so counting bytes tells which is complete."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._awaited: deque[tuple[int, Any, asyncio.Future[Any]]] = deque()
        self._got = 0
        self.lost = self._loop.create_future()

    def connection_made(self, transport: Any) -> None:
        """Note where to write."""
        self.transport = transport

    def send(self, data: bytes, value: Any) -> asyncio.Future[Any]:
        """Send bytes; the future gets the value when as many are back."""
        future = self._loop.create_future()
        self._awaited.append((len(data), value, future))
        self.transport.write(data)
        return future

    def data_received(self, data: bytes) -> None:
        """Count."""
        self._got += len(data)
        awaited = self._awaited
        while awaited and self._got >= awaited[0][0]:
            size, value, future = awaited.popleft()
            self._got -= size
            future.set_result(value)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is open."""
        self.lost.set_result(None)
        for _, _, future in self._awaited:
            future.set_exception(exc or ConnectionError("the connection was closed"))


async def _connect(port: int) -> _Caller:
    _, caller = await asyncio.get_running_loop().create_connection(_Caller, "127.0.0.1", port)
    return caller


class _Client:
    """The connected half."""

    def __init__(self, port: int, caller: _Caller) -> None:
        self._port = port
        self._caller = caller
        self._held: list[_Caller] = []

    def operation(self, name: str, value: Any) -> Operation:
        """Return an echo, or a connect with one."""
        caller, data = self._caller, marshal.dumps(value)

        async def connect() -> None:
            other = await _connect(self._port)
            await other.send(data, value)
            other.transport.close()
            await other.lost

        return connect if name == "connect" else lambda: caller.send(data, value)

    async def hold(self, what: str, count: int) -> None:
        """Open connections."""
        self._held += [await _connect(self._port) for _ in range(count)]


class UvloopPeer(AsyncioPeer):
    """Bytes back, nothing else."""

    name = "uvloop"
    title = "limit: asyncio+uvloop echo"
    kind = "limit"
    offers = CALLS - COUNTED - {"refs", "callback", "rss-ref"}

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("uvloop")

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run it on uvloop."""
        import uvloop

        uvloop.new_event_loop().run_until_complete(main)

    async def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        self._server = await asyncio.get_running_loop().create_server(_Mirror, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self, port: int) -> Client:
        """Connect."""
        return _Client(port, await _connect(port))


PEER = UvloopPeer()
