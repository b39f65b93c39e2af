"""Names for functions and classes, by which the manager's process finds what its starter has."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["main_program", "name_of"]


def name_of(thing: Callable[..., Any] | str, what: str) -> str:
    """Return where something is found, as ``package.module:Name``.

    :param what: what it is for, for the text of the error.
    :raises ValueError: it is not to be found anywhere.
    """
    if isinstance(thing, str):
        return thing
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    found: Any = sys.modules.get(module) if isinstance(module, str) else None
    for step in name.split(".") if isinstance(name, str) else ():
        found = getattr(found, step, None)
    if found is not thing:
        raise ValueError(
            f"{thing!r} cannot be {what}: the manager's process has to find it by name. Take a function or a class at"
            f" the top level of a module; or name a function that registers what cannot be named, with `setup`"
        )
    return f"{module}:{name}"


def main_program() -> dict[str, str] | None:
    """Return where the program is that runs, as ``module`` or ``path``; None if there is none to be found."""
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return {"module": spec.name}
    path = getattr(main, "__file__", None)
    return {"path": path} if isinstance(path, str) else None
