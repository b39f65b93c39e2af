"""A limit: blocking sockets with a thread for each connection send back the bytes they get, a length before them."""

from __future__ import annotations

import marshal
import socket
import threading
from struct import Struct
from typing import Any

from tests.benchmarks.blocking_side import BlockingPeer, Client, Flight, Operation
from tests.benchmarks.workloads import CALLS

__all__ = ["PEER"]

_LENGTH = Struct("<I")


def _receive(connection: socket.socket, count: int) -> memoryview | None:
    """Return exactly so many bytes, or None when the connection ends."""
    view = memoryview(bytearray(count))
    got = 0
    while got < count:
        size = connection.recv_into(view[got:])
        if not size:
            return None
        got += size
    return view


def _mirror(connection: socket.socket) -> None:
    """Send back what comes on one connection, until it ends."""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (head := _receive(connection, _LENGTH.size)) is not None:
            data = _receive(connection, _LENGTH.unpack(head)[0])
            assert data is not None
            connection.sendall(data)


def _accept(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_mirror, args=(connection,), daemon=True).start()


def _connect(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class _Client:
    """The connected half."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = _connect(port)
        self._held: list[socket.socket] = []

    def operation(self, name: str, value: Any) -> Operation:
        """Return an echo, or a connect with one."""
        data = marshal.dumps(value)
        size, sent = len(data), _LENGTH.pack(len(data)) + data

        def echo(connection: socket.socket = self._connection) -> Any:
            connection.sendall(sent)
            if _receive(connection, size) is None:
                raise ConnectionError("the connection was closed")
            return value

        def connect() -> None:
            with _connect(self._port) as connection:
                echo(connection)

        return connect if name == "connect" else echo

    def flight(self, value: Any) -> Flight:
        """Refuse: a blocking call waits."""
        raise NotImplementedError("blocking sockets do one echo at a time")

    def hold(self, what: str, count: int) -> None:
        """Open connections."""
        self._held += [_connect(self._port) for _ in range(count)]


class SocketsPeer(BlockingPeer):
    """Bytes back, nothing else."""

    name = "sockets"
    title = "limit: blocking sockets"
    kind = "limit"
    offers = CALLS - {
        *("pipe-null", "pipe-struct", "refs", "callback", "latency-busy"),
        *("memory-ref", "memory-import", "rss-ref"),
    }

    def missing(self) -> str | None:
        """Nothing can be missing."""
        return None

    def listen(self) -> int:
        """Listen on a free port of 127.0.0.1."""
        listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=_accept, args=(listening,), daemon=True).start()
        port: int = listening.getsockname()[1]
        return port

    def open(self, port: int) -> Client:
        """Connect."""
        return _Client(port)


PEER = SocketsPeer()
