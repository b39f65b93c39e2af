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
from broker._limits import Limits
from broker._net.protocol import BrokerProtocol
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker.errors import PBConnectionLost
from broker.interfaces import IPBRoot

__all__ = ["ClientFactory", "RETRY_TIME", "running_reactor", "ServerFactory"]

_log = Logger()

#: Seconds that an endpoint may take from one address to the next before a failed attempt counts as the last one.
RETRY_TIME: Final = 1.0


def running_reactor(reactor: Any) -> Any:
    """Return the reactor given, or the one that runs. Only asking for it here keeps the choice with the program."""
    if reactor is not None:
        return reactor
    from twisted.internet import reactor as running

    return running


class _Connections:
    """What both factories share: the options that each of their connections gets.

    :param unsafeTracebacks: whether tracebacks of this side's methods may be sent to the peer.
    :param security: the taster; which types may cross.
    :param registry: which classes stand for which names.
    :param limits: ceilings for what a peer can make grow.
    :param reactor: the reactor of the connections; by default that of their transports.
    """

    protocol: Any = BrokerProtocol
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
    ) -> None:
        self.unsafeTracebacks = unsafeTracebacks
        self.security = security
        self.registry = registry
        self.limits = limits or Limits()
        self.reactor = reactor

    def _build(self, isClient: bool) -> Any:
        connection = self.protocol(
            isClient=isClient, security=self.security, registry=self.registry, limits=self.limits
        )
        connection.factory = self
        return connection


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
            self._broker.transport.loseConnection()

    def abort(self, connection: Any) -> None:
        """Give up a connection, greeted or not, that `buildProtocol` made."""
        if not connection.disconnected and connection.transport is not None:
            connection.transport.loseConnection()


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

    def clientConnectionMade(self, protocol: Any) -> None:
        """A connection has been greeted; override this to hear of it."""

    def brokerOpened(self, broker: Any) -> None:
        """A connection of ours has been greeted."""
        self.unanswered.discard(broker)
        self.connections.add(broker)

    def brokerLost(self, broker: Any, reason: Failure) -> None:
        """A connection of ours is gone."""
        self.unanswered.discard(broker)
        self.connections.discard(broker)
