"""Broker: one connection as objects see it.

The session below knows numbers and bytes; this face knows objects. It lowers and lifts values with the flavors' help,
serves calls, and tells everybody when the connection goes. Classes written for PB reach a connection through the
camelCase names here, and through nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._limits import DEFAULT, Limits
from broker._messages.messages import Call, Unknown
from broker._objects.cacheable import RemoteCacheObserver
from broker._objects.calling import Calling
from broker._objects.lowering import lift, lower
from broker._objects.serving import cancel, serve
from broker._objects.serving import fail as send_failure
from broker._session.events import Answered, Cancelled, Event, Fault, Leaving, Opened, Quiet, Released
from broker._session.session import DIALECTS, PROTOCOL_VERSION, Export, Exports, Session
from broker._session.states import State
from broker._values.path import brief
from broker._values.payload import Payload
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker._values.unlifted import references
from broker.errors import (
    BadValue,
    DeadReferenceError,
    InsecureJelly,
    LimitExceeded,
    PBConnectionLost,
    RemoteError,
)

__all__ = ["Broker", "Elsewhere"]

_log = Logger()

#: Calls a function of the user's with arguments, not here and now; returns a Deferred of what it returns or raises.
Elsewhere = Callable[..., Deferred[Any]]


class Broker(Calling):
    """One connection as objects see it.

    :param isClient: whether this side connected (the other one listened).
    :param security: the taster: which types may cross.
    :param registry: which classes stand for which names; by default the one of the process.
    :param limits: ceilings for what the peer can make grow.
    :ivar factory: what made this connection; its `unsafeTracebacks` says whether tracebacks may leave.
    :ivar transport: what carries it, or None.
    :ivar disconnected: whether the connection is gone.
    """

    version = PROTOCOL_VERSION
    username: Any = None
    factory: Any = None
    transport: Any = None
    dialects = DIALECTS
    #: What the last `unserialize` refused; serving tells by it whose fault an exception is.
    refused: BaseException | None = None
    #: Runs what is served here in another thread, see `Elsewhere`; None where it runs at once.
    elsewhere: Elsewhere | None = None
    #: How many calls of the peer were refused.
    refusals = 0
    #: Whom to tell that the greeting is over, and that the connection is gone.
    connects: list[Callable[[], object]] | None = None
    _disconnects: list[Callable[[], object]] | None = None
    #: Whom to tell that the peer has dropped an object, with the object, by its identity.
    _localCleanup: dict[Any, list[tuple[Any, Callable[[], object]]]] | None = None
    #: What was lowered last with references in it, and what was counted for that.
    _counted: tuple[Payload, list[tuple[Exports, int]]] | None = None

    def __init__(
        self,
        isClient: Any = True,
        security: Any = globalSecurity,
        *,
        registry: Registry = globalRegistry,
        limits: Limits | None = None,
    ) -> None:
        self.isClient = isClient
        self.security = security
        self.registry = registry
        self.limits = limits or DEFAULT
        self.plain = bool(getattr(security, "allows_plain", False))
        self.disconnected = False
        self.session = Session(
            not isClient, self.limits, dialects=self.dialects, plain=self.plain, wake=self.releasesWaiting
        )
        self._turns = 0

    # What the transport's side provides; a connection without one keeps its bytes.

    def flush(self) -> None:
        """Write what waits to be written."""

    def releasesWaiting(self) -> None:
        """Something held was dropped; called from any thread, possibly in a finaliser."""

    def failConnection(self, reason: Failure) -> None:
        """Close the connection because of an error."""

    @property
    def unsafeTracebacks(self) -> bool:
        """Whether tracebacks of this side may leave it."""
        return bool(getattr(self.factory, "unsafeTracebacks", False))

    def peerName(self) -> str:
        """Return the address of the peer, for logs."""
        return "the peer"

    def registerPageProducer(self, pager: Any) -> None:
        """Let a pager send its pages, see `broker._objects.pager.Pager`."""
        raise NotImplementedError("a connection without a transport sends no pages")

    def disconnect(self) -> Deferred[None]:
        """Close the connection, after what was sent; return a Deferred that fires when it is gone."""
        raise NotImplementedError("a connection without a transport cannot be closed")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Collect what is written inside into one write."""
        self._turns += 1
        try:
            yield
        finally:
            self._turns -= 1
            if not self._turns:
                self.flush()

    # Values.

    def serialize(
        self, object: Any, perspective: Any = None, method: Any = None, args: Any = None, kw: Any = None
    ) -> Any:
        """Lower a value, or what a Deferred or coroutine comes to, to what can be sent.

        :param perspective: for whom.
        :returns: an opaque payload, or a Deferred of one.
        :raises InsecureJelly: something in it may not cross.
        :raises LimitExceeded: something in it is too large.
        """
        if isinstance(object, CoroutineType):
            object = Deferred.fromCoroutine(object)
        if isinstance(object, Deferred):
            return object.addCallback(self.serialize, perspective)
        if self.disconnected:
            return Payload(None)
        outer = self._journal, self.serializingPerspective
        self._journal = []
        self.serializingPerspective = perspective
        try:
            payload = self._dialect.lower(object, self)
            if self._journal:
                self._counted = payload, self._journal
            return payload
        except BaseException:
            self._undo(self._journal)
            raise
        finally:
            self._journal, self.serializingPerspective = outer

    def unserialize(self, payload: Any, perspective: Any = None) -> Any:
        """Lift a value.

        :param payload: what `IPerspective.perspectiveMessageReceived` and its kind are given.
        :param perspective: from whom; references in it remember it.
        :raises InsecureJelly: something in it may not cross, or is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
        if type(payload) is Payload and payload.data is None:
            # It was decoded while it was read.
            return payload.value
        outer, self.unserializingPerspective = self.unserializingPerspective, perspective
        try:
            if isinstance(payload, Payload):
                payload.lifted = True
                return self._dialect.lift(payload, self)
            return self.unjelly(payload)
        except (InsecureJelly, LimitExceeded) as error:
            self.refused = error
            raise
        finally:
            self.unserializingPerspective = outer

    @property
    def _dialect(self) -> Any:
        dialect = self.session.dialect or self.session.sender
        if dialect is None:
            raise DeadReferenceError("The connection is not open yet: nothing can be sent over it")
        return dialect

    @property
    def taster(self) -> Any:
        """The policy; for the dialect."""
        return self.security

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Lower a value that is not plain; for the dialect."""
        return lower(self, value, atoms)

    def unjelly(self, expression: Any) -> Any:
        """Lift a value that is not plain; for the dialect."""
        outer, self._receipts = self._receipts, []
        try:
            return lift(self, expression)
        except BaseException:
            self.releaseUnlifted(references(expression))
            raise
        finally:
            self._receipts = outer

    @property
    def dialect(self) -> str | None:
        """The name of the dialect that is spoken, ``"broker/1"``, ``"pb"`` or ``"none"``; None before the greeting."""
        spoken = self.session.dialect
        return None if spoken is None else spoken.name.decode()

    def discard(self, payload: Any) -> None:
        """Forget the result of `serialize`: it is not sent after all, so the references in it are not either."""
        counted = self._counted
        if counted is not None and counted[0] is payload:
            self._counted = None
            self._undo(counted[1])

    def sent(self) -> None:
        """The result of `serialize` was sent: what was counted for it stays counted."""
        self._counted = None

    def _undo(self, journal: list[tuple[Exports, int]]) -> None:
        """Take back the references counted for something that was not sent after all."""
        for table, number in reversed(journal):
            dropped = table.release(number, 1)
            if dropped is not None:
                # The peer has never heard of it, so there is nothing to tell it either.
                if table is self.session.caches.ours:
                    self._stopped_observing(dropped)
                else:
                    self._clean_up(dropped)

    # What happens.

    def handle(self, event: Event) -> None:
        """Do what an event of the session asks for."""
        if isinstance(event, Call):
            serve(self, event)
        elif isinstance(event, Answered):
            self.answered(event)
        elif isinstance(event, Released):
            self._released(event)
        elif isinstance(event, Opened):
            self.connectionReady()
        elif isinstance(event, Unknown):
            self.unknownMessage(event)
        elif isinstance(event, Cancelled):
            cancel(self, event.call)
        elif isinstance(event, Leaving):
            _log.info("{peer} is going away: {reason}", peer=self.peerName(), reason=ascii(event.reason))
        elif not isinstance(event, Quiet):
            self.logFault(event)

    def connectionReady(self) -> None:
        """The greeting is over: tell those who wait for it."""
        self.sendEarly()
        connects, self.connects = self.connects, None
        for notifier in connects or ():
            self.guarded(notifier)

    def answered(self, event: Answered) -> None:
        """A call of ours was answered: tell who waits."""
        payload = event.payload
        if payload.data is None and not event.failed:
            event.waiter.callback(payload.value)
            return
        try:
            value = self.unserialize(payload)
            if isinstance(value, Deferred):
                raise BadValue("a hook made a Deferred of an answer")
        except BaseException:  # noqa: BLE001
            # Whatever is wrong with this answer, it is wrong for this call alone. The traceback holds what was lifted
            # before, so nothing but the failure may keep the exception.
            self.refused = None
            event.waiter.errback(Failure())
            return
        if not event.failed:
            event.waiter.callback(value)
        elif isinstance(value, (Failure, BaseException)):
            event.waiter.errback(value)
        else:
            event.waiter.errback(RemoteError(b"", f"a failure that is none: {brief(value)}", ""))

    def _released(self, event: Released) -> None:
        entry = event.export
        if event.cached:
            self._stopped_observing(entry)
            self.session.uncache(event.number)
            return
        self._clean_up(entry)

    def _clean_up(self, entry: Export) -> None:
        for _, notifier in (self._localCleanup or {}).pop(entry.identity, ()):
            self.guarded(notifier)

    def _stopped_observing(self, entry: Export) -> None:
        observer = RemoteCacheObserver(self, entry.object, entry.perspective)
        self.guarded(entry.object.stoppedObserving, entry.perspective, observer)

    def unknownMessage(self, message: Unknown) -> None:
        """A well-framed message that means nothing here: say so and go on."""
        fault = self.session.fault(message.problem)
        if message.request is not None:
            error = BadValue(message.problem)
            call = Call(message.request, 0, message.command, True, Payload(None), Payload(None), False)
            self.refused = error
            send_failure(self, call, Failure(error))
            return
        self.logFault(fault)
        # Answering this one could go on for ever.
        if message.command != b"didNotUnderstand":
            self.session.not_understood(message)

    def logFault(self, fault: Fault) -> None:
        """Write one line about a wrong message."""
        _log.warn("{peer}: {problem}", peer=self.peerName(), problem=fault.problem[:500])

    def guarded(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function of the user's that must not stop what goes on here; log what it raises."""
        try:
            function(*args)
        except BaseException:  # noqa: BLE001  it is the user's, and logged
            _log.failure("a callback failed")

    # The end.

    def notifyOnConnect(self, notifier: Callable[[], object]) -> None:
        """Have a function called when the greeting is over; at once if it is."""
        if self.session.state is State.OPEN:
            self.guarded(notifier)
        else:
            self.connects = [*(self.connects or ()), notifier]

    def notifyOnDisconnect(self, notifier: Callable[[], object]) -> None:
        """Have a function called when the connection goes; at once if it has gone."""
        if not callable(notifier):
            raise TypeError(f"{notifier!r} is not callable")
        if self.disconnected:
            self.guarded(notifier)
        else:
            self.disconnects.append(notifier)

    @property
    def disconnects(self) -> list[Callable[[], object]]:
        """The functions that are called when the connection goes, in order."""
        if self._disconnects is None:
            self._disconnects = []
        return self._disconnects

    def dontNotifyOnDisconnect(self, notifier: Callable[[], object]) -> None:
        """Take back one `notifyOnDisconnect`, if it is registered."""
        if notifier in self.disconnects:
            self.disconnects.remove(notifier)

    def notifyOnRelease(self, object: Any, notifier: Callable[[], object]) -> None:
        """Have a function called when the peer drops its last reference to an object that is about to be sent."""
        # With the object, lest its identity become that of another one before it is sent.
        if self._localCleanup is None:
            self._localCleanup = {}
        self._localCleanup.setdefault(object.processUniqueID(), []).append((object, notifier))

    def closed(self, reason: Failure) -> None:
        """The connection is gone: fail what waits, stop what observes, tell who asked; the tables become empty."""
        if self.disconnected:
            return
        self.disconnected = True
        self.session.closed()
        # Without the exports: the failures below keep this frame for a while, and with it what it has.
        waiting, cached = self.session.clear()[::2]
        self.failEarly()
        for waiter in waiting:
            waiter.errback(Failure(PBConnectionLost(reason)))
        for entry in cached:
            self._stopped_observing(entry)
        if self._deadlines is not None:
            self._deadlines.clear()
        disconnects, self._disconnects = self._disconnects, None
        for notifier in disconnects or ():
            self.guarded(notifier)
        self._localCleanup = None

    def statistics(self) -> dict[str, int]:
        """Return the size of every table of the connection."""
        return self.session.statistics()
