"""gRPC with asyncio: generic handlers, so no generated code, and msgpack as the message."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.asyncio_side import AsyncioPeer, Client, Operation
from tests.benchmarks.installed import lacking

__all__ = ["PEER"]

#: Without the local pool, channels to one address share one connection.
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._target = f"127.0.0.1:{port}"
        self._channel = self.connect()
        self._held: list[Any] = []

    def connect(self) -> Any:
        """Return one more channel, which connects when it is used."""
        from grpc import aio

        return aio.insecure_channel(self._target, options=_OPTIONS)

    def echo(self, channel: Any) -> Any:
        """Return what calls over that channel."""
        import msgpack

        return channel.unary_unary(
            "/benchmark/echo", request_serializer=msgpack.packb, response_deserializer=msgpack.unpackb
        )

    def operation(self, name: str, value: Any) -> Operation:
        """Return an echo, or a connect with one."""
        call = self.echo(self._channel)

        async def connect() -> None:
            async with self.connect() as channel:
                await self.echo(channel)(value)

        return connect if name == "connect" else lambda: call(value)

    async def hold(self, what: str, count: int) -> None:
        """Open connections."""
        for _ in range(count):
            channel = self.connect()
            await self.echo(channel)(1)
            self._held.append(channel)


class GRPCPeer(AsyncioPeer):
    """Messages, no objects."""

    name = "grpc"
    title = "gRPC aio, msgpack"
    offers = frozenset(
        ["seq-null", "pipe-null", "seq-struct", "pipe-struct", "bulk-ints", "bulk-recs", "bytes-512k", "bytes-16m"]
        + ["connect", "latency", "latency-busy", "rss-conn"]
    )

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking("grpc", "msgpack")

    async def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        import grpc
        import msgpack
        from grpc import aio

        async def echo(value: Any, context: Any) -> Any:
            return value

        handler = grpc.unary_unary_rpc_method_handler(
            echo, request_deserializer=msgpack.unpackb, response_serializer=msgpack.packb
        )
        self._server = aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark", {"echo": handler}),))
        port: int = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return port

    async def open(self, port: int) -> Client:
        """Connect."""
        return _Client(port)


PEER = GRPCPeer()
