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
    :returns: a Deferred of a reference to the avatar.
    """
    if IAnonymous.providedBy(credentials):
        return root.callRemote("loginAnonymous", mind)

    def answer(challenged: Any) -> Any:
        try:
            challenge, challenger = challenged
            response = respond(challenge, credentials.password)
            call = challenger.callRemote
        except (TypeError, ValueError, AttributeError) as error:
            raise ProtocolError(
                f"the login was answered by no challenge, or the password is not bytes: {error}"
            ) from error
        return call("respond", response, mind)

    return root.callRemote("login", credentials.username).addCallback(answer)
