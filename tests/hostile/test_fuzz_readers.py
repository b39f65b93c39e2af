"""The readers of both dialects under a short run of mutated messages; see `tests.hostile.fuzz_readers`."""

from __future__ import annotations

import pytest

from tests.hostile.fuzz_readers import DIALECTS, fuzz


@pytest.mark.parametrize("name", DIALECTS)
def test_nothing_but_the_documented_errors_escapes(name: str) -> None:
    assert fuzz(name, 20_000, 7) >= 0
