"""Every ceiling is met by some test here."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from broker._limits import Limits


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_every_ceiling_is_met(name: str) -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    set_somewhere = re.search(rf"Limits\([^)]*\b{name}=", texts)
    assert set_somewhere or f"limits.{name}" in texts, f"no test of hostile peers meets Limits.{name}"
