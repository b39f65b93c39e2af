"""The socket under a transport, and what is set on it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Final

__all__ = ["UNSENT", "keep_alive", "keep_unsent_short", "socket_of"]

#: Most bytes that the system takes beyond those under way, on connections that send large messages: as many as are
#: waiting above it. Without a bound it takes megabytes, and a small message waits behind all of them.
UNSENT: Final = 128 * 1024
_TCP: Final = (socket.AF_INET, socket.AF_INET6)


def keep_alive(transport: Any, seconds: float) -> None:
    """Have the operating system ask whether the peer is there, for protocols that cannot.

    :param transport: any; one without a TCP socket is left alone.
    :param seconds: of silence after which it asks, where the system lets that be chosen; after as many again without
        an answer it closes the connection. Elsewhere the system decides, and two hours are usual.
    """
    turn_on = getattr(transport, "setTcpKeepAlive", None)
    # The peer may have gone already, and a transport may have the method for a socket that refuses it.
    with suppress(OSError):
        if turn_on is not None:
            turn_on(True)
            found = socket_of(transport)
            if found is not None and found.family in _TCP:
                _set_times(found, max(1, round(seconds)))


def _set_times(found: socket.socket, seconds: int) -> None:
    asks = 4
    for name, value in (
        ("TCP_KEEPIDLE", seconds),
        ("TCP_KEEPINTVL", max(1, seconds // asks)),
        ("TCP_KEEPCNT", asks),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            found.setsockopt(socket.IPPROTO_TCP, option, value)


def keep_unsent_short(transport: Any) -> None:
    """Have the operating system not take more than is soon sent, where it can be told.

    :param transport: any; one without a TCP socket is left alone.
    """
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    # The peer may have gone already.
    with suppress(OSError):
        found = None if option is None else socket_of(transport)
        if option is not None and found is not None and found.family in _TCP:
            found.setsockopt(socket.IPPROTO_TCP, option, UNSENT)


def socket_of(transport: Any) -> socket.socket | None:
    """Return the socket under a transport, which may be wrapped, as TLS does it."""
    while transport is not None:
        handle = getattr(transport, "getHandle", None)
        try:
            found = None if handle is None else handle()
        except AttributeError:
            # One of Twisted's whose connection is gone: it has forgotten its socket.
            return None
        if isinstance(found, socket.socket):
            return found
        transport = getattr(transport, "transport", None)
    return None
