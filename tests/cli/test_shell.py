"""``broker shell``: what can be typed, what Tab does, and what is told when something fails."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from broker._cli.complete import Completer
from broker._cli.history import MOST, History, default_path
from broker.testing import pair
from broker.transparent import LIVE, export, expr, live
from tests.remote.scene import Tree, Waiting, counted
from tests.service.processes import BROKER, PATIENCE, Program, environment, run, serving

SERVERS = '''
    import sys
    import threading
    from collections import defaultdict
    from broker import Root
    from broker.blocking import serve
    from broker.names import WRITE, directory
    from broker.transparent import LIVE, export

    class Shop:
        """Sells tea."""

        def __init__(self):
            self.items = [3, 4]

        def price(self, tea: str, cups: int = 1) -> int:
            """Say what it costs.

            In cents."""
            return len(tea) * cups

        def wait(self, who):
            print(who, "waits", flush=True)
            gates[who].wait()

        def fail(self):
            raise ValueError("no \\x1b[31mtea")

    class Echo(Root):
        def remote_echo(self, value):
            return value

    gates = defaultdict(threading.Event)
    shop = Shop()
    names = directory(WRITE)
    names.export(export(shop, LIVE), "shop")
    for root in (shop, names, Echo()):
        print("serving at", serve(root).endpoint, flush=True)
    for line in sys.stdin:
        gates[line.strip()].set()
    '''


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Program, list[str]]]:
    """A process with three servers: of an object, of a directory and of a root of PB."""
    with Program([sys.executable, "-c", dedent(SERVERS)]) as program:
        yield program, [program.wait_for(r"serving at (\S+)")[1] for _ in range(3)]


@pytest.fixture
def shop(servers: tuple[Program, list[str]]) -> str:
    return servers[1][0]


@pytest.fixture
def names(servers: tuple[Program, list[str]]) -> str:
    return servers[1][1]


@pytest.fixture
def echo(servers: tuple[Program, list[str]]) -> str:
    return servers[1][2]


def shell(endpoint: str, text: str, *options: str) -> tuple[str, str, int]:
    """Run statements given with ``-c``."""
    result = run([*BROKER, "shell", endpoint, "-c", text, *options])
    return result.stdout, result.stderr, result.returncode


def test_statements_are_run_and_values_shown(shop: str) -> None:
    text = """
        root.price("assam", cups=2)
        root
        for item in root.items:
            print(item)
        root.items.append(5)
        value(root.items + [6]), value(root.items)
        run(expr(root).items[0] + 1)
        pending = async_(root.price)("tea")
        pending.value
        timed(root.price, 30)("tea").value
        with deadline(30):
            root.price("tea")
        ops.len(root.items), same(root, root), describe(root).name, type(reference(root)).__name__
        root.items.pop()
        """
    output, errors, code = shell(shop, dedent(text))
    assert output.splitlines() == [
        *("10", "<Live Shop 1>", "3", "4", "([3, 4, 5, 6], [3, 4, 5])", "4", "3", "3", "3"),
        *("(3, True, 'Shop', 'RemoteReference')", "5"),
    ]
    assert (errors, code) == ("", 0)


def test_help_says_what_is_offered(shop: str) -> None:
    output, errors, code = shell(shop, "help(root)\nhelp(root.price)\nhelp(len)")
    lines = output.splitlines()
    assert lines[:2] == ["an object of type Shop", "  fail()"]
    assert "  price(tea: str, cups: int = 1) -> int  Say what it costs." in lines
    assert "price(tea: str, cups: int = 1) -> int\n    Say what it costs.\n" in output
    assert "Help on built-in function len" in output and (errors, code) == ("", 0)


def test_statements_from_a_pipe(names: str) -> None:
    lines = 'store([1, 2], "list")\nbrowse()\nfetch("list")\nfetch("shop").price("x")\nstore(3)[0:0]\nprint("never")\n'
    result = run([*BROKER, "shell", names], input=lines)
    assert result.stdout == "{'list': 'value', 'shop': 'object'}\n[1, 2]\n1\n"
    assert result.stderr.startswith('Traceback (most recent call last):\n  File "<stdin>", line 5, in <module>\n')
    assert result.stderr.splitlines()[2].startswith("TypeError: ") and result.returncode == 1
    text = 'store(5, "list", replace=True); fetch("list"); store("kept") == "kept"; root.withdraw("list"); browse("l")'
    assert shell(names, text) == ("5\nTrue\n{}\n", "", 0)


def test_an_object_of_pb_is_a_reference(echo: str) -> None:
    assert shell(echo, 'root.callRemote("echo", [1]); async_(root.remoteMethod("echo"))(2).value') == (
        "[1]\n2\n",
        "",
        0,
    )
    assert shell(echo, "browse")[2] == 1


def test_a_failure_is_told_without_what_is_between(shop: str) -> None:
    _, errors, code = shell(shop, "def f():\n    root.fail()\n\nf()")
    expected = """\
        Traceback (most recent call last):
          File "<command>", line 4, in <module>
          File "<command>", line 2, in f
        ValueError: no \\x1b[31mtea
        """
    assert (errors, code) == (dedent(expected), 1)


def test_what_is_no_python(shop: str) -> None:
    output, errors, code = shell(shop, "1\nif")
    assert (output, code) == ("", 1) and errors.endswith("SyntaxError: invalid syntax\n")


def test_the_exit_code_is_that_of_the_statements(shop: str) -> None:
    assert shell(shop, "import sys; sys.exit(5)") == ("", "", 5)
    assert shell(shop, "raise KeyboardInterrupt") == ("", "KeyboardInterrupt\n", 130)


def test_a_call_may_have_a_timeout(shop: str) -> None:
    output, errors, code = shell(shop, "root.wait(1)", "--timeout", "0.5")
    last = "broker.errors.DeadlineExceeded: no answer to root.wait(1) within 0.5 seconds"
    assert (output, errors.splitlines()[-1], code) == ("", last, 1)


def test_failures_of_the_connection_are_one_line(shop: str, tmp_path: Path) -> None:
    where = f"unix:{tmp_path}/nobody"
    assert shell(where, "1") == ("", f"broker shell: nobody listens at {where}\n", 1)
    line = f"broker shell: the connection to {shop} was lost: Calling Stale Broker\n"
    assert shell(shop, "connection.close()\nroot.price(1)") == ("", line, 1)
    output, errors, code = shell("nowhere", "1")
    assert errors.startswith("broker shell: 'nowhere' is no endpoint") and errors.count("\n") == 1
    assert (output, code) == ("", 1)


def test_wrong_usage() -> None:
    for options, reason in (
        (["--user", "a", "--anonymous"], "--user and --anonymous exclude each other"),
        (["--password-file", "x"], "--password-file needs --user"),
        (["--timeout", "-1"], "no positive number of seconds"),
    ):
        result = run([*BROKER, "shell", "tcp:x:1", *options])
        assert reason in result.stderr and result.returncode == 2
    result = run([*BROKER, "shell", "tcp:x:1", "--user", "a", "--password-file", "no such file"])
    assert result.stderr.startswith("broker shell: cannot read the password: ") and result.returncode == 1


def test_with_a_login(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("alice:secret\n")
    (tmp_path / "right").write_text("secret\n")
    (tmp_path / "wrong").write_text("no\n")
    command = [*BROKER, "serve", "--listen", "tcp:0:interface=127.0.0.1", "--auth", f"file:{tmp_path / 'passwords'}"]
    with serving(command) as (_, where):
        user = ["--user", "alice", "--password-file"]
        assert shell(where, "root.echo(5); browse()", *user, str(tmp_path / "right")) == ("5\n{}\n", "", 0)
        line = "broker shell: login failed: wrong name or password, or nobody may log in this way\n"
        assert shell(where, "1", *user, str(tmp_path / "wrong")) == ("", line, 1)


# At a terminal.


class Terminal:
    """A shell at a terminal of its own, and somebody who types there."""

    def __init__(self, arguments: list[str], home: Path) -> None:
        self._master, slave = os.openpty()
        launch = (
            "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
            "from broker.__main__ import main; sys.exit(main())"
        )
        environ = {**environment(), "HOME": str(home), "TERM": "dumb", "INPUTRC": os.devnull}
        environ.pop("XDG_STATE_HOME", None)
        self.process = subprocess.Popen(
            [sys.executable, "-c", launch, "shell", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
        )
        os.close(slave)
        self._seen = ""

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> str:
        """Wait until something is shown; return what was shown until then."""
        while text not in self._seen:
            ready, _, _ = select.select([self._master], [], [], PATIENCE)
            assert ready, f"no {text!r} in {self._seen!r}"
            try:
                data = os.read(self._master, 4096)
            except OSError:
                data = b""
            assert data, f"ended without {text!r}: {self._seen!r}"
            self._seen += data.decode().replace("\r\n", "\n")
        before, _, self._seen = self._seen.partition(text)
        return before

    def end(self) -> int:
        """Press Ctrl-D; return the exit code."""
        self.type("\x04")
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE)
        os.close(self._master)


@contextmanager
def terminal(home: Path, *arguments: str) -> Iterator[Terminal]:
    """Run a shell at a terminal for a while."""
    pytest.importorskip("readline")
    opened = Terminal(list(arguments), home)
    try:
        yield opened
    finally:
        opened.close()


HISTORY = Path(".local", "state", "broker", "shell-history")
needs_terminals = pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals here")


@needs_terminals
def test_at_a_terminal(servers: tuple[Program, list[str]], shop: str, tmp_path: Path) -> None:
    with terminal(tmp_path, shop) as typed:
        said = typed.wait_for(">>> ")
        assert f"connected to {shop} speaks broker/1." in said and "root is <Live Shop 1>" in said
        assert "Tab completes, Ctrl-C gives up the call that is running, Ctrl-D leaves." in said
        # Tab completes the name, then there is one method that begins so, and Enter shows what it returns.
        typed.type('roo\t.pri\t"assam")\n')
        typed.wait_for("\n5\n>>> ")
        typed.type("root.wait('the terminal')\n")
        servers[0].wait_for("the terminal waits")
        typed.type("\x03")
        typed.wait_for("\nKeyboardInterrupt\n>>> ")
        # The server serves one call of a client after the other, and this one does not listen to being cancelled.
        servers[0].type("the terminal")
        typed.type("root.items[0]\n")
        typed.wait_for("\n3\n>>> ")
        typed.type("root.fail()\n")
        typed.wait_for("ValueError: no \\x1b[31mtea\n>>> ")
        typed.type("connection.close()\n")
        typed.wait_for(">>> ")
        typed.type("root.items\n")
        typed.wait_for(f"broker shell: the connection to {shop} was lost: Calling Stale Broker\n>>> ")
        assert typed.end() == 0
    kept = tmp_path / HISTORY
    assert kept.read_text().splitlines()[:3] == ['root.price("assam")', "root.wait('the terminal')", "root.items[0]"]
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    with terminal(tmp_path, shop) as typed:
        typed.wait_for(">>> ")
        # A line of the session before, four up.
        typed.type("\x10\x10\x10\x10\n")
        typed.wait_for("items[0]\n3\n>>> ")
        assert typed.end() == 0


@needs_terminals
def test_no_history_is_kept_where_that_is_said(names: str, tmp_path: Path) -> None:
    with terminal(tmp_path, names, "--no-history") as typed:
        assert "browse()   fetch(" in typed.wait_for(">>> ")
        typed.type('fetch("shop").price("assam")\n')
        typed.wait_for("\n5\n>>> ")
        assert typed.end() == 0
    assert list(tmp_path.iterdir()) == []


@needs_terminals
def test_history_that_cannot_be_kept(echo: str, tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file")
    with terminal(tmp_path, echo) as typed:
        assert 'root.callRemote("name", 1)' in typed.wait_for(">>> ")
        assert typed.end() == 1
        typed.wait_for("broker shell: cannot keep what was typed: ")


def test_an_interrupt_ends_a_command(servers: tuple[Program, list[str]], shop: str) -> None:
    with Program([*BROKER, "shell", shop, "-c", "root.wait('the command')"]) as program:
        servers[0].wait_for("the command waits")
        assert program.end(signal.SIGINT) == (130, [], "KeyboardInterrupt\n")


# Completion and history by themselves.


class Noticing:
    """An object of the user's with a property, which nobody asked for."""

    plain = [1]

    @property
    def asked(self) -> Any:
        raise AssertionError("completion runs no code")


def test_completion_sends_nothing(in_dialect: str) -> None:
    connected = pair(export(Tree(), LIVE), prefer=in_dialect)
    root = live(connected.root, transport=Waiting(connected))
    method = root.child
    names = {"root": root, "method": method, "x": expr(root), "y": expr(root).items, "reference": connected.root}
    completer = Completer({**names, "mine": Noticing(), "items": root.items})
    with counted(connected) as sent:
        assert completer.matches("root.ch") == ["root.child(", "root.children"]
        assert completer.matches("x.ch") == ["x.child(", "x.children"]
        assert completer.matches("items.app") == ["items.append("]
        assert completer.matches("root.items.") == completer.matches("root.child.") == completer.matches("y.") == []
        assert completer.matches("method.") == [] and completer.matches("root.nothing") == []
        assert completer.matches("reference.callR") == ["reference.callRemote(", "reference.callRemoteOnly("]
        assert completer.matches("ro") == ["root", "round("] and completer.matches("metho") == ["method"]
        assert completer.matches("mine.") == ["mine.asked", "mine.plain"]
        assert completer.matches("mine.plain.app") == ["mine.plain.append("]
        assert completer.matches("mine.asked.") == completer.matches("nothing.") == completer.matches("f(root).i") == []
        assert not [name for name in completer.matches("root.") if name.startswith("root._")]
        assert "root.__eq__" in completer.matches("root._") and "root._secret" not in completer.matches("root._")
        assert [completer.complete("root.ch", state) for state in range(3)] == ["root.child(", "root.children", None]
    assert (sent.calls, sent.writes) == (0, 0)
    connected.close()


class Lines(list[str]):
    """Stands for the module `readline`."""

    def add_history(self, line: str) -> None:
        self.append(line)

    def get_current_history_length(self) -> int:
        return len(self)

    def get_history_item(self, number: int) -> str:
        return self[number - 1]


def test_two_shells_share_a_history(tmp_path: Path) -> None:
    path = tmp_path / "state" / "history"
    one, other = Lines(), Lines()
    first, second = History(one, path), History(other, path)
    first.load()
    second.load()
    one.append("one")
    other.extend(["two", "three"])
    first.save()
    second.save()
    assert path.read_text() == "one\ntwo\nthree\n" and list(path.parent.iterdir()) == [path]
    third = Lines()
    History(third, path).load()
    assert third == ["one", "two", "three"]
    one.extend(str(number) for number in range(MOST))
    first.save()
    assert len(path.read_text().splitlines()) == MOST


def test_where_the_history_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    variable = "LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME"
    monkeypatch.setenv(variable, str(tmp_path))
    assert default_path() == tmp_path / "broker" / "shell-history"
    monkeypatch.setenv(variable, "not/absolute")
    assert default_path() == Path.home() / HISTORY
