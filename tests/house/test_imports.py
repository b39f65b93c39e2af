"""Imports go one way: import-linter's contracts hold, and each of them notices what it is there for."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import MODULES, PACKAGE, ROOT, module_name, parsed

LINT = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as main; main()"
SANS_IO = ["_wire", "_values", "_messages", "_session", "_limits", "errors"]
FORBIDDEN = "asyncio logging pickle selectors socket ssl subprocess threading time twisted".split()


def lint(folder: Path, *arguments: str) -> tuple[bool, str]:
    """Check the contracts of a copy of the project; in a process of its own, as this one has broker imported."""
    command = [sys.executable, "-c", LINT, "--no-cache", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return result.returncode == 0, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project to plant violations in."""
    shutil.copytree(PACKAGE, tmp_path / "broker", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(copy: Path, path: str, text: str) -> None:
    """Append to a file of the copy, or make one."""
    with open(copy / "broker" / path, "a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")


def test_contracts_hold() -> None:
    kept, output = lint(ROOT)
    assert kept, output
    assert " 0 broken." in output


def assert_broken(copy: Path, contract: str, *culprits: str) -> None:
    kept, output = lint(copy, "--contract", contract)
    assert not kept, output
    assert "0 kept, 1 broken." in output
    for culprit in culprits:
        assert culprit in output


def test_import_up_the_corridor_is_seen(copy: Path) -> None:
    plant(copy, "_wire/planted.py", "import broker._session")
    assert_broken(copy, "layers", "broker._wire.planted -> broker._session")


def test_module_outside_the_layers_is_seen(copy: Path) -> None:
    plant(copy, "stray.py", "")
    assert_broken(copy, "layers", "- broker.stray")


@pytest.mark.parametrize("layer", SANS_IO)
def test_io_in_the_core_is_seen(copy: Path, layer: str) -> None:
    is_package = (copy / "broker" / layer).is_dir()
    plant(copy, f"{layer}/planted.py" if is_package else f"{layer}.py", "import " + ", ".join(FORBIDDEN))
    importer = f"broker.{layer}.planted" if is_package else f"broker.{layer}"
    assert_broken(copy, "sans-io", *(f"{importer} -> {module}" for module in FORBIDDEN))


def test_import_of_the_front_door_is_seen(copy: Path) -> None:
    plant(copy, "_net/planted.py", "import broker")
    assert_broken(copy, "front-door", "broker._net.planted -> broker ")


@pytest.mark.parametrize("table", ["answers", "caches", "exports", "imports", "questions"])
def test_table_touched_from_outside_is_seen(copy: Path, table: str) -> None:
    plant(copy, "_objects/planted.py", f"import broker._session.{table}")
    assert_broken(copy, "tables", "broker._objects.planted")


@pytest.mark.parametrize(("knows", "known"), [("pb", "native"), ("native", "pb")])
def test_dialect_that_knows_the_other_is_seen(copy: Path, knows: str, known: str) -> None:
    plant(copy, f"_messages/{known}.py", "")
    plant(copy, f"_messages/{knows}.py", f"import broker._messages.{known}")
    assert_broken(copy, "dialects", f"broker._messages.{knows} -> broker._messages.{known}")


def test_circle_of_siblings_is_seen(copy: Path) -> None:
    plant(copy, "_wire/planted_here.py", "import broker._wire.planted_there")
    plant(copy, "_wire/planted_there.py", "import broker._wire.planted_here")
    assert_broken(copy, "circles", "No cycles are allowed in broker._wire", "planted_there")


def imported(tree: ast.AST) -> set[str]:
    """Return everything that is imported, anywhere in some code."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_circles_of_annotations_are_of_annotations_only() -> None:
    # The edges that the contract against circles ignores.
    ignored = {"_objects/*.py": "broker._objects.broker", "testing/leftovers.py": "broker.testing.pairs"}
    for pattern, module in ignored.items():
        for path in PACKAGE.glob(pattern):
            at_run_time = [node for node in parsed(path).body if not is_for_types(node)]
            names = {name for node in at_run_time for name in imported(node)}
            assert not [name for name in names if (name + ".").startswith(module + ".")], path.name


def is_for_types(node: ast.stmt) -> bool:
    """Say whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_product_code_does_not_import_spread(path: Path) -> None:
    assert not [name for name in imported(parsed(path)) if (name + ".").startswith("twisted.spread.")]


def test_imports_install_no_reactor_and_warn_of_nothing() -> None:
    names = [module_name(path) for path in MODULES if path.name != "__main__.py"]
    script = f"import sys\nfor name in {names!r}: __import__(name)\nprint('twisted.internet.reactor' in sys.modules)"
    result = subprocess.run([sys.executable, "-W", "error", "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "False\n"
