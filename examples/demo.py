"""A server process and a client process on this machine, step by step.

``twistd`` runs the server, as it would in earnest; ``broker call`` is the client. Run it in an environment that has
broker installed (``python3 dev.py demo`` makes one).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

BIN = Path(sys.executable).parent
#: Seconds that the server may take to listen and to stop, and one call to be answered.
PATIENCE = 60.0
#: What the demo calls, and what its output must contain.
CALLS = [
    (["version"], "broker"),
    (["echo", '{"ducks": ["Huey", "Dewey", "Louie"], "pond": None}'], "Dewey"),
]


class DemoFailed(Exception):
    """A step did not work; the text is for the user."""


def say(text: str = "") -> None:
    """Print a line at once, so that it keeps its place among the output of other processes."""
    print(text, flush=True)


def show(command: list[str]) -> None:
    """Print a command as a person would type it."""
    program = os.path.relpath(command[0])
    say("   $ " + shlex.join([program if len(program) < len(command[0]) else command[0], *command[1:]]))


def free_endpoint(folder: str) -> str:
    """Choose where the server listens: a Unix socket in a fresh folder, or a free port where there are none."""
    if hasattr(socket, "AF_UNIX") and os.name != "nt":
        return f"unix:{folder}/broker"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp:127.0.0.1:{probe.getsockname()[1]}"


def to_listen(endpoint: str) -> str:
    """Return the server's description of a client's endpoint."""
    kind, *where = endpoint.split(":")
    return endpoint if kind == "unix" else f"tcp:{where[1]}:interface={where[0]}"


def is_listening(endpoint: str) -> bool:
    """Say whether a connection to the endpoint is accepted."""
    kind, *where = endpoint.split(":")
    if kind == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(where[0]) == 0
    with socket.socket() as probe:
        return probe.connect_ex((where[0], int(where[1]))) == 0


def wait_until_listening(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Return once the server accepts connections.

    :raises DemoFailed: if it ends, or does not listen in time; with what it logged.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_listening(endpoint):
        if server.poll() is not None:
            raise DemoFailed(f"the server ended with {server.returncode}:\n{log.read_text(errors='replace')}")
        if time.monotonic() > deadline:
            raise DemoFailed(f"the server did not listen within {PATIENCE:.0f} s:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)


@contextlib.contextmanager
def serving(command: list[str], endpoint: str, folder: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the server for the duration of a block, and stop it afterwards.

    :raises DemoFailed: if it cannot be started or stopped.
    """
    log = Path(folder, "server.log")
    with open(log, "wb") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        wait_until_listening(server, endpoint, log)
        yield server
    finally:
        if server.poll() is None:
            server.terminate()
        try:
            server.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise DemoFailed("the server did not stop when asked to, and was killed") from None
    # Newer versions of Twisted end by the signal that stopped them.
    if os.name != "nt" and server.returncode not in (0, -signal.SIGTERM, -signal.SIGINT):
        raise DemoFailed(f"the server ended with {server.returncode}:\n{log.read_text(errors='replace')}")


def call(endpoint: str, words: list[str], expected: str) -> None:
    """Call a method of the served object from a process of its own, and show the result.

    :raises DemoFailed: if the client reports an error, or the result is not what it should be.
    """
    command = [str(BIN / "broker"), "call", endpoint, *words]
    show(command)
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    for line in result.stdout.splitlines():
        say(f"   {line}")
    if result.returncode != 0:
        raise DemoFailed(f"the call exited with {result.returncode}:\n{result.stderr}")
    if expected not in result.stdout:
        raise DemoFailed(f"the result should contain {expected!r}")


def demo(keep: bool) -> None:
    """Serve, call, stop."""
    with tempfile.TemporaryDirectory(prefix="broker-") as folder:
        endpoint = free_endpoint(folder)
        command = [str(BIN / "twistd"), "--nodaemon", "--pidfile=", "broker", "--listen", to_listen(endpoint)]
        say("1. A server process, with a small object that answers simple questions:")
        show(command)
        with serving(command, endpoint, folder) as server:
            say(f"   process {server.pid} is listening")
            say("2. Client processes connect, get a reference to the object, and call its methods:")
            for words, expected in CALLS:
                call(endpoint, words, expected)
            if keep:
                with contextlib.suppress(KeyboardInterrupt):
                    say(f"   Now call {endpoint} yourself; Ctrl-C stops the server.")
                    server.wait()
        say("3. The server was asked to stop, and did.")


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="keep the server until Ctrl-C, to call it yourself")
    keep = parser.parse_args().serve
    started = time.monotonic()
    try:
        demo(keep)
    except DemoFailed as problem:
        say(f"demo: {problem}")
        return 1
    say(f"All of this took {time.monotonic() - started:.1f} s.")
    if not keep:
        say("To keep the server and call it yourself: python3 dev.py demo --serve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
