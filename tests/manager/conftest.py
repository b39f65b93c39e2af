"""What the tests of the manager share: both dialects, and pairs that are checked when the test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broker.testing.harness import Pairs


@pytest.fixture
def pairs(request: pytest.FixtureRequest, in_dialect: str) -> Iterator[Pairs]:
    """Makes pairs; when the test is over nothing may be left in a table, logged or escaped that was not expected."""
    made = Pairs()
    failed = request.session.testsfailed
    made.start()
    try:
        yield made
        if request.session.testsfailed == failed:
            made.check()
    finally:
        made.stop()
