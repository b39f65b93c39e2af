"""One process of a peer, server or client, as the harness starts it: `python -m tests.benchmarks.worker`."""

from __future__ import annotations

import argparse
import cProfile
import gc
import io
import os
import pstats
import resource
import signal
import sys
import tracemalloc
from typing import Any

from tests.benchmarks.peers import load
from tests.benchmarks.port import Control
from tests.benchmarks.watch import Watch

__all__ = ["common"]

_profile = cProfile.Profile()
#: The watch of this process, if it has one.
_watches: list[Watch] = []


def resident() -> int:
    """Return the resident set of this process in bytes."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory() -> dict[str, Any]:
    """Return what this process holds: `rss`, and `traced` where tracemalloc counts."""
    gc.collect()
    return {"rss": resident(), "traced": tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else None}


def profiled(lines: int) -> str:
    """Return the profile since it was switched on, the functions with the most time of their own first."""
    out = io.StringIO()
    pstats.Stats(_profile, stream=out).sort_stats("tottime").print_stats(lines)
    return out.getvalue()


def common(command: dict[str, Any]) -> dict[str, Any] | None:
    """Do what every worker can, and return the answer; None for any other command.

    `memory` measures, `profile-start` and `profile-stop` profile the thread that the command comes in, `watch-start`
    and `watch-stop` measure the stages of a process that has a watch.
    """
    what = command["do"]
    if what == "memory":
        return memory()
    if what == "profile-start":
        _profile.enable()
        return {}
    if what == "profile-stop":
        _profile.disable()
        return {"text": profiled(int(command["lines"]))}
    if what == "watch-start":
        _watches[0].restart()
        return {}
    if what == "watch-stop":
        return _watches[0].read()
    return None


def main(argv: list[str]) -> None:
    """Run the worker until the harness closes the line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.worker", description=__doc__)
    parser.add_argument("side", choices=["server", "client"])
    parser.add_argument("peer")
    parser.add_argument("--port", type=int, default=0, help="where the server listens, for a client")
    parser.add_argument("--name", default="", help="what the server told with its port, for a client")
    parser.add_argument("--core", type=int, help="the core to run on")
    parser.add_argument("--nice", type=int, default=0, help="how far to step back behind other processes")
    parser.add_argument("--watch", action="store_true", help="measure the stages of an operation")
    parser.add_argument("--trace", action="store_true", help="count the memory of Python objects")
    options = parser.parse_args(argv)
    # Control-C reaches the whole group; the harness alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    os.nice(options.nice)
    # So many connections as are held need as many descriptors.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control = Control()
    control.name = options.name
    peer = load(options.peer)
    if options.trace:
        tracemalloc.start()
    if options.watch:
        _watches.append(Watch())
    if options.side == "server":
        peer.serve(control)
    else:
        peer.drive(control, options.port)
    # Threads that a library started may never end by themselves, and nothing here needs an orderly end.
    os._exit(0)


if __name__ == "__main__":
    # The module that the peers import must be this one, not a second copy of it.
    from tests.benchmarks import worker

    worker.main(sys.argv[1:])
