"""The client process: runs features one after the other, and prints one line of JSON for each.

Usage: ``python -m peer.client PLACES SERVER_PACKAGE < NAMES``, where PLACES is what the server printed. Each feature
has a connection of its own, and a time limit. Before each, ``{"begin": name}`` is printed, so that whoever watches
knows where a client that hangs is.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ReactorNotRunning
from twisted.python import log

from peer import shapes
from peer.feature_values import value
from peer.net import net
from peer.site import Site
from peer.values import VALUES

__all__: list[str] = []

SECONDS_PER_FEATURE = 20.0

Feature = Callable[[Site], Awaitable[None]]


def features() -> dict[str, Feature]:
    """Collect the features: the functions ``feature_*`` of the modules ``feature_*``, and one for each value."""
    found: dict[str, Feature] = {}
    for path in sorted(Path(__file__).parent.glob("feature_*.py")):
        module = importlib.import_module(f"peer.{path.stem}")
        for name, function in vars(module).items():
            if name.startswith("feature_"):
                found[name.removeprefix("feature_").replace("_", "-")] = function
    for name in VALUES:
        found[f"value-{name}"] = lambda site, name=name: value(site, name)  # type: ignore[misc]
    return found


async def run_one(feature: Feature, site: Site) -> str:
    """Run a feature.

    :returns: how it failed; empty if it did not.
    """
    running: Deferred[None] = ensureDeferred(feature(site))  # type: ignore[arg-type]
    running.addTimeout(SECONDS_PER_FEATURE, net)
    try:
        await running
    except BaseException:  # noqa: BLE001 - whatever happens is reported
        return traceback.format_exc()
    finally:
        await site.close()
    return ""


async def run_all(names: list[str], places: dict[str, Any], server_package: str) -> None:
    """Run the features named, and report on standard output."""
    table = features()
    for name in names:
        print(json.dumps({"begin": name}), flush=True)
        log.msg(f"---------- {name}")
        problem = await run_one(table[name], Site(places, server_package))
        print(json.dumps({"feature": name, "problem": problem}), flush=True)


def main(places: str, server_package: str) -> None:
    """Run what standard input names.

    :param places: what the server printed.
    :param server_package: what the server was started with.
    """
    assert shapes
    log.startLogging(sys.stderr, setStdout=False)
    names = sys.stdin.read().split()

    def stop(result: object) -> None:
        if result is not None:
            log.err(result)
        try:
            net.stop()
        except ReactorNotRunning:
            pass

    def start() -> None:
        ensureDeferred(run_all(names, json.loads(places), server_package)).addBoth(stop)

    net.callWhenRunning(start)
    net.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
