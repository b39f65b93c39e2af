"""Bytes put on the socket at once, and taken from it as they are, where that is allowed.

A reactor sends what is written in a later turn of its own: it has the socket watched, asks the system whether there is
room, sends, and has it watched no more. For a small message that costs more than the message, and nearly always there
is room. So what is written to an idle socket of Twisted's is given to the system at once; what that does not take goes
the usual way, behind it.

Only where nothing can be overtaken or skipped: not through TLS or any wrapper, not past bytes, a producer or a
farewell that wait, not on a transport that somebody changed. What another kind of transport does, or another Twisted,
is not guessed at. An error is not reported here, in the middle of a user's call: the bytes go the usual way then too,
and the reactor meets the error where it always does.

UNIX sockets of Twisted's look for descriptors in all that comes, which takes as long as receiving it. No connection of
ours wants any, so they read as others do, and what descriptors come the system closes.
"""

from __future__ import annotations

import socket
from types import MethodType
from typing import Any, Final

__all__ = ["is_plain", "read_bytes", "read_usually", "send"]

#: The state of Twisted's socket transports that is asked about before each send.
_STATE: Final = (
    "SEND_LIMIT",
    "TLS",
    "connected",
    "dataBuffer",
    "disconnecting",
    "producer",
    "socket",
    "_aborting",
    "_tempDataLen",
    "_writeDisconnected",
    "_writeDisconnecting",
)
#: What bytes pass through on their way to the socket.
_METHODS: Final = frozenset(("doWrite", "startWriting", "write", "writeSequence", "writeSomeData"))


def is_plain(transport: Any) -> bool:
    """Return whether a transport is a socket of Twisted's, unchanged, so that `send` may be asked."""
    # Imported late: a program without sockets need not have them.
    from twisted.internet import tcp

    kind: Any = type(transport)
    if not issubclass(kind, tcp.Connection):
        return False
    ours: Any = tcp.Connection
    return (
        kind.write is ours.write
        and kind.writeSequence is ours.writeSequence
        and kind.doWrite is ours.doWrite
        and kind.startWriting is ours.startWriting
        and (kind.writeSomeData is ours.writeSomeData or _sends_like_unix(kind))
        and _METHODS.isdisjoint(vars(transport))
        and all(hasattr(transport, name) for name in _STATE)
    )


def _sends_like_unix(kind: Any) -> bool:
    """Return whether a class sends as Twisted's UNIX sockets do, which can send descriptors too."""
    try:
        from twisted.internet import unix
    except ImportError:
        # There are none on Windows.
        return False
    return bool(kind.writeSomeData is unix.Server.writeSomeData)


def send(transport: Any, data: bytes, producer: Any = None) -> int:
    """Send what the socket takes at once; return how many bytes that is, 0 when they have to go the usual way.

    The transport's own limit of one send applies (128 KiB), so that one connection does not keep the others waiting.

    :param transport: a plain one, see `is_plain`.
    :param data: what is to be sent; at least a byte.
    :param producer: who may be registered at the transport: the caller's own.
    """
    if (
        transport.dataBuffer
        or transport._tempDataLen
        or transport.producer is not producer
        or transport.TLS
        or transport.disconnecting
        or not transport.connected
        or transport._writeDisconnecting
        or transport._writeDisconnected
        or transport._aborting
        or getattr(transport, "_sendmsgQueue", None)
    ):
        return 0
    limit = transport.SEND_LIMIT
    try:
        sent: int = transport.socket.send(data if len(data) <= limit else memoryview(data)[:limit])
    except OSError:
        # Full; or broken, which the reactor meets.
        return 0
    return sent


def read_bytes(transport: Any) -> None:
    """Have a UNIX socket of Twisted's, unchanged, read nothing but bytes; do nothing to another transport."""
    if not hasattr(socket, "AF_UNIX"):
        return
    from twisted.internet import interfaces, tcp, unix

    if type(transport) not in (unix.Server, unix.Client) or "doRead" in vars(transport):
        return
    if not interfaces.IFileDescriptorReceiver.providedBy(transport.protocol):
        transport.doRead = MethodType(tcp.Connection.doRead, transport)


def read_usually(transport: Any) -> None:
    """Undo what `read_bytes` did: a transport that knows itself is not freed at once."""
    own = getattr(transport, "__dict__", {})
    if type(own.get("doRead")) is MethodType:
        del own["doRead"]
