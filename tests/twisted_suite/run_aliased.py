"""Run Twisted's own tests with the modules of twisted.spread replaced by those of another package.

Usage: ``python run_aliased.py PACKAGE RESULTS TEST...``, where PACKAGE is ``broker.spread``, or ``twisted.spread`` for
a run without replacement. RESULTS receives one JSON object per line: ``{"begin": id}`` when a test starts,
``{"test": id, "outcome": "pass|skip|fail", "detail": text}`` when it is over, ``{"done": true}`` at the end.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import sys
import traceback
from types import FrameType, ModuleType
from typing import Any

__all__ = ["NAMES", "STOCK", "HangGuard", "alias_modules", "main", "originals_in_use", "recording_reporter"]

STOCK = "twisted.spread"
NAMES = ("interfaces", "banana", "jelly", "flavors", "pb", "util", "publish")
SECONDS_PER_TEST = 15.0
#: A pager that never ends fills memory faster than it uses up its time.
MEMORY_CEILING = 2 * 1024**3


class TestHung(BaseException):
    """Raised into a test that spins; not an Exception, so that fewer handlers on the way keep it."""

    __test__ = False


def alias_modules(package: str) -> None:
    """Make every ``twisted.spread.X`` mean ``package.X``, both for ``import`` and as attribute of twisted.spread.

    :param package: dotted name of the package that has the same modules.
    :raises RuntimeError: if an original is loaded already, since something may hold on to its classes.
    """
    stock = importlib.import_module(STOCK)
    replacements = {name: importlib.import_module(f"{package}.{name}") for name in NAMES}
    # Also catches a package that is made of the originals: its import has just loaded them.
    early = [name for name in NAMES if f"{STOCK}.{name}" in sys.modules]
    if early:
        raise RuntimeError(f"imported before they could be replaced: {early}")
    for name, replacement in replacements.items():
        sys.modules[f"{STOCK}.{name}"] = replacement
        setattr(stock, name, replacement)


def originals_in_use() -> list[str]:
    """Name the modules loaded from twisted.spread's own files, and who among the test modules uses their contents.

    The tests of Twisted live in a package below twisted.spread and do not count.

    :returns: complaints; an empty list means that only replacements are in use.
    """
    home = os.path.dirname(os.path.abspath(str(importlib.import_module(STOCK).__file__)))
    files = {os.path.join(home, f"{name}.py") for name in NAMES}
    complaints = []
    for name, module in sorted(sys.modules.items()):
        if os.path.abspath(str(getattr(module, "__file__", None))) in files:
            complaints.append(f"{name} is {getattr(module, '__file__', None)}")
        if ".test." in name and name.startswith("twisted."):
            complaints += [f"{name} uses {use}" for use in _stock_uses(module, files)]
    return complaints


def _stock_uses(module: ModuleType, files: set[str]) -> list[str]:
    uses = []
    for key, value in vars(module).items():
        owner = value if isinstance(value, ModuleType) else sys.modules.get(str(getattr(value, "__module__", "")))
        if os.path.abspath(str(getattr(owner, "__file__", None))) in files:
            uses.append(key)
    return uses


class HangGuard:
    """Interrupts a test that takes too long, again and again until it gives in.

    Needed because trial's own timeout runs on the reactor, and a test that pumps bytes in a loop never returns there.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        signal.signal(signal.SIGALRM, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        raise TestHung(f"still running after {self._seconds} s")

    def start(self) -> None:
        """Begin to count for one test."""
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 0.2)

    def stop(self) -> None:
        """The test is over."""
        signal.setitimer(signal.ITIMER_REAL, 0)


def recording_reporter(path: str, guard: HangGuard) -> Any:
    """Make a trial result that also writes every outcome at once, so that a killed run still tells what it knew.

    :param path: the file that receives the results.
    :param guard: told when each test begins and ends.
    :returns: an instance of a subclass of trial's ``TestResult``.
    """
    # Not at the top: trial may load what is to be replaced.
    base: Any = importlib.import_module("twisted.trial.reporter").TestResult

    class Recorder(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stream = open(path, "a", encoding="utf-8")
            self.outcome = "pass"
            self.details: list[str] = []

        def write(self, **record: object) -> None:
            self.stream.write(json.dumps(record) + "\n")
            self.stream.flush()

        def startTest(self, test: Any) -> None:
            super().startTest(test)
            self.outcome, self.details = "pass", []
            self.write(begin=test.id())
            # Many of these tests do not return their Deferreds: an assertion that fails in a callback becomes known
            # when the Deferred is collected. In a circle it would be, too late, in another test or never.
            test.addCleanup(gc.collect)
            guard.start()

        def stopTest(self, test: Any) -> None:
            guard.stop()
            super().stopTest(test)
            self.write(test=test.id(), outcome=self.outcome, detail="\n".join(self.details)[-4000:])

        def note(self, outcome: str, detail: object) -> None:
            self.outcome = outcome
            self.details.append(_text_of(detail))

        def addFailure(self, test: Any, fail: Any) -> None:
            super().addFailure(test, fail)
            self.note("fail", fail)

        def addError(self, test: Any, error: Any) -> None:
            super().addError(test, error)
            self.note("fail", error)

        def addSkip(self, test: Any, reason: Any) -> None:
            super().addSkip(test, reason)
            self.note("skip", reason)

    return Recorder()


def _text_of(detail: object) -> str:
    if isinstance(detail, tuple):
        return "".join(traceback.format_exception(*detail))
    return str(detail.getTraceback() if hasattr(detail, "getTraceback") else detail)


def main(arguments: list[str]) -> int:
    """Replace, load, check the replacement, run.

    :param arguments: package, result file, then names as ``trial`` takes them.
    :returns: 0 if everything passed, 1 otherwise.
    """
    package, results, *names = arguments
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_CEILING, MEMORY_CEILING))
    if package != STOCK:
        alias_modules(package)
    from twisted.trial.runner import TestLoader

    suite = TestLoader().loadByNames(names)
    if package != STOCK and originals_in_use():
        raise RuntimeError(f"original modules in use: {originals_in_use()}")
    reporter = recording_reporter(results, HangGuard(SECONDS_PER_TEST))
    suite.run(reporter)
    reporter.write(done=True, originals=originals_in_use())
    return 0 if reporter.wasSuccessful() else 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    # A reactor thread or a half-dead connection left by a broken implementation must not keep the process alive.
    sys.stdout.flush()
    os._exit(code)
