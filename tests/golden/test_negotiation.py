"""The recorded experiments with stock peers' greetings, repeated with ours: what stock answers, we answer.

Where stock drops the connection over a message that is merely wrong, ours goes on (decision 3); those are listed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from broker._wire.banana import encode
from broker.errors import PBConnectionLost
from broker.spread import pb
from tests.vectors import load_fixtures

pbvec = load_fixtures()
VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "pb-vectors.json").read_text())["negotiation"]
TO_SERVER = {v["name"]: v for v in VECTORS if "server_sent_hex" in v}
TO_CLIENT = {v["name"]: v for v in VECTORS if "server_sent_hex" not in v}


def words(*expressions: Any, vocabulary: bool = True) -> bytes:
    return b"".join(encode(list(e) if isinstance(e, tuple) else e, vocabulary=vocabulary) for e in expressions)


VERSION = (b"version", 6)
EMPTY = [b"dictionary"]
CALL = (b"message", 1, b"root", b"echo", 1, [b"tuple", 7], EMPTY)
PB = encode(b"pb", vocabulary=False)
NONE = encode(b"none", vocabulary=False)
FIRST_CALL = PB + words(VERSION, CALL)

#: What the raw client wrote in each experiment.
WRITTEN: dict[str, bytes] = {
    "nothing sent": b"",
    "pick pb, then version+call in same write": FIRST_CALL,
    "pick none, then version+call in 'none' dialect": NONE + words(VERSION, CALL, vocabulary=False),
    "pick unknown dialect": encode(b"broker-1", vocabulary=False),
    "speculative: 'pb'+version+call written before reading the offer": FIRST_CALL,
    "no version message at all, just a call": PB + words(CALL),
    "version 7": PB + words((b"version", 7)),
    "client answers with a list": encode([b"pb"], vocabulary=False),
    "unknown command after pb": PB + words(VERSION, (b"frobnicate", 1)),
    "non-list top level expression": PB + words(VERSION, 7),
    "vocab byte beyond table": PB + words(VERSION) + b"\x01\x80\x20\x87",
    "plain string where vocab word exists (allowed?)": PB + words(VERSION, CALL, vocabulary=False),
    "vocab token used in 'none'": NONE + words(CALL),
    "message arguments: wrong arity": PB + words(VERSION, CALL[:-1]),
    "answer with unknown request id": PB + words(VERSION, (b"answer", 99, 1)),
    "decref unknown id": PB + words(VERSION, (b"decref", 99)),
    "decref root": PB + words(VERSION, (b"decref", b"root")),
    "method name as unicode? (bytes only on wire) -> int method name": PB
    + words(VERSION, (b"message", 1, b"root", 5, 1, [b"tuple"], EMPTY)),
    "args as list jelly": PB + words(VERSION, (b"message", 1, b"root", b"echo", 1, [b"list", 7, 8], EMPTY)),
    "kwargs with bytes keys (py2 peer)": PB
    + words(VERSION, (b"message", 1, b"root", b"echo", 1, [b"tuple", 7], [b"dictionary", [b"k", b"v"]])),
    "server that offers extra names; client picks pb": FIRST_CALL,
    "int type bytes: small int sent as LONGINT": PB
    + words(VERSION)
    + words(CALL).replace(b"\x07\x81\x01\x80", b"\x07\x85\x01\x80"),
}

#: Where stock drops the connection and ours says what is wrong and goes on.
FORGIVEN = {
    "unknown command after pb": [b"didNotUnderstand", b"frobnicate"],
    "message arguments: wrong arity": [b"error", 1],
    "method name as unicode? (bytes only on wire) -> int method name": [b"error", 1],
    "answer with unknown request id": None,
    "decref unknown id": None,
    "decref root": [b"didNotUnderstand", b"decref"],
}


def without_offer(data: bytes) -> bytes:
    """Take off the offer, whose names differ."""
    from broker._limits import Limits
    from broker._wire.buffer import Decoder

    decoder = Decoder(Limits(), vocabulary=False)
    decoder.receive_data(data)
    assert decoder.next_expression() is not None
    return decoder.take_rest()


@pytest.mark.parametrize("name", TO_SERVER)
@pytest.mark.parametrize("pieces", ["whole", "bytes"])
def test_raw_client_and_our_server(name: str, pieces: str) -> None:
    vector = TO_SERVER[name]
    broker = pb.PBServerFactory(pbvec.Root()).buildProtocol(None)
    transport = StringTransport()
    broker.makeConnection(transport)
    written = WRITTEN[name]
    for piece in [written] if pieces == "whole" else [written[i : i + 1] for i in range(len(written))]:
        broker.dataReceived(piece)
    ours = without_offer(transport.value())
    if name in FORGIVEN:
        assert vector["closed_by_server"] and not transport.disconnecting
        broker.dataReceived(words((b"message", 2, b"root", b"echo", 1, [b"tuple", 8], EMPTY)))
        assert transport.value().endswith(words((b"answer", 2, 8)))
        answer = FORGIVEN[name]
        if answer is not None:
            begin = words(answer)[1:]
            assert begin in ours
    else:
        assert transport.disconnecting is vector["closed_by_server"]
        stock = without_offer(bytes.fromhex(vector["server_sent_hex"]))
        # Having read the choice, ours has sent its version before it comes to what is wrong behind it.
        early = words(VERSION, vocabulary=not written.startswith(NONE))
        assert ours == stock or (vector["closed_by_server"] and ours == early)


@pytest.mark.parametrize("name", TO_CLIENT)
def test_fake_server_and_our_client(name: str) -> None:
    vector = TO_CLIENT[name]
    factory = pb.PBClientFactory()
    outcome: list[Any] = []
    factory.getRootObject().addCallback(lambda root: root.callRemote("echo", 1)).addBoth(outcome.append)
    broker = factory.buildProtocol(None)
    transport = StringTransport()
    broker.makeConnection(transport)
    broker.dataReceived(bytes.fromhex(vector["offer_hex"]))
    if vector["closed"]:
        assert transport.disconnecting and transport.value() == b""
        broker.connectionLost(Failure(ConnectionDone()))
        assert outcome[0].check(PBConnectionLost)
        return
    stock = bytes.fromhex(vector["client_sent_hex"])
    # The recorded call had no arguments.
    vocabulary = not stock.startswith(NONE)
    none, one = words([b"tuple"], vocabulary=vocabulary), words([b"tuple", 1], vocabulary=vocabulary)
    assert transport.value() == stock.replace(none, one)
    if stock:
        broker.dataReceived(words((b"answer", 1, b"from fake server"), vocabulary=vocabulary))
        assert outcome == [b"from fake server"]
