"""What the tests of objects share: both dialects."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _in_both_dialects(in_dialect: str) -> None:
    """Whatever objects promise they promise in both."""
