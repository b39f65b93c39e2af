"""What one connection knows about transparent objects: their types, what is open on it, and the proxies in use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from broker._objects.reference import RemoteReference
from broker._remote.descriptors import Descriptor
from broker.errors import LimitExceeded

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["Kind", "Side", "side_of"]

#: The attribute of a connection under which its side is kept, so that it goes when the connection goes.
_KEPT = "transparent_side"


class Kind:
    """What is known of one object of theirs: the descriptor of its type and the names it has besides."""

    __slots__ = ("descriptor", "names")

    def __init__(self, descriptor: Descriptor, names: frozenset[str] = frozenset()) -> None:
        self.descriptor = descriptor
        self.names = names


class Side:
    """The transparent objects of one connection.

    :ivar types: descriptors that the peer sent, by their identity.
    :ivar told: the identities of the descriptors that the peer was sent.
    :ivar kinds: what is known of the references held.
    :ivar proxies: living proxies, so that an object that is received again is the same proxy.
    :ivar passes: the passes that owners of this side have given the peer, see `broker._remote.elsewhere`.
    :ivar theirs: the pass that the peer has given, or None.
    :ivar numbered: references by number to objects that the peer serves under a name, by that name.
    :ivar relayed: what stands for objects of the peer that were passed on to other peers.
    :ivar views: how objects of the peer are looked at, by policy and transport.
    :ivar streams: open streams of ours, by identity, each with what closes it.
    :ivar contexts: contexts of ours that the peer has entered and not left, in the order of entering.
    :ivar session: what served methods keep for the peer, see `broker._remote.publish.CallContext`.
    :ivar transport: returns how operations of the calling thread run where it says nothing; None: they do not wait.
    :ivar elsewhere: how operations run in code that is served elsewhere than where messages are read; None: nothing is.
    :ivar lost: whether the connection is gone.
    """

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.types: dict[bytes, Descriptor] = {}
        self.told: set[bytes] = set()
        self.kinds: WeakKeyDictionary[RemoteReference, Kind] = WeakKeyDictionary()
        self.proxies: WeakValueDictionary[Any, Any] = WeakValueDictionary()
        self.passes: dict[bytes, Any] = {}
        self.theirs: Any = None
        self.numbered: WeakValueDictionary[Any, RemoteReference] = WeakValueDictionary()
        self.relayed: WeakValueDictionary[RemoteReference, Any] = WeakValueDictionary()
        self.views: dict[Any, Any] = {}
        self.streams: dict[int, Callable[[], object]] = {}
        self.contexts: list[Any] = []
        self.session: dict[Any, Any] = {}
        self.transport: Callable[[], Any] | None = None
        self.elsewhere: Any = None
        self.lost = False
        broker.notifyOnDisconnect(self._closed)

    def learn(self, identity: bytes, descriptor: Descriptor, limit: int) -> None:
        """Keep a descriptor that the peer sent.

        :raises LimitExceeded: there are too many.
        """
        if len(self.types) >= limit and identity not in self.types:
            raise LimitExceeded(f"the peer has described more than {limit} types")
        self.types[identity] = descriptor

    def _closed(self) -> None:
        self.lost = True
        contexts, self.contexts = self.contexts, []
        for context in reversed(contexts):
            self.broker.guarded(context.abandon)
        streams, self.streams = self.streams, {}
        for close in streams.values():
            self.broker.guarded(close)


def side_of(broker: Broker) -> Side:
    """Return the side of a connection."""
    kept = vars(broker)
    side = kept.get(_KEPT)
    if side is None:
        side = kept[_KEPT] = Side(broker)
    return side
