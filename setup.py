"""Compiles the core of broker with mypyc where that is possible. Everything else is said in pyproject.toml.

Where it is not (no C compiler, no mypy), one line says so and what is installed runs interpreted: the same, but slower.
BROKER_PURE=1 does not try; BROKER_COMPILE=1 makes it an error.
"""

from __future__ import annotations

import os
import runpy
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / "broker"
ABOUT = runpy.run_path(str(PACKAGE / "_about.py"))
PURE = bool(os.environ.get("BROKER_PURE"))
REQUIRED = bool(os.environ.get("BROKER_COMPILE"))

#: Not the settings of the project: they name a plugin that is not there where packages are built. What else is imported
#: is not there either, and need not be known.
OPTIONS = ["--config-file=", "--follow-imports=silent", "--ignore-missing-imports"]


class NotCompiled(Exception):
    """The core cannot be compiled here; the text says why."""


def translate(folder: str) -> list[Extension]:
    """Have mypyc turn the core into C.

    :param folder: where to.
    """
    try:
        from mypyc.build import mypycify
    except ImportError as error:
        raise NotCompiled(f"mypy is not there ({error})") from None
    paths = [f"broker/{name.replace('.', '/')}.py" for name in ABOUT["core"](PACKAGE)]
    library = ABOUT["LIBRARY"] + ABOUT["source_digest"](PACKAGE)
    try:
        extensions: list[Extension] = mypycify(
            [*OPTIONS, *paths], opt_level="3", debug_level="0", target_dir=folder, group_name=library
        )
    except SystemExit as error:
        # That is how mypyc reports an error in types, after printing it.
        raise NotCompiled(f"mypyc does not accept the sources ({error})") from None
    for extension in extensions:
        # A warning of a compiler that nobody has tried is no reason to do without.
        extension.extra_compile_args = [flag for flag in extension.extra_compile_args if flag not in ("-Werror", "/WX")]
    return extensions


def remove_compiled(folder: Path) -> None:
    """Remove what an earlier build left of the core in a folder; it would be used, or shipped, beside the new one."""
    for suffix in EXTENSION_SUFFIXES:
        for path in [*folder.glob(f"{ABOUT['LIBRARY']}*{suffix}"), *folder.glob(f"broker/*/*{suffix}")]:
            path.unlink()


class Compile(build_ext):
    """Builds all extension modules or none: they share a library, so that one without the others is of no use."""

    def run(self) -> None:
        """Build, or say why not."""
        folders = [Path(self.build_lib), *([ROOT] if self.inplace else [])]
        for folder in folders:
            remove_compiled(folder)
        try:
            self._use(translate(self.build_temp))
            super().run()
        except Exception as error:
            # Of mypyc, setuptools or the compiler: whatever it is, the sources run without.
            if REQUIRED:
                raise
            for folder in folders:
                remove_compiled(folder)
            self._use([])
            reason = " ".join(str(error).split())[:300]
            print(f"broker: not compiled, so it will run interpreted, and slower: {type(error).__name__}: {reason}")

    def _use(self, extensions: list[Extension]) -> None:
        """Make these the extensions of the distribution."""
        self.distribution.ext_modules = extensions
        self.extensions = extensions
        # What finalizing makes of this, it does not accept the second time.
        self.swig_opts = None
        self.finalize_options()


class Wheel(bdist_wheel):
    """Names a wheel after what is in it: one that could not be compiled is for every machine."""

    def run(self) -> None:
        """Build before anything depends on whether there are extension modules."""
        if not self.skip_build:
            self.run_command("build")
            self.skip_build = True
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


setup(
    # Stands for all of them until they are known: most commands need not wait for mypyc.
    ext_modules=[] if PURE else [Extension("broker._core", sources=[])],
    cmdclass={"build_ext": Compile, "bdist_wheel": Wheel},
)
