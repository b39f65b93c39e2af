"""Serving from the command line: the ``twistd`` plugin, and what another plugin is made of."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.logger import Logger

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
    """A `BrokerService` that runs by itself in a process, and ends it if it cannot start."""

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except (CannotListenError, OSError, ValueError) as error:
            raise _cannot_start(error) from None

    def startService(self) -> None:
        try:
            super().startService()
        except (CannotListenError, OSError, ValueError) as error:
            raise _cannot_start(error) from None


def _cannot_start(error: Exception) -> CannotStart:
    if isinstance(error, CannotListenError):
        where = error.port if not error.interface else f"{error.interface}:{error.port}"
        reason = getattr(error.socketError, "strerror", None) or str(error.socketError)
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
    if served is None:
        served = servable(BuiltinRoot(), checkers)
    return _PluginService(served, options.endpoints, **options.connections)
