"""The core twice in one process: as it is installed, compiled, and its very sources, interpreted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

import broker

__all__ = ["Core", "interpreted", "running"]


class Core:
    """The modules of one form of the core, by their names inside the package: ``core["_wire.banana"]``."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self._modules = modules

    def __getitem__(self, name: str) -> Any:
        return self._modules[f"broker.{name}"]


#: What subjects use; importing these brings in everything below them.
MODULES = ("_messages.native", "_messages.pb", "_values.jelly", "_values.unjelly", "_wire.greeting")


class _SourcesOnly(MetaPathFinder):
    """Finds the modules of broker as if nothing had been compiled."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith("broker."):
            return None
        finders = [FileFinder(entry, (SourceFileLoader, SOURCE_SUFFIXES)) for entry in path or ()]
        return next((spec for finder in finders if (spec := finder.find_spec(name)) is not None), None)


def _is_ours(name: str) -> bool:
    return name == "broker" or name.startswith("broker.")


@contextmanager
def _aside() -> Iterator[dict[str, ModuleType]]:
    """Put what is imported of broker aside; gives the dictionary that what is imported meanwhile ends up in."""
    before = {name: module for name, module in sys.modules.items() if _is_ours(name)}
    finder = _SourcesOnly()
    found: dict[str, ModuleType] = {}
    for name in before:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        yield found
    finally:
        sys.meta_path.remove(finder)
        found.update({name: module for name, module in sys.modules.items() if _is_ours(name)})
        for name in found:
            del sys.modules[name]
        sys.modules.update(before)


def interpreted() -> Core:
    """Load the sources of the core once more, whatever form of it runs."""
    with _aside() as found:
        # Without the front door, which would bring in everything.
        package = ModuleType("broker")
        package.__path__ = broker.__path__
        sys.modules["broker"] = package
        for name in MODULES:
            import_module(f"broker.{name}")
    return Core(found)


def running() -> Core:
    """Return the core that everybody uses in this process."""
    for name in MODULES:
        import_module(f"broker.{name}")
    return Core({name: module for name, module in sys.modules.items() if _is_ours(name)})
