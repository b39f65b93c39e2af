"""The code on the pages of docs/: found, and run as the page says.

A page is read from top to bottom. Its fenced blocks mean:

- Python with a caption: a file of that name; a later one of the same name takes its place. Other languages likewise.
- Python without a caption: run in this process, all of the page in one namespace. A block of plain text behind it is
  what it prints.
- pycon: a session at a Python prompt, typed into a Python of its own; all such blocks without others between them are
  one session.
- console, caption "first terminal": a command after ``$`` is a server that is started, and what it says until it is
  ready. Without ``$``: what the server says next.
- console with another caption or none: commands after ``$`` that end by themselves, and what they print.

In what is printed, ``...`` in a line stands for anything in that line, and alone in a line for any lines.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.service.processes import BROKER, PATIENCE, ROOT, TWISTD, Program, environment

DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(?:\{code-block\} )?([a-z]+)\n(?::caption: ([^\n]*)\n\n)?(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What a log line of Twisted's begins with.
STAMP = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+[+-]\d{4} \[[^\]]*\] ")
#: The port of the pages. Here servers get a free one, and clients that one.
PORT = "8787"
SERVER = "first terminal"
#: Types a session at a prompt, and compares what is shown.
SESSION = """
import doctest, sys
page = sys.argv[1]
test = doctest.DocTestParser().get_doctest(sys.stdin.read(), {"__name__": "__main__"}, page, page, 0)
failed = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed
sys.exit(failed > 0)
"""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    language: str
    caption: str | None
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = [Block(match[1], match[2], match[3], text[: match.start(3)].count("\n")) for match in FENCE.finditer(text)]
    assert len(found) == len(re.findall(r"^```$", text, re.MULTILINE)), "a block that is not understood"
    return found


def pattern(expected: str) -> str:
    """Return a regular expression for what a page says is printed."""
    lines = []
    for line in expected.splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n")
    return "".join(lines)


def commands(text: str) -> Iterator[tuple[str | None, str]]:
    """Return the commands of a console block, and what is printed below each."""
    command: str | None = None
    printed: list[str] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            if command is not None or printed:
                yield command, "\n".join(printed)
            command, printed = line[2:], []
        elif command is not None and command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            printed.append(line)
    yield command, "\n".join(printed)


class Terminals:
    """The two terminals in which somebody types along with a page, in a folder of their own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.port: str | None = None
        self._files: dict[str, str] = {}
        self._server: Program | None = None
        self._stack = stack
        self._namespace: dict[str, Any] = {"__name__": "page"}

    def file(self, name: str, text: str) -> None:
        """Take a file of the page."""
        self._files[name] = text

    def _write(self, port: str) -> None:
        for name, text in self._files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace(PORT, port))

    def start(self, command: str, expected: str) -> None:
        """Start a server in place of the one before, and wait until it has said what the page says."""
        self.stop()
        self._write("0")
        words = shlex.split(command.replace(PORT, "0"))
        arguments = {"python": [sys.executable], "broker": BROKER, "twistd": TWISTD}[words[0]] + words[1:]
        if words[0] == "twistd":
            # TWISTD has it already.
            arguments.remove("-n")
        if words[:2] == ["broker", "serve"] and "--listen" not in words:
            arguments += ["--listen", "tcp:0:interface=127.0.0.1"]
        self._server = self._stack.enter_context(Program(arguments, self.folder))
        self.port = None
        self.hear(expected)

    def hear(self, expected: str) -> None:
        """Wait until the server has said the lines that the page says."""
        assert self._server is not None
        for line in expected.splitlines():
            if line.strip() == "...":
                continue
            wanted = ".*".join(re.escape(part) for part in line.strip().split("..."))
            port = self.port or r"(\d+)"
            match = self._server.wait_for(rf"(?:^\s*|\] ){wanted.replace(PORT, port)}$")
            if self.port is None and PORT in line:
                self.port = match[1]

    def stop(self) -> None:
        """End the server, if there is one."""
        server, self._server = self._server, None
        if server is not None:
            code, _, errors = server.end(signal.SIGINT)
            assert code in (0, 130, -signal.SIGINT), errors

    def type(self, command: str, expected: str) -> None:
        """Run a command to its end and compare what it prints with the page."""
        port = self.port or PORT
        self._write(port)
        bin = self.folder / ".bin"
        if not bin.exists():
            self._make_programs(bin)
        environ = {**environment(), "PATH": f"{bin}{os.pathsep}{os.environ['PATH']}"}
        result = subprocess.run(
            command.replace(PORT, port),
            shell=True,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        printed = result.stdout.replace(port, PORT)
        lines = "".join(STAMP.sub("", line).rstrip() + "\n" for line in printed.splitlines())
        assert re.fullmatch(pattern(expected), lines), f"$ {command}\n{printed}\n--- the page says:\n{expected}"

    def _make_programs(self, folder: Path) -> None:
        """Make the commands of the page those of this checkout and this Python."""
        folder.mkdir()
        programs = {
            "python": [sys.executable],
            "broker": BROKER,
            "twistd": TWISTD[:3],
            "pytest": [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "broker.testing.pytest_plugin"],
        }
        for name, words in programs.items():
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
            script.chmod(0o755)

    def session(self, session: list[Block], page: Path) -> None:
        """Type what blocks of a session have behind their prompts, and compare what is shown with the rest."""
        self._write(self.port or PORT)
        text = ""
        for block in session:
            text += "\n" * (block.line - text.count("\n")) + block.text
        result = subprocess.run(
            [sys.executable, "-W", "error", "-c", SESSION, page.name],
            cwd=self.folder,
            env=environment(),
            input=text.replace(PORT, self.port or PORT),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert result.returncode == 0, result.stdout + result.stderr

    def run(self, block: Block, page: Path, expected: str | None) -> None:
        """Run a block of Python here."""
        printed = StringIO()
        with redirect_stdout(printed):
            # As it stands there, without the __future__ of this file.
            code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
            exec(code, self._namespace)
        if expected is not None:
            assert re.fullmatch(pattern(expected), printed.getvalue()), f"line {block.line}: {printed.getvalue()}"


def follow(page: Path, folder: Path) -> int:
    """Do what a page says, and compare what happens; return how many blocks there were."""
    found = blocks(page)
    with ExitStack() as stack:
        terminals = Terminals(folder, stack)
        for index, block in enumerate(found):
            if block.language == "pycon":
                if index == 0 or found[index - 1].language != "pycon":
                    session = list(takewhile(lambda one: one.language == "pycon", found[index:]))
                    terminals.session(session, page)
            elif block.language == "console":
                for command, expected in commands(block.text):
                    if block.caption != SERVER:
                        assert command is not None
                        terminals.type(command, expected)
                    elif command is None:
                        terminals.hear(expected)
                    else:
                        terminals.start(command, expected)
            elif block.caption is not None:
                terminals.file(block.caption, block.text)
            elif block.language == "python":
                after = found[index + 1] if index + 1 < len(found) else None
                printed = after.text if after and after.language == "text" and after.caption is None else None
                terminals.run(block, page, printed)
        terminals.stop()
    return len(found)
