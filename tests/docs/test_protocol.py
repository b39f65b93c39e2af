"""The example on the page of the protocol is what our server does, to the byte."""

from __future__ import annotations

import re

from twisted.internet.testing import StringTransport

import broker
from tests.docs.pages import DOCS


class Echo(broker.Root):
    def remote_echo(self, text: str) -> str:
        return text


def example() -> list[tuple[str, bytes]]:
    """Return the lines of the example: the direction and the bytes."""
    page = (DOCS / "protocol" / "pb.md").read_text(encoding="utf-8").partition("## An example")[2]
    rows = re.findall(r"^\| ([SC]>[SC]) \| ([^|]*) \|", page, re.MULTILINE)
    return [(way, bytes.fromhex("".join(re.findall(r"`([0-9a-f]+)`", cell)))) for way, cell in rows]


def test_example() -> None:
    lines = example()
    said = b"".join(data for way, data in lines if way == "C>S")
    heard = b"".join(data for way, data in lines if way == "S>C")
    transport = StringTransport()
    connection = broker.ServerFactory(Echo()).buildProtocol(None)
    connection.makeConnection(transport)
    offer, rest = transport.value(), len(lines[0][1])
    assert offer.startswith(b"\x04\x80") and offer.endswith(lines[0][1][2:]), "the offer, but for names of ours"
    transport.clear()
    connection.dataReceived(said)
    assert transport.value() == heard[rest:]
