"""The reactor that looks before it sleeps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from broker._net import glancing


class Poller:
    """Has what there is to be handled at certain looks; counts them."""

    def __init__(self) -> None:
        self.looks = 0
        self.at: set[int] = set()

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        assert timeout == 0
        self.looks += 1
        return [(7, 1), (8, 1)] if self.looks in self.at else []


class Base:
    """What there is of a reactor."""

    def __init__(self) -> None:
        self._poller = Poller()
        self._selectables = {7: "seven"}
        self.handled: list[Any] = []
        self.slept: list[Any] = []

    def _doReadOrWrite(self, selectable: Any, number: int, event: int) -> None:
        self.handled.append((selectable, number, event))

    def doPoll(self, timeout: float | None) -> None:
        self.slept.append(timeout)


@pytest.fixture
def reactor() -> Any:
    return glancing._reactor_class(Base)()


def test_what_is_there_is_handled_at_once(reactor: Any) -> None:
    reactor._poller.at = {1}
    reactor.doPoll(5.0)
    # Number 8 is gone meanwhile.
    assert (reactor.handled, reactor.slept) == ([("seven", 7, 1)], [])


def test_what_comes_soon_is_not_slept_for(reactor: Any) -> None:
    reactor._poller.at = {2}
    reactor.doIteration(None)
    assert (reactor.handled, reactor.slept) == ([("seven", 7, 1)], [])


def test_without_time_it_does_not_look_twice(reactor: Any) -> None:
    reactor.doPoll(0)
    assert (reactor._poller.looks, reactor.handled) == (1, [])


def test_looks_in_vain_become_rare(reactor: Any) -> None:
    glances = []
    for number in range(1, 20):
        before = reactor._poller.looks
        reactor.doPoll(float(number))
        if reactor._poller.looks > before + 1:
            glances.append(number)
    assert reactor.slept == [float(number) for number in range(1, 20)]
    assert glances == [1, 3, 7, 15]


def test_a_look_that_was_not_in_vain_makes_them_frequent(reactor: Any) -> None:
    for _ in range(6):
        reactor.doPoll(1.0)
    reactor._poller.at = {reactor._poller.looks + 2}
    reactor.doPoll(1.0)
    assert reactor.handled and len(reactor.slept) == 6
    assert (reactor._sleeps, reactor._slept) == (0, 0)


def test_short_times_are_not_slept(reactor: Any) -> None:
    for _ in range(2):
        looks = reactor._poller.looks
        reactor.doPoll(glancing._SHORT / 2)
        assert reactor._poller.looks > looks + 1
    assert reactor.slept == []


_ENV = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
_TOLD = "import os; os.cpu_count = lambda: {}; {}; from broker._net.glancing import install; install(); " + (
    "from twisted.internet import reactor; print(type(reactor).__name__)"
)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has epoll")
@pytest.mark.parametrize(
    ("count", "before", "name"),
    [
        (2, "pass", "GlancingReactor"),
        (1, "pass", "EPollReactor"),
        (2, "from twisted.internet import selectreactor; selectreactor.install()", "SelectReactor"),
    ],
)
def test_where_it_is_used(count: int, before: str, name: str) -> None:
    code = _TOLD.format(count, before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=_ENV, check=True)
    assert done.stdout.strip() == name


_PROGRAM = """
from twisted.application.reactors import installReactor

print(type(installReactor("glancing")).__name__)

from twisted.internet import task
from twisted.internet.defer import ensureDeferred

import broker


class Echo(broker.Root):
    def remote_echo(self, value):
        return value


async def main(reactor):
    port = await broker.serve("tcp:0", Echo())
    root = await broker.connect(f"tcp:localhost:{port.getHost().port}")
    print([await root.callRemote("echo", number) for number in range(3)])


task.react(lambda reactor: ensureDeferred(main(reactor)))
"""


@pytest.mark.skipif(sys.platform != "linux" or (os.cpu_count() or 1) < 2, reason="elsewhere there is no such reactor")
def test_it_is_chosen_by_name() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, env=_ENV, check=True)
    assert done.stdout.splitlines() == ["GlancingReactor", "[0, 1, 2]"]
