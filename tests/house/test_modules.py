"""Each module says what it is for, lists what it offers and stays short."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from tests.house.tree import MODULES, PACKAGE, ROOT, module_name, parsed

MOST_LINES = 400


def defined(tree: ast.Module) -> set[str]:
    """Return the public names that a module defines itself at its top level."""
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    # `log` is what every module of a Twisted program calls its logger.
    return {name for name in names if not name.startswith("_") and name != "log"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_docstring(path: Path) -> None:
    docstring = ast.get_docstring(parsed(path))
    assert docstring
    first = docstring.split("\n")[0]
    assert first.endswith((".", ":")), f"not one sentence in the first line: {first!r}"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_all_is_what_the_module_defines(path: Path) -> None:
    tree = parsed(path)
    module = import_module(module_name(path))
    if not hasattr(module, "__all__"):
        # A package that offers nothing but its modules needs no list.
        assert path.name == "__init__.py"
        assert len(tree.body) == 1
        return
    names = list(module.__all__)
    assert len(names) == len(set(names))
    assert not defined(tree) - set(names), "public by name, but not in __all__"
    assert not [name for name in names if not hasattr(module, name)], "in __all__, but not there"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_length(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_plugin_folders_are_no_packages() -> None:
    # With an __init__.py they would hide Twisted itself, or the plugins of everybody else.
    assert (ROOT / "twisted" / "plugins" / "broker_service.py").is_file()
    assert not list((ROOT / "twisted").rglob("__init__.py"))


def test_types_are_shipped() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert 'broker = ["py.typed"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_every_folder_of_the_package_is_a_package() -> None:
    assert not [path for path in MODULES if not (path.parent / "__init__.py").is_file()]
