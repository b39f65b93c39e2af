"""Failures of a connection or a call, each told in one line that a person can act on."""

from __future__ import annotations

import builtins
import socket

from twisted.internet import defer
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.python.failure import Failure

from broker.errors import (
    ConnectionRefused,
    DeadlineExceeded,
    DeadReferenceError,
    GoingAway,
    InsecureJelly,
    LimitExceeded,
    NameTaken,
    NoSuchMethod,
    NotAllowed,
    PBConnectionLost,
    PeerSilent,
    ProtocolError,
    RemoteError,
    UnknownName,
)

__all__ = ["explain", "one_line"]

_UNAUTHORIZED = "twisted.cred.error.UnauthorizedLogin"


def one_line(text: object) -> str:
    """Return a text as one line without anything that a terminal would act on."""
    joined = " ".join(str(text).split())
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in joined)


def explain(error: BaseException, endpoint: str) -> str:
    """Return one line about a failure.

    :param endpoint: what was connected to.
    """
    return one_line(_remote(error) if isinstance(error, RemoteError) else _local(_cause(error), endpoint))


def _cause(error: BaseException) -> BaseException:
    """Return why this side closed the connection, if that is what happened."""
    reason = error.args[0] if isinstance(error, PBConnectionLost) and error.args else None
    value = reason.value if isinstance(reason, Failure) else reason
    return value if isinstance(value, (ProtocolError, LimitExceeded)) else error


def _remote(error: RemoteError) -> str:
    """Tell about an exception that the server raised."""
    name = error.remoteType.decode("utf-8", "replace").removeprefix("builtins.")
    if name == _UNAUTHORIZED or _UNAUTHORIZED in error.remoteParents:
        return "login failed: wrong name or password, or nobody may log in this way"
    if isinstance(error, (NameTaken, NotAllowed, UnknownName)):
        return f"the server refused: {error}"
    if isinstance(error, NoSuchMethod):
        return f"the server has {str(error)[:1].lower()}{str(error)[1:]}"
    if isinstance(error, GoingAway):
        return _leaving(error)
    if isinstance(error, InsecureJelly):
        return f"the server refused a value: {error}"
    return f"the server raised {name}: {error}" if str(error) else f"the server raised {name}"


def _leaving(error: GoingAway) -> str:
    """Tell that the server is about to go."""
    return f"the call was refused: {error}"


def _local(error: BaseException, endpoint: str) -> str:
    """Tell about a failure on this side or on the way."""
    if isinstance(error, (ConnectionRefusedError, builtins.ConnectionRefusedError, FileNotFoundError)):
        return f"nobody listens at {endpoint}"
    if isinstance(error, (DNSLookupError, socket.gaierror)):
        return f"no such host: {endpoint}"
    if isinstance(error, DeadlineExceeded):
        return f"no answer from {endpoint} in time: {error}"
    if isinstance(error, (TimeoutError, defer.TimeoutError, builtins.TimeoutError)):
        return f"no answer from {endpoint} in time; is it a PB server?"
    if isinstance(error, GoingAway):
        return _leaving(error)
    if isinstance(error, InsecureJelly):
        return f"this value may not cross: {error}"
    if isinstance(error, LimitExceeded):
        return f"beyond a limit: {error}"
    if isinstance(error, (PBConnectionLost, DeadReferenceError, PeerSilent)):
        return f"the connection to {endpoint} was lost: {error}"
    if isinstance(error, ConnectionRefused):
        return f"{endpoint} cannot be spoken with: {error}"
    if isinstance(error, ProtocolError):
        return f"{endpoint} does not speak PB: {error}"
    if isinstance(error, ConnectError):
        return f"cannot connect to {endpoint}: {error}"
    if isinstance(error, ValueError):
        return f"{endpoint!r} is no endpoint to connect to: {error}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
