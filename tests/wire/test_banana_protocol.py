"""The drop-in for twisted.spread.banana, beside what Twisted's own tests of it check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.spread import banana as stock

from broker.spread import banana
from tests.wire.test_banana import expressions


class Recorder(banana.Banana):
    def __init__(self, isClient: bool) -> None:
        super().__init__(isClient)
        self.got: list[Any] = []
        self.ready = 0

    def connectionReady(self) -> None:
        self.ready += 1

    def expressionReceived(self, lst: Any) -> None:
        self.got.append(lst)


def connected(isClient: bool) -> tuple[Recorder, StringTransport]:
    end = Recorder(isClient)
    transport = StringTransport()
    end.makeConnection(transport)
    return end, transport


def test_two_ends_agree_and_talk() -> None:
    server, to_client = connected(False)
    client, to_server = connected(True)
    assert to_server.value() == b""
    client.dataReceived(to_client.value())
    server.dataReceived(to_server.value())
    assert server.currentDialect == client.currentDialect == b"pb"
    assert (server.ready, client.ready) == (1, 1)
    to_server.clear()
    client.sendEncoded([b"remote", 1])
    assert to_server.value() == b"\x02\x80\x10\x87\x01\x81"
    server.dataReceived(to_server.value())
    assert server.got == [[b"remote", 1]]


def test_bytes_right_behind_the_choice_are_read_in_the_dialect_chosen() -> None:
    server, _ = connected(False)
    server.dataReceived(b"\x02\x82pb\x10\x87\x11\x87")
    assert server.got == [b"remote", b"local"]


@pytest.mark.parametrize("offer", [b"\x01\x80\x01\x82x", b"\x00\x80", b"\x02\x82pq", b"\x05\x81"])
@pytest.mark.parametrize("isClient", [True, False])
def test_no_dialect_in_common_closes(offer: bytes, isClient: bool) -> None:
    end, transport = connected(isClient)
    transport.clear()
    end.dataReceived(offer)
    assert transport.disconnecting
    assert (transport.value(), end.currentDialect, end.ready) == (b"", None, 0)


def test_a_client_picks_in_the_order_of_the_offer() -> None:
    client, transport = connected(True)
    client.dataReceived(banana.encode([[b"pb"], 7, b"other", b"none", b"pb"]))
    assert client.currentDialect == b"none"
    assert transport.value() == b"\x04\x82none"


def test_expressions_before_a_bad_one_are_received() -> None:
    server, _ = connected(False)
    with pytest.raises(NotImplementedError, match="0x99"):
        server.dataReceived(b"\x02\x82pb\x01\x81\x99")
    assert server.got == [1]


def test_a_bare_banana_does_nothing_with_expressions() -> None:
    end = banana.Banana()
    end.makeConnection(StringTransport())
    end._selectDialect(b"none")
    with pytest.raises(NotImplementedError):
        end.dataReceived(b"\x01\x81")


@given(expressions)
def test_free_functions_give_what_stock_gives(value: Any) -> None:
    data = banana.encode(value)
    assert data == stock.encode(value)
    assert banana.decode(data) == value


@given(st.integers(0, 2**500))
def test_numbers_give_what_stock_gives(number: int) -> None:
    ours: list[bytes] = []
    theirs: list[bytes] = []
    banana.int2b128(number, ours.append)
    stock.int2b128(number, theirs.append)
    assert b"".join(ours) == b"".join(theirs)
    assert banana.b1282int(ours[0]) == number


def test_decode_of_half_an_expression() -> None:
    with pytest.raises(banana.BananaError, match="early"):
        banana.decode(b"\x02\x80\x01\x81")
    assert banana.decode(b"\x01\x81\x02\x81") == 1


@pytest.fixture
def prefix_limit() -> Iterator[None]:
    yield
    banana.setPrefixLimit(64)


@pytest.mark.usefixtures("prefix_limit")
def test_the_prefix_limit_is_for_connections_from_then_on() -> None:
    before, _ = connected(True)
    banana.setPrefixLimit(2)
    after, _ = connected(True)
    assert (before.prefixLimit, after.prefixLimit) == (64, 2)
    for end in (before, after):
        end._selectDialect(b"none")
    before.dataReceived(b"\x01\x01\x01\x81")
    assert before.got == [16513]
    with pytest.raises(banana.BananaError, match="2 bytes"):
        after.dataReceived(b"\x01\x01\x01\x81")
    with pytest.raises(banana.BananaError, match="14"):
        after.sendEncoded(2**14)


def test_changing_the_prefix_limit_keeps_what_has_come() -> None:
    end, _ = connected(True)
    end._selectDialect(b"none")
    end.dataReceived(b"\x02\x80\x01\x81\x05")
    end.setPrefixLimit(10)
    end.dataReceived(b"\x81")
    assert end.got == [[1, 5]]


def test_names_and_constants_are_those_of_stock() -> None:
    for name in banana.__all__:
        assert hasattr(stock, name)
        if name.isupper():
            assert getattr(banana, name) == getattr(stock, name)
    for name in ("knownDialects", "sizeLimit", "outgoingVocabulary", "incomingVocabulary"):
        assert getattr(banana.Banana, name) == getattr(stock.Banana, name)
    assert banana.Banana().outgoingSymbols == stock.Banana().outgoingSymbols
