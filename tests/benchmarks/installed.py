"""Which other libraries are there to be measured, without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

__all__ = ["lacking", "release"]


def lacking(*modules: str) -> str | None:
    """Return what to install when one of these modules cannot be found, else None."""
    for name in modules:
        if find_spec(name) is None:
            return f"{name} is not installed; `pip install broker[bench]` brings all peers"
    return None


def release(distribution: str) -> str:
    """Return the version of a distribution, or that there is none."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
