"""The page on testing: every code block runs, every test in it passes."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from broker.testing.harness import Pairs

# The page says itself what is spoken.
pytestmark = pytest.mark.in_dialects("broker/1")

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "testing.md"
NAME = "testing_howto"


def blocks() -> list[tuple[int, str]]:
    """Return the page's Python blocks with the number of the line that each begins on."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [(text[: match.start(1)].count("\n"), match[1]) for match in found]


def run_test(function: Any) -> None:
    """Run a test function, with the fixture if it asks for it."""
    if "broker_pair" not in inspect.signature(function).parameters:
        function()
        return
    pairs = Pairs()
    pairs.start()
    try:
        function(pairs)
        pairs.check()
    finally:
        pairs.stop()


def run_case(case: type[SynchronousTestCase]) -> int:
    """Run the tests of a test case and return how many there were."""
    names = [name for name in dir(case) if name.startswith("test")]
    for name in names:
        result = reporter.TestResult()
        case(name).run(result)
        assert result.wasSuccessful(), [str(failure) for _, failure in result.failures + result.errors]
    return len(names)


def test_page() -> None:
    namespace: dict[str, Any] = {"__name__": NAME}
    ran = 0
    for line, source in blocks():
        before = set(namespace)
        exec(compile("\n" * line + source, str(PAGE), "exec"), namespace)
        for name in sorted(set(namespace) - before):
            value = namespace[name]
            if isinstance(value, type) and issubclass(value, SynchronousTestCase) and value.__module__ == NAME:
                ran += run_case(value)
            elif name.startswith("test_"):
                run_test(value)
                ran += 1
    assert ran == 5
    assert len(blocks()) == 13
