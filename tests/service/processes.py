"""Running our programs as processes: servers that say where they serve, and commands that end by themselves."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import Thread
from types import TracebackType
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
#: Seconds after which a program that says or does nothing is a failed test; generous, the machine may be busy.
PATIENCE = 60
TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile="]
TWIST = [sys.executable, "-m", "twisted", "--log-format=text"]
BROKER = [sys.executable, "-m", "broker"]


def environment() -> dict[str, str]:
    """Return the environment of the programs: this checkout importable, output unbuffered."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


def run(
    arguments: Sequence[str | Path], cwd: Path = ROOT, input: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    return subprocess.run(
        [str(argument) for argument in arguments],
        cwd=cwd,
        env=environment(),
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Program:
    """A program that runs for a while.

    :ivar said: the lines of its standard output so far.
    """

    def __init__(self, arguments: Sequence[str | Path], cwd: Path = ROOT) -> None:
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            cwd=cwd,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self._errors: Queue[str] = Queue()
        assert self.process.stdout is not None and self.process.stderr is not None
        Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()
        Thread(target=lambda stream: self._errors.put(stream.read()), args=(self.process.stderr,), daemon=True).start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the match of the next line that a pattern is found in."""
        while True:
            line = self._lines.get(timeout=PATIENCE)
            if line is None:
                raise AssertionError(f"ended without {pattern!r}: {self.said}\n{self._errors.get(timeout=PATIENCE)}")
            self.said.append(line)
            match = re.search(pattern, line)
            if match is not None:
                return match

    def type(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def close_input(self) -> None:
        """End its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> tuple[int, list[str], str]:
        """Send a signal, wait for the end; return the exit code, all lines of output, and the errors."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
        return code, self.said, self._errors.get(timeout=PATIENCE)

    def __enter__(self) -> Program:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


@contextmanager
def serving(arguments: Sequence[str | Path], cwd: Path = ROOT) -> Iterator[tuple[Program, str]]:
    """Run a server for a while; gives it and the endpoint that it says it serves at."""
    with Program(arguments, cwd) as program:
        yield program, program.wait_for(r"serving at (\S+)")[1]
