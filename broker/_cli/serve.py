"""``broker serve``: the ``twistd`` plugin's service, in the foreground."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.usage import UsageError

from broker._cli.run import log_to, run
from broker.service import CannotStart, Options, makeService

__all__ = ["main", "ServeCommand"]


class ServeCommand(Options):
    """The plugin's options under the name of this command."""

    synopsis = "Usage: broker serve [options]"
    examples = Options.examples.replace("twistd -n broker", "broker serve")


def main(argv: Sequence[str]) -> int:
    """Run ``broker serve``; returns the exit code."""
    options = ServeCommand()
    try:
        options.parseOptions(list(argv))
        service = makeService(options)
    except UsageError as error:
        print(f"broker serve: {error} (--help shows the options)", file=sys.stderr)
        return 2
    log_to(sys.stdout)

    async def work(reactor: Any) -> int:
        service.startService()
        try:
            await Deferred()
        finally:
            await service.stopService()
        return 0

    try:
        return run(work)
    except CannotStart:
        return 1
