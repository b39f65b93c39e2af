"""Every error that `broker` raises or sends, each with its answers to three questions.

An error says *whose fault* it is, *how far* it reaches and whether the call *may have run*; see `Consequence`.
Classes that have a counterpart in `twisted.spread` travel under that counterpart's dotted name (`WIRE_NAMES`), in
both directions, so that ``failure.trap(jelly.InsecureJelly)`` works on a stock peer and ours does here.
"""

from __future__ import annotations

from typing import ClassVar, Literal

__all__ = [
    "BadValue",
    "BananaError",
    "ConnectionRefused",
    "Consequence",
    "DeadReferenceError",
    "DeadlineExceeded",
    "Error",
    "Fault",
    "GoingAway",
    "InsecureJelly",
    "LimitExceeded",
    "NameTaken",
    "NoSuchMethod",
    "NotAllowed",
    "PBConnectionLost",
    "PeerSilent",
    "ProtocolError",
    "Ran",
    "Reach",
    "RemoteError",
    "UnknownName",
    "WIRE_NAMES",
]


Fault = Literal["local", "remote", "network"]
Reach = Literal["call", "connection"]
Ran = Literal["no", "unknown", "yes"]


class Consequence:
    """Mixed into errors: what a caller may conclude from one.

    fault: ``"local"`` when this side did something wrong, ``"remote"`` when the peer did, ``"network"`` for neither.
    reach: ``"call"`` when only the one call is affected, ``"connection"`` when the connection is closed.
    ran: whether the remote method ran: ``"no"``, ``"unknown"`` or ``"yes"``.
    """

    fault: ClassVar[Fault] = "local"
    reach: ClassVar[Reach] = "call"
    ran: ClassVar[Ran] = "no"


class Error(Exception):
    """An expected failure of a remote method.

    Raise it, or better a subclass, from a served method to tell the caller that the call failed for a foreseen
    reason: the caller receives it and nothing is logged where it was raised.
    """


class ProtocolError(Consequence, Exception):
    """The peer sent something that the protocol does not allow; the connection is closed with this reason."""

    fault: ClassVar[Fault] = "remote"
    reach: ClassVar[Reach] = "connection"
    ran: ClassVar[Ran] = "unknown"


class BananaError(ProtocolError):
    """Bytes that are no banana tokens, or a value that banana has no token for."""


class LimitExceeded(Error, Consequence):
    """A ceiling in `Limits` was met: by a value to be sent, by one received, or by a table of the connection."""


class InsecureJelly(Consequence, Exception):
    """A value whose type is not on the whitelist, on its way out or in; the text names the type and where it is."""


class BadValue(InsecureJelly):
    """A value whose form on the wire is broken, for example a dictionary whose entry is no pair."""

    fault: ClassVar[Fault] = "remote"


class NoSuchMethod(AttributeError):
    """The object called has no method of that name on offer."""


class DeadReferenceError(ProtocolError):
    """A call on a reference whose connection is gone; nothing was sent."""

    fault: ClassVar[Fault] = "network"
    ran: ClassVar[Ran] = "no"


class PBConnectionLost(Consequence, Exception):
    """The connection went while the call was in flight; whether the method ran cannot be known.

    The first argument is the reason (an exception or a Failure of the transport).
    """

    fault: ClassVar[Fault] = "network"
    reach: ClassVar[Reach] = "connection"
    ran: ClassVar[Ran] = "unknown"

    def __str__(self) -> str:
        if not self.args:
            return "the connection was lost"
        reason = self.args[0]
        message = getattr(reason, "getErrorMessage", None)
        return str(message()) if message is not None else str(reason)


class DeadlineExceeded(Error, Consequence, TimeoutError):
    """The time that a call was given is over. The peer was told to stop; whether the method ran cannot be known."""

    fault: ClassVar[Fault] = "network"
    ran: ClassVar[Ran] = "unknown"


class GoingAway(Error, Consequence):
    """The other end is shutting down: it finishes the calls it has and takes no new ones. The call did not run."""

    fault: ClassVar[Fault] = "remote"


class PeerSilent(ProtocolError):
    """Nothing came from the peer for longer than its connection may be silent, not even answers to pings."""

    fault: ClassVar[Fault] = "network"


class ConnectionRefused(ProtocolError):
    """The two ends have no dialect in common, or one end is at its ceiling of connections."""


class UnknownName(Error, Consequence, LookupError):
    """A directory has nothing under that name."""


class NameTaken(Error, Consequence):
    """A directory has something under that name, which was not to be replaced or is not the caller's to replace."""


class NotAllowed(Error, Consequence):
    """The rule of a directory does not let the caller do that."""


class RemoteError(Exception):
    """An exception raised by the peer's method whose class is not known on this side.

    remoteType: the dotted name of the exception's class there, as bytes.
    value: its text.
    remoteTraceback: its traceback as text, or a line saying that it was withheld.
    remoteParents: the dotted names of its class and base classes there, most derived first.

    Where one of those classes is known here (a registered exception, a builtin one, one of this module), the instance
    belongs to that class too, so that both ``except RemoteError`` and ``except ValueError`` catch it.
    """

    remoteParents: tuple[str, ...] = ()
    _text: str | None = None

    def __init__(self, remoteType: bytes, value: str, remoteTraceback: str) -> None:
        super().__init__(value)
        self._text = value
        self.remoteType = remoteType
        self.remoteTraceback = remoteTraceback


#: Classes of ours that PB knows under a name of its own.
WIRE_NAMES: dict[type[BaseException], str] = {
    Error: "twisted.spread.pb.Error",
    ProtocolError: "twisted.spread.pb.ProtocolError",
    BananaError: "twisted.spread.banana.BananaError",
    DeadReferenceError: "twisted.spread.pb.DeadReferenceError",
    PBConnectionLost: "twisted.spread.pb.PBConnectionLost",
    RemoteError: "twisted.spread.pb.RemoteError",
    NoSuchMethod: "twisted.spread.flavors.NoSuchMethod",
    InsecureJelly: "twisted.spread.jelly.InsecureJelly",
}
