"""The reactor that looks before it sleeps."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from broker._net import glancing


class Poller:
    """Has what there is to be handled at certain looks; counts them, and notes how long it was to wait otherwise."""

    def __init__(self) -> None:
        self.looks = 0
        self.at: set[int] = set()
        self.slept: list[Any] = []

    def poll(self, timeout: float | None, most: int) -> list[tuple[int, int]]:
        if timeout != 0:
            self.slept.append(timeout)
            return []
        self.looks += 1
        return [(7, 1), (8, 1)] if self.looks in self.at else []


class Base:
    """What there is of a reactor."""

    def __init__(self) -> None:
        self._poller = Poller()
        self._selectables = {7: "seven"}
        self._newTimedCalls: list[Any] = []
        self.threadCallQueue: list[Any] = []
        self.handled: list[Any] = []

    @property
    def slept(self) -> list[Any]:
        return self._poller.slept

    def _doReadOrWrite(self, selectable: Any, number: int, event: int) -> None:
        self.handled.append((selectable, number, event))


@pytest.fixture
def reactor(monkeypatch: pytest.MonkeyPatch) -> Any:
    # However slow the machine is.
    monkeypatch.setattr(glancing, "_OTHERS", 1e9)
    monkeypatch.setattr(glancing, "_STAY", 1e9)
    return glancing._reactor_class(Base)()


SEVEN = ("seven", 7, 1)


def test_what_is_there_is_handled_at_once(reactor: Any) -> None:
    reactor._poller.at = {1}
    reactor.threadCallQueue.append("something else to do")
    reactor.doPoll(5.0)
    # Number 8 is gone meanwhile.
    assert (reactor.handled, reactor.slept, reactor._poller.looks) == ([SEVEN], [], 1)


def test_what_comes_soon_is_not_slept_for(reactor: Any) -> None:
    reactor._poller.at = {2}
    reactor.doIteration(None)
    assert (reactor.handled, reactor.slept) == ([SEVEN], [])


def test_without_time_it_does_not_look_twice(reactor: Any) -> None:
    reactor.doPoll(0)
    assert (reactor._poller.looks, reactor.handled) == (1, [])
    reactor._poller.at = {2, 3}
    reactor.doPoll(0)
    assert (reactor._poller.looks, reactor.handled) == (2, [SEVEN])


def test_what_comes_in_a_row_is_handled_in_a_row(reactor: Any) -> None:
    reactor._poller.at = {1, 2, 5}
    reactor.doPoll(None)
    assert reactor.handled == [SEVEN] * 3


@pytest.mark.parametrize("name", ["_newTimedCalls", "threadCallQueue"])
def test_other_things_to_do_are_not_kept_waiting(reactor: Any, name: str) -> None:
    reactor._poller.at = {1, 2, 3, 4}
    reactor._doReadOrWrite = lambda *_: getattr(reactor, name).append("one")
    reactor.doPoll(None)
    assert getattr(reactor, name) == ["one"]


def test_it_does_not_stay_for_ever(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glancing, "_STAY", 0.005)
    reactor._poller.at = set(range(1_000_000))
    reactor.doPoll(None)
    assert 0 < len(reactor.handled) < 1_000_000


def test_looks_in_vain_become_rare(reactor: Any) -> None:
    glances = []
    for number in range(1, 20):
        before = reactor._poller.looks
        reactor.doPoll(float(number))
        if reactor._poller.looks > before + 1:
            glances.append(number)
    assert reactor.slept == [float(number) for number in range(1, 20)]
    assert glances == [1, 2, 5, 12]


def test_a_look_that_was_not_in_vain_makes_them_frequent(reactor: Any) -> None:
    for _ in range(4):
        reactor.doPoll(1.0)
    assert (reactor._sleeps, reactor._slept) == (0, 3)
    reactor._poller.at = {reactor._poller.looks + 2}
    # There are others to do, lest it look once more behind that.
    reactor.threadCallQueue.append("something")
    reactor.doPoll(1.0)
    assert reactor.handled and len(reactor.slept) == 4
    assert (reactor._sleeps, reactor._slept) == (0, 0)


def test_short_times_are_not_slept(reactor: Any) -> None:
    for _ in range(2):
        looks = reactor._poller.looks
        reactor.doPoll(glancing._SHORT / 2)
        assert reactor._poller.looks > looks + 1
    assert reactor.slept == []


def test_who_shares_a_processor_sleeps(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glancing, "_OTHERS", 0.0)
    for number in range(1, 10):
        before = reactor._poller.looks
        reactor.doPoll(float(number))
        # One when it comes, and those at which it finds out.
        assert reactor._poller.looks - before == {1: 3, 8: 2}.get(number, 1)
    assert reactor.slept == [float(number) for number in range(1, 10)]


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
