"""The long form of the comparison: ``python -m tests.compiled --count 1000000``; needs a compiled core."""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time

from broker import _about
from tests.compiled.compare import Differ
from tests.compiled.differential import pairs
from tests.compiled.subjects import SUBJECTS

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Compare and tell how far it got; 1 if the forms differ."""
    parser = argparse.ArgumentParser(prog="python -m tests.compiled", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="cases for each subject (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another number gives other cases (default: %(default)s)")
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"by default all: {' '.join(SUBJECTS)}")
    options = parser.parse_args(argv)
    if _about.form() != "compiled" or _about.stale():
        print("This compares the compiled core with its sources: first `python3 dev.py build`.", file=sys.stderr)
        return 2
    faulthandler.enable()
    found = pairs()
    for name in options.subjects or found:
        started = shown = time.monotonic()
        try:
            for done in found[name].run(options.seed):
                if done >= options.count or time.monotonic() - shown > 10:
                    shown = time.monotonic()
                    print(f"{name}: {done:,} cases are the same, in {shown - started:.0f} s", flush=True)
                if done >= options.count:
                    break
        except Differ as error:
            print(f"seed {options.seed}, {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
