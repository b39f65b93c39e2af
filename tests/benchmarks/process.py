"""A worker as the harness sees it: a child process, its core, its line, and its certain end."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
from time import monotonic
from types import TracebackType
from typing import Any

from tests.benchmarks.peers import load
from tests.benchmarks.sources import environment, folder

__all__ = ["Pair", "Worker", "WorkerError", "cores"]

#: Seconds that a worker has to start and connect.
STARTING = 30.0


class WorkerError(Exception):
    """A worker did not do what it was asked; the text says why."""


def cores() -> tuple[int | None, int | None]:
    """Return the cores of server and client, different ones where there are two."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (allowed[0], allowed[-1]) if allowed else (None, None)


class Worker:
    """One child process.

    :param side: `server` or `client`.
    :param peer: name of the peer.
    :param options: more options of `tests.benchmarks.worker`.
    """

    def __init__(self, side: str, peer: str, core: int | None, *options: str) -> None:
        self._errors = tempfile.TemporaryFile()
        self._rest = b""
        command = [sys.executable, "-m", "tests.benchmarks.worker", side, peer, *options]
        if core is not None:
            command += ["--core", str(core)]
        self._process = subprocess.Popen(
            command,
            cwd=folder(load(peer).pure),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
        )

    def send(self, /, **command: Any) -> None:
        """Give a command."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
        except BrokenPipeError:
            raise WorkerError(f"the worker is gone: {self._last_words()}") from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """Wait for the next answer.

        :raises WorkerError: there is an error in it, it took longer, or the worker ended.
        """
        assert self._process.stdout is not None
        deadline = monotonic() + seconds
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - monotonic()))
            data = os.read(self._process.stdout.fileno(), 1 << 20) if ready else None
            if data is None:
                raise WorkerError(f"no answer within {seconds:.0f} s")
            if not data:
                raise WorkerError(f"the worker ended: {self._last_words()}")
            self._rest += data
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(str(answer["error"]))
        return answer

    def ask(self, seconds: float, /, **command: Any) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.send(**command)
        return self.receive(seconds)

    def close(self) -> None:
        """End the process, by force if it does not end by itself, and free everything."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._errors.close()

    def _last_words(self) -> str:
        """Return the last line that it wrote to its standard error."""
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "it still runs"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self._process.returncode}"


class Pair:
    """The server and a client of one peer, as a context manager.

    :param trace: the side that counts the memory of its Python objects, which makes it slow; empty for none.
    :param watch: whether both measure the stages of what they do.
    """

    def __init__(self, peer: str, *, trace: str = "", watch: bool = False) -> None:
        self.peer = peer
        server_core, self._core = cores()
        self._workers: list[Worker] = []
        try:
            self.server = self._start("server", server_core, *["--trace"] * (trace == "server"), *["--watch"] * watch)
            where = self.server.receive(STARTING)
            self._where = ["--port", str(where["port"]), "--name", where["name"]]
            self.client = self.another(*["--trace"] * (trace == "client"), *["--watch"] * watch)
        except BaseException:
            self.close()
            raise

    def another(self, *options: str) -> Worker:
        """Start one more client."""
        client = self._start("client", self._core, *self._where, *options)
        client.receive(STARTING)
        return client

    def _start(self, side: str, core: int | None, *options: str) -> Worker:
        worker = Worker(side, self.peer, core, *options)
        self._workers.append(worker)
        return worker

    def close(self) -> None:
        """End all of them, the clients first."""
        while self._workers:
            self._workers.pop().close()

    def __enter__(self) -> Pair:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
