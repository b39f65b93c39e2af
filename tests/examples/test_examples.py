"""Every example, run as its docstring says, with what it prints."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.processes import ROOT, TWIST, Program, environment, run, serving

EXAMPLES = ROOT / "examples"
ENDPOINT = "tcp:0:interface=127.0.0.1"

#: For each pair of programs: what the client prints, and what the server prints meanwhile.
PAIRS: dict[str, tuple[str, str]] = {
    "echo": ("hello\n", ""),
    "second": ("balance: 30\nbalance: 42\n", "Alice deposits 30\nAlice deposits 12\n"),
    "homecoming": (
        "the key came as a RemoteReference\nwith the key, the door is open\nwith another, the door is shut\n",
        "got Key, the right one: True\ngot Key, the right one: False\n",
    ),
    "callback": ("3...\n2...\n1...\nlift-off\n", "3: heard\n2: heard\n1: heard\n"),
    "pond": ("the pond is safe, all 15 of them\n", "got a ReceivedPond with ['frogs', 'toads']\n"),
    "patience": (
        "too late: no answer within 0.5 seconds\nthe table was given up\n"
        "the vase is not waited for, and glued all the same\n",
        "painting the chair: 0.5 seconds\nthe chair stays half painted\n"
        "painting the table: 30.0 seconds\nthe table stays half painted\n"
        "gluing the vase\nthe vase is glued\n",
    ),
    "ducks": ("ducks: Huey, Dewey\nducks: Huey, Dewey, Louie\nstill the same pond: True\n", "0 copies left\n"),
}
#: Modules that the programs of a pair share, and the programs with a test of their own below.
SHARED = {"trap_errors.py", "pond.py", "ducks.py"}
OWN_TESTS = {
    "blocking.py",
    "demo.py",  # in tests/house
    "work_queue.py",  # in tests/manager
    "work_queue_blocking.py",
    "errors_server.py",
    "errors_client.py",
    "trap_server.py",
    "trap_client.py",
    "login_server.py",
    "login_client.py",
    "chat_server.py",
    "chat_client.py",
    "quotes/quote_server.py",
    "quotes/quote_client.py",
    "quotes/twisted/plugins/quotes_plugin.py",
}


def script(name: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / name)]


def client(name: str, endpoint: str) -> str:
    """Run a client to its good end and return what it printed."""
    result = run([*script(name), endpoint])
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout


@pytest.mark.parametrize("name", PAIRS)
def test_pair(name: str) -> None:
    """Client and server print what they should, and the server what it says while it serves."""
    printed, served = PAIRS[name]
    with serving([*script(f"{name}_server.py"), ENDPOINT]) as (server, endpoint):
        output = client(f"{name}_client.py", endpoint)
        if served:
            server.wait_for(f"^{re.escape(served.splitlines()[-1])}$")
        code, said, errors = server.end(signal.SIGINT)
    assert output == printed
    assert "".join(f"{line}\n" for line in said[1:]) == served
    assert errors == ""


def test_blocking() -> None:
    """One program: the server is a thread of it."""
    result = run(script("blocking.py"))
    assert (result.stderr, result.returncode) == ("", 0)
    assert result.stdout == ("ducks: 12\ngoods: ['duck', 'pond']\npond: not sold\nno swan\nseveral: [0, 3, 6]\n")


def test_errors() -> None:
    """The server's log has the traceback of the unexpected exception, and nothing of the expected one."""
    with serving([*script("errors_server.py"), ENDPOINT]) as (server, endpoint):
        output = client("errors_client.py", endpoint)
        _, said, errors = server.end(signal.SIGINT)
    assert output == (
        "tea: 12\nexpected: there is no coffee\nunexpected: division by zero\nraised there as: __main__.OutOfStock\n"
    )
    log = "\n".join(said)
    assert log.count("Traceback (most recent call last)") == 1
    assert "nobody thought of zero people" in log and "ZeroDivisionError" in log
    assert "OutOfStock" not in log and "coffee" not in log
    assert errors == ""


PRIMES = "primes: 1000000007 1000000009\nworkers ended with [0, 0]\n"


def test_work_queue_blocking() -> None:
    result = run([*script("work_queue_blocking.py"), "2", "20"])
    assert (result.stderr, result.returncode) == ("", 0)
    tenths = "".join(f"{count} of 20\n" for count in range(2, 21, 2))
    assert result.stdout == tenths + PRIMES.replace("09\n", "09 1000000021 1000000033\n")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals here")
def test_work_queue_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*script("work_queue_blocking.py"), "2", "5"],
        stdout=theirs,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )
    os.close(theirs)
    said = b""
    try:
        while data := os.read(ours, 4096):
            said += data
    except OSError:
        # That is how terminals end.
        pass
    os.close(ours)
    assert process.wait(60) == 0
    display, _, rest = said.decode().replace("\r\n", "\n").partition("\n")
    bars = [re.fullmatch(r"\[(#*)(\.*)\] (\d)/5, [0-2] at work ", part) for part in display.split("\r")[1:]]
    assert [bar and (len(bar[1]), len(bar[2]), bar[3]) for bar in bars] == [
        (8 * count, 40 - 8 * count, str(count)) for count in range(1, 6)
    ]
    assert rest == PRIMES


def test_trap() -> None:
    """Four calls: one that works, one that cannot be sent, one that fails there, one that is too late."""
    with serving([*script("trap_server.py"), ENDPOINT]) as (server, endpoint):
        safe, insecure, remote, stale = client("trap_client.py", endpoint).splitlines()
        _, said, errors = server.end(signal.SIGINT)
    assert safe == "safe call: stored a text"
    assert re.fullmatch(r"not allowed to travel: InsecureJelly: .*\b__main__\.Secret\b.*", insecure)
    assert remote == "remote exception: Refused: the store is not to be cleared"
    assert stale.startswith("stale reference: DeadReferenceError: ")
    assert (said[1:], errors) == ([], "")


def test_login() -> None:
    """A member, somebody with a wrong password, and nobody in particular; each member leaves once."""
    with serving([*script("login_server.py"), ENDPOINT]) as (server, endpoint):
        output = client("login_client.py", endpoint)
        server.wait_for("^nobody goes$")
        _, said, errors = server.end(signal.SIGINT)
    assert output == (
        "I am alice\n"
        "greeted: hello, alice\n"
        "you said: thank you\n"
        "refused: twisted.cred.error.UnauthorizedLogin\n"
        "I am nobody\n"
        "not for everybody: No such method: perspective_greetMe\n"
    )
    assert said[1:] == ["alice comes", "alice goes", "nobody comes", "nobody goes"]
    # The wrong password was not foreseen by a method, so it is logged; the method that is not there is one line.
    assert "UnauthorizedLogin" in errors
    assert errors.count("Peer will receive") == 1


def test_chat() -> None:
    """What one says, both hear, under the name of who said it."""
    with serving([*script("chat_server.py"), ENDPOINT]) as (server, endpoint):
        with Program([*script("chat_client.py"), endpoint, "bob", "mellon"]) as bob:
            bob.wait_for("you are in the lobby")
            with Program([*script("chat_client.py"), endpoint, "alice", "sesame"]) as alice:
                alice.wait_for("you are in the lobby")
                alice.type("hello")
                alice.wait_for("^alice: hello$")
                bob.wait_for("^alice: hello$")
                bob.type("welcome")
                alice.wait_for("^bob: welcome$")
                alice.close_input()
                assert alice.end(None) == (
                    0,
                    ["you are in the lobby", "alice: hello", "bob: welcome", "alice: goodbye"],
                    "",
                )
            bob.wait_for("^alice: goodbye$")
            server.wait_for("^alice leaves$")
            bob.close_input()
            assert bob.end(None)[0] == 0
        server.wait_for("^bob leaves$")
        _, said, errors = server.end(signal.SIGINT)
    assert said[1:] == ["bob joins lobby", "alice joins lobby", "alice leaves", "bob leaves"]
    assert errors == ""


def test_quotes(tmp_path: Path) -> None:
    """A plugin of its own, with an option of its own and those of broker."""
    quotes = tmp_path / "quotes"
    quotes.write_text("The only quote.\n")
    arguments = [*TWIST, "quotes", "--quotes", quotes, "--listen", ENDPOINT]
    with serving(arguments, cwd=EXAMPLES / "quotes") as (_, endpoint):
        assert client("quotes/quote_client.py", endpoint) == "The only quote.\n"
    result = run([*TWIST, "quotes", "--colour"], cwd=EXAMPLES / "quotes")
    assert (result.stderr, result.returncode) == (
        "quotes: option --colour not recognized (--help shows the options)\n",
        1,
    )


def test_every_example_is_run() -> None:
    there = {path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.py")}
    tested = {f"{name}_{role}.py" for name in PAIRS for role in ("server", "client")} | SHARED | OWN_TESTS
    assert there == tested


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_every_program_says_how_to_run_it(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    if path.name.endswith(("_server.py", "_client.py")):
        assert "Run `" in text
    assert text
