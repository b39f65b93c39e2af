"""Looking for an answer before falling asleep: as long as that pays, and never for long."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from broker.blocking import turns
from broker.blocking.turns import Turns
from broker.blocking.waits import Wait

pytestmark = pytest.mark.skipif(not turns.BLOCKS, reason="only where a socket that blocks can be asked not to")


class _Protocol:
    """Takes whatever comes for the answer."""

    parked = None
    serving = False

    def __init__(self) -> None:
        self.wait = Wait()

    def dataReceived(self, data: bytes) -> None:
        """Be answered."""
        self.wait.done(data)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, the thread believes that it has a processor for itself."""
    monkeypatch.setattr(turns, "_OTHERS", 1e9)


@pytest.fixture
def ends() -> Iterator[tuple[Turns, socket.socket]]:
    """A connection, and the socket at the other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        protocol: Any = _Protocol()
        made = Turns(ours, protocol)
        yield made, theirs
        for waker in (made._waker, made._kicker):
            waker.close()


def test_an_answer_that_is_there_is_taken(ends: tuple[Turns, socket.socket]) -> None:
    turned, theirs = ends
    wait: Any = turned.protocol
    theirs.send(b"answer")
    assert turned._glance(wait.wait)
    assert wait.wait.result == b"answer"


def test_the_more_often_in_vain_the_more_seldom(ends: tuple[Turns, socket.socket]) -> None:
    turned, theirs = ends
    looked = []
    for number in range(4000):
        wait = Wait()
        # Whether it looked is seen from whether another thread's reading is on record.
        turned._used = False
        assert not turned._glance(wait)
        if turned._used:
            looked.append(number)
    assert looked[:5] == [0, 2, 6, 14, 30]
    gaps = [after - before for before, after in zip(looked, looked[1:], strict=False)]
    assert max(gaps) == turns._MOST_SLEEPS + 1
    assert gaps[-1] == gaps[-2]


def test_who_shares_a_processor_looks_no_longer_and_not_less_often(
    ends: tuple[Turns, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    turned, _ = ends
    monkeypatch.setattr(turns, "_OTHERS", 0.0)
    monkeypatch.setattr(turns, "_GLANCE", 1e9)
    for _ in range(5):
        assert not turned._glance(Wait())
    assert turned._sleeps == 0


def test_once_it_pays_it_is_done_each_time(ends: tuple[Turns, socket.socket]) -> None:
    turned, theirs = ends
    for _ in range(3):
        assert not turned._glance(Wait())
    protocol: Any = turned.protocol
    while turned._sleeps:
        turned._glance(Wait())
    for _ in range(3):
        protocol.wait = Wait()
        theirs.send(b"answer")
        assert turned._glance(protocol.wait)


def test_the_end_of_a_connection_is_seen(ends: tuple[Turns, socket.socket]) -> None:
    turned, theirs = ends
    theirs.close()
    assert turned._glance(Wait())
    assert turned._end is not None


def test_a_result_found_by_another_thread_ends_it(ends: tuple[Turns, socket.socket]) -> None:
    turned, _ = ends
    wait = Wait()
    wait.done("found")
    assert turned._glance(wait)
    assert turned._slept == 0
