"""Objects that stay here and are called from afar: Referenceable and Root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from broker._objects.flavor import Serializable, find_method, keywords, positional, registers
from broker.interfaces import IPBRoot

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["AsReferenceable", "Referenceable", "Root", "unjelly_local"]


class Referenceable(Serializable):
    """An object that is passed by reference: the peer gets a `RemoteReference` and calls our ``remote_*`` methods.

    A served method may return a value, return a Deferred, or be ``async def``.
    """

    perspective: Any = None

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve one call.

        Override it to dispatch in another way; decode the arguments with ``broker.unserialize`` and return what
        ``broker.serialize`` makes of the result.

        :param broker: the connection that the call came in on.
        :param message: the bare name of the method.
        :param args: the positional arguments, not yet decoded.
        :param kw: the keyword arguments, not yet decoded.
        :raises NoSuchMethod: there is no method ``remote_<message>``.
        """
        arguments = positional(broker.unserialize(args))
        named = keywords(broker.unserialize(kw))
        method = find_method(self, "remote_", message)
        if broker.elsewhere is not None:
            return broker.elsewhere(method, *arguments, **named).addCallback(broker.serialize, self.perspective)
        return broker.serialize(method(*arguments, **named), self.perspective)

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to a reference, counted by the connection."""
        return [b"remote", jellier.invoker.registerReference(self)]


@registers(b"local")
def unjelly_local(unjellier: Any, expression: Any) -> Any:
    """Lift a reference of theirs to an object of ours: the very object."""
    return unjellier.invoker.localObjectForID(expression[1])


@implementer(IPBRoot)
class Root(Referenceable):
    """The object that a peer gets first. Override `rootObject` to give each connection its own."""

    def rootObject(self, broker: Broker) -> Any:
        """Return the object to serve as ``root`` on a new connection.

        :param broker: the new connection.
        """
        return self


class AsReferenceable(Referenceable):
    """Anything that has ``<messageType>MessageReceived``, made referenceable; an avatar is handed out this way.

    :param object: the object to serve.
    :param messageType: ``"remote"`` or ``"perspective"``.
    """

    def __init__(self, object: Any, messageType: str = "remote") -> None:
        self.remoteMessageReceived = getattr(object, messageType + "MessageReceived")  # type: ignore[method-assign]
