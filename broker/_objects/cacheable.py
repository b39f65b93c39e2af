"""Objects that are passed as copies and kept up to date: Cacheable at the owner, RemoteCache at the holder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred

from broker._objects.copyable import Copyable, RemoteCopy, as_tag
from broker._objects.flavor import Serializable, find_method, keywords, positional, registers
from broker._values.jelly import getInstanceState
from broker._values.path import brief
from broker._values.unjelly import setInstanceState
from broker.errors import BadValue, InsecureJelly, ProtocolError

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = [
    "Cacheable",
    "RemoteCache",
    "RemoteCacheMethod",
    "RemoteCacheObserver",
    "unjelly_cached",
    "unjelly_original",
]

_Self = TypeVar("_Self", bound="RemoteCache")


class Cacheable(Copyable):
    """An object that is copied once to each peer and then kept up to date there through an observer."""

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: RemoteCacheObserver) -> Any:
        """Return the state to send, and keep the observer to tell the copy of later changes.

        :param perspective: who is to hold the copy, or None.
        :param observer: ``observer.callRemote("name", ...)`` calls ``observe_name`` of the copy.
        """
        return self.getStateToCopyFor(perspective)

    def stoppedObserving(self, perspective: Any, observer: RemoteCacheObserver) -> None:
        """The peer dropped its copy, or is gone. `observer` is the one given out when the state was sent."""

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to ``(tag number state)`` the first time, to ``(cached number)`` while the peer holds a copy."""
        invoker = jellier.invoker
        if invoker is None:
            return getInstanceState(self, jellier)
        known = invoker.cachedRemotelyAs(self, 1)
        if known is not None:
            return b"cached", known
        number = invoker.cacheRemotely(self)
        perspective = invoker.serializingPerspective
        expression = jellier.prepare(self)
        tag = as_tag(self.getTypeToCopyFor(perspective))
        state = self.getStateToCacheAndObserveFor(perspective, RemoteCacheObserver(invoker, self, perspective))
        expression.extend([tag, number, jellier.jelly(state)])
        return jellier.preserve(self, expression)


class RemoteCache(RemoteCopy, Serializable):
    """A copy of a peer's `Cacheable`; its ``observe_*`` methods are called when the original changes.

    :ivar broker: the connection that it came in on.
    :ivar luid: the number of the original there.
    """

    broker: Broker | None = None
    luid: int | None = None

    def remoteMessageReceived(self, broker: Broker, message: str, args: Any, kw: Any) -> Any:
        """Serve an update by ``observe_<message>``.

        :raises NoSuchMethod: there is no such method.
        """
        arguments = positional(broker.unserialize(args))
        named = keywords(broker.unserialize(kw))
        method = find_method(self, "observe_", message)
        return broker.serialize(method(*arguments, **named))

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to the original, for its owner.

        :raises InsecureJelly: it is to be sent to somebody else.
        """
        if jellier.invoker is None:
            return getInstanceState(self, jellier)
        if self.broker is not jellier.invoker:
            raise InsecureJelly("a cached copy can only be sent back to the owner of the original")
        return b"lcache", self.luid

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        """Lift from ``(tag number state)``."""
        broker = unjellier.invoker
        if broker is None:
            return setInstanceState(self, unjellier, expression)
        if len(expression) != 3 or type(expression[1]) is not int:
            raise BadValue(f"the first sending of a cached {brief(expression[0])} has a number and a state")
        number = expression[1]
        self.__init__()  # type: ignore[misc]
        core = self._borgify()
        broker.cacheLocally(number, core)
        # Before the state is taken: if that fails, this object goes and with it the receipt, as it should.
        broker.importCache(number, self)
        self.setCopyableState(unjellier.unjelly(expression[2]))
        # Some classes replace __dict__ when they take their state, others update it; both must leave core and face
        # with one state, and with the connection in it.
        self.broker = broker
        self.luid = number
        core.__dict__ = self.__dict__
        return self

    def _borgify(self: _Self) -> _Self:
        """Return another object of the same class with the same state, not a copy of it."""
        twin = self.__class__.__new__(self.__class__)
        twin.__dict__ = self.__dict__
        return twin

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemoteCache):
            return NotImplemented
        return self.__dict__ is other.__dict__

    def __hash__(self) -> int:
        return id(self.__dict__)


@registers(b"cached")
def unjelly_cached(unjellier: Any, expression: Any) -> Any:
    """Lift one more sending of an object whose copy is here already."""
    return unjellier.invoker.cachedAgain(expression[1])


@registers(b"lcache")
def unjelly_original(unjellier: Any, expression: Any) -> Any:
    """Lift a copy coming home to the original."""
    try:
        return unjellier.invoker.remotelyCachedForLUID(expression[1])
    except (LookupError, TypeError):
        raise BadValue(f"no object of ours is cached under {brief(expression[1])}") from None


class RemoteCacheMethod:
    """One method of an observer as a callable.

    :param name: the bare name of the method.
    :param broker: the connection of the copy.
    :param cached: the original.
    :param perspective: who holds the copy.
    """

    def __init__(self, name: str, broker: Broker, cached: Cacheable, perspective: Any) -> None:
        self.name = name
        self.broker = broker
        self.perspective = perspective
        self.cached = cached

    def _key(self) -> tuple[Any, ...]:
        return (self.name, id(self.broker), id(self.perspective), id(self.cached))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteCacheMethod) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __call__(self, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call the method; see `RemoteCacheObserver.callRemote`."""
        return RemoteCacheObserver(self.broker, self.cached, self.perspective).callRemote(self.name, *args, **kw)


class RemoteCacheObserver:
    """The owner's handle on one peer's copy of a `Cacheable`.

    Two handles on the same copy are equal, and any two can be compared.

    :param broker: the connection of the copy.
    :param cached: the original.
    :param perspective: who holds the copy.
    """

    def __init__(self, broker: Broker, cached: Cacheable, perspective: Any) -> None:
        self.broker = broker
        self.cached = cached
        self.perspective = perspective

    def _key(self) -> tuple[int, int, int]:
        return (id(self.broker), id(self.perspective), id(self.cached))

    def __repr__(self) -> str:
        return f"<RemoteCacheObserver({self.broker}, {self.cached}, {self.perspective}) at {id(self):#x}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteCacheObserver) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def callRemote(self, _name: str | bytes, /, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call ``observe_<name>`` of the copy.

        :returns: a Deferred of its result, as for `RemoteReference.callRemote`.
        :raises ProtocolError: the copy has not been sent yet.
        """
        broker = self.broker
        number = None if broker.disconnected else broker.cachedRemotelyAs(self.cached)
        if not broker.disconnected and (number is None or broker.unsentCache(number)):
            raise ProtocolError("a cached object's observer can be called once the peer has got the object, not before")
        name = _name.encode("utf-8") if isinstance(_name, str) else _name
        return broker._sendMessage(b"cache", self.perspective, number, name, args, kw)  # type: ignore[return-value]

    def remoteMethod(self, key: str) -> RemoteCacheMethod:
        """Return one method of the copy as a callable."""
        return RemoteCacheMethod(key, self.broker, self.cached, self.perspective)
