"""Local objects called as if they were remote."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from zope.interface import Interface, implementer

from broker.spread.util import LocalAsRemote, LocalAsyncForwarder

# Nothing here has a connection.
pytestmark = pytest.mark.in_dialects("broker/1")


class Local(LocalAsRemote):
    reportAllTracebacks = 0

    def sync_now(self, value: Any, name: str = "") -> Any:
        return succeed((value, name))

    def async_later(self, value: Any) -> Any:
        return [value]

    def async_fail(self) -> None:
        raise ValueError("local")


def result(waiting: Any) -> Any:
    outcome: list[Any] = []
    assert isinstance(waiting, Deferred)
    waiting.addBoth(outcome.append)
    return outcome[0]


def test_local_as_remote(capsys: pytest.CaptureFixture[str]) -> None:
    local = Local()
    assert result(local.callRemote("now", 1, name="n")) == (1, "n")
    assert result(local.callRemote("later", 2)) == [2]
    assert result(local.remoteMethod("later")(3)) == [3]
    assert result(local.callRemote("fail")).check(ValueError)
    assert result(local.callRemote("missing")).check(AttributeError)
    assert capsys.readouterr().err == ""


def test_tracebacks_are_printed_unless_switched_off() -> None:
    class Reports(Local):
        reportAllTracebacks = 1

    class File:
        text = ""

        def write(self, text: str) -> None:
            self.text += text

    from twisted.python import log

    file, kept = File(), log.logerr
    log.logerr = file  # type: ignore[assignment]
    try:
        assert result(Reports().callRemote("fail")).check(ValueError)
    finally:
        log.logerr = kept
    assert "ValueError: local" in file.text


class IGreets(Interface):
    def greet(name):  # type: ignore[no-untyped-def]
        """Greet."""


@implementer(IGreets)
class Greeter:
    def greet(self, name: str) -> str:
        if not name:
            raise ValueError("nobody")
        return f"hi {name}"

    def secret(self) -> str:
        raise AssertionError("not of the interface")


def test_forwarder() -> None:
    forward = LocalAsyncForwarder(Greeter(), IGreets)
    assert result(forward.callRemote("greet", "ann")) == "hi ann"
    assert result(forward.callRemote("greet", "")).check(ValueError)
    assert result(forward.callRemote("secret")) is None
    strict = LocalAsyncForwarder(Greeter(), IGreets, 1)
    assert result(strict.callRemote("secret")).check(NotImplementedError)
    with pytest.raises(TypeError):
        LocalAsyncForwarder(object(), IGreets)
