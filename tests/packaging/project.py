"""The project in a temporary folder: to be built there, installed from there, and broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

__all__ = ["ROOT", "Built", "Project", "Scratch"]

ROOT = Path(__file__).resolve().parents[2]
#: What a distribution is made of, and what makes it.
PARTS = ("broker", "twisted", "docs", "examples", "tests", ".ci", "dev.py", "setup.py", "pyproject.toml", "MANIFEST.in")
TEXTS = ("README.md", "LICENSE")
LEFT_OVERS = shutil.ignore_patterns("__pycache__", "_build", "*.so", "*.pyd", "dropin.cache", "_trial_temp*")
#: Calls a hook of the build backend, as pip and build do, but in this environment: tests shall not need a network.
HOOK = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


def environment(**changes: str) -> dict[str, str]:
    """Return the variables of this process without those that decide how broker is built or which one is found."""
    ours = ("BROKER_PURE", "BROKER_COMPILE", "BROKER_FORM", "PYTHONPATH", "CC")
    return {**{name: value for name, value in os.environ.items() if name not in ours}, **changes}


class Built:
    """What came of a build: the file, if there is one, and all that was printed."""

    def __init__(self, file: Path | None, output: str) -> None:
        self.file = file
        self.output = output


class Project:
    """The sources in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def copied(cls, folder: Path) -> Project:
        """Copy the project into a new folder, without what was built of it."""
        folder.mkdir()
        for name in PARTS:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=LEFT_OVERS)
            else:
                shutil.copy(ROOT / name, folder)
        for name in TEXTS:
            shutil.copy(ROOT / name, folder)
        return cls(folder)

    def build(self, kind: str, target: Path, **variables: str) -> Built:
        """Build a ``wheel``, an ``sdist`` or an ``editable`` into a folder."""
        target.mkdir(exist_ok=True)
        result = subprocess.run(
            [sys.executable, "-c", HOOK, f"build_{kind}", str(target)],
            cwd=self.folder,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=540,
        )
        lines = result.stdout.splitlines()
        return Built(target / lines[-1] if result.returncode == 0 else None, result.stdout)

    def append(self, path: str, text: str) -> None:
        """Append to a file."""
        with open(self.folder / path, "a", encoding="utf-8") as file:
            file.write(text)


class Scratch:
    """An environment of its own, with the dependencies of this one but not its broker."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
        self.bin = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = self.bin / "python"
        self.packages = Path(
            self.run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        )
        # A path entry, so that the .pth files there, of our own editable install for one, are not looked at.
        (self.packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
        self.fresh = self.files()

    def run(self, *command: str | Path, **variables: str) -> str:
        """Run a command, away from every checkout, and return what it prints."""
        result = subprocess.run(
            [str(part) for part in command],
            cwd=self.bin.parent,
            env=environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def pip(self, *arguments: str | Path) -> None:
        """Run pip, which never looks anything up."""
        self.run(self.python, "-m", "pip", "--disable-pip-version-check", *arguments)

    def install(self, file: Path | None) -> None:
        """Install a wheel."""
        assert file is not None
        self.pip("install", "--no-index", "--no-deps", file)

    def twistd(self, *arguments: str) -> str:
        """Run ``twistd`` and return what it prints."""
        return self.run(self.python, "-c", "from twisted.scripts.twistd import run; run()", *arguments)

    def files(self) -> set[str]:
        """Return everything that is installed, but for what Python and Twisted write down for themselves."""
        found = (path for top in (self.bin, self.packages) for path in top.rglob("*"))
        kept = {path.as_posix() for path in found if path.is_file() and path.suffix != ".pyc"}
        return {name for name in kept if not name.endswith("dropin.cache")}
