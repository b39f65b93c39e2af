"""pycapnp: Cap'n Proto's objects and messages with a schema, `echo.capnp`. Both ends make Python values of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import cache
from pathlib import Path
from typing import Any

from tests.benchmarks.asyncio_side import AsyncioPeer, Client, Operation
from tests.benchmarks.installed import lacking
from tests.benchmarks.workloads import CALLS, COUNTED

__all__ = ["PEER"]

#: Words of a message that may be read; the default is 64 MiB, which a copy of a large list exceeds.
_WORDS = 1 << 40


@cache
def _schema() -> Any:
    import capnp

    return capnp.load(str(Path(__file__).with_name("echo.capnp")))


def _lower(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with what the schema has instead of a dict and of None."""
    return {
        **record,
        "parent": {"none": None} if record["parent"] is None else {"id": record["parent"]},
        "attributes": [{"key": key, "value": value} for key, value in record["attributes"].items()],
    }


def _lift(reader: Any) -> dict[str, Any]:
    """Return the record that a message holds."""
    record: dict[str, Any] = reader.to_dict()
    record["parent"] = record["parent"].get("id")
    record["attributes"] = {entry["key"]: entry["value"] for entry in record["attributes"]}
    return record


def _target() -> Any:
    """Return something to pass by reference."""

    class Target(_schema().Target.Server):
        async def echo(self, value: int, **kwargs: Any) -> int:
            return value

    return Target()


def _server_root() -> Any:
    """Return the server's root."""

    class Root(_schema().Root.Server):
        async def echo(self, value: int, **kwargs: Any) -> int:
            return value

        async def record(self, value: Any, **kwargs: Any) -> Any:
            return _lower(_lift(value))

        async def ints(self, value: Any, **kwargs: Any) -> Any:
            return list(value)

        async def records(self, value: Any, **kwargs: Any) -> Any:
            return [_lower(_lift(record)) for record in value]

        async def octets(self, value: bytes, **kwargs: Any) -> bytes:
            return value

        async def make(self, **kwargs: Any) -> Any:
            return _target()

        async def back(self, target: Any, value: int, **kwargs: Any) -> int:
            return int((await target.echo(value)).value)

    return Root()


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._root: Any = None
        self._held: list[Any] = []

    async def connect(self) -> tuple[Any, Any, Any]:
        """Open one more connection, and return its stream, its client and the root."""
        import capnp

        stream = await capnp.AsyncIoStream.create_connection("127.0.0.1", self._port)
        client = capnp.TwoPartyClient(stream, traversal_limit_in_words=_WORDS)
        return stream, client, client.bootstrap().cast_as(_schema().Root)

    async def use(self) -> None:
        """Connect for the operations."""
        self._held.append(await self.connect())
        self._root = self._held[0][2]

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        root = self._root
        target = _target() if name == "callback" else None

        async def refs() -> Any:
            return (await (await root.make()).target.echo(value)).value

        async def callback() -> Any:
            return (await root.back(target, value)).value

        async def connect() -> None:
            stream, _, other = await self.connect()
            await other.echo(value)
            stream.close()

        return self._echo(value) if name == "echo" else {"refs": refs, "callback": callback, "connect": connect}[name]

    def _echo(self, value: Any) -> Operation:
        root = self._root

        async def number() -> Any:
            return (await root.echo(value)).value

        async def octets() -> Any:
            return (await root.octets(value)).value

        async def record() -> Any:
            return _lift((await root.record(_lower(value))).value)

        async def ints() -> Any:
            return list((await root.ints(value)).value)

        async def records() -> Any:
            return [_lift(item) for item in (await root.records([_lower(item) for item in value])).value]

        if isinstance(value, list):
            return records if isinstance(value[0], dict) else ints
        return {int: number, bytes: octets, dict: record}[type(value)]

    async def hold(self, what: str, count: int) -> None:
        """Open and keep connections or references."""
        for _ in range(count):
            if what == "connections":
                held = await self.connect()
                await held[2].echo(1)
                self._held.append(held)
            else:
                self._held.append((await self._root.make()).target)


async def _accepted(stream: Any) -> None:
    """Serve one connection."""
    import capnp

    await capnp.TwoPartyServer(stream, bootstrap=_server_root(), traversal_limit_in_words=_WORDS).on_disconnect()


class CapnpPeer(AsyncioPeer):
    """Objects, with a schema."""

    name = "capnp"
    title = "pycapnp"
    offers = CALLS - COUNTED

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("capnp")

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run it beside the loop that pycapnp needs."""
        import capnp

        asyncio.run(capnp.run(main))

    async def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        import capnp

        self._server = await capnp.AsyncIoStream.create_server(_accepted, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self, port: int) -> Client:
        """Connect."""
        client = _Client(port)
        await client.use()
        return client


PEER = CapnpPeer()
