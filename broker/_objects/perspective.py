"""Avatar: what somebody who logged in may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from broker._objects.flavor import find_method, keywords, positional
from broker.interfaces import IPerspective

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Avatar"]


@implementer(IPerspective)
class Avatar:
    """The usual `IPerspective`: calls of the peer who logged in reach ``perspective_*`` methods.

    A realm returns one from ``requestAvatar``. Only login hands it out; returned from a method it is refused.
    """

    def perspectiveMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve one call by ``perspective_<message>``, with this perspective current for arguments and result.

        :raises NoSuchMethod: there is no such method.
        """
        arguments = positional(broker.unserialize(args, self))
        named = keywords(broker.unserialize(kw, self))
        method = find_method(self, "perspective_", message)
        return broker.serialize(method(*arguments, **named), self)
