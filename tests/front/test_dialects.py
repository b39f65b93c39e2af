"""Which dialect is spoken: what each end prefers or requires, with stock peers, and with somebody in between."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.testing import StringTransport
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.spread import pb as stock
from zope.interface import implementer

from broker import PBConnectionLost, Root
from broker._limits import Limits
from broker._net.factory import ClientFactory, ServerFactory, dialects_for
from broker._wire.banana import encode
from broker._wire.buffer import Decoder
from broker.errors import ConnectionRefused
from broker.testing import Pair, pair

#: What each end may be told. The stock peers know nothing of any of this.
ENDS: dict[str, dict[str, str] | None] = {
    "stock": None,
    "as it is": {},
    "prefers pb": {"prefer": "pb"},
    "prefers broker/1": {"prefer": "broker/1"},
    "requires pb": {"require": "pb"},
    "requires broker/1": {"require": "broker/1"},
    "requires pb and prefers broker/1": {"require": "pb", "prefer": "broker/1"},
}


class Echo(Root):
    def remote_echo(self, value: Any) -> Any:
        return value


class StockEcho(stock.Root):  # type: ignore[misc]
    def remote_echo(self, value: Any) -> Any:
        return value


@implementer(ILogObserver)
class Lines:
    """The lines that are logged."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The log of the test."""
    heard = Lines()
    globalLogPublisher.addObserver(heard)
    yield heard.lines
    globalLogPublisher.removeObserver(heard)


def known(options: dict[str, str] | None) -> list[str]:
    """Return the dialects that an end knows, best first."""
    if options is None:
        return ["pb"]
    if "require" in options:
        return [options["require"]]
    return ["pb", "broker/1"] if options.get("prefer") == "pb" else ["broker/1", "pb"]


def expected(server: dict[str, str] | None, client: dict[str, str] | None) -> str | None:
    """Return what the two are to speak: the client's wish counts most, then the order of the server."""
    common = [name for name in known(server) if name in known(client)]
    wish = (client or {}).get("prefer")
    if wish in common:
        return wish
    return common[0] if common else None


def connected(server: dict[str, str] | None, client: dict[str, str] | None) -> Pair:
    """Connect two ends."""

    def serving(root: Any) -> Any:
        return stock.PBServerFactory(StockEcho()) if server is None else ServerFactory(Echo(), **server)

    def connecting() -> Any:
        return stock.PBClientFactory() if client is None else ClientFactory(**client)

    return pair(None, server_factory=serving, client_factory=connecting, negotiate=False)


def spoken(end: Any) -> str:
    """Return the dialect of an end, ours or a stock one."""
    dialect = getattr(end, "dialect", None)
    return dialect or end.currentDialect.decode()


@pytest.mark.parametrize(("server", "client"), list(itertools.product(ENDS, ENDS)))
def test_what_is_spoken(server: str, client: str, lines: list[str]) -> None:
    made = connected(ENDS[server], ENDS[client])
    name = expected(ENDS[server], ENDS[client])
    waiting = made.client_factory.getRootObject()
    made.flush()
    if name is not None:
        assert made.call(made.result(waiting), "echo", [1, "two"]) == [1, "two"]
        assert spoken(made.server) == spoken(made.client) == name
        assert not [line for line in lines if "closing" in line]
        return
    if client == "stock":
        # It says so in its log, hangs up, and leaves whoever waits to the factory, as ever.
        assert any("doesn't speak" in line for line in lines)
        assert not made.wire.connected
        return
    error = made.failure(waiting)
    assert isinstance(error, PBConnectionLost)
    refused = error.args[0].value
    assert isinstance(refused, ConnectionRefused) and "no dialect that we speak" in str(error)
    # One line, at the end that cannot go on.
    (line,) = [line for line in lines if "closing the connection" in line]
    assert f"offers no dialect that we speak here ({', '.join(known(ENDS[client]))}" in line
    assert not made.wire.connected


def test_a_dialect_that_there_is_not() -> None:
    for options in ({"prefer": "jelly"}, {"require": "broker/2"}, {"require": ""}, {"prefer": "none"}):
        for factory in (lambda **o: ServerFactory(Echo(), **o), ClientFactory):
            with pytest.raises(ValueError, match="there is no dialect"):
                factory(**options)
    assert dialects_for(None, None) is None
    assert dialects_for("pb", None) == (b"pb", b"none", b"broker/1")
    assert dialects_for("pb", "broker/1") == (b"broker/1",)


def greeting(data: bytes) -> list[bytes]:
    """Return the names in an offer."""
    decoder = Decoder(Limits(), vocabulary=False)
    decoder.receive_data(data)
    names = decoder.next_expression()
    assert isinstance(names, list) and decoder.take_rest() == b""
    return names


def test_what_is_offered() -> None:
    def offered(**options: Any) -> list[bytes]:
        connection = ServerFactory(Echo(), **options).buildProtocol(None)
        transport = StringTransport()
        connection.makeConnection(transport)
        return greeting(transport.value())

    limits = Limits(message=9999, elements=777, depth=12, references=5, calls=4, streams=3, buffer=50_000)
    native = b"broker/1;message=9999;elements=777;depth=12;references=5;calls=4;streams=3;buffer=50000"
    assert offered(limits=limits) == [native, b"pb;size=777", b"pb", b"none"]
    assert offered(limits=limits, prefer="pb") == [b"pb;size=777", b"pb", b"none", native]
    assert offered(limits=limits, require="pb") == [b"pb;size=777", b"pb", b"none"]
    assert offered(limits=limits, require="broker/1") == [native]


def test_both_ends_say_what_they_accept() -> None:
    made = pair(
        None,
        server_factory=lambda root: ServerFactory(Echo(), limits=Limits(message=5000, depth=7)),
        client_factory=lambda: ClientFactory(limits=Limits(message=6000, calls=3)),
    )
    assert made.client.session.native is not None and made.server.session.native is not None
    assert made.client.session.native.settings["message"] == 5000
    assert made.client.session.native.settings["depth"] == 7
    assert made.server.session.native.settings["message"] == 6000
    assert made.server.session.native.settings["calls"] == 3


# Somebody in between, who would rather read along.


def between(change: Callable[[list[bytes]], Any], server: dict[str, str], client: dict[str, str]) -> Pair:
    """Connect two ends of ours through somebody who changes the offer."""
    made = pair(
        None,
        server_factory=lambda root: ServerFactory(Echo(), **server),
        client_factory=lambda: ClientFactory(**client),
        negotiate=False,
    )
    offer = greeting(made.wire.server.take(made.wire.pending("client")))
    made.wire.server.write(encode(change(offer), vocabulary=False))
    return made


def without_broker_1(offer: list[bytes]) -> list[bytes]:
    return [name for name in offer if not name.startswith(b"broker/1")]


@pytest.mark.parametrize(("server", "client"), list(itertools.product([{}, {"prefer": "broker/1"}], repeat=2)))
def test_an_offer_that_was_stripped_leads_to_pb(server: dict[str, str], client: dict[str, str]) -> None:
    made = between(without_broker_1, server, client)
    assert made.call(made.root, "echo", 1) == 1
    assert made.client.dialect == made.server.dialect == "pb"


@pytest.mark.parametrize("server", [{}, {"require": "broker/1"}])
def test_a_client_that_requires_our_own_dialect_fails_closed(server: dict[str, str], lines: list[str]) -> None:
    made = between(without_broker_1, server, {"require": "broker/1"})
    error = made.failure(made.client_factory.getRootObject())
    assert isinstance(error, PBConnectionLost) and "no dialect that we speak" in str(error)
    assert not made.wire.connected
    assert sum("closing the connection" in line for line in lines) == 1


def test_a_server_that_requires_our_own_dialect_fails_closed(lines: list[str]) -> None:
    # The offer had nothing but that in it, and somebody has put another name there.
    made = between(lambda offer: [b"pb", b"none"], {"require": "broker/1"}, {})
    calling = made.client_factory.getRootObject().addCallback(lambda root: root.callRemote("echo", "a secret"))
    error = made.failure(calling)
    assert isinstance(error, PBConnectionLost)
    assert not made.wire.connected
    (line,) = [line for line in lines if "closing the connection" in line]
    assert "chose no dialect that we speak here (broker/1)" in line


@pytest.mark.parametrize(
    "choice", [b"broker/1", b"broker/1;message=5", b"broker/1;depth=;x=1", b"broker/1;" + b"a=1;" * 100]
)
def test_a_choice_of_any_settings_is_one(choice: bytes) -> None:
    connection = ServerFactory(Echo()).buildProtocol(None)
    transport = StringTransport()
    connection.makeConnection(transport)
    connection.dataReceived(encode(choice, vocabulary=False))
    assert connection.dialect == "broker/1" and not transport.disconnecting


@pytest.mark.parametrize("choice", [b"broker/2", b"broker/1x", b"broker", b"Broker/1", b";broker/1", b" broker/1"])
def test_a_choice_that_was_not_offered_is_none(choice: bytes, lines: list[str]) -> None:
    connection = ServerFactory(Echo()).buildProtocol(None)
    transport = StringTransport()
    connection.makeConnection(transport)
    connection.dataReceived(encode(choice, vocabulary=False))
    assert connection.dialect is None and transport.disconnecting
    assert sum("closing the connection" in line for line in lines) == 1
