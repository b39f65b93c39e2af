"""Twisted's own tests of Perspective Broker, unmodified, against broker.spread.

Every one of them is a test here. They run once, in another process, with the modules of twisted.spread replaced; this
file reads the outcomes. ``stock`` runs the same machinery without replacement, which shows that the machinery is right.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import twisted

__all__: list[str] = []

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
RUNNER = HERE / "run_aliased.py"
#: What ``listing.txt`` was made from; other versions of Twisted have a few more or fewer tests.
LISTED_VERSION = "26.10.0"
LISTING = (HERE / "listing.txt").read_text(encoding="ascii").split()
SPREAD = ["twisted.spread.test.test_banana", "twisted.spread.test.test_jelly"]
SPREAD += ["twisted.spread.test.test_pb", "twisted.spread.test.test_pbfailure"]
#: Programs of Twisted that are written with Perspective Broker, with the tests each has.
PROGRAMS = ["twisted.web.test.test_distrib", "twisted.words.test.test_service"]
#: Per run; the stock modules need one second.
SECONDS = 40.0

#: Tests of Twisted that broker.spread does not pass, with the reason. Ten at most; one that passes must leave.
EXPECTED_FAILURES: dict[str, str] = {
    f"twisted.spread.test.test_pbfailure.{case}.test_noSuchMethodFailure": (
        "it wants the AttributeError in the log: a method that is not there is the peer's doing, and one line without "
        "a traceback; the caller gets the same failure"
    )
    for case in ("PBFailureTests", "PBFailureUnsafeTests")
} | {
    "twisted.spread.test.test_pb.BrokerTests.test_result": (
        "it has the listening side call before the choice of a dialect has come, and counts the rounds: what goes out "
        "before the choice would be PB's, so with our own dialect on offer the call waits for it, one round more"
    )
}

Outcomes = dict[str, tuple[str, str]]


class Run:
    """The outcomes of one run of the runner script."""

    def __init__(self, package: str, names: list[str], folder: Path, seconds: float = SECONDS, path: str = "") -> None:
        results = folder / "results.jsonl"
        search = os.pathsep.join([str(CHECKOUT), *filter(None, [path])])
        command = [sys.executable, str(RUNNER), package, str(results), *names]
        with open(folder / "output", "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                command, cwd=folder, env={**os.environ, "PYTHONPATH": search}, stdout=output, stderr=output
            )
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                # Trial outlives SIGTERM when a test never returns to the reactor.
                process.kill()
                process.wait()
        self.exit = process.returncode
        self.output = (folder / "output").read_text(encoding="utf-8", errors="replace")
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        records = [json.loads(line) for line in lines]
        self.outcomes: Outcomes = {r["test"]: (r["outcome"], r["detail"]) for r in records if "test" in r}
        begun = [r["begin"] for r in records if "begin" in r and r["begin"] not in self.outcomes]
        self.unfinished = begun[0] if begun else None
        self.done = next((r for r in records if r.get("done")), None)

    def outcome(self, test: str) -> tuple[str, str]:
        """Tell how a test went; one that did not run counts as failed, with what is known about the reason."""
        if test in self.outcomes:
            return self.outcomes[test]
        return "fail", f"did not run (stopped in {self.unfinished}, exit {self.exit})\n{self.output[-3000:]}"


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the tests of twisted.spread against broker.spread, once."""
    return Run("broker.spread", SPREAD, tmp_path_factory.mktemp("replaced"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run the tests of the programs on top of broker.spread, once."""
    return Run("broker.spread", PROGRAMS, tmp_path_factory.mktemp("programs"))


@pytest.mark.parametrize("test", LISTING)
def test_twisted(test: str, replaced: Run) -> None:
    if test not in replaced.outcomes and replaced.done and twisted.__version__ != LISTED_VERSION:
        pytest.skip(f"Twisted {twisted.__version__} does not have this test; the listing is of {LISTED_VERSION}")
    outcome, detail = replaced.outcome(test)
    if test in EXPECTED_FAILURES:
        assert outcome == "fail", f"passes now, take it out of EXPECTED_FAILURES: {EXPECTED_FAILURES[test]}"
    else:
        assert outcome == "pass", detail


def test_no_unlisted_test_fails(replaced: Run) -> None:
    """Other versions of Twisted may have tests that the listing lacks; these count too."""
    unlisted = {test: detail for test, detail in replaced.outcomes.items() if test not in LISTING}
    assert twisted.__version__ != LISTED_VERSION or not unlisted
    assert not {test: detail for test, (outcome, detail) in unlisted.items() if outcome == "fail"}


#: Tests of web.distrib, whose requests have attributes that cannot cross, and go nowhere near them afterwards: PB puts
#: a marker in the place of each and tells nobody. Here the sender is told (decision 6), so distrib would have to name
#: what it wants sent.
SILENTLY_UNPERSISTABLE = {
    f"twisted.web.test.test_distrib.DistribTests.{name}"
    for name in (
        *("testDistrib", "test_connectionLost", "test_largeReturn", "test_largeWrite", "test_requestHeaders"),
        *("test_requestResponseCode", "test_requestResponseCodeMessage"),
    )
}


def test_originals_stay_out(replaced: Run) -> None:
    assert replaced.done is not None, replaced.output[-3000:]
    assert replaced.done["originals"] == []


@pytest.mark.parametrize("module", PROGRAMS)
def test_programs_of_twisted(module: str, programs: Run) -> None:
    """twisted.web.distrib and twisted.words.service are real programs on Perspective Broker."""
    outcomes = {test: outcome for test, outcome in programs.outcomes.items() if test.startswith(module)}
    assert programs.done is not None, programs.output[-3000:]
    assert len(outcomes) >= 10
    failed = {test: detail for test, (outcome, detail) in outcomes.items() if outcome == "fail"}
    assert {test: detail for test, detail in failed.items() if test not in SILENTLY_UNPERSISTABLE} == {}
    assert {test for test in SILENTLY_UNPERSISTABLE if test.startswith(module)} == set(failed)


def test_table_of_expected_failures() -> None:
    assert len(EXPECTED_FAILURES) <= 10
    assert set(EXPECTED_FAILURES) <= set(LISTING)
    assert all(EXPECTED_FAILURES.values())


def test_stock_passes_in_the_same_runner(tmp_path: Path) -> None:
    """Without replacement everything passes, so a failure above is the fault of broker.spread."""
    run = Run("twisted.spread", SPREAD, tmp_path)
    assert {test: detail for test, (outcome, detail) in run.outcomes.items() if outcome != "pass"} == {}
    assert run.exit == 0
    if twisted.__version__ == LISTED_VERSION:
        assert sorted(run.outcomes) == sorted(LISTING)
        assert len(LISTING) == 134


def test_runner_refuses_disguised_originals(tmp_path: Path) -> None:
    """A package that merely re-exports twisted.spread must not pass for an implementation."""
    package = tmp_path / "disguise"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("banana", "jelly", "flavors", "interfaces", "pb", "util", "publish"):
        (package / f"{name}.py").write_text(f"from twisted.spread.{name} import *\n")
    run = Run("disguise", ["twisted.spread.test.test_banana"], tmp_path, path=str(tmp_path))
    assert run.exit == 1
    assert run.outcomes == {}
    assert "imported before they could be replaced: ['interfaces', 'banana'" in run.output


def test_runner_refuses_originals_loaded_later(tmp_path: Path) -> None:
    """Whoever loads a file of twisted.spread under another name is found as well."""
    package = tmp_path / "late"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("jelly", "flavors", "interfaces", "pb", "util", "publish"):
        (package / f"{name}.py").write_text("")
    (package / "banana.py").write_text(
        "import sys, importlib.util\n"
        "from twisted import spread\n"
        "spec = importlib.util.spec_from_file_location('hidden', spread.__path__[0] + '/banana.py')\n"
        "sys.modules['hidden'] = hidden = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(hidden)\n"
        "from hidden import *\n"
    )
    run = Run("late", ["twisted.spread.test.test_banana"], tmp_path, path=str(tmp_path))
    assert run.exit == 1
    assert run.outcomes == {}
    assert "original modules in use: ['hidden is " in run.output


SPINNING = """
from twisted.trial.unittest import TestCase

class Spinning(TestCase):
    def test_a_spins(self):
        while True:
            try:
                while True:
                    pass
            except Exception:
                pass

    def test_b_fails(self):
        self.assertEqual(1, 2)

    def test_c_passes(self):
        self.assertEqual(1, 1)
"""


def test_runner_gets_past_a_spinning_test(tmp_path: Path) -> None:
    (tmp_path / "spinning.py").write_text(SPINNING)
    run = Run("twisted.spread", ["spinning"], tmp_path, path=str(tmp_path))
    assert [outcome for outcome, _ in run.outcomes.values()] == ["fail", "fail", "pass"]
    assert "still running after" in run.outcome("spinning.Spinning.test_a_spins")[1]
    assert run.exit == 1


def test_runner_tells_of_tests_that_did_not_run(tmp_path: Path) -> None:
    """A run killed from outside leaves no test without an outcome."""
    (tmp_path / "deaf.py").write_text(
        "import signal\n"
        + SPINNING.replace(
            "        while True:\n            try",
            "        signal.alarm(0)\n"
            "        signal.signal(signal.SIGALRM, signal.SIG_IGN)\n        while True:\n            try",
            1,
        )
    )
    run = Run("twisted.spread", ["deaf"], tmp_path, seconds=3.0, path=str(tmp_path))
    assert run.done is None
    assert run.unfinished == "deaf.Spinning.test_a_spins"
    assert run.outcome("deaf.Spinning.test_c_passes")[0] == "fail"
