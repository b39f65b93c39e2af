"""The commands about names, against servers of their own."""

from __future__ import annotations

import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.service.processes import BROKER, TWISTD, run, serving

SERVE = [*BROKER, "serve", "--listen", "tcp:0:interface=127.0.0.1"]
SHOP = '''
    import broker
    from broker.transparent import publish

    class Shop:
        """Sells."""

        @publish
        def price(self, what: str, cups: int = 1) -> int:
            """Say what it costs.

            In cents."""
            return len(what) * cups

        @publish(doc=False)
        def buy(self, what):
            """Not for you."""

        @publish(show=False)
        def audit(self):
            return "all there"

    class Plain(broker.Referenceable):
        def remote_hello(self, name):
            return f"hello {name}"

    class Broken:
        def __init__(self):
            raise RuntimeError("no money")
    '''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a module of objects to name."""
    made = tmp_path_factory.mktemp("shop")
    (made / "shop.py").write_text(dedent(SHOP))
    return made


@pytest.fixture(scope="module")
def endpoint(folder: Path) -> Iterator[str]:
    names = ["--name", "shop=shop:Shop", "--name", "plain=shop:Plain", "--names-writable"]
    with serving([*SERVE, *names], cwd=folder) as (_, where):
        yield where


def broker(command: str, endpoint: str, *arguments: str | Path) -> tuple[str, str, int]:
    result = run([*BROKER, command, endpoint, *arguments])
    return result.stdout, result.stderr, result.returncode


def test_names_of_the_command_line(endpoint: str) -> None:
    assert broker("browse", endpoint) == ("plain  object\nshop   object\n", "", 0)
    assert broker("browse", endpoint, "s") == ("shop  object\n", "", 0)
    assert broker("browse", endpoint, "nothing") == ("", "", 0)


def test_an_object_is_described_or_called(endpoint: str) -> None:
    output, errors, code = broker("fetch", endpoint, "shop")
    assert output == (
        "an object of type Shop\n  buy(...)\n  price(what: str, cups: int = 1) -> int  Say what it costs.\n"
    )
    assert (errors, code) == ("", 0)
    assert broker("fetch", endpoint, "shop", "price", "tea", "--kw", "cups=2") == ("6\n", "", 0)
    assert broker("fetch", endpoint, "shop", "audit") == ("all there\n", "", 0)
    assert broker("fetch", endpoint, "plain") == ("an object that does not list its methods\n", "", 0)
    assert broker("fetch", endpoint, "plain", "hello", "you") == ("hello you\n", "", 0)


def test_values_are_stored_fetched_and_withdrawn(endpoint: str) -> None:
    assert broker("store", endpoint, "stock", '{"tea": [3, None]}') == ("", "", 0)
    assert broker("fetch", endpoint, "stock") == ("{'tea': [3, None]}\n", "", 0)
    assert broker("store", endpoint, "stock", "all gone") == (
        "",
        "broker store: the server refused: there is a name 'stock' already\n",
        1,
    )
    assert broker("store", endpoint, "stock", "all gone", "--replace") == ("", "", 0)
    assert broker("fetch", endpoint, "stock") == ("all gone\n", "", 0)
    assert broker("browse", endpoint, "stock") == ("stock  value\n", "", 0)
    assert broker("store", endpoint, "stock", "--withdraw") == ("", "", 0)
    assert broker("browse", endpoint, "stock") == ("", "", 0)
    assert broker("store", endpoint, "--", "number", "-5") == ("", "", 0)
    assert broker("fetch", endpoint, "number", "--prefer", "pb") == ("-5\n", "", 0)
    assert broker("store", endpoint, "number", "--withdraw") == ("", "", 0)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["fetch", "milk"], "the server refused: there is no name 'milk'"),
        (["fetch", "milk", "pour"], "the server refused: there is no name 'milk'"),
        (["fetch", "shop", "steal"], "the server has no attribute 'steal' is offered"),
        (["fetch", ""], "the server raised twisted.spread.pb.Error: a name is a text of visible characters"),
        (["store", "shop", "mine", "--replace"], "the server refused: the name 'shop' belongs to the server"),
        (["store", "shop", "--withdraw"], "the server refused: the name 'shop' belongs to the server"),
        (["store", "x" * 256, "5"], "the server raised broker.errors.LimitExceeded: the name is longer than 255 bytes"),
    ],
)
def test_failures_are_one_line(endpoint: str, arguments: list[str], reason: str) -> None:
    command, *rest = arguments
    assert broker(command, endpoint, *rest) == ("", f"broker {command}: {reason}\n", 1)


def test_a_value_has_no_methods(endpoint: str) -> None:
    assert broker("store", endpoint, "five", "5")[2] == 0
    line = "broker fetch: Error: 'five' is the name of a value, which has no methods to call\n"
    assert broker("fetch", endpoint, "five", "add", "1") == ("", line, 1)
    assert broker("store", endpoint, "five", "--withdraw")[2] == 0


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["store", "tcp:x:1", "x"], "one value is required"),
        (["store", "tcp:x:1", "x", "1", "2"], "one value is required"),
        (["store", "tcp:x:1", "x", "1", "--withdraw"], "--withdraw takes no value"),
        (["fetch", "tcp:x:1"], "the following arguments are required: NAME"),
        (["serve", "--name", "shop"], "--name 'shop' is not of the form NAME=package.module:Name"),
        (["serve", "--name", "shop=no.such:Shop"], "--name shop: cannot import 'no.such'"),
        (["serve", "--name", "shop=shop:Broken"], "--name shop: 'shop:Broken' makes no object: RuntimeError: no money"),
        (["serve", "--name", " =shop:Shop"], "a name is a text of visible characters"),
        (["serve", "--root", "shop:Plain", "--names-writable"], "--root and --names-writable exclude each other"),
        (["serve", "--names-writer", "alice"], "--names-writer needs --auth"),
        (["serve", "--max-names", "none"], "'none' is no positive whole number"),
    ],
)
def test_wrong_usage(folder: Path, arguments: list[str], reason: str) -> None:
    result = run([*BROKER, *arguments], cwd=folder)
    assert reason in result.stderr.splitlines()[-1]
    assert (result.stdout, result.returncode) == ("", 2)


def test_by_default_nobody_stores(folder: Path) -> None:
    with serving(SERVE) as (_, where):
        assert broker("browse", where) == ("", "", 0)
        line = "broker store: the server refused: export 'x' is not allowed here\n"
        assert broker("store", where, "x", "1") == ("", line, 1)


def test_writers_are_who_the_operator_says(tmp_path: Path) -> None:
    (tmp_path / "passwords").write_text("alice:a\nbob:b\n")
    (tmp_path / "a").write_text("a\n")
    (tmp_path / "b").write_text("b\n")
    auth = ["--auth", f"file:{tmp_path / 'passwords'}", "--names-writer", "alice"]
    with serving([*SERVE, *auth]) as (_, where):
        alice = ["--user", "alice", "--password-file", tmp_path / "a"]
        bob = ["--user", "bob", "--password-file", tmp_path / "b"]
        assert broker("store", where, "x", "1", *alice) == ("", "", 0)
        assert broker("store", where, "y", "1", *bob)[2] == 1
        assert broker("browse", where, *bob) == ("x  value\n", "", 0)
        assert broker("call", where, "echo", "hello", *bob) == ("hello\n", "", 0)


@pytest.mark.parametrize("runner", [SERVE, [*TWISTD, "broker", *SERVE[-2:]]], ids=["serve", "twistd"])
def test_names_are_there_after_a_restart(folder: Path, tmp_path: Path, runner: list[str]) -> None:
    file = ["--names", str(tmp_path / "names.sqlite"), "--names-writable"]
    with serving([*runner, *file, "--name", "shop=shop:Shop"], cwd=folder) as (server, where):
        assert broker("store", where, "stock", "[1, 2]") == ("", "", 0)
        server.end(signal.SIGTERM)
    with serving([*runner, *file], cwd=folder) as (server, where):
        assert broker("fetch", where, "stock") == ("[1, 2]\n", "", 0)
        assert broker("fetch", where, "shop", "price", "tea") == ("3\n", "", 0)
        server.end(signal.SIGTERM)


@pytest.mark.parametrize("runner", [SERVE, [*TWISTD, "broker", *SERVE[-2:]]], ids=["serve", "twistd"])
def test_a_file_that_cannot_be_used(tmp_path: Path, runner: list[str]) -> None:
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE mine (x)")
    other.close()
    result = run([*runner, "--names", tmp_path / "other"], cwd=tmp_path)
    line = f"broker: the names in {str(tmp_path / 'other')!r} cannot be used: it is a database of something else\n"
    assert (result.stderr, result.returncode) == (line, 1)


def test_a_file_that_is_in_use(tmp_path: Path) -> None:
    file = ["--names", str(tmp_path / "names")]
    with serving([*SERVE, *file]):
        result = run([*SERVE, *file])
    assert result.stderr.endswith(" cannot be used: another process uses it\n") and result.stderr.count("\n") == 1
    assert result.returncode == 1


def test_a_port_in_use_leaves_the_file_to_others(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run([*BROKER, "serve", "--listen", f"tcp:{port}", "--names", tmp_path / "names"])
    assert result.stderr == f"broker: cannot listen at 127.0.0.1:{port}: Address already in use\n"
    with serving([*SERVE, "--names", str(tmp_path / "names")]) as (_, where):
        assert broker("browse", where) == ("", "", 0)


def test_a_server_without_names(folder: Path) -> None:
    with serving([*SERVE, "--root", "shop:Plain"], cwd=folder) as (_, where):
        line = "broker browse: the server has no such method: remote_browse\n"
        assert broker("browse", where) == ("", line, 1)
