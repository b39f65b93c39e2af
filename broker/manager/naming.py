"""Names for functions and classes, by which the manager's process finds what its starter has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Any, Final

__all__ = ["MAINS", "check_begun", "main_program", "name_of", "reading_program"]

#: How names in the program that runs begin; the second, in processes for which it was run once more.
MAINS: Final = ("__main__:", "__mp_main__:")
#: The attribute of the process by which `multiprocessing` knows that its program is being run once more.
_READING: Final = "_inheriting"


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


@contextmanager
def reading_program() -> Iterator[None]:
    """Have it known, also to `multiprocessing`, that the program is being run once more so that its names are there."""
    process = current_process()
    setattr(process, _READING, True)
    try:
        yield
    finally:
        delattr(process, _READING)


def check_begun() -> None:
    """Make sure that the program is not only being run once more.

    :raises RuntimeError: it is. Whatever it starts now, it would start without end.
    """
    if getattr(current_process(), _READING, False):
        raise RuntimeError(
            "the program is being run once more, for a process that it has started, and must not start another one"
            ' now: what starts a manager belongs below if __name__ == "__main__":'
        )
