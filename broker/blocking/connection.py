"""Connections that wait: `connect`, `link_pair`, and what they return."""

from __future__ import annotations

import re
import socket
from time import monotonic
from types import TracebackType
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint

from broker._limits import Limits
from broker._net.connect import introduce, meet
from broker._net.endpoints import parse_client
from broker._net.factory import ClientFactory, ServerFactory
from broker._remote.live import live as _live
from broker._remote.policy import Policy
from broker._remote.presets import LIVE
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker.blocking.line import Line
from broker.blocking.protocol import LineProtocol
from broker.blocking.roots import as_root
from broker.blocking.threaded import ThreadedProtocol, reactor_thread
from broker.blocking.waiting import WAITING, driver_of
from broker.blocking.waits import check_thread
from broker.errors import PBConnectionLost

__all__ = ["Connection", "Link", "connect", "link_pair"]

_PART: Final = re.compile(r"(?:^|:)((?:\\.|[^:\\])*)")
_C = TypeVar("_C", bound="Connection")


class Connection:
    """A connection to a server, for threads; made by `connect`. As a context manager it closes itself.

    Any thread may use it and what comes from it, also many at a time.

    :ivar reference: the server's root object, or the avatar, as a reference: its ``callRemote`` waits.
    :ivar policy: how its proxies look at objects of the server.
    """

    def __init__(self, reference: Any, policy: Policy) -> None:
        self.reference = reference
        self.policy = policy
        self._root: Any = None

    @property
    def broker(self) -> Any:
        """The connection as `broker._objects.broker.Broker`."""
        return self.reference.broker

    @property
    def root(self) -> Any:
        """The server's root object as a live proxy.

        :raises TypeError: the server does not export it; it has a `reference` all the same.
        """
        if self._root is None:
            self._root = self.live(self.reference)
        return self._root

    def live(self, target: Any, policy: Policy | None = None) -> Any:
        """Return the live proxy for a reference; see `broker.transparent.live`."""
        return _live(target, policy or self.policy, transport=WAITING)

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return bool(self.broker.disconnected)

    def close(self) -> None:
        """Close the connection, after what was sent. Calls that wait fail with `PBConnectionLost`."""
        self._root = None
        if not self.closed:
            self.broker.disconnect()

    def statistics(self) -> dict[str, int]:
        """Return the sizes of the connection's tables."""
        sizes: dict[str, int] = driver_of(self.broker).run(self.broker.statistics)
        return sizes

    def __enter__(self: _C) -> _C:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {'closed' if self.closed else self.broker.peerName()}>"


class Link(Connection):
    """One end of a pair made by `link_pair`."""

    def peer_gw(self) -> Any:
        """Return what the other end serves, as a live proxy."""
        return self.root

    def shutdown(self) -> None:
        """Close the connection between the two."""
        self.close()


def connect(
    endpoint: str | IStreamClientEndpoint,
    *,
    credentials: Any = None,
    mind: Any = None,
    policy: Policy = LIVE,
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
) -> Connection:
    """Connect to a server, and wait until that has succeeded.

    :param endpoint: where the server is, as an endpoint string or an endpoint. ``tcp:host:port`` and ``unix:path``
        need no reactor; everything else is left to Twisted's, in a thread of its own.
    :param credentials: for a login, see `broker.ClientFactory.login`; without them the root object is asked for.
    :param mind: with credentials: what the server may reach us by.
    :param policy: how live proxies look at objects of the server, and what is lent to it.
    :param timeout: seconds for connecting and logging in; None for no bound.
    :param callTimeout: seconds that a call may take which says nothing else; None for no bound.
    :param reactor: a reactor to use in any case; for TLS, none but Twisted's own.
    :returns: the connection; its `Connection.root` is the server's root object.
    :raises OSError: there is no connection to be had.
    :raises PBConnectionLost: the other end is no such server.
    :raises TimeoutError: it took too long.
    :raises CannotWait: this thread may not wait.
    :raises ValueError: the endpoint is none, or needs Twisted's own reactor and there is another one.

    The other parameters are those of `broker.connect`.
    """
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
    end = None if timeout is None else monotonic() + timeout
    plain = _plain(endpoint) if reactor is None else None
    if plain is None:
        return Connection(_connected(endpoint, factory, credentials, mind, timeout, reactor), policy)
    check_thread()
    factory.protocol = LineProtocol
    line = _line(_socket(plain, timeout), factory.buildProtocol(None))
    try:
        left = None if end is None else end - monotonic()
        return Connection(line.wait(left, _met, line.protocol, factory, credentials, mind), policy)
    except BaseException:
        line.run(line.protocol.transport.abortConnection)
        raise


def _plain(endpoint: str | IStreamClientEndpoint) -> tuple[str, ...] | None:
    """Return the parts of an endpoint string that a plain socket will do for, or None."""
    if not isinstance(endpoint, str):
        return None
    kind, *parts = (re.sub(r"\\(.)", r"\1", part) for part in _PART.findall(endpoint))
    expected = {"tcp": 2, "unix": 1}.get(kind)
    if len(parts) != expected or any("=" in part for part in parts) or (kind == "tcp" and not parts[1].isdigit()):
        return None
    return (kind, *parts)


def _socket(plain: tuple[str, ...], timeout: float | None) -> socket.socket:
    kind, where, *rest = plain
    if kind == "tcp":
        return socket.create_connection((where, int(rest[0])), timeout)
    made = socket.socket(socket.AF_UNIX)
    try:
        made.settimeout(timeout)
        made.connect(where)
    except BaseException:
        made.close()
        raise
    return made


def _line(sock: socket.socket, protocol: Any) -> Line:
    line = Line(sock, protocol, "broker")
    line.start()
    return line


def _met(protocol: Any, factory: ClientFactory, credentials: Any, mind: Any) -> Deferred[Any]:
    if protocol.disconnected:
        # Before anybody could ask: nobody would be told any more.
        return fail(PBConnectionLost("the other end has hung up"))
    return introduce(factory, credentials, mind)


def _connected(endpoint: Any, factory: Any, credentials: Any, mind: Any, timeout: float | None, reactor: Any) -> Any:
    """Connect with the help of a reactor; return the reference."""
    driver = reactor_thread(reactor, endpoint)
    factory.protocol = ThreadedProtocol
    factory.reactor, factory.driver = driver.reactor, driver

    def connecting() -> Deferred[Any]:
        where = parse_client(driver.reactor, endpoint) if isinstance(endpoint, str) else endpoint
        return ensureDeferred(meet(where, factory, credentials, mind))

    return driver.wait(timeout, connecting)


def link_pair(one: Any, other: Any, policy: Policy = LIVE) -> tuple[Link, Link]:
    """Connect two objects in this process, as if each were served by a process of its own.

    :param one: what the first end serves: any object, or a Referenceable.
    :param other: what the second end serves.
    :param policy: under which they are served, where they are no Referenceables, and looked at.
    :returns: the first's end, and the second's: ``ends[0].peer_gw()`` is a proxy for `other`.
    """
    check_thread()
    sockets = socket.socketpair()
    listening, connecting = ServerFactory(as_root(one, policy), keepalive=None), ClientFactory(keepalive=None)
    listening.protocol = connecting.protocol = LineProtocol
    here, there = listening.buildProtocol(None), connecting.buildProtocol(None)
    there.setNameForLocal(b"root", as_root(other, policy).rootObject(there))
    lines = _line(sockets[0], here), _line(sockets[1], there)
    first, second = (Link(line.wait(None, _greeted, line.protocol), policy) for line in lines)
    return first, second


def _greeted(protocol: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    protocol.notifyOnConnect(lambda: done.callback(protocol.remoteForName(b"root")))
    return done
