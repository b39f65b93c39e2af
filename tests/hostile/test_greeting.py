"""Greetings that are broken, and what they say of sizes."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from broker._limits import Limits
from broker._wire.banana import encode
from broker.errors import DeadReferenceError, LimitExceeded
from tests.hostile.scene import CLOSED, Reverse, Scene, call


@pytest.mark.parametrize(
    "greeting",
    [b"\x04\x82nope", b"\x01\x81", b"\x00\x80", b"\x01\x80\x02\x82pb", b"GET / HTTP/1.1\r\n\r\n\xff", b"\x02\x87"],
)
def test_choice_that_was_not_offered(greeting: bytes) -> None:
    with Scene(greet=b"") as scene:
        scene.raw(greeting)
        assert not scene.open
        scene.logged(CLOSED)


def test_greeting_that_never_ends() -> None:
    with Scene(greet=b"") as scene:
        scene.raw(b"\x00\x00\x08\x82" + b"x" * 70_000)
        assert not scene.open
        scene.logged(CLOSED)


@pytest.mark.parametrize("sent", [b"", b"\x02", b"\x02\x82p"])
def test_half_a_greeting_is_given_up_in_time(sent: bytes) -> None:
    clock = Clock()
    with Scene(greet=b"", clock=clock, limits=Limits(handshake=5)) as scene:
        scene.raw(sent)
        scene.wire.drop() if not sent else None
        clock.advance(6)
        scene.wire.flush()
        assert not scene.open
        if sent:
            scene.logged("no greeting within 5")


def test_two_greetings() -> None:
    with Scene() as scene:
        scene.raw(b"\x02\x82pb")
        assert not scene.open
        scene.logged(CLOSED)


@pytest.mark.parametrize("size", [0, 1, 10, 100])
def test_peer_that_accepts_nothing(size: int) -> None:
    with Scene(greet=encode(b"pb;size=%d" % size, vocabulary=False)) as scene:
        assert scene.call(b"echo", 1) == [[b"answer", 1, 1]]
        answer = scene.call(b"echo", b"x" * 200)
        lines = scene.log.take()
        assert scene.log.tracebacks == [] and len(lines) <= 3
        assert answer == [] or answer[0][0] == b"error"
        assert scene.open == bool(answer)


@pytest.mark.parametrize("size", [b"999999999999", b"9" * 13, b"-1", b"", b"1e9", "٣".encode()])
def test_sizes_that_are_none(size: bytes) -> None:
    with Scene(greet=encode(b"pb;size=" + size, vocabulary=False)) as scene:
        if scene.open:
            assert scene.call(b"echo", b"x" * 200) == [[b"answer", 1, b"x" * 200]]


def test_offer_of_a_size_of_nothing() -> None:
    with Reverse(offer=encode([b"pb;size=0", b"pb"], vocabulary=False)) as scene:
        refused = scene.ask("text")
        assert refused[0].check(LimitExceeded)
        assert scene.client.statistics()["questions"] == 0


@pytest.mark.parametrize("offer", [b"\x00\x80", b"\x02\x80\x01\x81\x02\x81", b"\x01\x80\x04\x82nope", b"\x02\x82pb"])
def test_offer_of_nothing(offer: bytes) -> None:
    with Reverse(offer=offer) as scene:
        assert scene.client.disconnected
        failed = scene.ask()
        assert failed and failed[0].check(DeadReferenceError)


def test_peer_that_never_reads() -> None:
    with Scene(limits=Limits(buffer=100_000), high_water=1000) as scene:
        scene.wire.client.pauseProducing()
        for _ in range(30):
            scene.wire.client.write(call(b"echo", b"x" * 10_000))
            scene.wire.deliver("server")
        scene.wire.flush()
        assert not scene.open
        scene.logged("does not read")


def test_unanswered_connections() -> None:
    from broker.testing.transport import MemoryAddress

    with Scene(limits=Limits(unanswered=3)) as scene:
        made = [scene.factory.buildProtocol(MemoryAddress("client", number)) for number in range(5)]
        assert [protocol is None for protocol in made] == [False] * 3 + [True] * 2
        assert len(scene.log.take()) == 2
