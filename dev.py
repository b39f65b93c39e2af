#!/usr/bin/env python3
"""Set up a virtual environment in .venv and run the demo, the tests, the docs or the benchmarks in it.

Needs nothing but Python 3.10 or later; `uv` makes it faster if it is there. Nothing outside the checkout is touched.
"""

# This file must still be readable by older Pythons, so that they can say what is missing.
import sys

if sys.version_info < (3, 10):  # noqa: UP036 - see above
    sys.exit("dev.py needs Python 3.10 or later; this is Python {}.{}.".format(*sys.version_info))

import argparse
import contextlib
import filecmp
import fnmatch
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
SUFFIX = ".exe" if os.name == "nt" else ""
PYTHON = BIN / ("python" + SUFFIX)
STAMP = VENV / "dev-stamp.json"
#: A copy of the checkout whose core is compiled, for the second run of the tests: the checkout itself stays as it is.
COMPILED = ROOT / "build" / "compiled"
#: What is tested once, since it reads the sources, or builds them itself.
ONCE = ("tests/docs", "tests/house", "tests/packaging")
#: The oldest pip that installs into another environment (`pip --python`).
PIP_WITH_PYTHON = (22, 3)

EPILOG = """\
examples:
  python3 dev.py demo               see a call between two processes
  python3 dev.py demo --serve       the same, and keep the server until Ctrl-C
  python3 dev.py test               everything that must hold: lint, layers, types, tests in both forms
  python3 dev.py test tests/wire -k prefix -x
                                    only pytest, with these arguments
  python3 dev.py test --compiled tests/wire
                                    the same with a compiled core, in a copy of the checkout
  python3 dev.py build              compile the core in the checkout; --pure removes what that made
  python3 dev.py bench --help       what the benchmarks can measure
"""


class Failed(Exception):
    """A step did not work; the text is for the user."""


# ------------------------------------------------------------------------------------------------------------- progress


def say(text: str = "") -> None:
    """Print a line at once, so that it keeps its place among the output of other processes."""
    print(text, flush=True)


def quiet_step(title: str, command: list[str], folder: Path = ROOT, **environment: str) -> None:
    """Run a command silently, showing how long it takes; its output is shown if it fails.

    :param folder: where to run it.
    :param environment: variables that it gets besides those of this process.
    """
    started = time.monotonic()
    live = sys.stdout.isatty()
    if not live:
        say("  " + title + " ...")
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        try:
            while True:
                if live:
                    print(f"\r  {title} ... {time.monotonic() - started:3.0f} s", end="", flush=True)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1)
                    break
        except BaseException:
            process.kill()
            process.wait()
            raise
        if live:
            say()
        if process.returncode != 0:
            output.seek(0)
            say(output.read().decode(errors="replace"))
            raise Failed(f"{title} failed: {' '.join(command)} exited with {process.returncode}")


def run(*command: str, folder: Path = ROOT, **environment: str) -> int:
    """Run a command, its output going straight to the terminal.

    Ctrl-C reaches the command as well; it is given the time to clean up.

    :param folder: where to run it; by default in the checkout.
    :param environment: variables that it gets besides those of this process.
    :returns: its exit code.
    """
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **environment})
    interrupted = False
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:
            interrupted = True
            continue
        if interrupted and code != 0:
            raise KeyboardInterrupt
        return code


# ---------------------------------------------------------------------------------------------------------- environment


def stamp_key() -> str:
    """Say what the environment was made from; another key means: install again."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("pyproject.toml", "setup.py"):
        path = ROOT / name
        digest.update(path.read_bytes() if path.exists() else b"-")
    return digest.hexdigest()


def read_stamp() -> dict:
    """Read what an earlier run left in the environment; empty if there is none."""
    try:
        return json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}


def outer_pip() -> bool:
    """Say whether the running Python has a pip that can install into another environment."""
    found = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True)
    version = re.match(r"pip (\d+)\.(\d+)", found.stdout)
    return version is not None and tuple(map(int, version.groups())) >= PIP_WITH_PYTHON


def has_module(name: str) -> bool:
    """Say whether the running Python can import a module of the standard library that a distributor may leave out."""
    return subprocess.run([sys.executable, "-c", f"import {name}"], capture_output=True).returncode == 0


def remove_old(stamp: dict) -> None:
    """Remove an environment that another Python made or that is broken; refuse one that is not ours."""
    if not VENV.exists() or (stamp.get("python") == sys.version and PYTHON.exists()):
        return
    if not stamp and (VENV / "pyvenv.cfg").exists() and PYTHON.exists():
        raise Failed(f"{VENV} exists and was not made by dev.py; move it away and run this again.")
    shutil.rmtree(VENV)


def choose_tools() -> tuple[list[str], list[str]]:
    """Choose the fastest way to make an environment and to install into it.

    :returns: the command that makes it, and the beginning of the command that installs.
    """
    uv = shutil.which("uv")
    if uv:
        return [uv, "venv", "--python", sys.executable, str(VENV)], [uv, "pip", "install", "--python", str(PYTHON)]
    if not has_module("venv"):
        raise Failed("this Python has no venv module; on Debian or Ubuntu: apt install python3-venv")
    if outer_pip():
        # Copying pip into the environment takes longer than everything else.
        make = [sys.executable, "-m", "venv", "--without-pip", str(VENV)]
        return make, [sys.executable, "-m", "pip", "--python", str(PYTHON), "install"]
    if not has_module("ensurepip"):
        raise Failed("this Python has neither pip nor ensurepip; on Debian or Ubuntu: apt install python3-venv")
    return [sys.executable, "-m", "venv", str(VENV)], [str(PYTHON), "-m", "pip", "install"]


def ensure_environment(*extras: str) -> None:
    """Make sure that .venv holds this checkout, editable, and the named extras of pyproject.toml."""
    stamp = read_stamp()
    key = stamp_key()
    have = set(stamp.get("extras", [])) if stamp.get("key") == key else set()
    if stamp.get("key") == key and PYTHON.exists() and have.issuperset(extras):
        return
    say("Setting up (once):")
    remove_old(stamp)
    make, install = choose_tools()
    if not PYTHON.exists():
        quiet_step("making .venv", make)
        # From here on a broken environment is known to be ours.
        STAMP.write_text(json.dumps({"python": sys.version}))
    wanted = sorted(have | set(extras) | set(stamp.get("extras", [])))
    target = "." + (f"[{','.join(wanted)}]" if wanted else "")
    # What is compiled does not follow the sources, so whoever works on them asks for it, by `build`.
    quiet_step(f"installing {target} with its dependencies", [*install, "--editable", target], BROKER_PURE="1")
    STAMP.write_text(json.dumps({"key": key, "python": sys.version, "extras": wanted}))
    say()


# ---------------------------------------------------------------------------------------------------------------- forms

#: Succeeds where the core is compiled from the sources that are there.
IS_COMPILED = "from broker import _about; raise SystemExit(_about.form() != 'compiled' or _about.stale())"
#: What is no part of the project but left by tools, besides everything whose name begins with a dot.
LEFT_BY_TOOLS = ("__pycache__", "_build", "_trial_temp*", "build", "dist", "*.egg-info", "*.py[cod]", "*.so")


def compiled_files() -> list[Path]:
    """Return what compiling left in the checkout."""
    patterns = ("broker_*__mypyc*.so", "broker_*__mypyc*.pyd", "broker/*/*.so", "broker/*/*.pyd")
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def has_compiler() -> bool:
    """Say whether C can be compiled for this Python; often its headers are not installed."""
    command = os.environ.get("CC") or sysconfig.get_config_var("CC")
    if not command:
        return True
    arguments = [*shlex.split(command), "-fsyntax-only", f"-I{sysconfig.get_paths()['include']}", "-x", "c", "-"]
    try:
        return subprocess.run(arguments, input=b"#include <Python.h>\n", capture_output=True).returncode == 0
    except OSError:
        return False


def compile_core(folder: Path) -> None:
    """Compile the core of a checkout, unless that was done and the sources are the same."""
    found = subprocess.run([str(PYTHON), "-c", IS_COMPILED], cwd=folder, capture_output=True)
    if found.returncode != 0:
        command = [str(PYTHON), "setup.py", "-q", "build_ext", "--inplace"]
        quiet_step("compiling the core", command, folder, BROKER_COMPILE="1", BROKER_PURE="")


def files_of(folder: Path) -> set[Path]:
    """Return the files of the project in a folder, relative to it."""
    found = set()
    for name in os.listdir(folder):
        path = folder / name
        if not name.startswith(".") and not any(fnmatch.fnmatch(name, pattern) for pattern in LEFT_BY_TOOLS):
            found |= {Path(name, inner) for inner in files_of(path)} if path.is_dir() else {Path(name)}
    return found


def mirror(target: Path) -> None:
    """Make a folder a copy of the checkout. What compiling left there stays; what has not changed is not touched."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = files_of(ROOT)
    for name in files_of(target) - wanted:
        (target / name).unlink()
    for name in wanted:
        if not (target / name).exists() or not filecmp.cmp(ROOT / name, target / name, shallow=False):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def build(arguments: argparse.Namespace) -> int:
    """Compile the core in the checkout, for measuring; what is compiled does not follow the sources."""
    if arguments.pure:
        for path in compiled_files():
            path.unlink()
        say("The core runs interpreted.")
        return 0
    ensure_environment("test")
    compile_core(ROOT)
    say("The core is compiled. After a change of the sources, run this again; `dev.py build --pure` undoes it.")
    return 0


# ---------------------------------------------------------------------------------------------------------------- tests


class Tally:
    """Counts what passed, failed and was skipped over all steps."""

    def __init__(self) -> None:
        self.passed = self.failed = self.skipped = 0
        self.broken: list[str] = []

    def add(self, name: str, passed: int, failed: int, skipped: int = 0) -> None:
        """Add the outcome of one step."""
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        if failed:
            self.broken.append(name)


CHECKS = {
    "lint": ["ruff", "check", "--output-format=concise", "."],
    "format": ["ruff", "format", "--check", "."],
    "layers": ["lint-imports", "--no-logo"],
    "types": ["mypy"],
}


def run_checks(tally: Tally) -> None:
    """Run everything that reads the code without running it; each check counts as one test."""
    for name, (tool, *arguments) in CHECKS.items():
        started = time.monotonic()
        say(f"== {name}: {tool} {' '.join(arguments)}")
        failed = run(str(BIN / (tool + SUFFIX)), *arguments) != 0
        tally.add(name, not failed, failed)
        say(f"== {name}: {'FAILED' if failed else 'ok'} in {time.monotonic() - started:.1f} s\n")


def in_form(form: str, folder: Path) -> dict[str, str]:
    """Return what makes tests, and the processes that they start, run a checkout in one form; empty for any form."""
    return {"BROKER_FORM": form, "PYTHONPATH": str(folder)} if form else {}


def run_pytest(tally: Tally, arguments: list[str], form: str = "", folder: Path = ROOT) -> None:
    """Run pytest and count what it reports.

    :param form: what the core must be for it, ``"pure"`` or ``"compiled"``.
    :param folder: the checkout to test.
    """
    started = time.monotonic()
    name = f"pytest, {form}" if form else "pytest"
    say(f"== {name}: {' '.join(arguments)}")
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "report.xml")
        command = [str(PYTHON), "-m", "pytest", f"--junitxml={report}", *arguments]
        code = run(*command, folder=folder, **in_form(form, folder))
        total = failed = skipped = 0
        if report.exists():
            for suite in ElementTree.parse(report).getroot().iter("testsuite"):
                total += int(suite.get("tests", 0))
                failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
                skipped += int(suite.get("skipped", 0))
    # A run that ends badly without a failed test (nothing collected, interrupted) has failed all the same.
    tally.add(name, max(total - failed - skipped, 0), failed or int(code != 0), skipped)
    say(f"== {name}: {'FAILED' if failed or code else 'ok'} in {time.monotonic() - started:.1f} s\n")


def run_trial(tally: Tally, form: str, folder: Path) -> None:
    """Run tests/trial, if it is there, in a process of its own and count what it reports."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "trial").glob("test_*.py"))
    if not files:
        return
    say(f"== trial, {form}: {' '.join(files)}")
    with tempfile.TemporaryDirectory() as outside:
        temporary = os.path.join(outside, "trial")
        command = [str(PYTHON), "-m", "twisted.trial", "--temp-directory", temporary, *files]
        variables = {**os.environ, **in_form(form, folder)}
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True, errors="replace"
        )
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if line.startswith(("PASSED", "FAILED")) else last
        code = process.wait()
    counts = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", last)}
    failed = sum(counts.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    passed = counts.get("successes", 0)
    tally.add(f"trial, {form}", passed, failed or int(code != 0 or not passed), counts.get("skips", 0))
    say()


def run_pure(tally: Tally) -> None:
    """Run all tests with an interpreted core."""
    folder = ROOT
    if compiled_files():
        say("The core is compiled in this checkout, so it is tested interpreted in a copy, build/pure.")
        mirror(folder := ROOT / "build" / "pure")
    run_pytest(tally, [], "pure", folder)
    run_trial(tally, "pure", folder)


def run_compiled(tally: Tally, arguments: list[str]) -> None:
    """Run all tests, or those named, with a compiled core, in a copy of the checkout."""
    say("== tests with a compiled core, in build/compiled")
    if not (has_compiler() or os.environ.get("CI") or arguments):
        say("NOT RUN: this machine has no C compiler, or no headers of this Python.\n")
        tally.add("compiled", 0, 0, 1)
        return
    mirror(COMPILED)
    try:
        compile_core(COMPILED)
    except Failed as problem:
        say(f"{problem}\n")
        tally.add("compiling", 0, 1)
        return
    run_pytest(tally, arguments or [f"--ignore={folder}" for folder in ONCE], "compiled", COMPILED)
    if not arguments:
        run_trial(tally, "compiled", COMPILED)


def run_both(tally: Tally) -> None:
    """Run all tests in both forms at the same time; those with a compiled core are reported at the end."""
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, str(ROOT / "dev.py"), "test", "--compiled"]
        other = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        try:
            run_pure(tally)
            say("== waiting for the tests with a compiled core")
            code = other.wait()
        except BaseException:
            other.terminate()
            other.wait()
            raise
        output.seek(0)
        text = output.read().decode(errors="replace")
    say(text)
    counts = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text, re.MULTILINE)
    passed, failed, skipped = map(int, counts[-1]) if counts else (0, 0, 0)
    tally.add("compiled", passed, failed or int(code != 0), skipped)


def test(arguments: argparse.Namespace) -> int:
    """Run all checks and tests, the tests in both forms; with arguments, only pytest, in the form that is there."""
    ensure_environment("test")
    started = time.monotonic()
    tally = Tally()
    if arguments.compiled:
        run_compiled(tally, arguments.rest)
    elif arguments.rest:
        run_pytest(tally, arguments.rest)
    else:
        run_checks(tally)
        run_both(tally)
    say(f"{time.monotonic() - started:.0f} s in all. " + (f"FAILED: {', '.join(tally.broken)}" if tally.broken else ""))
    say(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return int(tally.failed > 0)


# ------------------------------------------------------------------------------------------- demo, docs, bench and soak


def demo(arguments: argparse.Namespace) -> int:
    """Start a server, call it from another process, show what happens."""
    ensure_environment()
    return run(str(PYTHON), os.path.join("examples", "demo.py"), *(["--serve"] if arguments.serve else []))


def docs(arguments: argparse.Namespace) -> int:
    """Build the documentation into docs/_build/html; a warning is an error."""
    ensure_environment("docs")
    code = run(str(PYTHON), "-m", "sphinx", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    if code == 0:
        say(f"Open {ROOT / 'docs' / '_build' / 'html' / 'index.html'}")
    return code


def bench(arguments: argparse.Namespace) -> int:
    """Run the benchmarks."""
    ensure_environment("test")
    return run(str(PYTHON), "-m", "tests.benchmarks", *arguments.rest)


def soak(arguments: argparse.Namespace) -> int:
    """Make very many calls on one connection, and see that nothing is left."""
    ensure_environment("test")
    return run(str(PYTHON), "-m", "tests.benchmarks", "soak", *arguments.rest)


# ----------------------------------------------------------------------------------------------------------------- main


def parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    top = argparse.ArgumentParser(
        prog="dev.py", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    handed_on = {test: "pytest", bench: "benchmarks", soak: "soak"}
    for function in (demo, test, build, docs, bench, soak):
        text = str(function.__doc__)
        # What is handed on has its own --help, except that of pytest, which says nothing about us.
        own_help = function in (demo, test, build, docs)
        command = commands.add_parser(function.__name__, help=text, description=text, add_help=own_help, epilog=EPILOG)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
        command.set_defaults(run=function, takes=handed_on.get(function))
        if function is demo:
            command.add_argument("--serve", action="store_true", help="keep the server until Ctrl-C")
        if function is test:
            command.add_argument("--compiled", action="store_true", help="only the run with a compiled core")
        if function is build:
            command.add_argument("--pure", action="store_true", help="remove what compiling left")
    return top


def main() -> int:
    """Run the command named on the command line."""
    arguments, rest = parser().parse_known_args()
    if rest and not arguments.takes:
        parser().error(f"unrecognized arguments: {' '.join(rest)}")
    arguments.rest = rest
    try:
        return int(arguments.run(arguments))
    except Failed as problem:
        say(f"dev.py: {problem}")
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
