"""Objects by importable names, which the owner of a process gives and never a peer."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from typing import Any

__all__ = ["blame", "find"]

_HOW = "expected package.module:Name"


def find(name: str, what: str = "root object") -> Any:
    """Return the object that ``package.module:Name`` names. The current directory is searched last.

    :param what: what it is to be, for the text of the error.
    :raises ValueError: there is none; the text says why, in one line.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise ValueError(f"{name!r} names no {what}: {_HOW}")
    found = _module(module_name)
    for step in path.split("."):
        try:
            found = getattr(found, step)
        except AttributeError:
            raise ValueError(f"{name!r} names no {what}: no {step!r} in {module_name!r}") from None
    return found


def _module(name: str) -> Any:
    # Scripts such as `twistd` have their own folder on the path instead of the current one. Last, so that a file here
    # cannot take the place of an installed module.
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    try:
        return import_module(name)
    except Exception as error:  # the user's module may raise anything; all of it is reported
        raise ValueError(f"cannot import {name!r}: {blame(error)}") from error


def blame(error: Exception) -> str:
    """Return one line about an exception raised by an import, with the place in the user's code."""
    reason = " ".join(traceback.format_exception_only(type(error), error)[-1].split())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    if isinstance(error, SyntaxError) or len(frames) < 2:
        return reason
    return f"{reason} ({os.path.basename(frames[-1].filename)}, line {frames[-1].lineno})"
