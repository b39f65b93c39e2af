"""Every way to build and to install: compiled, interpreted by choice, interpreted for want of a compiler, editable."""

from __future__ import annotations

import re
import sys
import tarfile
import zipfile
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import pytest
import setuptools

from broker import _about
from tests.packaging.project import Built, Project, Scratch

OLDEST = 77
pytestmark = [
    pytest.mark.skipif(int(setuptools.__version__.split(".")[0]) < OLDEST, reason="setuptools is older than we need"),
    pytest.mark.skipif(find_spec("ensurepip") is None, reason="this Python has no ensurepip"),
]
VERSION = r"broker \S+ \({form}, Python \S+, Twisted \S+\)\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def project(folder: Path) -> Project:
    """The project as it is."""
    return Project.copied(folder / "project")


@pytest.fixture(scope="module")
def scratch(folder: Path) -> Scratch:
    """An environment to install into; whoever does also uninstalls."""
    return Scratch(folder / "scratch")


@pytest.fixture(scope="module")
def sdist(project: Project, folder: Path) -> Built:
    return project.build("sdist", folder / "sdist")


@pytest.fixture(scope="module")
def released(sdist: Built, folder: Path) -> Project:
    """The project as it is unpacked from a source distribution."""
    assert sdist.file is not None, sdist.output
    with tarfile.open(sdist.file) as archive:
        archive.extractall(folder / "unpacked", **({"filter": "data"} if sys.version_info >= (3, 12) else {}))
    (top,) = (folder / "unpacked").iterdir()
    return Project(top)


@pytest.fixture(scope="module")
def compiled(released: Project, folder: Path) -> Built:
    """A compiled wheel, as it is built from a source distribution."""
    return released.build("wheel", folder / "compiled", BROKER_COMPILE="1")


def names(built: Built) -> list[str]:
    """Return what is in a wheel."""
    assert built.file is not None, built.output
    with zipfile.ZipFile(built.file) as archive:
        return archive.namelist()


def extensions(built: Built) -> set[str]:
    """Return the extension modules in a wheel, by dotted name."""
    suffix = EXTENSION_SUFFIXES[0]
    return {name.removesuffix(suffix).replace("/", ".") for name in names(built) if name.endswith(suffix)}


def assert_works(scratch: Scratch, built: Built, form: str) -> None:
    """Install a wheel, see that what it brought works, and uninstall it."""
    scratch.install(built.file)
    try:
        assert re.fullmatch(VERSION.format(form=form), scratch.run(scratch.bin / "broker", "--version"))
        assert re.search(r"^ +broker +\S", scratch.twistd("--help"), re.MULTILINE)
        about = "from broker import _about; print(_about.form(), _about.stale(), len(_about.compiled_modules()))"
        count = len(_about.core()) if form == "compiled" else 0
        assert scratch.run(scratch.python, "-c", about) == f"{form} False {count}\n"
    finally:
        scratch.pip("uninstall", "-y", "broker")
    assert scratch.files() == scratch.fresh


def test_source_distribution(sdist: Built) -> None:
    assert sdist.file is not None, sdist.output
    with tarfile.open(sdist.file) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"setup.py", "pyproject.toml", "dev.py", "README.md", "LICENSE"}
    wanted |= {"twisted/plugins/broker_service.py", "twisted/plugins/broker_reactor.py"}
    wanted |= {f"broker/{name.replace('.', '/')}.py" for name in (*_about.core(), *_about.INTERPRETED)}
    assert wanted <= inside
    # Nothing was compiled for it, nor translated.
    assert not [name for name in inside if name.endswith((".so", ".pyd", ".c", ".pyc"))]
    assert "mypyc" not in sdist.output


def test_compiled_wheel(compiled: Built, scratch: Scratch) -> None:
    found = extensions(compiled)
    modules = {name for name in found if name.startswith("broker.")}
    assert modules == {f"broker.{name}" for name in _about.core()}
    (library,) = found - modules
    assert library == f"{_about.LIBRARY}{_about.source_digest()}__mypyc"
    inside = names(compiled)
    assert {f"{name.replace('.', '/')}.py" for name in modules} <= set(inside)
    assert not [name for name in inside if name.endswith((".c", ".h", ".pyc")) or name.startswith(("tests", "build"))]
    assert compiled.file is not None
    assert f"-cp{sys.version_info[0]}{sys.version_info[1]}-" in compiled.file.name
    assert_works(scratch, compiled, "compiled")


def test_pure_wheel(project: Project, folder: Path, scratch: Scratch) -> None:
    built = project.build("wheel", folder / "pure", BROKER_PURE="1")
    assert built.file is not None, built.output
    assert built.file.name.endswith("-py3-none-any.whl")
    assert not extensions(built)
    assert_works(scratch, built, "pure")


def test_without_compiler(project: Project, folder: Path, scratch: Scratch) -> None:
    built = project.build("wheel", folder / "without", CC="/bin/false")
    assert built.file is not None, built.output
    assert built.file.name.endswith("-py3-none-any.whl")
    assert len(re.findall(r"^broker: not compiled, .*$", built.output, re.MULTILINE)) == 1
    assert not extensions(built)
    assert_works(scratch, built, "pure")


def test_error_of_mypyc(folder: Path) -> None:
    """An install gets over it; whoever asks for compiled code does not."""
    broken = Project.copied(folder / "broken")
    broken.append("broker/_wire/banana.py", "\n_PLANTED: int = 'no number'\n")
    built = broken.build("wheel", folder / "fallen back")
    assert built.file is not None, built.output
    assert len(re.findall(r"^broker: not compiled, .*$", built.output, re.MULTILINE)) == 1
    assert "Incompatible types in assignment" in built.output
    assert not extensions(built)
    assert broken.build("wheel", folder / "refused", BROKER_COMPILE="1").file is None


def test_a_fallback_ships_nothing_of_an_earlier_build(folder: Path, compiled: Built, released: Project) -> None:
    # Left by the build of the wheel.
    assert list((released.folder / "build").glob("lib*/broker/*/*" + EXTENSION_SUFFIXES[0]))
    built = released.build("wheel", folder / "second", CC="/bin/false")
    assert not extensions(built)


def test_editable_install(project: Project, folder: Path, scratch: Scratch) -> None:
    built = project.build("editable", folder / "editable", BROKER_PURE="1")
    scratch.install(built.file)
    try:
        assert re.fullmatch(VERSION.format(form="pure"), scratch.run(scratch.bin / "broker", "--version"))
        assert re.search(r"^ +broker +\S", scratch.twistd("--help"), re.MULTILINE)
        where = scratch.run(scratch.python, "-c", "import broker; print(broker.__file__)")
        assert Path(where.strip()) == project.folder / "broker" / "__init__.py"
    finally:
        scratch.pip("uninstall", "-y", "broker")
    assert scratch.files() == scratch.fresh


def test_stale_code_is_noticed(compiled: Built, folder: Path, scratch: Scratch) -> None:
    """As after an editable install: the compiled modules lie beside the sources, and these change."""
    checkout = Project(folder / "checkout")
    assert compiled.file is not None
    with zipfile.ZipFile(compiled.file) as archive:
        archive.extractall(checkout.folder)
    stale = "from broker import _about; print(_about.form(), _about.stale())"
    run = (scratch.python, "-c", stale)
    assert scratch.run(*run, PYTHONPATH=str(checkout.folder)) == "compiled False\n"
    checkout.append("broker/_limits.py", "# Changed.\n")
    assert scratch.run(*run, PYTHONPATH=str(checkout.folder)) == "compiled True\n"
