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


def test_every_module_of_the_core_is_compiled_or_has_a_reason() -> None:
    packages = {name.partition(".")[0] for name in _about.CORE}
    assert packages == {"_wire", "_values", "_messages", "_session"}
    paths = [path for package in packages for path in (ROOT / "broker" / package).glob("*.py")]
    modules = sorted(f"{path.parent.name}.{path.stem}" for path in paths if path.stem != "__init__")
    assert sorted([*_about.CORE, *_about.INTERPRETED]) == modules
