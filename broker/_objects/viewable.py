"""Objects called through somebody's eyes: the method learns, unforgeably, which perspective calls it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from broker._objects.flavor import Serializable, find_method, keywords, positional
from broker._objects.referenceable import Referenceable

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["ViewPoint", "Viewable"]


class ViewPoint(Referenceable):
    """One perspective's view of one object; calls reach ``view_*`` methods with the perspective in front.

    :param perspective: who looks.
    :param object: what is looked at; any object with ``view_*`` methods.
    """

    def __init__(self, perspective: Any, object: Any) -> None:
        self.perspective = perspective
        self.object = object

    def processUniqueID(self) -> Hashable:
        """Two views of one object by one perspective are the same to the peer."""
        return (id(self.perspective), id(self.object))

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve one call by ``view_<message>(perspective, ...)``.

        :raises NoSuchMethod: there is no such method.
        """
        perspective = self.perspective
        arguments = positional(broker.unserialize(args, perspective))
        named = keywords(broker.unserialize(kw, perspective))
        method = find_method(self.object, "view_", message)
        return broker.serialize(method(perspective, *arguments, **named), perspective)


class Viewable(Serializable):
    """An object that is passed as a `ViewPoint` of the perspective that it is being sent to."""

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to a reference to a view of this object."""
        return ViewPoint(jellier.invoker.serializingPerspective, self).jellyFor(jellier)
