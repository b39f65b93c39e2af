"""The service that listens: several endpoints, one root object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort, IReactorCore, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python.failure import Failure

from broker._limits import Limits
from broker._net.endpoints import DEFAULT_ENDPOINT, describe, guarded, is_secure, parse
from broker._net.factory import ServerFactory
from broker._net.leaving import GRACE
from broker._values.registry import Registry, globalRegistry, globalSecurity

__all__ = ["BrokerService"]


class BrokerService(MultiService):
    """Serves a root object at some endpoints, from start to stop.

    :param root: a `Root` or anything else that is adaptable to `IPBRoot`, for example a `twisted.cred` portal.
    :param endpoints: where to listen, as Twisted's endpoint strings or as endpoints. A string that names no interface
        is bound to the loopback interface, and a Unix socket that names no mode gets 600.
    :param limits: the ceilings of each connection.
    :param security: the taster; which types may cross.
    :param registry: which classes stand for which names.
    :param unsafeTracebacks: whether callers get the tracebacks of unexpected exceptions.
    :param prefer: the dialect to speak with clients that can: ``"broker/1"`` (the default) or ``"pb"``.
    :param require: the only dialect to speak; clients that cannot are turned away.
    :param callTimeout: seconds that a call to a client may take which says nothing else; None for no bound.
    :param keepalive: seconds of silence after which a client is asked whether it is there; None for never.
    :param grace: seconds that calls in flight are given when the service stops; None for no bound.
    :param reactor: the reactor for endpoint strings; the global one if None.
    :ivar factory: the server factory.
    :ivar grace: as given.
    """

    log = Logger()

    def __init__(
        self,
        root: Any,
        endpoints: Iterable[str | IStreamServerEndpoint] = (DEFAULT_ENDPOINT,),
        *,
        limits: Limits | None = None,
        security: Any = globalSecurity,
        registry: Registry = globalRegistry,
        unsafeTracebacks: bool = False,
        prefer: str | None = None,
        require: str | None = None,
        callTimeout: float | None = None,
        keepalive: float | None = 60.0,
        grace: float | None = GRACE,
        reactor: IReactorCore | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.grace = grace
        self.factory = ServerFactory(
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
        for endpoint in endpoints:
            _Listener(self.factory, endpoint, reactor).setServiceParent(self)  # type: ignore[no-untyped-call]

    @property
    def ports(self) -> list[IListeningPort]:
        """The ports that are open, in the order of the endpoints."""
        return [listener.port for listener in self._listeners() if listener.port is not None]

    @property
    def addresses(self) -> list[IAddress]:
        """The addresses of the open ports; with ``tcp:0``, here is the number that it got."""
        return [port.getHost() for port in self.ports]

    @property
    def clientEndpoints(self) -> list[str]:
        """The endpoint strings that clients on this machine connect to."""
        return [listener.client_endpoint() for listener in self._listeners() if listener.port is not None]

    def privilegedStartService(self) -> None:
        """Listen, before ``twistd`` gives up its privileges.

        :raises CannotListenError: one of the endpoints cannot be had; the others have been given back.
        """
        self._all_or_none(super().privilegedStartService)

    def startService(self) -> None:
        """Listen, where `privilegedStartService` has not done so.

        :raises CannotListenError: one of the endpoints cannot be had; the others have been given back.
        """
        self._all_or_none(super().startService)

    def stopService(self) -> Deferred[None]:
        """Stop listening, then have the connections finish the calls in flight and close; fires when that is done.

        Clients are told, so that their further calls fail with `GoingAway`. After `grace` seconds the connections are
        closed, whatever is in flight.
        """
        stopped = maybeDeferred(super().stopService)
        return stopped.addCallback(lambda _: self.factory.goAway("the server is shutting down", self.grace))

    def _all_or_none(self, start: Callable[[], None]) -> None:
        try:
            start()
        except BaseException:
            for listener in self._listeners():
                listener.give_up()
            self.running = 0
            raise

    def _listeners(self) -> list[_Listener]:
        return [service for service in self.services if isinstance(service, _Listener)]


class _Listener(Service):
    """Listens at one endpoint."""

    log = Logger()

    def __init__(
        self, factory: ServerFactory, endpoint: str | IStreamServerEndpoint, reactor: IReactorCore | None
    ) -> None:
        self._factory = factory
        self._endpoint = endpoint
        self._reactor = reactor
        self._pending: Deferred[None] | None = None
        self.port: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        self._listen()

    def startService(self) -> None:
        super().startService()  # type: ignore[no-untyped-call]
        if self._pending is None:
            self._listen()

    def stopService(self) -> Deferred[None]:
        super().stopService()  # type: ignore[no-untyped-call]
        return self.give_up()

    def give_up(self) -> Deferred[None]:
        """Close the port, or the attempt to open one."""
        pending, self._pending = self._pending, None
        port, self.port = self.port, None
        if pending is not None:
            pending.cancel()
        self.running = 0
        return (port.stopListening() if port is not None else None) or succeed(None)

    def client_endpoint(self) -> str:
        """Return where clients on this machine connect to."""
        secure = is_secure(self._endpoint)
        return describe(self.port.getHost(), secure) if self.port is not None else ""

    def _listen(self) -> None:
        failed: list[Failure] = []
        started = [False]

        def lost(failure: Failure) -> None:
            if not started[0]:
                failed.append(failure)
            elif not failure.check(CancelledError):
                self.log.critical(
                    "cannot listen at {endpoint}: {reason}", endpoint=self._endpoint, reason=failure.value
                )

        listening = self._parsed().listen(self._factory)
        self._pending = listening.addCallbacks(self._opened).addErrback(lost)
        started[0] = True
        if failed:
            failed[0].raiseException()

    def _parsed(self) -> IStreamServerEndpoint:
        if not isinstance(self._endpoint, str):
            return self._endpoint
        description, notice = guarded(self._endpoint)
        if notice is not None:
            self.log.info("{notice}", notice=notice)
        return parse(self._reactor or _global_reactor(), description)

    def _opened(self, port: IListeningPort) -> None:
        self.port = port
        self.log.info("serving at {address}", address=self.client_endpoint())


def _global_reactor() -> IReactorCore:
    from twisted.internet import reactor

    return IReactorCore(reactor)
