"""The commands, against a server of their own."""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from broker._cli.call import shown, value
from tests.service.processes import BROKER, ROOT, Program, run, serving

SERVE = [*BROKER, "serve", "--listen", "tcp:0:interface=127.0.0.1"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with serving(SERVE) as (_, where):
        yield where


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word, as HTTP servers do."""
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        yield somebody.getsockname()[1]


def call(endpoint: str, *arguments: str) -> tuple[str, str, int]:
    result = run([*BROKER, "call", endpoint, *arguments])
    return result.stdout, result.stderr, result.returncode


@pytest.mark.parametrize(
    ("text", "meant"),
    [("5", 5), ("-5", -5), ("hello", "hello"), ("'5'", "5"), ("[1, None]", [1, None]), ("b'x'", b"x"), ("1 +", "1 +")],
)
def test_arguments(text: str, meant: object) -> None:
    assert value(text) == meant
    assert type(value(text)) is type(meant)


def test_results_are_readable() -> None:
    assert shown("two\nlines") == "two\nlines"
    assert shown("a terminal's \x1b[2J") == repr("a terminal's \x1b[2J")
    assert shown(None) == "None"
    assert shown({"b": 1, "a": ["x" * 50, "y" * 50]}).count("\n") > 0


@pytest.mark.parametrize(
    ("arguments", "output"),
    [
        (["echo", "hello"], "hello\n"),
        (["echo", "-5"], "-5\n"),
        (["echo", '{"b": [1, 2.5], "a": None}'], "{'b': [1, 2.5], 'a': None}\n"),
        (["echo", "--kw", "value=(1, b'x')"], "(1, b'x')\n"),
        (["--timeout", "60", "echo", "--", "--timeout"], "--timeout\n"),
        (["sleep", "0"], "None\n"),
    ],
)
def test_call(endpoint: str, arguments: list[str], output: str) -> None:
    assert call(endpoint, *arguments) == (output, "", 0)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["sing"], "broker call: the server has no such method: remote_sing\n"),
        (["sleep", "-1"], "broker call: the server raised .*: sleep takes 0 to 60 seconds, not -1\n"),
        (["echo", "1", "2"], "broker call: the server raised TypeError: .*\n"),
        (
            ["sleep", "50", "--timeout", "0.2"],
            r"broker call: no answer from tcp:\S+ in time: no answer within 0\.2 seconds\n",
        ),
        (["ping", "--anonymous"], "broker call: the server has no such method: remote_loginAnonymous\n"),
    ],
)
def test_calls_that_fail(endpoint: str, arguments: list[str], line: str) -> None:
    output, errors, code = call(endpoint, *arguments)
    assert re.fullmatch(line, errors), errors
    assert (output, code) == ("", 1)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as soon_closed:
        where = f"tcp:127.0.0.1:{soon_closed.getsockname()[1]}"
    assert call(where, "ping") == ("", f"broker call: nobody listens at {where}\n", 1)


def test_no_such_host() -> None:
    where = "tcp:no-such-host.invalid:8787"
    assert call(where, "ping") == ("", f"broker call: no such host: {where}\n", 1)


def test_no_endpoint() -> None:
    output, errors, code = call("tpc:localhost:1", "ping")
    assert errors.startswith("broker call: 'tpc:localhost:1' is no endpoint to connect to: ")
    assert (output, errors.count("\n"), code) == ("", 1, 1)


def test_a_server_that_waits_for_the_client_to_speak(silent_port: int) -> None:
    where = f"tcp:127.0.0.1:{silent_port}"
    line = f"broker call: no answer from {where} in time; is it a PB server?\n"
    assert call(where, "ping", "--timeout", "0.3") == ("", line, 1)


@pytest.mark.parametrize("verbose", [False, True])
def test_a_server_of_another_protocol(verbose: bool) -> None:
    """The log, which tells more, is shown on demand."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"tcp:127.0.0.1:{other.getsockname()[1]}"
        with Program([*BROKER, "call", where, "ping", *["--verbose"] * verbose]) as client:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"220 mail.example.org ready, and glad to hear from you at long last\r\n")
                code, output, errors = client.end(None)
    told = [line for line in errors.splitlines() if line.startswith(f"broker call: {where} does not speak PB: ")]
    log = [line for line in errors.splitlines() if line not in told]
    assert len(told) == 1
    assert any("closing the connection" in line for line in log) == bool(log) == verbose
    assert (code, output) == (1, [])


def test_ctrl_c_is_quiet(silent_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with Program([*BROKER, "call", f"tcp:127.0.0.1:{other.getsockname()[1]}", "ping"]) as client:
            connection, _ = other.accept()
            with connection:
                assert client.end(signal.SIGINT) == (130, [], "")


def test_ping(endpoint: str) -> None:
    result = run([*BROKER, "ping", endpoint, "-c", "3", "-i", "0.001"])
    lines = result.stdout.splitlines()
    assert lines[0] == f"{endpoint} speaks broker/1"
    assert [line.partition(":")[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert re.fullmatch(r"3 round trips, min/avg/max = [\d.]+/[\d.]+/[\d.]+ ms", lines[4])
    assert (len(lines), result.stderr, result.returncode) == (5, "", 0)


@pytest.mark.parametrize(
    ("options", "dialect"),
    [
        (["--prefer", "pb"], "pb"),
        (["--prefer", "broker/1"], "broker/1"),
        (["--require", "pb"], "pb"),
        (["--require", "broker/1", "--prefer", "broker/1"], "broker/1"),
    ],
)
def test_the_dialect_can_be_chosen(endpoint: str, options: list[str], dialect: str) -> None:
    result = run([*BROKER, "ping", endpoint, "-c", "1", *options])
    assert result.stdout.startswith(f"{endpoint} speaks {dialect}\n1: ")
    assert (result.stderr, result.returncode) == ("", 0)


@pytest.mark.parametrize(("theirs", "ours"), [("pb", "broker/1"), ("broker/1", "pb")])
def test_no_dialect_in_common(theirs: str, ours: str) -> None:
    with serving([*SERVE, "--require", theirs]) as (_, where):
        output, errors, code = call(where, "echo", "hello", "--require", ours)
        told = f"broker call: {where} cannot be spoken with: the peer offers no dialect that we speak here ({ours}"
        assert errors.startswith(told) and errors.count("\n") == 1
        assert (output, code) == ("", 1)
        assert call(where, "echo", "hello") == ("hello\n", "", 0)


SLOW = """
    import broker
    from twisted.internet import reactor
    from twisted.internet.defer import CancelledError, Deferred

    class Slow(broker.Root):
        def remote_cancelled(self):
            return Deferred().addErrback(lambda failure: print(failure.type.__name__, flush=True))

        def remote_shutdown(self):
            waiting = Deferred()
            reactor.addSystemEventTrigger(
                "before", "shutdown", lambda: reactor.callLater(0.05, waiting.callback, "finished")
            )
            print("begun", flush=True)
            return waiting

        def remote_never(self):
            print("begun", flush=True)
            return Deferred()
    """


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A folder with a module of methods that take their time."""
    (tmp_path / "slow.py").write_text(dedent(SLOW))
    return tmp_path


def test_a_call_that_takes_too_long_is_stopped_at_the_server(slow: Path) -> None:
    with serving([*SERVE, "--root", "slow:Slow"], cwd=slow) as (server, where):
        assert call(where, "cancelled", "--timeout", "0.2")[2] == 1
        server.wait_for("^CancelledError$")


def test_ctrl_c_stops_a_call_at_the_server(slow: Path) -> None:
    with serving([*SERVE, "--root", "slow:Slow"], cwd=slow) as (server, where):
        with Program([*BROKER, "call", where, "never"]) as client:
            server.wait_for("^begun$")
            assert client.end(signal.SIGINT)[0] == 130
        # Only a call that is not in flight any more lets it end at once.
        assert server.end(signal.SIGINT)[0] == 130


def test_calls_in_flight_are_finished_when_the_server_stops(slow: Path) -> None:
    with serving([*SERVE, "--root", "slow:Slow"], cwd=slow) as (server, where):
        with Program([*BROKER, "call", where, "shutdown"]) as client:
            server.wait_for("^begun$")
            assert server.end(signal.SIGINT)[0] == 130
            assert client.end(None) == (0, ["finished"], "")


def test_but_not_for_ever(slow: Path) -> None:
    with serving([*SERVE, "--root", "slow:Slow", "--grace", "0.1"], cwd=slow) as (server, where):
        with Program([*BROKER, "call", where, "never"]) as client:
            server.wait_for("^begun$")
            assert server.end(signal.SIGINT)[0] == 130
            code, said, errors = client.end(None)
    assert (code, said) == (1, [])
    assert errors.startswith(f"broker call: the connection to {where} was lost: ") and errors.count("\n") == 1


def test_ping_needs_no_method_of_that_name() -> None:
    with serving([sys.executable, ROOT / "examples" / "echo_server.py", "tcp:0"]) as (_, where):
        result = run([*BROKER, "ping", where, "-c", "1"])
    assert result.stdout.splitlines()[-1].startswith("1 round trip, ")
    assert (result.stderr, result.returncode) == ("", 0)


def test_a_second_ctrl_c_ends_a_cleanup_that_hangs() -> None:
    program = """
        from twisted.internet.defer import CancelledError, Deferred
        from broker._cli.run import run
        async def work(reactor):
            print("working")
            try:
                await Deferred()
            except CancelledError:
                print("cleaning up")
                await Deferred()
        run(work)
        """
    with Program([sys.executable, "-c", dedent(program)]) as stubborn:
        stubborn.wait_for("^working$")
        stubborn.process.send_signal(signal.SIGINT)
        stubborn.wait_for("^cleaning up$")
        assert stubborn.end(signal.SIGINT)[0] == -signal.SIGINT


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["call"], "the following arguments are required: ENDPOINT, METHOD"),
        (["call", "tcp:x:1", "echo", "--kw", "oops"], "'oops' is not of the form name=value"),
        (["call", "tcp:x:1", "echo", "--timeout", "never"], "'never' is no positive number of seconds"),
        (["call", "tcp:x:1", "echo", "--password-file", "x"], "--password-file needs --user"),
        (["call", "tcp:x:1", "echo", "--user", "x", "--anonymous"], "--user and --anonymous exclude each other"),
        (["ping", "tcp:x:1", "-c", "0"], "'0' is no positive whole number"),
        (["call", "tcp:x:1", "echo", "--prefer", "jelly"], "argument --prefer: invalid choice: 'jelly'"),
        (["ping", "tcp:x:1", "--require", "none"], "argument --require: invalid choice: 'none'"),
        (
            ["call", "tcp:x:1", "echo", "--prefer", "pb", "--require", "broker/1"],
            "--prefer pb and --require broker/1 exclude each other",
        ),
        (["serve", "--root", "shop"], "broker serve: --root: 'shop' names no root object"),
        (["serve", "--require", "jelly"], "there is no dialect 'jelly'; there are broker/1 and pb"),
    ],
)
def test_wrong_usage(arguments: list[str], reason: str) -> None:
    result = run([*BROKER, *arguments])
    assert reason in result.stderr.splitlines()[-1]
    assert (result.stdout, result.returncode) == ("", 2)


def test_a_password_file_that_is_not_there() -> None:
    _, errors, code = call("tcp:x:1", "echo", "--user", "x", "--password-file", "/no/such")
    assert errors.startswith("broker call: cannot read the password: ")
    assert (errors.count("\n"), code) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "broker call tcp:localhost:8787 echo hello"),
        (["--help"], "broker call tcp:localhost:8787 echo hello"),
        (["call", "--help"], "--password-file ~/.shop-password"),
        (["ping", "--help"], "broker ping tcp:localhost:8787 -c 100"),
        (["serve", "--help"], "broker serve --root shop.server:Shop"),
    ],
)
def test_help_teaches(arguments: list[str], expected: str) -> None:
    result = run([*BROKER, *arguments])
    assert expected in result.stdout
    assert (result.stderr, result.returncode) == ("", 0)


def test_version() -> None:
    result = run([*BROKER, "--version"])
    assert re.fullmatch(r"broker \S+ \((compiled|pure), Python \S+, Twisted \S+\)\n", result.stdout)


def test_serve_ends_at_ctrl_c() -> None:
    with serving(SERVE) as (server, _):
        code, said, errors = server.end(signal.SIGINT)
    assert (code, errors) == (130, "")
    assert not any("Traceback" in line or "Error" in line for line in said)


def test_serve_at_a_taken_port(silent_port: int) -> None:
    result = run([*BROKER, "serve", "--listen", f"tcp:{silent_port}"])
    assert result.stderr == f"broker: cannot listen at 127.0.0.1:{silent_port}: Address already in use\n"
    assert result.returncode == 1
