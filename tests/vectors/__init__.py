"""Recorded bytes of stock PB, and the classes that they speak of."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_fixtures() -> ModuleType:
    """Return the fixture classes as the top-level module `pbvec`: that name is on the wire."""
    if "pbvec" not in sys.modules:
        spec = importlib.util.spec_from_file_location("pbvec", Path(__file__).parent / "pbvec.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["pbvec"] = module
        spec.loader.exec_module(module)
    return sys.modules["pbvec"]
