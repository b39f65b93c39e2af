"""SocketTransport: a connected socket as protocols see it, written to by whoever is inside.

What the socket does not take at once waits here, and is sent by the thread that serves, see `broker.blocking.line`.
Closing only ends both directions; the thread that reads notices, and the socket goes when nobody looks at it any more.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import ITransport
from zope.interface import implementer

from broker.blocking.polling import AT_ONCE

__all__ = ["SocketTransport"]

#: Bytes that may wait before the producer is told to pause.
_HIGH: Final = 128 * 1024
#: Most bytes given to the system at a time.
_SEND: Final = 256 * 1024


@implementer(ITransport)
class SocketTransport:
    """A connected socket; see `twisted.internet.interfaces.ITransport`.

    :param sock: the socket.
    :param pump: called when something waits to be sent that `pump` has to send.
    :ivar disconnecting: whether it is to be closed.
    :ivar aborted: why it was cut, or None.
    """

    def __init__(self, sock: socket.socket, pump: Callable[[], None]) -> None:
        self._socket = sock
        self._send = sock.send
        self._wake = pump
        self._waiting: deque[Any] = deque()
        self._size = 0
        self._producer: Any = None
        self._streaming = False
        self._paused = False
        self._ended = False
        self.disconnecting = False
        self.aborted: ConnectionAborted | None = None

    # Writing.

    def write(self, data: bytes) -> None:
        """Send bytes, now or later."""
        if self._ended or (self.disconnecting and self._producer is None):
            return
        if not self._waiting:
            try:
                sent = self._send(data, AT_ONCE)
            except OSError:
                # Full; or broken, which shows when it is read from.
                sent = 0
            if sent == len(data):
                return
            data = memoryview(data)[sent:]  # type: ignore[assignment]
        self._waiting.append(data)
        self._size += len(data)
        if self._size > _HIGH and self._streaming and not self._paused:
            self._paused = True
            self._producer.pauseProducing()
        self._wake()

    def writeSequence(self, data: Any) -> None:
        """Send several pieces."""
        self.write(b"".join(data))

    @property
    def unsent(self) -> bool:
        """Whether bytes wait, or a producer that is to be asked for some."""
        return not self._ended and (bool(self._waiting) or (self._producer is not None and not self._streaming))

    def pump(self) -> None:
        """Send what waits, as far as the socket takes it; ask the producer for more."""
        while self._waiting and not self._ended:
            piece = self._waiting[0]
            try:
                sent = self._send(piece[:_SEND], AT_ONCE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._end()
                return
            self._size -= sent
            if sent == len(piece):
                self._waiting.popleft()
            else:
                self._waiting[0] = memoryview(piece)[sent:]
        if self._ended:
            return
        if self._producer is not None:
            if self._paused or not self._streaming:
                self._paused = False
                self._producer.resumeProducing()
        elif self.disconnecting:
            self._end()

    # Producers.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have somebody told when there is enough, and when there is room."""
        if self._ended:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._paused = producer, streaming, False
        if not streaming:
            self._wake()
        elif self._size > _HIGH:
            self._paused = True
            producer.pauseProducing()

    def unregisterProducer(self) -> None:
        """Tell the producer nothing any more."""
        self._producer, self._paused = None, False
        if self.disconnecting and not self._waiting:
            self._end()

    def pauseProducing(self) -> None:
        """Do nothing: what comes is read in any case."""

    def resumeProducing(self) -> None:
        """Do nothing."""

    # The end.

    def loseConnection(self) -> None:
        """Close, when what was written has been sent."""
        self.disconnecting = True
        if not self._waiting and self._producer is None:
            self._end()

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = ConnectionAborted()
        self._end()

    def _end(self) -> None:
        """Have nothing more come or go; whoever reads finds the end."""
        self.disconnecting = self._ended = True
        self._waiting.clear()
        self._size = 0
        # The peer may have been quicker.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    # What it is.

    def getHandle(self) -> socket.socket:
        """Return the socket."""
        return self._socket

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Have small messages not wait for others."""
        if self._socket.family != getattr(socket, "AF_UNIX", None):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, enabled)

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Have the system ask whether the peer is there."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)

    def getPeer(self) -> Any:
        """Return the address of the peer."""
        try:
            return _address(self._socket, self._socket.getpeername())
        except OSError:
            return "a peer that has gone"

    def getHost(self) -> Any:
        """Return the address of this end."""
        return _address(self._socket, self._socket.getsockname())


def _address(sock: socket.socket, name: Any) -> Any:
    if sock.family == socket.AF_INET:
        return IPv4Address("TCP", *name)
    if sock.family == socket.AF_INET6:
        return IPv6Address("TCP", *name)
    return UNIXAddress(name or None)
