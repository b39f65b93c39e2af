"""The implementation under test in this process: the modules of the package that INTEROP_SPREAD names."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

__all__ = ["PACKAGE", "banana", "flavors", "foreign_modules", "jelly", "pb", "publish", "util"]

#: ``twisted.spread`` or ``broker.spread``.
PACKAGE = os.environ["INTEROP_SPREAD"]

banana: Any = importlib.import_module(f"{PACKAGE}.banana")
jelly: Any = importlib.import_module(f"{PACKAGE}.jelly")
flavors: Any = importlib.import_module(f"{PACKAGE}.flavors")
pb: Any = importlib.import_module(f"{PACKAGE}.pb")
util: Any = importlib.import_module(f"{PACKAGE}.util")
publish: Any = importlib.import_module(f"{PACKAGE}.publish")


def foreign_modules() -> list[str]:
    """Name the modules of the other implementation that are loaded; there must be none, or the test proves nothing."""
    other = "twisted.spread." if PACKAGE == "broker.spread" else "broker."
    return sorted(name for name in sys.modules if name.startswith(other))
