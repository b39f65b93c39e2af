"""Who gets in, and who does not."""

from __future__ import annotations

from multiprocessing import AuthenticationError
from typing import Any

import pytest
from twisted.internet.task import Clock

from broker import Referenceable
from broker.manager.gate import PATIENCE, Gate, enter, new_key
from broker.manager.standard import exceptions
from broker.testing import Pair
from broker.testing.harness import Pairs

KEY = new_key()


class Inside(Referenceable):
    def remote_ping(self) -> str:
        return "pong"


def gated(pairs: Pairs) -> tuple[Pair, Clock]:
    clock = Clock()
    return pairs(Gate(KEY, Inside, clock), registry=exceptions()), clock


def test_who_knows_the_key_is_let_in(pairs: Pairs) -> None:
    pair, clock = gated(pairs)
    inside = pair.result(enter(pair.root, KEY))
    assert pair.call(inside, "ping") == "pong"
    assert not clock.getDelayedCalls()
    clock.advance(PATIENCE)
    assert pair.call(inside, "ping") == "pong"


def test_another_key(pairs: Pairs) -> None:
    pair, clock = gated(pairs)
    assert isinstance(pair.failure(enter(pair.root, b"another")), AuthenticationError)
    # The client has found out by itself, and said nothing.
    assert isinstance(pair.failure(pair.root.callRemote("enter", bytes(32))), AuthenticationError)
    clock.advance(0)
    pair.flush()
    assert pair.server.disconnected


@pytest.mark.parametrize("proof", [bytes(32), b"", None, "text", 3])
def test_one_attempt(pairs: Pairs, proof: Any) -> None:
    pair, clock = gated(pairs)
    pair.call(pair.root, "hello", bytes(32))
    assert isinstance(pair.failure(pair.root.callRemote("enter", proof)), AuthenticationError)
    for name, argument in (("enter", proof), ("hello", bytes(32))):
        assert isinstance(pair.failure(pair.root.callRemote(name, argument)), AuthenticationError)
    clock.advance(0)
    pair.flush()
    assert pair.server.disconnected


@pytest.mark.parametrize("greeting", [b"", bytes(31), None, [1]])
def test_wrong_greetings(pairs: Pairs, greeting: Any) -> None:
    pair, _ = gated(pairs)
    assert isinstance(pair.failure(pair.root.callRemote("hello", greeting)), AuthenticationError)
    pair.drop()


def test_who_says_nothing_is_not_waited_for(pairs: Pairs) -> None:
    pair, clock = gated(pairs)
    clock.advance(PATIENCE)
    pair.flush()
    assert pair.client.disconnected
    other, clock = gated(pairs)
    other.drop()
    assert not clock.getDelayedCalls()


@pytest.mark.parametrize("answer", [None, (b"x",), ("a", "b"), (bytes(32), bytes(32))])
def test_a_manager_that_does_not_know_the_key(pairs: Pairs, answer: Any) -> None:
    class Impostor(Referenceable):
        told: list[bytes] = []

        def remote_hello(self, theirs: bytes) -> Any:
            return answer

        def remote_enter(self, proof: bytes) -> None:
            self.told.append(proof)

    pair = pairs(Impostor())
    assert isinstance(pair.failure(enter(pair.root, KEY)), AuthenticationError)
    assert not Impostor.told


def test_nothing_else_is_there(pairs: Pairs) -> None:
    pair, _ = gated(pairs)
    for name in (".create", "broker.do", "create", ":hub"):
        assert "No such method" in str(pair.failure(pair.root.callRemote(name)))
    pair.drop()
