"""The plugin as its users run it: twistd and python -m twisted, from the checkout."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.processes import BROKER, ROOT, TWIST, TWISTD, run, serving

ANY_PORT = ["--listen", "tcp:0:interface=127.0.0.1"]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port at the loopback interface that somebody else listens at."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


@pytest.mark.parametrize("runner", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_serves_the_builtin_root_until_a_signal(runner: list[str]) -> None:
    with serving([*runner, "broker", *ANY_PORT]) as (server, endpoint):
        result = run([*BROKER, "call", endpoint, "echo", "hello"])
        assert (result.stdout, result.stderr, result.returncode) == ("hello\n", "", 0)
        code, said, errors = server.end(signal.SIGTERM)
    assert code in (0, -signal.SIGTERM)  # Twisted ends by the signal it got, where it can
    assert errors == ""
    assert not any("Traceback" in line for line in said)


def test_serves_a_root_of_the_current_directory_with_login(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        "import broker\n"
        "class Customer(broker.Avatar):\n"
        "    def __init__(self, avatarId, mind): self.name = avatarId\n"
        "    def perspective_name(self): return self.name\n"
    )
    (tmp_path / "passwords").write_text("alice:sesame\n")
    (tmp_path / "mine").write_text("sesame\n")
    login = ["--user", "alice", "--password-file", tmp_path / "mine"]
    arguments = ["broker", "--root", "shop:Customer", "--auth", "file:passwords", *ANY_PORT]
    with serving([*TWISTD, *arguments], cwd=tmp_path) as (_, endpoint):
        result = run([*BROKER, "call", endpoint, "name", *login])
        assert (result.stdout, result.stderr, result.returncode) == ("b'alice'\n", "", 0)
        (tmp_path / "mine").write_text("guess\n")
        result = run([*BROKER, "call", endpoint, "name", *login])
        assert (result.stdout, result.returncode) == ("", 1)
        assert result.stderr.startswith("broker call: login failed")


def test_says_when_it_keeps_to_this_machine() -> None:
    with serving([*TWISTD, "broker", "--listen", "tcp:0"]) as (server, endpoint):
        assert endpoint.startswith("tcp:127.0.0.1:")
        assert any("only this machine can connect; interface=0.0.0.0 opens it" in line for line in server.said)


@pytest.mark.parametrize("runner", [TWISTD, TWIST], ids=["twistd", "twist"])
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--colour"], "broker: option --colour not recognized (--help shows the options)\n"),
        (["--root", "no.such:Shop"], "broker: --root: cannot import 'no.such': "),
        (["--listen", "tpc:1"], "broker: cannot listen at 'tpc:1': "),
    ],
)
def test_wrong_options_give_one_line(runner: list[str], arguments: list[str], line: str) -> None:
    result = run([*runner, "broker", *arguments])
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert result.returncode == 1


@pytest.mark.parametrize("runner", [TWISTD, TWIST], ids=["twistd", "twist"])
def test_a_taken_port_gives_one_line(runner: list[str], taken_port: int, tmp_path: Path) -> None:
    arguments = ["broker", "--listen", f"tcp:{taken_port}:interface=127.0.0.1"]
    if runner is TWISTD:
        runner = [*runner[:-1], f"--pidfile={tmp_path}/pid"]
    result = run([*runner, *arguments])
    assert result.stderr == f"broker: cannot listen at 127.0.0.1:{taken_port}: Address already in use\n"
    assert "Traceback" not in result.stdout
    assert result.returncode == 1
    assert not (tmp_path / "pid").exists()


def test_help() -> None:
    result = run([*TWISTD, "broker", "--help"])
    assert result.returncode == 0
    assert "twistd -n broker --root shop.server:Shop" in result.stdout


def test_the_plugin_is_listed() -> None:
    assert "An object broker: serves objects to remote callers." in run([*TWISTD[:3], "--help"], cwd=ROOT).stdout
