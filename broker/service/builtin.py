"""The object served when no other is named: small, safe, and enough to see that everything works."""

from __future__ import annotations

import inspect
import platform
import sys
from datetime import datetime, timezone
from typing import Any, Final

from twisted.copyright import version as twisted_version
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from broker._directory.directory import Directory
from broker._directory.rules import VERBS, Visitor
from broker._directory.visit import REQUESTS, Visit
from broker._objects.referenceable import Referenceable, Root
from broker._remote.expose import Expose
from broker.errors import Error
from broker.names import REQUESTS as OFFERED
from broker.names import Visits, directory

__all__ = ["BuiltinRoot", "LONGEST_SLEEP", "broker_version", "versions"]

#: Seconds. A caller who waits holds one of the connection's calls, and no more than that.
LONGEST_SLEEP: Final = 60.0


class BuiltinRoot(Root):
    """Answers simple questions, and is a directory; `methods` lists what it can do.

    :param clock: tells `sleep` the time; the reactor if None.
    :param names: the directory; an empty one, in which peers can change nothing, if None.
    :ivar names: as given.
    """

    def __init__(self, clock: IReactorTime | None = None, names: Directory | None = None) -> None:
        self._clock = clock
        self.names = names or directory()
        self._visits = Visits(_OFFERED)

    def remoteMessageReceived(self, broker: Any, message: str, args: Any, kw: Any) -> Any:
        """Serve one call of somebody who has not logged in."""
        return self.serve(Visitor(broker), message, args, kw)

    def serve(self, visitor: Visitor, message: str, args: Any, kw: Any) -> Any:
        """Serve one call: the directory does if it is about names."""
        if message in VERBS:
            return self.names.serve(visitor, message, args, kw)
        if self._visits.takes(message):
            visit = self.names.visit(visitor, _Visit)
            visit.root = self
            return self._visits.serve_visit(visit, visitor.broker, message, args, kw)
        return super().remoteMessageReceived(visitor.broker, message, args, kw)

    def for_user(self, user: Any) -> Referenceable:
        """Return the object as somebody who has logged in gets it.

        :param user: the avatar's id.
        """
        return _ForUser(self, user)

    def remote_echo(self, value: Any = None) -> Any:
        """echo(value): the value itself."""
        return value

    def remote_methods(self) -> dict[str, str]:
        """methods(): this list."""
        found = inspect.getmembers(type(self), inspect.isfunction)
        served = [(name.removeprefix("remote_"), method) for name, method in found if name.startswith("remote_")]
        return {name: inspect.getdoc(method) or "" for name, method in (*served, *REQUESTS.items())}

    def remote_ping(self) -> str:
        """ping(): "pong"."""
        return "pong"

    def remote_sleep(self, seconds: float) -> Deferred[None]:
        """sleep(seconds): nothing, but later; at most 60 seconds."""
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= LONGEST_SLEEP:
            raise Error(f"sleep takes 0 to {LONGEST_SLEEP:g} seconds, not {seconds!r}")
        return deferLater(self._time(), seconds)

    def remote_time(self) -> str:
        """time(): the server's clock, in UTC, as text (ISO 8601)."""
        return datetime.now(timezone.utc).isoformat(timespec="milliseconds")

    def remote_version(self) -> dict[str, str]:
        """version(): the versions of broker, Twisted and Python here."""
        return versions()

    def _time(self) -> IReactorTime:
        if self._clock is None:
            from twisted.internet import reactor

            return IReactorTime(reactor)
        return self._clock


class _Visit(Visit):
    """The built-in object as somebody gets it who looks at it as at a local one."""

    root: BuiltinRoot

    def echo(self, value: Any = None) -> Any:
        """echo(value): the value itself."""
        return value

    def methods(self) -> dict[str, str]:
        """methods(): a list of what there is."""
        return self.root.remote_methods()

    def ping(self) -> str:
        """ping(): "pong"."""
        return self.root.remote_ping()

    def sleep(self, seconds: float) -> Deferred[None]:
        """sleep(seconds): nothing, but later; at most 60 seconds."""
        return self.root.remote_sleep(seconds)

    def time(self) -> str:
        """time(): the server's clock, in UTC, as text (ISO 8601)."""
        return self.root.remote_time()

    def version(self) -> dict[str, str]:
        """version(): the versions of broker, Twisted and Python here."""
        return self.root.remote_version()


_OWN: Final = ("echo", "methods", "ping", "sleep", "time", "version")
_OFFERED: Final = OFFERED.but(title="built-in root", expose=Expose(names=frozenset((*VERBS, *_OWN))))


class _ForUser(Referenceable):
    """The built-in object, for somebody who has logged in."""

    def __init__(self, root: BuiltinRoot, user: Any) -> None:
        self._root = root
        self._user = user

    def remoteMessageReceived(self, broker: Any, message: str, args: Any, kw: Any) -> Any:
        """Serve one call."""
        return self._root.serve(Visitor(broker, self._user), message, args, kw)


def broker_version() -> str:
    """Return the version of this package."""
    # Nobody inside imports the front door, but whoever got here has gone through it.
    return str(vars(sys.modules["broker"])["__version__"])


def versions() -> dict[str, str]:
    """Return the versions of what is at work: broker, Twisted and Python."""
    return {"broker": broker_version(), "python": platform.python_version(), "twisted": twisted_version}
