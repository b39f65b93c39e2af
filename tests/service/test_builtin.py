"""The object that is served when no other is named."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from twisted.internet.task import Clock

from broker.errors import Error
from broker.service.builtin import BuiltinRoot


def test_methods_lists_every_method_with_its_meaning() -> None:
    listed = BuiltinRoot().remote_methods()
    own = ["echo", "methods", "ping", "sleep", "time", "version"]
    assert list(listed) == [*own, "browse", "fetch", "export", "store", "attach", "withdraw"]
    assert all(text.startswith(f"{name}(") and text.endswith(".") for name, text in listed.items())


def test_echo_and_ping() -> None:
    thing = object()
    assert BuiltinRoot().remote_echo(thing) is thing
    assert BuiltinRoot().remote_ping() == "pong"


def test_time_is_now() -> None:
    told = datetime.fromisoformat(BuiltinRoot().remote_time())
    assert abs(datetime.now(timezone.utc) - told) < timedelta(minutes=1)


def test_version() -> None:
    assert sorted(BuiltinRoot().remote_version()) == ["broker", "python", "twisted"]


def test_sleep_answers_later() -> None:
    clock = Clock()
    answers: list[Any] = []
    BuiltinRoot(clock).remote_sleep(5).addCallback(answers.append)
    clock.advance(4.9)
    assert answers == []
    clock.advance(0.2)
    assert answers == [None]


@pytest.mark.parametrize("seconds", [-1, 61, float("nan"), "5", None, True])
def test_sleep_refuses(seconds: Any) -> None:
    with pytest.raises(Error, match="sleep takes 0 to 60 seconds"):
        BuiltinRoot(Clock()).remote_sleep(seconds)
