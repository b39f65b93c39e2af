"""The server's side of a login: a portal as the root object."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import Anonymous, ICredentials, IUsernameHashedPassword
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.python.components import registerAdapter
from zope.interface import implementer

from broker._cred.challenge import challenge, respond_to_digest
from broker._objects.referenceable import AsReferenceable, Referenceable
from broker.interfaces import IJellyable, IPBRoot, IPerspective

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["IUsernameMD5Password", "PortalRoot"]


class IUsernameMD5Password(ICredentials):
    """A name and the answer to a challenge; it can be checked against the MD5 digest of a password, or against the
    password itself."""

    def checkPassword(password):  # type: ignore[no-untyped-def]
        """Return whether the answer was made with this password (bytes), or a Deferred of that."""

    def checkMD5Password(password):  # type: ignore[no-untyped-def]
        """Return whether the answer was made with the password of this MD5 digest (bytes), or a Deferred of that."""


@implementer(IPBRoot)
class PortalRoot:
    """A portal, served: each connection gets a login object of its own.

    :param portal: its realm is asked for an `IPerspective`; its checkers must accept `IUsernameHashedPassword`,
        `IUsernameMD5Password` or `IAnonymous` credentials.
    """

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def rootObject(self, broker: Broker) -> Referenceable:
        """Return the login object of a new connection."""
        return _Login(self.portal, broker)


registerAdapter(PortalRoot, Portal, IPBRoot)


def _hand_out(result: tuple[Any, Any, Callable[[], object]], broker: Broker) -> Any:
    """Return an avatar in a form that can be sent, and arrange for its logout.

    It is logged out once: when the peer drops its last reference to it, or when the connection goes.
    """
    _, avatar, logout = result
    if not IJellyable.providedBy(avatar):
        avatar = AsReferenceable(avatar, "perspective")
    pending = [logout]

    def log_out() -> None:
        broker.dontNotifyOnDisconnect(log_out)
        if pending:
            pending.pop()()

    if not broker.disconnected:
        broker.notifyOnRelease(avatar, log_out)
    broker.notifyOnDisconnect(log_out)
    return avatar


class _Login(Referenceable):
    """The root object of a portal."""

    def __init__(self, portal: Portal, broker: Broker) -> None:
        self.portal = portal
        self.broker = broker

    def remote_login(self, username: bytes) -> tuple[bytes, Referenceable]:
        """Begin a login by name and password: return a challenge and who takes the answer to it."""
        sent = challenge()
        return sent, _Challenger(self.portal, self.broker, username, sent)

    def remote_loginAnonymous(self, mind: Any) -> Deferred[Any]:
        """Log in without credentials; return the avatar."""
        return self.portal.login(Anonymous(), mind, IPerspective).addCallback(_hand_out, self.broker)


@implementer(IUsernameHashedPassword, IUsernameMD5Password)
class _Challenger(Referenceable):
    """Takes the answer to one challenge; it then is the credentials that the portal's checkers see."""

    def __init__(self, portal: Portal, broker: Broker, username: bytes, sent: bytes) -> None:
        self.portal = portal
        self.broker = broker
        self.username = username
        self.challenge = sent
        self.response: Any = b""

    def remote_respond(self, response: bytes, mind: Any) -> Deferred[Any]:
        """Finish the login; return the avatar."""
        self.response = response
        return self.portal.login(self, mind, IPerspective).addCallback(_hand_out, self.broker)

    def checkPassword(self, password: bytes) -> bool:
        """See `IUsernameMD5Password`."""
        return self.checkMD5Password(md5(password).digest())

    def checkMD5Password(self, md5Password: bytes) -> bool:
        """See `IUsernameMD5Password`."""
        if not isinstance(self.response, bytes):
            return False
        return compare_digest(respond_to_digest(self.challenge, md5Password), self.response)
