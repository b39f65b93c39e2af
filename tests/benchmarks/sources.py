"""Which broker is measured: the one that this tree has, or a copy of it without its compiled modules."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

__all__ = ["ROOT", "environment", "folder", "form", "form_of", "pure_copy"]

#: The folder that `tests` is in.
ROOT = Path(__file__).resolve().parents[2]
#: Prints the folder of the broker that a worker would import.
_FIND = "import importlib.util; print(importlib.util.find_spec('broker').submodule_search_locations[0])"


def form() -> str:
    """Return how the core of broker runs in this process: `compiled`, `partly compiled`, `stale` or `pure`.

    Stale is what was compiled from other sources than those beside it.
    """
    from broker import _about

    found = _about.form()
    return "stale" if found == "compiled" and _about.stale() else found


@cache
def form_of(tree: Path) -> str:
    """Return how the core of broker runs in a worker that is started in that folder."""
    code = "from tests.benchmarks.sources import form; print(form())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, env=environment(), capture_output=True, text=True, check=False
    )
    # A tree without broker, or with a broken one, has nothing compiled that could be measured.
    return done.stdout.strip() or "pure"


def environment() -> dict[str, str]:
    """Return the environment of a worker: wherever it is started, it finds the harness."""
    rest = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *([rest] if rest else [])])}


def pure_copy(package: Path, target: Path) -> Path:
    """Copy a package without what is compiled of it, and return the folder that the copy can be imported from."""
    ignored = shutil.ignore_patterns("__pycache__", *[f"*{suffix}" for suffix in EXTENSION_SUFFIXES])
    shutil.copytree(package, target / package.name, ignore=ignored)
    return target


@cache
def _copy() -> tempfile.TemporaryDirectory[str]:
    found = subprocess.run(
        [sys.executable, "-c", _FIND], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    holder = tempfile.TemporaryDirectory(prefix="broker-pure-")
    pure_copy(Path(found.stdout.strip()), Path(holder.name))
    return holder


def folder(pure: bool) -> Path:
    """Return where the workers of a peer are started: what is there comes before everything else that is installed.

    The copy is made once, and goes away with the harness.
    """
    return Path(_copy().name) if pure else ROOT
