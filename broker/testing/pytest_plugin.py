"""A pytest plugin with the fixture `broker_pair`; installing broker enables it.

Nothing of broker or Twisted is imported before a test asks for the fixture, since every pytest run loads this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from broker.testing.harness import Pairs

__all__ = ["broker_pair"]


@pytest.fixture
def broker_pair(request: pytest.FixtureRequest) -> Iterator[Pairs]:
    """Makes pairs: ``broker_pair(root, **options)`` returns a `broker.testing.Pair`.

    When the test is over, each pair must have quiet ends and empty tables, no exception may have escaped a protocol,
    and no error may have been logged that ``broker_pair.flush_logged(SomeError)`` did not take.
    """
    from broker.testing.harness import Pairs

    pairs = Pairs()
    failed = request.session.testsfailed
    pairs.start()
    try:
        yield pairs
        # The traceback of a test that failed holds its references; to report these too would only mislead.
        if request.session.testsfailed == failed:
            pairs.check()
    finally:
        pairs.stop()
