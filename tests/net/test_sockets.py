"""What the operating system is told of a connection."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from twisted.internet.testing import StringTransport

from broker._net.flow import Flow
from broker._net.sockets import UNSENT, keep_alive, keep_unsent_short, socket_of
from tests.net.sockets import Link


class Socketed:
    """A transport with a socket under it."""

    def __init__(self, found: socket.socket) -> None:
        self.found = found

    def getHandle(self) -> socket.socket:
        return self.found

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, enabled)


class Wrapper:
    """Another transport on top of one, like that of TLS."""

    def __init__(self, transport: Socketed) -> None:
        self.transport = transport
        self.setTcpKeepAlive = transport.setTcpKeepAlive

    def getHandle(self) -> object:
        return object()


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_system_is_told_to_ask(wrapped: bool) -> None:
    with socket.socket() as found:
        transport: Any = Wrapper(Socketed(found)) if wrapped else Socketed(found)
        keep_alive(transport, 61.7)
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_KEEPIDLE") and hasattr(socket, "TCP_KEEPINTVL"):
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 62
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 15


def test_a_transport_without_tcp_or_without_a_peer_is_left_alone() -> None:
    keep_alive(object(), 60)
    with socket.socket() as found:
        pass
    keep_alive(Socketed(found), 60)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no UNIX sockets here")
def test_a_unix_socket_needs_nothing() -> None:
    with socket.socket(socket.AF_UNIX) as found:
        keep_alive(Socketed(found), 60)


# What the system takes ahead.


class Pieces:
    """A source that has one piece."""

    pieces = True

    def next_piece(self) -> bytes:
        self.pieces = False
        return b"piece"


class Flowing(Socketed, StringTransport):  # type: ignore[misc]
    """A transport with a socket under it that can be written to."""

    def __init__(self, found: socket.socket) -> None:
        StringTransport.__init__(self)
        self.found = found


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="the system cannot be told here")
def test_the_system_takes_little_ahead_where_large_messages_go() -> None:
    option = socket.TCP_NOTSENT_LOWAT
    with socket.socket() as found:
        before = found.getsockopt(socket.IPPROTO_TCP, option)
        flow = Flow(Flowing(found), 1000, lambda: None, lambda function, *args: function(*args))
        flow.write(b"small")
        assert found.getsockopt(socket.IPPROTO_TCP, option) == before
        flow.fill(Pieces())
        assert found.getsockopt(socket.IPPROTO_TCP, option) == UNSENT


def test_a_transport_that_cannot_be_told_is_left_alone() -> None:
    keep_unsent_short(StringTransport())
    with socket.socket() as found:
        pass
    keep_unsent_short(Socketed(found))


def test_a_lost_connection_has_no_socket() -> None:
    link = Link()
    assert socket_of(link.transport) is link.transport.socket
    link.close()
    assert socket_of(link.transport) is None
