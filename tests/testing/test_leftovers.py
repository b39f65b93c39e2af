"""Tables are counted, leftovers named, chains of references let go."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.protocol import Protocol

from broker import pb
from broker.testing import Wire, assert_empty, assert_no_escape, pair, tables


class Thing(pb.Referenceable):
    def __repr__(self) -> str:
        return "<the thing>"


class Shop(pb.Root):
    def __init__(self) -> None:
        self.taken: Any = None

    def remote_give(self) -> Thing:
        return Thing()

    def remote_take(self, value: Any) -> None:
        self.taken = value


NAMES = {"exports", "imports", "questions", "answers", "cached_out", "cached_in"}


def test_tables() -> None:
    connected = pair(Shop())
    assert tables(connected.client) == tables(connected.server) == dict.fromkeys(NAMES, 0)
    thing = connected.call(connected.root, "give")
    assert tables(connected.client) == {**dict.fromkeys(NAMES, 0), "imports": 1}
    assert tables(connected.server) == {**dict.fromkeys(NAMES, 0), "exports": 1}
    del thing


def test_leftovers_are_named() -> None:
    connected = pair(Shop())
    thing = connected.call(connected.root, "give")
    with pytest.raises(AssertionError) as caught:
        assert_empty(connected)
    assert "the client has 1 in imports, references to the other end's objects" in str(caught.value)
    assert "the server has 1 in exports" in str(caught.value)
    assert "<the thing>" in str(caught.value)
    with pytest.raises(AssertionError, match="the broker has 1 in exports"):
        assert_empty(connected.server)
    del thing
    assert_empty(connected)
    assert_empty(connected.server)


def test_a_chain_of_references_is_let_go() -> None:
    connected = pair(Shop())

    class Holder(pb.Referenceable):
        held: Any = None

    # The client's object holds the server's, which is held alive by nothing but the client.
    holder = Holder()
    holder.held = connected.call(connected.root, "give")
    connected.call(connected.root, "take", holder)
    del holder
    assert tables(connected.client)["exports"] == 1
    connected.server_factory.root.taken = None
    assert_empty(connected)


def test_escapes_are_told() -> None:
    class Faulty(Protocol):
        def dataReceived(self, data: bytes) -> None:
            raise ZeroDivisionError("oops")

    connected = pair(Shop())
    assert_no_escape(connected)
    connected.wire = Wire(Protocol(), Faulty())
    connected.wire.client.write(b"x")
    connected.flush()
    with pytest.raises(AssertionError, match="ZeroDivisionError escaped the server's protocol: oops") as caught:
        assert_no_escape(connected)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
