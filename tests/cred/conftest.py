"""What the tests of logins share: both dialects."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _in_both_dialects(in_dialect: str) -> None:
    """A login is the same in both."""
