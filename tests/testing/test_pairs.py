"""Pairs: two brokers of the product, or of twisted.spread, connected in memory."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.spread import pb as stock
from zope.interface import implementer

from broker import RemoteError, pb
from broker.testing import NoResult, NotQuiet, assert_empty, assert_no_escape, pair

STOCK: dict[str, Any] = {"server_factory": stock.PBServerFactory, "client_factory": stock.PBClientFactory}


class Taken(pb.Error):
    """Somebody was faster."""


class Desk(pb.Root):
    def __init__(self) -> None:
        self.kept: Any = None
        self.never: Deferred[None] = Deferred()

    def remote_echo(self, value: Any, **named: Any) -> Any:
        return [value, named] if named else value

    def remote_keep(self, value: Any) -> None:
        self.kept = value

    def remote_wait(self) -> Deferred[None]:
        return self.never

    def remote_take(self) -> None:
        raise Taken("seat 7")

    async def remote_ask(self, other: Any) -> Any:
        return await other.callRemote("echo", "from the server")


class StockDesk(stock.Root):
    def remote_echo(self, value: Any) -> Any:
        return value


@pytest.mark.parametrize("options", [{}, {"chunk": 1}, {"latency": 0.2}, {"high_water": 16}, {"clock": Clock()}])
def test_call(options: dict[str, Any]) -> None:
    connected = pair(Desk(), **options)
    assert connected.call(connected.root, "echo", [1, "two", b"three"]) == [1, "two", b"three"]
    assert connected.call(connected.root, "echo", 1, name="n", to="t") == [1, {"name": "n", "to": "t"}]
    assert connected.call(connected.root, "ask", Desk()) == "from the server"
    assert_empty(connected)
    assert_no_escape(connected)


@pytest.mark.parametrize("ours", ["client", "server"])
def test_with_a_stock_end(ours: str) -> None:
    theirs: dict[str, Any] = {key: factory for key, factory in STOCK.items() if not key.startswith(ours)}
    connected = pair(Desk() if ours == "server" else StockDesk(), **theirs)
    assert connected.call(connected.root, "echo", {"a": (1, 2)}) == {"a": (1, 2)}
    assert_empty(connected)


def test_stock_at_both_ends() -> None:
    connected = pair(StockDesk(), **STOCK)
    assert connected.call(connected.root, "echo", 5) == 5
    assert connected.tables()["client"]["questions"] == 0
    waiting = connected.root.callRemote("echo", 1)
    assert connected.tables()["client"]["questions"] == 1
    connected.drop()
    assert isinstance(connected.failure(waiting), stock.PBConnectionLost)
    assert_empty(connected)


def test_failures_are_raised() -> None:
    connected = pair(Desk())
    with pytest.raises(RemoteError, match="seat 7"):
        connected.call(connected.root, "take")
    error = connected.failure(connected.root.callRemote("take"))
    assert isinstance(error, RemoteError)
    with pytest.raises(AssertionError, match="did not fail; the result is 3"):
        connected.failure(connected.root.callRemote("echo", 3))


def test_no_result() -> None:
    desk = Desk()
    connected = pair(desk)
    with pytest.raises(NoResult):
        connected.call(connected.root, "wait")
    assert connected.tables()["client"]["questions"] == connected.tables()["server"]["answers"] == 1
    with pytest.raises(AssertionError, match="the client has 1 in questions.*the server has 1 in answers"):
        assert_empty(connected)
    desk.never.callback(None)
    assert_empty(connected)


def test_a_coroutine() -> None:
    connected = pair(Desk())

    async def twice() -> list[Any]:
        return [await connected.root.callRemote("echo", n) for n in (1, 2)]

    assert connected.result(twice()) == [1, 2]


def test_delivery_is_the_tests() -> None:
    desk = Desk()
    connected = pair(desk)
    connected.transcript.clear()
    connected.root.callRemote("keep", "here")
    size = connected.pending("server")
    assert [to for to, _ in connected.transcript] == ["server"]
    assert len(connected.transcript[0].data) == size > 0
    connected.deliver("server", size - 1)
    assert desk.kept is None
    connected.deliver("server", 1)
    assert desk.kept == "here"
    assert connected.pending("client") > 0
    assert connected.step()
    assert not connected.step()


def test_byte_by_byte() -> None:
    connected = pair(Desk())
    assert not connected.byte_by_byte
    connected.byte_by_byte = True
    assert connected.wire.chunk == 1 and connected.byte_by_byte
    assert connected.call(connected.root, "echo", "slowly") == "slowly"
    connected.byte_by_byte = False
    assert connected.wire.chunk is None


def test_not_negotiated() -> None:
    connected = pair(Desk(), negotiate=False)
    assert connected.pending("client") > 0 and connected.pending("server") == 0
    assert connected.call(connected.root, "echo", 1) == 1


def test_drop() -> None:
    connected = pair(Desk())
    waiting = connected.root.callRemote("echo", 1)
    connected.deliver("server")
    reason = ConnectionDone("enough")
    connected.drop(reason)
    error = connected.failure(waiting)
    assert isinstance(error, pb.PBConnectionLost) and error.args[0].value is reason
    assert connected.client.disconnected and connected.server.disconnected
    assert_empty(connected)


def test_only_one_end_notices() -> None:
    connected = pair(Desk())
    connected.drop(only="server")
    assert connected.broker("server").disconnected and not connected.broker("client").disconnected
    with pytest.raises(ValueError):
        connected.broker("middle")  # type: ignore[arg-type]


def test_close_answers_first() -> None:
    connected = pair(Desk())
    connected.root.callRemote("keep", 1).addErrback(lambda _: None)
    connected.close()
    assert connected.client.disconnected and connected.server.disconnected
    assert connected.server_factory.root.kept == 1


def test_two_clients() -> None:
    first = pair(Desk(), chunk=3)
    second = first.another()
    first.call(first.root, "keep", "first's")
    assert first.server_factory is second.server_factory
    assert second.wire.chunk == 3
    assert second.server_factory.root.kept == "first's"
    assert first.client.transport.getPeer() != second.client.transport.getPeer()
    second.drop()
    assert first.call(first.root, "echo", 1) == 1


def test_handshake_times_out_on_the_clock() -> None:
    clock = Clock()
    connected = pair(Desk(), clock=clock, negotiate=False, limits=pb_limits(handshake=5.0))
    connected.wire.client.pauseProducing()
    connected.advance(4.9)
    assert connected.wire.connected
    connected.advance(0.2)
    assert connected.wire.server.disconnecting


def pb_limits(**given: Any) -> Any:
    from broker._limits import Limits

    return Limits(**given)


def test_login() -> None:
    class Member(pb.Avatar):
        def perspective_name(self) -> str:
            return "alice"

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
            return interfaces[0], Member(), lambda: None

    checker = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sekrit")
    connected = pair(Portal(Realm(), [checker]))
    avatar = connected.result(connected.client_factory.login(UsernamePassword(b"alice", b"sekrit")))
    assert connected.call(avatar, "name") == "alice"
    with pytest.raises(AssertionError, match="server has 1 in exports.*client|client has 1 in imports"):
        assert_empty(connected)
    del avatar
    assert_empty(connected)


def test_endless_talk() -> None:
    class Ping(pb.Referenceable):
        def remote_ping(self, other: Any) -> None:
            other.callRemote("ping", self)

    connected = pair(Desk())
    ball = Ping()
    connected.root.callRemote("keep", ball)
    connected.flush()
    connected.server_factory.root.kept.callRemote("ping", Ping())
    with pytest.raises(NotQuiet):
        connected.flush(rounds=40)
