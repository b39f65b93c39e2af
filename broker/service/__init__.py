"""Serving from the command line: the ``twistd`` plugin, and what another plugin is made of."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger

from broker._directory.directory import Directory
from broker._net.endpoints import refusal
from broker.service.builtin import BuiltinRoot
from broker.service.listening import BrokerService
from broker.service.options import Options, ServeOptions
from broker.service.roots import servable

__all__ = ["BrokerService", "BuiltinRoot", "CannotStart", "Options", "ServeOptions", "makeService"]


class CannotStart(SystemExit, Exception):
    """The service cannot start: the process ends with exit code 1. Why has been told on standard error by then.

    As an `Exception` it passes through ``twistd``'s own cleaning up (the pid file, the parent of a daemon); as a
    `SystemExit` it then ends the interpreter without a traceback.

    :param line: why, in one line.
    """

    def __init__(self, line: str) -> None:
        super().__init__(1)
        self.line = line

    def __str__(self) -> str:
        return self.line


class _PluginService(BrokerService):
    """A `BrokerService` that runs by itself in a process, and ends it if it cannot start.

    :ivar names: the directory that is served, or None.
    :ivar file: where it keeps names, or None. It is opened when the process is what it will be: not by who becomes a
        daemon, or another user.
    """

    names: Directory | None = None
    file: str | None = None

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except (CannotListenError, OSError, ValueError) as error:
            raise _cannot_start(error) from None

    def startService(self) -> None:
        try:
            if self.names is not None and self.file is not None:
                self.names.keep_in(self.file)
            super().startService()
        except (CannotListenError, OSError, ValueError) as error:
            self._let_go()
            raise _cannot_start(error) from None

    def stopService(self) -> Deferred[None]:
        """Stop, and let others use the file of names when the calls in flight are done."""
        return super().stopService().addBoth(self._let_go)

    def _let_go(self, result: Any = None) -> Any:
        if self.names is not None:
            self.names.close()
        return result


def _cannot_start(error: Exception) -> CannotStart:
    if isinstance(error, CannotListenError):
        where, reason = refusal(error)
        line = f"broker: cannot listen at {where}: {reason}"
    else:
        line = f"broker: {' '.join(str(error).split())}"
    # A daemon has no standard error, only the log; and `twistd` has sent `sys.stderr` into the log by now.
    Logger("broker.service").error("{line}", line=line)
    if sys.__stderr__ is not None:
        print(line, file=sys.__stderr__)
    return CannotStart(line)


def makeService(options: ServeOptions, root: Any = None) -> BrokerService:
    """Return the service that the options describe.

    :param options: options that have been parsed.
    :param root: what to serve, for plugins with a root object of their own: a `Root`, a realm, a portal, or, with
        ``--auth``, something that makes an avatar of an avatar's id and a mind. If None, what ``--root`` says.
    :raises ValueError: `root` cannot be served.
    """
    checkers = options["credCheckers"]
    served = options.get("served") if root is None else servable(root, checkers)
    names = None
    if served is None:
        builtin = BuiltinRoot(names=options.get("directory"))
        names = builtin.names
        served = servable((lambda avatarId, mind: builtin.for_user(avatarId)) if checkers else builtin, checkers)
    service = _PluginService(served, options.endpoints, **options.connections)
    service.names, service.file = names, options.get("names")
    return service
