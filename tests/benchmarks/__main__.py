"""The command line: `python -m tests.benchmarks`."""

from __future__ import annotations

import argparse
import sys

from tests.benchmarks import compare

__all__ = ["main"]


def main(argv: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure broker beside its peers. Server and client run in two processes, the peers take turns.",
        epilog=compare.EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    compare.add_options(parser)
    parser.set_defaults(run=compare.main)
    options = parser.parse_args(argv)
    code: int = options.run(options)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
