"""The factories: a connection for each transport, the root object served or asked for, and login."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ClientFactory as _ClientFactory
from twisted.internet.protocol import ServerFactory as _ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from broker._cred import portal as _portal  # noqa: F401  registers the adapter that makes a Portal a root
from broker._cred.login import login
from broker._limits import DEFAULT, Limits
from broker._messages.codecs import Codecs
from broker._net.keepalive import Keeper
from broker._net.leaving import GRACE, leave
from broker._net.protocol import BrokerProtocol
from broker._net.sockets import keep_alive
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker._session.hello import Greetings
from broker._session.session import DIALECTS
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker.errors import PBConnectionLost
from broker.interfaces import IPBRoot

__all__ = ["ClientFactory", "RETRY_TIME", "ServerFactory", "dialects_for", "running_reactor"]

_log = Logger()

#: What may be preferred or required, and the names on the wire that it covers.
_CHOICES: Final[dict[str, tuple[bytes, ...]]] = {"broker/1": (b"broker/1",), "pb": (b"pb", b"none")}
#: Seconds that an endpoint may take from one address to the next before a failed attempt counts as the last one.
RETRY_TIME: Final = 1.0


def running_reactor(reactor: Any) -> Any:
    """Return the reactor given, or the one that runs. Only asking for it here keeps the choice with the program."""
    if reactor is not None:
        return reactor
    from twisted.internet import reactor as running

    return running


def dialects_for(prefer: str | None, require: str | None) -> tuple[bytes, ...] | None:
    """Return the dialects to speak, best first, or None where nothing is asked for.

    :raises ValueError: there is no such dialect.
    """
    for name in (prefer, require):
        if name is not None and name not in _CHOICES:
            raise ValueError(f"there is no dialect {name!r}; there are {' and '.join(_CHOICES)}")
    if require is not None:
        return _CHOICES[require]
    if prefer is None:
        return None
    first = _CHOICES[prefer]
    return first + tuple(name for name in DIALECTS if name not in first)


class _Connections:
    """What both factories share: the options that each of their connections gets.

    :param unsafeTracebacks: whether tracebacks of this side's methods may be sent to the peer.
    :param security: the taster; which types may cross.
    :param registry: which classes stand for which names.
    :param limits: ceilings for what a peer can make grow.
    :param reactor: the reactor of the connections; by default that of their transports.
    :param prefer: the dialect to speak where the peer can: ``"broker/1"`` (the default) or ``"pb"``.
    :param require: the only dialect to speak; a peer that cannot is turned away.
    :param callTimeout: seconds that a call over one of the connections may take which says nothing else; None for no
        bound.
    :param keepalive: seconds of silence after which a peer is asked whether it is there; after as many again without
        an answer its connection is closed. None for never. 60: well within what routers and firewalls forget after.
    :raises ValueError: there is no such dialect, or the seconds are none.
    """

    protocol: Any = BrokerProtocol
    #: Encoders and decoders hold nothing between two values, so the connections of all factories share them.
    codecs = Codecs()
    #: So they do with what peers said in their greetings.
    greetings = Greetings()
    #: Twisted logs the coming and going of factories; what a factory listens on is logged where it is known.
    noisy = False

    def __init__(
        self,
        unsafeTracebacks: Any = False,
        security: Any = globalSecurity,
        *,
        registry: Registry = globalRegistry,
        limits: Limits | None = None,
        reactor: Any = None,
        prefer: str | None = None,
        require: str | None = None,
        callTimeout: float | None = None,
        keepalive: float | None = 60.0,
    ) -> None:
        self.unsafeTracebacks = unsafeTracebacks
        self.security = security
        self.registry = registry
        self.limits = limits or DEFAULT
        self.reactor = reactor
        if keepalive is not None and not keepalive > 0:
            raise ValueError(f"keepalive is a positive number of seconds, or None, not {keepalive!r}")
        self.dialects = dialects_for(prefer, require)
        self.prefer = prefer
        self.callTimeout = callTimeout
        self.keepalive = keepalive
        self._keeper: Keeper | None = None

    def _build(self, isClient: bool) -> Any:
        connection = self.protocol(
            isClient=isClient, security=self.security, registry=self.registry, limits=self.limits
        )
        connection.factory = self
        connection.session.codecs = self.codecs
        connection.session.greetings = self.greetings
        if self.dialects is not None:
            connection.session.dialects = self.dialects
            connection.session.prefer = self.prefer.encode() if self.prefer is not None else None
        if self.callTimeout is not None:
            connection.callTimeout = self.callTimeout
        return connection

    def brokerOpened(self, broker: Any) -> None:
        """A connection of ours has been greeted: tell if it does not speak what was asked for by name."""
        if self.prefer == "broker/1" and broker.dialect != self.prefer:
            _log.info(
                "{peer} speaks {dialect}, not {preferred}",
                peer=broker.peerName(),
                dialect=broker.dialect,
                preferred=self.prefer,
            )

    def watch(self, connection: Any) -> None:
        """See to it that a connection that has been greeted is closed when its peer has gone without a word."""
        if self.keepalive is None:
            return
        if connection.session.native is None:
            keep_alive(connection.transport, self.keepalive)
        elif connection.reactor is not None:
            if self._keeper is None:
                self._keeper = Keeper(connection.reactor, self.keepalive)
            self._keeper.add(connection)

    def unwatch(self, connection: Any) -> None:
        """A connection is gone."""
        if self._keeper is not None:
            self._keeper.remove(connection)


class ClientFactory(_Connections, _ClientFactory):
    """Makes the connecting side's connections, and gets the root object of the peer over them.

    See `_Connections` for the parameters. `getRootObject` and `login` may be called before there is a connection.
    """

    def __init__(self, unsafeTracebacks: Any = False, security: Any = globalSecurity, **options: Any) -> None:
        super().__init__(unsafeTracebacks, security, **options)
        self._connector: Any = None
        self._reset()

    def _reset(self) -> None:
        self.rootObjectRequests: list[Deferred[RemoteReference]] = []
        self._broker: Any = None
        self._root: Any = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a new connection."""
        return self._build(True)

    def startedConnecting(self, connector: Any) -> None:
        """A connector takes charge; it will tell how the connection ends."""
        self._connector = connector

    def _failAll(self, reason: Failure) -> None:
        requests = self.rootObjectRequests
        self._reset()
        for request in requests:
            request.errback(reason)

    def stopFactory(self) -> None:
        """No attempt to connect is under way any more. Behind an endpoint that is all one hears of a failed one."""
        super().stopFactory()  # type: ignore[no-untyped-call]
        if self._connector is None and self.rootObjectRequests:
            # An endpoint with several addresses tries the next one a moment later.
            running_reactor(self.reactor).callLater(RETRY_TIME, self._giveUp)

    def _giveUp(self) -> None:
        if not self.numPorts and self._broker is None:
            self._failAll(Failure(PBConnectionLost("the connection could not be made")))

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """The connection could not be made: whoever waits for the root object learns why."""
        self._failAll(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure, reconnecting: Any = 0) -> None:
        """The connection is gone.

        :param reconnecting: true from a factory that will connect again: requests for the root object then wait.
        """
        if reconnecting:
            self._broker = self._root = None
        else:
            self._failAll(reason)

    def brokerLost(self, broker: Any, reason: Failure) -> None:
        """A connection of ours is gone. Behind an endpoint there is no connector to say so."""
        if self._connector is None and self._broker in (None, broker):
            self._failAll(Failure(PBConnectionLost(getattr(broker, "failed", None) or reason)))

    def clientConnectionMade(self, broker: Any) -> None:
        """A connection has been greeted: its root object is there for those who asked."""
        self._broker = broker
        self._root = broker.remoteForName(b"root")
        requests, self.rootObjectRequests = self.rootObjectRequests, []
        for request in requests:
            request.callback(self._root)

    def getRootObject(self) -> Deferred[RemoteReference]:
        """Return a Deferred of the peer's root object, at once or when there is a connection."""
        if self._broker is not None and not self._broker.disconnected:
            return succeed(self._root)
        request: Deferred[RemoteReference] = Deferred()
        self.rootObjectRequests.append(request)
        return request

    def login(self, credentials: Any, client: Any = None) -> Deferred[RemoteReference]:
        """Log in at the peer.

        :param credentials: `twisted.cred.credentials.IUsernamePassword` with name and password as bytes, or
            `IAnonymous`.
        :param client: the mind: what the peer's realm is given to reach us by, usually a Referenceable.
        :returns: a Deferred of a reference to the avatar.
        """
        return self.getRootObject().addCallback(login, credentials, client)

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._broker is not None:
            self._broker.disconnect()

    def abort(self, connection: Any) -> None:
        """Give up a connection, greeted or not, that `buildProtocol` made."""
        connection.disconnect()


@implementer(IPBRoot)
class _FixedRoot:
    """Any Referenceable as the root object of every connection."""

    def __init__(self, root: Referenceable) -> None:
        self.root = root

    def rootObject(self, broker: Any) -> Any:
        return self.root


def _as_root(root: Any) -> Any:
    """Return what provides the root objects.

    :raises TypeError: nothing can be made of it.
    """
    adapted = IPBRoot(root, None)
    if adapted is not None:
        return adapted
    if isinstance(root, Referenceable):
        return _FixedRoot(root)
    raise TypeError(f"cannot serve {root!r}: it is no Root, no Referenceable, no Portal and does not adapt to IPBRoot")


class ServerFactory(_Connections, _ServerFactory):
    """Makes the listening side's connections and serves a root object on each.

    :param root: a `Root`, a `twisted.cred.portal.Portal` for a login, or anything else that adapts to `IPBRoot`.

    See `_Connections` for the other parameters.
    """

    def __init__(
        self, root: Any, unsafeTracebacks: Any = False, security: Any = globalSecurity, **options: Any
    ) -> None:
        super().__init__(unsafeTracebacks, security, **options)
        self.root = _as_root(root)
        #: Connections that have been greeted.
        self.connections: set[Any] = set()
        #: Connections that have not been greeted yet.
        self.unanswered: set[Any] = set()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a new connection that serves the root, or None when too many have not been greeted yet."""
        if len(self.unanswered) >= self.limits.unanswered:
            _log.warn("{addr} turned away: {n} connections wait for a greeting", addr=addr, n=len(self.unanswered))
            return None
        connection = self._build(False)
        connection.setNameForLocal(b"root", self.root.rootObject(connection))
        self.unanswered.add(connection)
        return connection

    def goAway(self, reason: str = "shutting down", grace: float | None = GRACE) -> Deferred[None]:
        """Have all connections finish the calls in flight and close; new calls are refused.

        Connections that are made meanwhile are none of its business: stop listening first, or use `Listener.goAway`.

        :param reason: what the clients are told; their further calls fail with `GoingAway`.
        :param grace: seconds after which a connection is closed though calls are in flight, which then fail with
            `PBConnectionLost`; None for no bound.
        :returns: a Deferred that fires when all connections are gone.
        """
        there = self.connections | self.unanswered
        clock = self.reactor or next((one.reactor for one in there if one.reactor is not None), None)

        def forget(_: None) -> None:
            # The last one tells who waits for it before it tells its factory.
            self.connections -= there
            self.unanswered -= there

        return leave(there, reason, grace, clock).addCallback(forget)

    def clientConnectionMade(self, protocol: Any) -> None:
        """A connection has been greeted; override this to hear of it."""

    def brokerOpened(self, broker: Any) -> None:
        """A connection of ours has been greeted."""
        super().brokerOpened(broker)
        self.unanswered.discard(broker)
        self.connections.add(broker)

    def brokerLost(self, broker: Any, reason: Failure) -> None:
        """A connection of ours is gone."""
        self.unanswered.discard(broker)
        self.connections.discard(broker)
