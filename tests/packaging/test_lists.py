"""What is written down about packaging in more than one place is the same in all of them."""

from __future__ import annotations

import re

from broker import _about
from tests.packaging.project import ROOT

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_one_mypy() -> None:
    # What checks the types and what compiles them.
    assert len(re.findall(r'"mypy==[\d.]+"', PYPROJECT)) == 2
    assert len(set(re.findall(r'"mypy==[\d.]+"', PYPROJECT))) == 1


def test_what_is_not_compiled_is_there() -> None:
    assert not [name for name in _about.INTERPRETED if not (ROOT / "broker" / f"{name.replace('.', '/')}.py").exists()]
    assert not set(_about.core()) & set(_about.INTERPRETED)
