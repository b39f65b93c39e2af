"""The greeting, against what stock peers were seen to offer, choose and refuse."""

from __future__ import annotations

from typing import Any

import pytest

from broker._limits import Limits
from broker._wire.buffer import Decoder
from broker._wire.greeting import choose, chosen, offer, pick, split, with_settings
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
    assert choose([[b"pb"], 17, -1, 1.5, [], b"broker-9", b"none", b"pb"], KNOWN) == (b"none", {})
    assert choose([[b"pb"]], KNOWN) is None
    assert choose(b"pb", KNOWN) is None
    assert choose(3, KNOWN) is None


def test_choose_follows_the_order_of_the_offer() -> None:
    assert choose([b"pb", b"broker/1"], (b"broker/1", b"pb")) == (b"pb", {})
    assert choose([b"broker/1", b"pb"], (b"pb", b"broker/1")) == (b"broker/1", {})


def test_chosen_must_have_been_offered() -> None:
    assert chosen(b"pb", (b"broker/1", b"pb")) == (b"pb", {})
    assert chosen(b"none", (b"broker/1", b"pb")) is None
    assert chosen(5, KNOWN) is None
    assert chosen([b"pb"], KNOWN) is None


def test_settings_go_with_a_name_that_stock_passes_over() -> None:
    sized = with_settings(b"pb", {"size": 4096})
    assert sized == b"pb;size=4096"
    assert split(sized) == (b"pb", {"size": 4096})
    assert choose([sized, b"pb", b"none"], KNOWN) == (b"pb", {"size": 4096})
    assert chosen(sized, KNOWN) == (b"pb", {"size": 4096})
    assert split(with_settings(b"broker/1", {"depth": 3, "message": 9})) == (b"broker/1", {"depth": 3, "message": 9})


@pytest.mark.parametrize(
    "name", [b"pb;size=", b"pb;size=-1", b"pb;size=1e9", b"pb;size=" + b"9" * 13, b"pb;size", b"pb;;;=1;\xff=2"]
)
def test_a_setting_of_unknown_form_is_passed_over(name: bytes) -> None:
    assert split(name) == (b"pb", {})
    assert split(name + b";known=1") == (b"pb", {"known": 1})


def test_settings_without_end_are_not_looked_at() -> None:
    many = {"a" * (n + 1): n for n in range(100)}
    assert len(split(with_settings(b"pb", many))[1]) < 40


def test_one_that_is_preferred_is_taken_wherever_it_stands() -> None:
    offered = [b"broker/1;depth=3", b"pb;size=1", b"pb"]
    assert choose(offered, (b"broker/1", b"pb"), b"pb") == (b"pb", {"size": 1})
    assert choose(offered, (b"broker/1",), b"pb") == (b"broker/1", {"depth": 3})
    assert choose(offered, (b"broker/1", b"pb")) == (b"broker/1", {"depth": 3})
