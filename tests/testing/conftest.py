"""Both dialects, for what is given to other people's tests."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _in_both_dialects(in_dialect: str) -> None:
    """Which dialect is spoken makes no difference."""
