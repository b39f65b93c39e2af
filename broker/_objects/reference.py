"""RemoteReference: an object of theirs, held here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from broker._objects.flavor import Serializable, registers
from broker._objects.waiter import Cancel
from broker._values.path import brief
from broker.errors import BadValue, InsecureJelly
from broker.interfaces import IUnjellyable

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["CallOptions", "RemoteMethod", "RemoteReference"]


@registers(b"remote")
@implementer(IUnjellyable)
class RemoteReference(Serializable):
    """A translucent reference to an object of the peer.

    Translucent, not transparent: one calls a method by its name, and what comes back is a Deferred. However often the
    peer sends the object, as long as the reference is held it is this one; when nobody holds it any more, the peer is
    told. A reference sent back to the peer is, there, the object itself.

    :ivar broker: the connection that it came in on.
    :ivar luid: the number, or the name, of the object on that connection.
    :ivar perspective: the perspective that was current when it was received, or None.
    """

    # Programs hold very many of these; other attributes still go to a dictionary, made when there is one. Those below
    # are there if they are not what they are for most.
    __slots__ = ("broker", "luid")

    doRefCount: Any = True
    perspective: Any = None

    _callbacks: list[Callable[[RemoteReference], object]] | None = None

    _same: RemoteReference | None = None

    def __init__(self, perspective: Any, broker: Broker, luid: int | bytes, doRefCount: bool) -> None:
        self.broker = broker
        self.luid = luid
        if perspective is not self.perspective:
            self.perspective = perspective
        if not doRefCount:
            self.doRefCount = doRefCount

    @property
    def disconnectCallbacks(self) -> list[Callable[[RemoteReference], object]]:
        """Whom to tell when the connection goes."""
        if self._callbacks is None:
            self._callbacks = []
        return self._callbacks

    def callRemote(self, _name: str | bytes, /, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a method of the object.

        :param _name: the bare name of the method. Every keyword, ``name`` and ``self`` too, goes to the method.
        :returns: a Deferred, also awaitable, of the result. It fails with what the method raised (a `RemoteError`
            where the class is not known here), with `InsecureJelly` or `LimitExceeded` for an argument or a result
            that may not cross, with `PBConnectionLost` if the connection goes, and with `DeadReferenceError` if it
            has gone already.
        """
        name = _name.encode("utf-8") if isinstance(_name, str) else _name
        return self.broker._sendMessage(b"", self.perspective, self.luid, name, args, kw)  # type: ignore[return-value]

    def callRemoteOnly(self, _name: str | bytes, /, *args: Any, **kw: Any) -> None:
        """Call a method of the object and want no answer: neither its result nor its failure comes back.

        :raises InsecureJelly: an argument may not cross.
        :raises LimitExceeded: an argument is too large.
        :raises DeadReferenceError: the connection has gone.
        """
        name = _name.encode("utf-8") if isinstance(_name, str) else _name
        self.broker.send_only(self.perspective, self.luid, name, args, kw)

    def options(self, *, timeout: float | None = None, cancel: Cancel = "tell") -> CallOptions:
        """Return what makes calls on the object that differ from the usual ones.

        :param timeout: seconds that a call may take; then it fails with `DeadlineExceeded` and the other end is told
            to stop. By default what the connection has as its ``callTimeout``.
        :param cancel: what cancelling the Deferred does: ``"tell"`` the other end and fail at once, tell it and
            ``"wait"`` for what comes of that, or ``"forget"`` the call and let the other end go on.
        :raises ValueError: there is no such way to cancel, or the time is negative.
        """
        return CallOptions(self, timeout, cancel)

    def remoteMethod(self, key: str) -> RemoteMethod:
        """Return one method of the object as a callable."""
        return RemoteMethod(self, key)

    def notifyOnDisconnect(self, callback: Callable[[RemoteReference], object]) -> None:
        """Have ``callback(reference)`` called when the connection goes; at once if it has gone already.

        Until then, or until `dontNotifyOnDisconnect`, the connection holds the reference, so the peer's object stays.
        """
        if not callable(callback):
            raise TypeError(f"{callback!r} is not callable")
        self.disconnectCallbacks.append(callback)
        if len(self.disconnectCallbacks) == 1:
            self.broker.notifyOnDisconnect(self._disconnected)

    def dontNotifyOnDisconnect(self, callback: Callable[[RemoteReference], object]) -> None:
        """Take back one `notifyOnDisconnect`, if it is registered."""
        if callback in self.disconnectCallbacks:
            self.disconnectCallbacks.remove(callback)
            if not self.disconnectCallbacks:
                self.broker.dontNotifyOnDisconnect(self._disconnected)

    def _disconnected(self) -> None:
        callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            self.broker.guarded(callback, self)

    def jellyFor(self, jellier: Any) -> Any:
        """Lower to a reference home.

        :raises InsecureJelly: it is to be sent to somebody else than its owner.
        """
        if not jellier.invoker:
            return b"unpersistable", "References cannot be serialized"
        if self.broker is not jellier.invoker:
            raise InsecureJelly("a reference can only be sent back to its owner, not passed on to a third party")
        return b"local", self.luid

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        """Lift from ``(remote number)``; returns the reference already held, if there is one."""
        if type(expression[1]) is not int:
            raise BadValue(f"a reference has a number, not {brief(expression[1])}")
        broker = unjellier.invoker
        perspective = broker.unserializingPerspective
        known = broker.importedReference(perspective, expression[1], self.__class__)
        if known is None:
            self.__init__(perspective, broker, expression[1], True)  # type: ignore[misc]
            broker.importReference(self)
            return self
        if self.__class__.unjellyFor is not RemoteReference.unjellyFor:
            # An override may go on with this instance instead of what it is given here. It is as good as the other,
            # which it keeps: that one has the count.
            self.__init__(perspective, broker, expression[1], True)  # type: ignore[misc]
            self._same = known
        return known

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, RemoteReference):
            return NotImplemented
        return self.broker is other.broker and self.luid == other.luid

    def __hash__(self) -> int:
        return hash((id(self.broker), self.luid))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.luid!r} at {id(self):#x}>"

    def __getstate__(self) -> Any:
        raise TypeError("a reference belongs to its connection and cannot be pickled or copied")


class CallOptions:
    """A reference with options for its calls; made by `RemoteReference.options`."""

    __slots__ = ("_cancel", "_reference", "_timeout")

    def __init__(self, reference: RemoteReference, timeout: float | None, cancel: Cancel) -> None:
        if cancel not in ("tell", "wait", "forget"):
            raise ValueError(f"cancel is 'tell', 'wait' or 'forget', not {cancel!r}")
        if timeout is not None and not timeout >= 0:
            raise ValueError(f"a timeout is a number of seconds, not {timeout!r}")
        self._reference = reference
        self._timeout = timeout
        self._cancel = cancel

    def callRemote(self, _name: str | bytes, /, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call a method of the object; see `RemoteReference.callRemote`."""
        held = self._reference
        name = _name.encode("utf-8") if isinstance(_name, str) else _name
        return held.broker.ask(held.perspective, held.luid, name, args, kw, False, self._timeout, self._cancel)


class RemoteMethod:
    """One method of a remote object; calling it is `RemoteReference.callRemote`.

    :param obj: the reference.
    :param name: the bare name of the method.
    """

    def __init__(self, obj: RemoteReference, name: str) -> None:
        self.obj = obj
        self.name = name

    def __call__(self, *args: Any, **kw: Any) -> Deferred[Any]:
        """Call the method; see `RemoteReference.callRemote`."""
        return self.obj.callRemote(self.name, *args, **kw)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RemoteMethod):
            return NotImplemented
        return self.obj == other.obj and self.name == other.name

    def __hash__(self) -> int:
        return hash((self.obj, self.name))
