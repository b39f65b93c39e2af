"""`connect` and `serve`: a reference from an endpoint, a root object on one."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamClientEndpoint, IStreamServerEndpoint
from zope.interface import implementer

from broker._limits import Limits
from broker._net.endpoints import guarded, parse, parse_client
from broker._net.factory import ClientFactory, ServerFactory, running_reactor
from broker._net.leaving import GRACE
from broker._objects.reference import RemoteReference
from broker._values.registry import Registry, globalRegistry, globalSecurity

__all__ = ["Listener", "connect", "introduce", "meet", "serve"]


@implementer(IListeningPort)
class Listener:
    """A root object being served at one address; what `serve` comes to.

    :ivar factory: makes the connections, and knows them.
    """

    def __init__(self, port: IListeningPort, factory: ServerFactory) -> None:
        self._port = port
        self.factory = factory

    def startListening(self) -> None:
        """Listen again, after `stopListening`."""
        self._port.startListening()

    def stopListening(self) -> Deferred[None]:
        """Take no more connections; those there are go on. Return a Deferred that fires when that is so."""
        return maybeDeferred(self._port.stopListening).addCallback(lambda _: None)

    def goAway(self, reason: str = "shutting down", grace: float | None = GRACE) -> Deferred[None]:
        """Take no more connections, have those there finish the calls in flight, and close them.

        :param reason: what the clients are told; their further calls fail with `GoingAway`.
        :param grace: seconds after which a connection is closed though calls are in flight, which then fail with
            `PBConnectionLost`; None for no bound.
        :returns: a Deferred that fires when all that is done.
        """
        return self.stopListening().addCallback(lambda _: self.factory.goAway(reason, grace))

    def getHost(self) -> IAddress:
        """Return the address."""
        return self._port.getHost()


def introduce(factory: ClientFactory, credentials: Any, mind: Any) -> Deferred[Any]:
    """Log in, or without credentials ask for the root object; return a Deferred of a reference."""
    return factory.getRootObject() if credentials is None else factory.login(credentials, mind)


async def meet(where: IStreamClientEndpoint, factory: ClientFactory, credentials: Any, mind: Any) -> Any:
    """Connect, and see `introduce`; what comes of it is a reference.

    :raises ConnectionError: the endpoint made no connection.
    """
    connection: Any = await where.connect(factory)
    if connection is None:
        raise ConnectionError("the endpoint made no connection")
    try:
        return await introduce(factory, credentials, mind)
    except BaseException:
        factory.abort(connection)
        raise


def connect(
    endpoint: str | IStreamClientEndpoint,
    *,
    credentials: Any = None,
    mind: Any = None,
    timeout: float | None = 30.0,
    security: Any = globalSecurity,
    registry: Registry = globalRegistry,
    limits: Limits | None = None,
    unsafeTracebacks: bool = False,
    prefer: str | None = None,
    require: str | None = None,
    callTimeout: float | None = None,
    keepalive: float | None = 60.0,
    reactor: Any = None,
) -> Deferred[RemoteReference]:
    """Connect to a server and get its root object, or log in and get an avatar.

    :param endpoint: where the server is, as an endpoint string (``tcp:host:8787``, ``unix:/path``, ``tls:host:8787``)
        or an endpoint.
    :param credentials: for a login, see `ClientFactory.login`; without them the root object is asked for.
    :param mind: with credentials: what the server may reach us by.
    :param timeout: seconds for connecting and logging in; None for no bound.
    :param security: the taster; which types may cross.
    :param registry: which classes stand for which names.
    :param limits: ceilings for what the server can make grow.
    :param unsafeTracebacks: whether tracebacks of our methods may be sent to the server.
    :param prefer: the dialect to speak where the other end can: ``"broker/1"`` (the default) or ``"pb"``.
    :param require: the only dialect to speak; without it there is no connection.
    :param callTimeout: seconds that a call may take which says nothing else; None for no bound.
    :param keepalive: seconds of silence after which the other end is asked whether it is there; None for never.
    :param reactor: the reactor to use; by default the one that runs.
    :returns: a Deferred, also awaitable, of a reference. It fails with what the endpoint fails with, with
        `PBConnectionLost` when the other end is no such server, with what the login fails with, and with
        `twisted.internet.defer.TimeoutError`. ``reference.broker.disconnect()`` closes the connection.
    :raises ValueError: the endpoint string is none.
    """
    reactor = running_reactor(reactor)
    where = parse_client(reactor, endpoint) if isinstance(endpoint, str) else endpoint
    factory = ClientFactory(
        unsafeTracebacks,
        security,
        registry=registry,
        limits=limits,
        reactor=reactor,
        prefer=prefer,
        require=require,
        callTimeout=callTimeout,
        keepalive=keepalive,
    )

    result = ensureDeferred(meet(where, factory, credentials, mind))
    if timeout is not None:
        result.addTimeout(timeout, reactor)
    return result


def serve(
    endpoint: str | IStreamServerEndpoint,
    root: Any,
    *,
    security: Any = globalSecurity,
    registry: Registry = globalRegistry,
    limits: Limits | None = None,
    unsafeTracebacks: bool = False,
    prefer: str | None = None,
    require: str | None = None,
    callTimeout: float | None = None,
    keepalive: float | None = 60.0,
    reactor: Any = None,
) -> Deferred[Listener]:
    """Serve a root object.

    :param endpoint: where to listen, as an endpoint string (``tcp:8787``, ``unix:/path``, ``ssl:8787:...``) or an
        endpoint. A string that names no interface listens on this machine only; to serve others say
        ``tcp:8787:interface=0.0.0.0``. A Unix socket that names no mode is for this user only.
    :param root: a `Root` or any Referenceable, a `twisted.cred.portal.Portal` for a login, or anything else that
        adapts to `IPBRoot`.
    :param security: the taster; which types may cross.
    :param registry: which classes stand for which names.
    :param limits: ceilings for what a client can make grow.
    :param unsafeTracebacks: whether tracebacks of our methods may be sent to clients.
    :param prefer: the dialect to speak where the other end can: ``"broker/1"`` (the default) or ``"pb"``.
    :param require: the only dialect to speak; without it there is no connection.
    :param callTimeout: seconds that a call may take which says nothing else; None for no bound.
    :param keepalive: seconds of silence after which the other end is asked whether it is there; None for never.
    :param reactor: the reactor to use; by default the one that runs.
    :returns: a Deferred, also awaitable, of a `Listener`; its ``getHost()`` is the address, ``stopListening()``
        takes no more connections, and ``goAway()`` ends those there too. It fails with what the endpoint fails with.
    :raises ValueError: the endpoint string is none.
    :raises TypeError: the root cannot be served.
    """
    reactor = running_reactor(reactor)
    where = parse(reactor, guarded(endpoint)[0]) if isinstance(endpoint, str) else endpoint
    factory = ServerFactory(
        root,
        unsafeTracebacks,
        security,
        registry=registry,
        limits=limits,
        reactor=reactor,
        prefer=prefer,
        require=require,
        callTimeout=callTimeout,
        keepalive=keepalive,
    )
    return where.listen(factory).addCallback(Listener, factory)
