"""Exported: the one adapter by which any Python object is served; it takes programs as ordinary messages."""

from __future__ import annotations

from collections.abc import Hashable
from types import BuiltinFunctionType, MethodType
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from broker._objects.flavor import keywords, positional
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker._objects.serving import OF_VALUES
from broker._remote.policy import Policy
from broker.interfaces import IPBRoot, IPerspective

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Exported", "Relayed", "Server"]


class Server(Protocol):
    """What serves exported objects, see `broker._remote.adapter.Owner`."""

    policy: Policy

    def introduction(self, side: Any, adapter: Exported, pushed: list[bytes]) -> tuple[Any, ...]:
        """Return what a peer is told with a reference; note in `pushed` the descriptors that it has in it."""

    def serve(
        self, adapter: Exported, broker: Broker, message: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        """Serve one message for an adapter, with its arguments; see `Referenceable.remoteMessageReceived`."""


class Relayed:
    """An object of another peer, which is served by asking that peer.

    :param reference: the reference to it.
    """

    __slots__ = ("__weakref__", "reference")

    def __init__(self, reference: RemoteReference) -> None:
        self.reference = reference


@implementer(IPBRoot, IPerspective)
class Exported(Referenceable):
    """A Python object on offer; made by `broker.transparent.export`.

    It may be served as a root, returned from methods and passed as an argument. Peers that know nothing of verbs call
    its methods with ``callRemote``, as far as its policy offers them.

    :ivar object: the object.
    :ivar owner: what serves it, and under which policy.
    """

    #: How many attributes of its own the object had when the peer was told their names, or None.
    told: int | None = None

    def __init__(self, object: Any, owner: Server) -> None:
        self.object = object
        self.owner = owner

    def processUniqueID(self) -> Hashable:
        """Two adapters of one object, served by one owner, are one reference to the peer."""
        if type(self.object) is Relayed:
            return (id(self.object),)
        return (id(self.owner), *_identity(self.object))

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve a program, or the call of one method."""
        arguments, named = positional(broker.unserialize(args)), keywords(broker.unserialize(kw))
        return self.owner.serve(self, broker, message, arguments, named)

    def perspectiveMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve a program, or a call, of somebody who logged in: a realm may return this as the avatar."""
        return Exported.remoteMessageReceived(self, broker, message, args, kw)

    def _values_received(self, broker: Broker, message: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return self.owner.serve(self, broker, message, arguments, named)

    def rootObject(self, broker: Broker) -> Exported:
        """Return the adapter to serve on a new connection: each has one, as each peer is told different things."""
        return Exported(self.object, self.owner)

    def __repr__(self) -> str:
        return f"<Exported {type(self.object).__name__}>"


setattr(Exported.remoteMessageReceived, OF_VALUES, Exported._values_received)


def _identity(value: Any) -> tuple[Hashable, ...]:
    # Each reading of a method makes another object that stands for it.
    if isinstance(value, MethodType):
        return (id(value.__self__), id(value.__func__))
    if isinstance(value, BuiltinFunctionType):
        return (id(value.__self__), value.__name__)
    return (id(value),)
