"""The client's side of a login."""

from __future__ import annotations

from typing import Any

from twisted.cred.credentials import IAnonymous
from twisted.internet.defer import Deferred

from broker._cred.challenge import respond
from broker._objects.reference import RemoteReference
from broker.errors import ProtocolError

__all__ = ["login"]


def login(root: RemoteReference, credentials: Any, mind: Any = None) -> Deferred[RemoteReference]:
    """Log in at a peer.

    :param root: the peer's root object, which must be that of a portal.
    :param credentials: with `username` and `password` as bytes, or `IAnonymous`.
    :param mind: what the peer's realm is given to reach us by.
    :returns: a Deferred of a reference to the avatar. It fails with what the portal refuses the login with, by the
        name of its class there, and with `ProtocolError` when the peer does not challenge us.
    :raises TypeError: the password is not bytes.
    """
    if IAnonymous.providedBy(credentials):
        return root.callRemote("loginAnonymous", mind)
    password = credentials.password
    if not isinstance(password, bytes):
        raise TypeError(f"a password is sent as bytes, not as {type(password).__name__}")

    def answer(challenged: Any) -> Any:
        try:
            challenge, challenger = challenged
            response = respond(challenge, password)
            call = challenger.callRemote
        except (TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(f"the login was answered by no challenge: {error}") from error
        return call("respond", response, mind)

    return root.callRemote("login", credentials.username).addCallback(answer)
