"""Where the files of the project are, for the tests of the house."""

from __future__ import annotations

import ast
import shutil
import subprocess
from pathlib import Path

__all__ = ["MODULES", "PACKAGE", "ROOT", "module_name", "parsed", "tracked"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "broker"
MODULES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def tracked() -> list[Path]:
    """Return the files under version control; in an unpacked release, all of its text."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
        return [path for path in paths if path.is_file()]
    folders = [ROOT / name for name in ("broker", "docs", "examples", "tests", "twisted")]
    return [path for folder in folders for path in folder.rglob("*") if path.suffix in {".py", ".md", ".txt", ".json"}]
