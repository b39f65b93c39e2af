"""A transport of Twisted's on a real socket, driven by hand: nothing happens until the test says so."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

__all__ = ["FDReactor", "Link", "Silent"]


class FDReactor(Clock):
    """A reactor that watches descriptors, of which only what transports ask is there."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: list[Any] = []
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        if reader not in self.readers:
            self.readers.append(reader)

    def addWriter(self, writer: Any) -> None:
        if writer not in self.writers:
            self.writers.append(writer)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:
        if writer in self.writers:
            self.writers.remove(writer)

    def turn(self) -> None:
        """What one turn does: timers, then those that want to write."""
        self.advance(0)
        for writer in list(self.writers):
            why = writer.doWrite()
            if why:
                self.removeReader(writer)
                self.removeWriter(writer)
                writer.connectionLost(Failure(why))


class Silent(Protocol):
    """Notes how its connection ends."""

    lost: Failure | None = None

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason


class Link:
    """A transport of ours, and the bare socket at the other end.

    :param room: bytes that the system takes; it may take a few times as many.
    :param kind: the class of the transport.
    """

    def __init__(self, room: int | None = None, kind: Any = tcp.Connection) -> None:
        near, self.far = socket.socketpair()
        if room is not None:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        self.far.setblocking(False)
        self.reactor = FDReactor()
        self.protocol = Silent()
        self.transport: Any = kind(near, self.protocol, self.reactor)
        self.transport.connected = 1
        self.protocol.makeConnection(self.transport)

    def arrived(self, most: int = 1 << 30) -> bytes:
        """Take what has arrived at the other end."""
        pieces = []
        while most > 0:
            try:
                piece = self.far.recv(min(most, 65536))
            except BlockingIOError:
                break
            if not piece:
                break
            pieces.append(piece)
            most -= len(piece)
        return b"".join(pieces)

    def drain(self) -> bytes:
        """Let the reactor run and the other end read until nothing waits any more; return what arrived."""
        pieces = [self.arrived()]
        while self.reactor.writers:
            self.reactor.turn()
            pieces.append(self.arrived())
        return b"".join(pieces)

    @property
    def waiting(self) -> int:
        """How many bytes wait in the transport."""
        return int(len(self.transport.dataBuffer) - self.transport.offset + self.transport._tempDataLen)

    def close(self) -> None:
        """Close both ends."""
        self.far.close()
        if hasattr(self.transport, "socket"):
            self.transport.connectionLost(Failure(ConnectionError("the test is over")))
