"""The gate: nobody talks to a manager who does not know its key, and a client learns whether the manager does.

Each end sends random bytes; each proves with them that it knows the key, the manager first. The key never crosses.
Whoever can change what crosses on the way can still do so afterwards: over a network that others use, use TLS.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest, digest
from multiprocessing import AuthenticationError
from secrets import token_bytes
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker.errors import Error
from broker.interfaces import IPBRoot

__all__ = ["Gate", "PATIENCE", "Refused", "check", "enter", "gone", "new_key"]

_SIZE: Final = 32
#: Seconds that a connection may take to prove that it knows the key.
PATIENCE: Final = 30.0
_MANAGER: Final = b"broker manager "
_CLIENT: Final = b"broker client "


class Refused(AuthenticationError, Error):
    """Who is at the gate does not know the key."""


def new_key() -> bytes:
    """Return a random key."""
    return token_bytes(_SIZE)


def _proof(key: bytes, who: bytes, ours: bytes, theirs: bytes) -> bytes:
    return digest(key, who + ours + theirs, "sha256")


@implementer(IPBRoot)
class Gate:
    """The root object of a manager: lets in who knows the key.

    :param key: the key.
    :param inside: returns what those get who are let in.
    :param clock: tells the time, an `IReactorTime`.
    """

    def __init__(self, key: bytes, inside: Callable[[], Referenceable], clock: Any) -> None:
        self.key = key
        self.inside = inside
        self.clock = clock

    def rootObject(self, broker: Any) -> Referenceable:
        """Return the door for a new connection."""
        return _Door(self, broker)


class _Door(Referenceable):
    """What one connection has before it is let in: one attempt, and not for long."""

    def __init__(self, gate: Gate, broker: Any) -> None:
        self._gate = gate
        self._broker = broker
        self._expected: bytes | None = None
        self._used = False
        self._timer: Any = gate.clock.callLater(PATIENCE, self._close)
        broker.notifyOnDisconnect(self._stop)

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _close(self) -> None:
        self._timer = None
        self._broker.disconnect()

    def remote_hello(self, theirs: bytes) -> tuple[bytes, bytes]:
        """Begin: return random bytes, and the proof that we know the key."""
        if self._used or type(theirs) is not bytes or len(theirs) != _SIZE:
            raise Refused("no such greeting")
        self._used = True
        ours = token_bytes(_SIZE)
        self._expected = _proof(self._gate.key, _CLIENT, ours, theirs)
        return ours, _proof(self._gate.key, _MANAGER, ours, theirs)

    def remote_enter(self, proof: bytes) -> Referenceable:
        """Finish: return what is inside."""
        expected, self._expected = self._expected, None
        if expected is None or type(proof) is not bytes or not compare_digest(proof, expected):
            self._stop()
            # When the answer is out.
            self._timer = self._gate.clock.callLater(0, self._close)
            raise Refused("the key is another one")
        self._stop()
        return self._gate.inside()


def check(address: object, key: object) -> None:
    """Make sure that these are an address and a key, or None: those of `multiprocessing` are other ones.

    :raises TypeError: they are not.
    """
    if not isinstance(address, (str, type(None))):
        raise TypeError(f"an address is an endpoint string, such as 'tcp:0' or 'unix:/run/manager': {address!r}")
    if not isinstance(key, (bytes, type(None))):
        raise TypeError(f"a key is bytes, not {type(key).__name__}")


def gone(where: str | None, ended: bool | None = None) -> str:
    """Return what is said to those who use an object of a manager when the connection is gone.

    :param where: where the manager is, or was.
    :param ended: whether the manager was shut down, or only the connection closed; None when nobody here wanted it.
    """
    if ended is None:
        return f"the manager at {where} is gone"
    return f"the manager at {where} was shut down" if ended else f"the connection to the manager at {where} was closed"


def enter(root: RemoteReference, key: bytes) -> Deferred[RemoteReference]:
    """Show at a manager's gate that one knows its key.

    :param root: the root object of a connection to it.
    :param key: its key.
    :returns: a Deferred of a reference to its hub. It fails with `multiprocessing.AuthenticationError` when the key is
        another one, at either end.
    """
    theirs = token_bytes(_SIZE)

    def answer(greeted: Any) -> Any:
        if type(greeted) is not tuple or [type(part) for part in greeted] != [bytes, bytes]:
            raise AuthenticationError("the other end is no manager")
        ours, proof = greeted
        if not compare_digest(proof, _proof(key, _MANAGER, ours, theirs)):
            raise AuthenticationError("the manager does not know the key")
        return root.callRemote("enter", _proof(key, _CLIENT, ours, theirs))

    return root.callRemote("hello", theirs).addCallback(answer)
