"""The command line: `python -m tests.benchmarks`."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from tests.benchmarks import compare

__all__ = ["main"]

#: Command → its module and what it says of itself.
COMMANDS = {
    "scaling": ("scaling", "time for each element, from 1k to 64k elements: nothing may be quadratic"),
    "fairness": ("fairness", "one client's latency while another one sends as fast as it can"),
    "harm": ("harm", "a polite client's latency, alone and beside each of many attackers"),
    "soak": ("soak", "a million calls on one connection, after which nothing may be left"),
    "held": ("held", "what many connections and references cost, and that all of it comes back"),
    "profile": ("profiling", "where one side of a workload spends its time"),
    "stages": ("stages", "microseconds of one operation in each stage, on both sides, peer beside peer"),
}
EPILOG = (
    "other measurements, each with a --help of its own:\n"
    + "\n".join(f"  python -m tests.benchmarks {name:<9} {text}" for name, (_, text) in COMMANDS.items())
    + "\n\n"
    + compare.EPILOG
)


def main(argv: list[str]) -> int:
    """Run the command and return its exit code."""
    # Not subparsers: the comparison is what runs when no command is given, with options of its own.
    command = argv[0] if argv and argv[0] in COMMANDS else None
    module = compare if command is None else import_module(f"tests.benchmarks.{COMMANDS[command][0]}")
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks" + (f" {command}" if command else ""),
        description=f"{COMMANDS[command][1].capitalize()}."
        if command
        else "Measure broker beside its peers. Server and client run in two processes, the peers take turns.",
        epilog=None if command else EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_options(parser)
    options = parser.parse_args(argv[1:] if command else argv)
    try:
        code: int = module.main(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
