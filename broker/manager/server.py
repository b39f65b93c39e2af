"""A manager's server, in whatever process."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
from collections.abc import Callable
from typing import Any, Final, NoReturn

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from broker._limits import Limits
from broker._net.connect import Listener, serve
from broker._net.endpoints import describe, is_secure, refusal
from broker._net.factory import running_reactor
from broker._values.registry import Registry, globalRegistry
from broker.manager.gate import Gate
from broker.manager.hub import Hub
from broker.manager.registry import Types
from broker.manager.standard import exceptions
from broker.manager.threads import Threads

__all__ = ["LIMITS", "Server", "clear_stale", "unix_path"]

#: The ceilings of connections to managers. A client with a million objects has them because it has made them.
LIMITS: Final = Limits(references=1_000_000)
#: Seconds for calls that are being answered when the server is closed. Those that wait for something would wait on.
_GRACE: Final = 0.1


class Server:
    """Serves shared objects.

    :param types: of which types.
    :param key: what clients have to know.
    :param stop: called when a client asks for the end; None where no client may.
    :param registry: which classes stand for which names on the wire.
    :param limits: ceilings for what a client can make grow.
    :param keepalive: seconds of silence after which a client is asked whether it is there; None for never.
    :param reactor: by default the one that runs.
    :raises ValueError: a type cannot be imported, or the key is empty.
    :ivar hub: what clients talk to.
    :ivar address: where clients connect to, as an endpoint string; None before `listen`.
    """

    def __init__(
        self,
        types: Types,
        key: bytes,
        *,
        stop: Callable[[], object] | None = None,
        registry: Registry = globalRegistry,
        limits: Limits = LIMITS,
        keepalive: float | None = 60.0,
        reactor: Any = None,
    ) -> None:
        if not key:
            raise ValueError("an empty key")
        self._reactor = running_reactor(reactor)
        self._threads = Threads(self._reactor)
        self.hub = Hub(types, self._reactor, self._threads, stop)
        self._gate = Gate(key, self.hub.exported, self._reactor)
        self._options: dict[str, Any] = {"registry": exceptions(registry), "limits": limits, "keepalive": keepalive}
        self._listener: Listener | None = None
        self.address: str | None = None

    def listen(self, endpoint: str) -> Deferred[Server]:
        """Take connections; return a Deferred of the server. See `broker.serve` for the endpoint.

        It fails with OSError where that is taken already, or cannot be had.
        """
        path = unix_path(endpoint)
        if path is not None:
            try:
                clear_stale(path)
            except OSError:
                return fail()

        def listening(listener: Listener) -> Server:
            self._listener = listener
            self.address = describe(listener.getHost(), is_secure(endpoint))
            return self

        begun = serve(endpoint, self._gate, reactor=self._reactor, **self._options)
        return begun.addCallbacks(listening, _cannot_listen)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return 0 if self._listener is None else len(self._listener.factory.connections)

    def close(self, reason: str = "the manager shuts down") -> Deferred[None]:
        """Take no more connections and close those there are; return a Deferred that fires when that is done.

        Calls that wait fail at their callers with `PBConnectionLost`, and new ones with `GoingAway`.
        """
        listener, self._listener = self._listener, None

        def closed(_: Any) -> None:
            self.hub.close()
            self._threads.stop()

        if listener is None:
            done: Deferred[None] = Deferred()
            done.callback(None)
        else:
            done = listener.goAway(reason, _GRACE)
        return done.addCallback(closed)


def unix_path(endpoint: str) -> str | None:
    """Return the path of a Unix socket from an endpoint string, or None for another one."""
    found = re.match(r"unix:(?:address=)?((?:\\.|[^:\\])*)", endpoint)
    return None if found is None else re.sub(r"\\(.)", r"\1", found[1])


def clear_stale(path: str) -> None:
    """Remove the file of a Unix socket that nobody listens at any more.

    :raises OSError: somebody does, or there is no folder for it.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return
    except FileNotFoundError:
        folder = os.path.dirname(os.path.abspath(path))
        if not os.path.isdir(folder):
            raise FileNotFoundError(errno.ENOENT, "There is no such folder", folder) from None
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            # Somebody else's business: listening will say what is wrong.
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def _cannot_listen(failure: Failure) -> NoReturn:
    """Say what the system says, which programs can ask about."""
    error = failure.value
    if not isinstance(error, CannotListenError):
        failure.raiseException()
    where, reason = refusal(error)
    raise OSError(getattr(error.socketError, "errno", None) or errno.EIO, reason, where) from None
