"""Both dialects: a program that changes its imports gets our own one where the other end has done so too."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def _in_both_dialects(in_dialect: str) -> None:
    """What the drop-in does it does in both."""
