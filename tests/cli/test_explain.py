"""Failures told in one line."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet import defer, error

from broker._cli.explain import explain, one_line
from broker._objects.failures import remote_exception
from broker._values.registry import globalRegistry
from broker.errors import (
    BananaError,
    ConnectionRefused,
    DeadlineExceeded,
    DeadReferenceError,
    GoingAway,
    InsecureJelly,
    LimitExceeded,
    PBConnectionLost,
    PeerSilent,
)

HERE = "tcp:localhost:1"


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (error.ConnectionRefusedError(), f"nobody listens at {HERE}"),
        (error.DNSLookupError("no results"), f"no such host: {HERE}"),
        (error.TimeoutError(), f"no answer from {HERE} in time; is it a PB server?"),
        (defer.TimeoutError(30), f"no answer from {HERE} in time; is it a PB server?"),
        (error.NoRouteError(), f"cannot connect to {HERE}: No route to host."),
        (InsecureJelly("a set of locks"), "this value may not cross: a set of locks"),
        (LimitExceeded("too long"), "beyond a limit: too long"),
        (PBConnectionLost(OSError("cable")), f"the connection to {HERE} was lost: cable"),
        (PBConnectionLost(BananaError("odd byte")), f"{HERE} does not speak PB: odd byte"),
        (PBConnectionLost(PeerSilent("nothing came")), f"the connection to {HERE} was lost: nothing came"),
        (DeadReferenceError("gone"), f"the connection to {HERE} was lost: gone"),
        (BananaError("odd byte"), f"{HERE} does not speak PB: odd byte"),
        (ConnectionRefused("no dialect"), f"{HERE} cannot be spoken with: no dialect"),
        (DeadlineExceeded("no answer within 2 seconds"), f"no answer from {HERE} in time: no answer within 2 seconds"),
        (GoingAway("it shuts down"), "the call was refused: it shuts down"),
        (ValueError("unknown type"), f"'{HERE}' is no endpoint to connect to: unknown type"),
        (KeyError("x"), "KeyError: 'x'"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_failures_here(problem: BaseException, line: str) -> None:
    assert explain(problem, HERE) == line


@pytest.mark.parametrize(
    ("name", "text", "parents", "line"),
    [
        (b"builtins.ValueError", "no ducks", [], "the server raised ValueError: no ducks"),
        (
            b"shop.OutOfStock",
            "no\ntea \x1b[31m",
            ["broker.Error"],
            r"the server raised shop.OutOfStock: no tea \x1b[31m",
        ),
        (b"shop.Odd", "", [], "the server raised shop.Odd"),
        (
            b"twisted.spread.flavors.NoSuchMethod",
            "No such method: remote_x",
            [],
            "the server has no such method: remote_x",
        ),
        (b"twisted.spread.jelly.InsecureJelly", "a lock", [], "the server refused a value: a lock"),
        (b"broker.errors.GoingAway", "it shuts down", [], "the call was refused: it shuts down"),
        (
            b"twisted.cred.error.UnauthorizedLogin",
            "",
            [],
            "login failed: wrong name or password, or nobody may log in this way",
        ),
    ],
)
def test_exceptions_of_the_server(name: bytes, text: str, parents: list[str], line: str) -> None:
    problem: Any = remote_exception(name, text, "", parents, globalRegistry)
    assert explain(problem, HERE) == line


def test_one_line() -> None:
    assert one_line("a\n  b\tc\x07") == r"a b c\x07"
