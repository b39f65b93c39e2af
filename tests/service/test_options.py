"""The options of the plugin."""

from __future__ import annotations

from dataclasses import fields
from inspect import signature
from pathlib import Path

import pytest
from twisted.cred.credentials import IAnonymous, IUsernameHashedPassword
from twisted.cred.portal import Portal
from twisted.python.usage import Options as TwistedOptions
from twisted.python.usage import UsageError

from broker._limits import Limits
from broker._net.connect import Listener, serve
from broker.service import BuiltinRoot, Options, ServeOptions, makeService


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def test_defaults() -> None:
    options = parsed()
    assert options.endpoints == ["tcp:8787:interface=127.0.0.1"]
    assert options.limits == Limits()
    service = makeService(options)
    assert isinstance(service.factory.root, BuiltinRoot)
    assert not service.factory.unsafeTracebacks


def test_several_endpoints() -> None:
    options = parsed("--listen", "tcp:1", "--listen", "unix:/run/x")
    assert options.endpoints == ["tcp:1", "unix:/run/x"]
    assert len(makeService(options).services) == 2


def test_every_limit_has_an_option() -> None:
    given = [f"--max-{field.name}=7" for field in fields(Limits)]
    assert parsed(*given).limits == Limits(**{field.name: 7 for field in fields(Limits)})


def test_limits_reach_the_connections() -> None:
    service = makeService(parsed("--max-message", "3k", "--max-handshake", "2.5", "--unsafe-tracebacks"))
    assert (service.factory.limits.message, service.factory.limits.handshake) == (3072, 2.5)
    assert service.factory.unsafeTracebacks


def test_what_connections_are_asked_for() -> None:
    service = makeService(parsed("--prefer", "pb", "--call-timeout", "2.5", "--keepalive", "20", "--grace", "0"))
    factory = service.factory
    assert (factory.prefer, factory.callTimeout, factory.keepalive, service.grace) == ("pb", 2.5, 20.0, 0.0)
    assert factory.dialects is not None and factory.dialects[0] == b"pb" and b"broker/1" in factory.dialects
    assert makeService(parsed("--keepalive", "off")).factory.keepalive is None
    assert makeService(parsed("--require", "broker/1")).factory.dialects == (b"broker/1",)


def test_without_being_asked_they_are_what_serve_gives_them() -> None:
    service = makeService(parsed())
    given = signature(serve).parameters
    for name in ("prefer", "callTimeout", "keepalive"):
        assert getattr(service.factory, name) == given[name].default
    assert service.factory.dialects is None
    assert service.grace == signature(Listener.goAway).parameters["grace"].default == 5


def test_a_password_checker_of_text_gets_bytes() -> None:
    """Twisted's own `memory:` keeps text, which PB's names, bytes, never equal."""
    checker = parsed("--auth", "memory:alice:sesame")["credCheckers"][0]
    assert checker.users == {b"alice": b"sesame"}


def test_checkers_make_a_portal(tmp_path: Path) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("alice:sesame\n")
    service = makeService(parsed("--auth", f"file:{passwords}", "--auth", "anonymous"))
    portal = service.factory.root.portal
    assert isinstance(portal, Portal)
    assert {IUsernameHashedPassword, IAnonymous} <= set(portal.checkers)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--colour"], "option --colour not recognized"),
        (["extra"], "Wrong number of arguments"),
        (["--listen", "tpc:1"], "cannot listen at 'tpc:1'"),
        (["--listen", "tcp:http"], "cannot listen at 'tcp:http"),
        (["--root", "shop"], "--root: 'shop' names no root object: expected package.module:Name"),
        (["--root", "no.such:Shop"], "--root: cannot import 'no.such'"),
        (["--root", "json:JSONDecoder"], "--root: 'JSONDecoder' cannot be served"),
        (["--max-message", "lots"], "'lots' is no positive whole number"),
        (["--max-depth", "0"], "'0' is no positive whole number"),
        (["--max-handshake", "nan"], "'nan' is no positive number of seconds"),
        (["--prefer", "jelly"], "there is no dialect 'jelly'; there are broker/1 and pb"),
        (["--require", ""], "there is no dialect ''; there are broker/1 and pb"),
        (["--prefer", "pb", "--require", "broker/1"], "--prefer pb and --require broker/1 exclude each other"),
        (["--call-timeout", "0"], "'0' is no positive number of seconds"),
        (["--keepalive", "on"], "'on' is neither a positive number of seconds nor 'off'"),
        (["--keepalive", "0"], "'0' is neither a positive number of seconds nor 'off'"),
        (["--grace", "-1"], "'-1' is no positive number of seconds"),
        (["--auth", "unix"], "--auth unix: this checker cannot be used, because it wants the password itself"),
        (["--auth", "guess"], "--auth: unknown kind 'guess'"),
        (["--auth", "file:/no/such"], "--auth file: there is no file '/no/such'"),
        (["--auth", "memory:alice"], "--auth memory: argstring must be"),
    ],
)
def test_wrong_options(arguments: list[str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parsed(*arguments)
    assert "\n" not in str(caught.value)


def test_a_subcommand_ends_the_process_with_one_line() -> None:
    """twistd would print its whole help before a UsageError."""

    class Parent(TwistedOptions):
        subCommands = [("broker", None, Options, "")]

    with pytest.raises(SystemExit) as caught:
        Parent().parseOptions(["broker", "--root", "shop"])
    assert isinstance(caught.value.code, str)
    assert caught.value.code.startswith("broker: --root: 'shop' names no root object")
    assert "\n" not in caught.value.code


def test_help_teaches() -> None:
    text = str(Options())
    for expected in ("--listen", "--max-references", "--auth", "--unsafe-tracebacks", "Examples:", "--root shop"):
        assert expected in text


def test_extending() -> None:
    """What another plugin does: options of its own, a root object of its own."""

    class Mine(ServeOptions):
        optParameters = [["colour", None, "red", "of the shop"]]

    options = Mine()
    options.parseOptions(["--colour", "blue", "--listen", "tcp:1", "--require", "pb", "--grace", "1"])
    root = BuiltinRoot()
    assert options["colour"] == "blue"
    service = makeService(options, root)
    assert service.factory.root is root
    assert (service.factory.dialects, service.grace) == ((b"pb", b"none"), 1.0)
    with pytest.raises(UsageError, match="option --root not recognized"):
        Mine().parseOptions(["--root", "x:y"])
