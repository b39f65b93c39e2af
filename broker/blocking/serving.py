"""`serve`: a server in a thread, for scripts and tests."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint

from broker._limits import Limits
from broker._net.endpoints import describe, guarded, is_secure, parse
from broker._net.factory import ServerFactory
from broker._net.leaving import GRACE
from broker._remote.policy import Policy
from broker._remote.presets import LIVE
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker.blocking.roots import as_root
from broker.blocking.threaded import Threaded, ThreadedProtocol, reactor_thread

__all__ = ["Server", "serve"]


class Server:
    """A server in a thread; made by `serve`. As a context manager it closes itself.

    :ivar endpoint: where clients connect to, as an endpoint string.
    """

    def __init__(self, driver: Threaded, port: IListeningPort, factory: ServerFactory, secure: bool) -> None:
        self._driver = driver
        self._port = port
        self._factory = factory
        self.endpoint = describe(port.getHost(), secure)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._factory.connections)

    def close(self, reason: str = "shutting down", grace: float | None = GRACE) -> None:
        """Take no more connections, finish the calls in flight, and close those there are.

        :param reason: what the clients are told.
        :param grace: seconds after which connections are closed whatever is in flight; None for no bound.
        """

        def leave() -> Deferred[Any]:
            stopped: Any = self._port.stopListening()
            gone: list[Deferred[Any]] = [self._factory.goAway(reason, grace)]
            return DeferredList([*gone, stopped] if isinstance(stopped, Deferred) else gone)

        self._driver.wait(None, leave)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def serve(
    root: Any,
    endpoint: str | IStreamServerEndpoint = "tcp:0",
    *,
    policy: Policy = LIVE,
    security: Any = globalSecurity,
    registry: Registry = globalRegistry,
    limits: Limits | None = None,
    unsafeTracebacks: bool = False,
    prefer: str | None = None,
    require: str | None = None,
    callTimeout: float | None = None,
    keepalive: float | None = 60.0,
    reactor: Any = None,
) -> Server:
    """Serve an object from a thread, and return when it can be connected to.

    What clients call runs in workers, a thread for each connection, and may wait for whatever it likes. The calls of
    one client run one after the other; those of several clients at the same time, so the object has to bear that.

    :param root: any object; or a Root, a Referenceable or a Portal, which are served as they are.
    :param endpoint: where to listen, as for `broker.serve`; by default any free port, for this machine only.
    :param policy: what clients may do with an object that is no Referenceable.
    :param reactor: the reactor to use; by default Twisted's own, which is started in a thread unless it runs. For TLS,
        none but that.
    :raises CannotWait: this thread may not wait.
    :raises ValueError: the endpoint is none, or needs Twisted's own reactor and there is another one.

    The other parameters are those of `broker.serve`.
    """
    driver = reactor_thread(reactor, endpoint)
    factory: Any = ServerFactory(
        as_root(root, policy),
        unsafeTracebacks,
        security,
        registry=registry,
        limits=limits,
        reactor=driver.reactor,
        prefer=prefer,
        require=require,
        callTimeout=callTimeout,
        keepalive=keepalive,
    )
    factory.protocol, factory.driver = ThreadedProtocol, driver

    def listen() -> Deferred[Any]:
        where = parse(driver.reactor, guarded(endpoint)[0]) if isinstance(endpoint, str) else endpoint
        listening: Deferred[Any] = where.listen(factory)
        return listening

    return Server(driver, driver.wait(None, listen), factory, is_secure(endpoint))
