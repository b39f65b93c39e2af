"""The greeting, against what stock peers were seen to offer, choose and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from broker._limits import Limits
from broker._wire.buffer import Decoder
from broker._wire.greeting import choose, chosen, offer, pick, split, with_size
from tests.vectors.load import VECTORS

KNOWN = (b"pb", b"none")
OFFERS = [vector for vector in VECTORS["negotiation"] if "offer_hex" in vector and vector["offer_hex"]]
PICKS = {
    "pick pb, then version+call in same write": b"pb",
    "pick none, then version+call in 'none' dialect": b"none",
    "pick unknown dialect": b"broker-1",
    "client answers with a list": [b"pb"],
}


def decoded(data: bytes) -> Any:
    decoder = Decoder(Limits(), vocabulary=False)
    decoder.receive_data(data)
    return decoder.next_expression()


def test_the_offer_is_the_recorded_one() -> None:
    servers = [vector for vector in VECTORS["negotiation"] if "server_sent_hex" in vector]
    assert len(servers) > 20
    plain = [v for v in servers if not v["name"].startswith("server that offers extra")]
    for vector in plain:
        assert bytes.fromhex(vector["server_sent_hex"]).startswith(offer(KNOWN)), vector["name"]


@pytest.mark.parametrize("vector", OFFERS, ids=lambda v: v["name"])
def test_we_pick_what_stock_picks(vector: dict[str, Any]) -> None:
    agreed = choose(decoded(bytes.fromhex(vector["offer_hex"])), KNOWN)
    name = None if agreed is None else agreed[0]
    sent = bytes.fromhex(vector["client_sent_hex"])
    if not sent:
        assert name is None
        assert vector["closed"]
    else:
        assert name is not None
        assert sent.startswith(pick(name))


@pytest.mark.parametrize("name", PICKS)
def test_we_accept_what_stock_accepts(name: str) -> None:
    (vector,) = (v for v in VECTORS["negotiation"] if v["name"] == name)
    assert (chosen(PICKS[name], KNOWN) is None) is vector["closed_by_server"]


def test_choose_passes_over_what_is_no_known_name() -> None:
    assert choose([[b"pb"], 17, -1, 1.5, [], b"broker-9", b"none", b"pb"], KNOWN) == (b"none", None)
    assert choose([[b"pb"]], KNOWN) is None
    assert choose(b"pb", KNOWN) is None
    assert choose(3, KNOWN) is None


def test_choose_follows_the_order_of_the_offer() -> None:
    assert choose([b"pb", b"broker/1"], (b"broker/1", b"pb")) == (b"pb", None)
    assert choose([b"broker/1", b"pb"], (b"pb", b"broker/1")) == (b"broker/1", None)


def test_chosen_must_have_been_offered() -> None:
    assert chosen(b"pb", (b"broker/1", b"pb")) == (b"pb", None)
    assert chosen(b"none", (b"broker/1", b"pb")) is None
    assert chosen(5, KNOWN) is None
    assert chosen([b"pb"], KNOWN) is None


def test_a_size_goes_with_a_name_that_stock_passes_over() -> None:
    sized = with_size(b"pb", 4096)
    assert split(sized) == (b"pb", 4096)
    assert choose([sized, b"pb", b"none"], KNOWN) == (b"pb", 4096)
    assert chosen(sized, KNOWN) == (b"pb", 4096)


@pytest.mark.parametrize(
    "name", [b"pb;size=", b"pb;size=-1", b"pb;size=1e9", b"pb;size=" + b"9" * 13, b"pb;size", 7, None]
)
def test_a_broken_size_is_an_unknown_name(name: object) -> None:
    assert choose([name, b"none"], KNOWN) == (b"none", None)
    assert chosen(name, KNOWN) is None
