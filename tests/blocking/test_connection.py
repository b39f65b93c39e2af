"""Connecting, calling, and being called: what comes back is the result, and nothing is left."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from broker._objects.perspective import Avatar
from broker._objects.reference import RemoteReference
from broker.blocking import connect, link_pair, run
from broker.errors import DeadReferenceError, PBConnectionLost
from broker.interfaces import IPerspective
from broker.names import WRITE, directory
from broker.transparent import describe, export, expose, expr, live, ops, program, same, value
from tests.blocking.scene import OPEN, Echo, Shop, Target, connected, in_threads, reactor, served, settled


def test_live_root(in_dialect: str) -> None:
    with connected(Shop()) as connection:
        assert connection.broker.dialect == in_dialect
        shop = connection.root
        assert shop is connection.root
        assert shop.echo({"a": (1, [2.5])}) == {"a": (1, [2.5])}
        assert (shop.name, shop.price, len(shop.goods), list(shop.goods)) == ("shop", 3, 100, list(range(100)))
        shop.price = 4
        shop.goods[2] = "two"
        assert shop.price == 4 and shop.goods[2] == "two" and 99 in shop.goods and 2 not in shop.goods
        child = shop.child()
        assert child.echo(1) == 1
        assert run(expr(shop).child().price + 1) == 4
        with program(shop) as p:
            p.price = 7
        assert shop.price == 7
        with pytest.raises(ValueError, match="bad") as caught:
            shop.fail()
        assert caught.value.args == ("bad", 3)
        with pytest.raises(AttributeError):
            shop.nothing  # noqa: B018
        del child, shop, p, caught
        assert settled(connection, lambda: connection.root.echo(1))["questions"] == 0


def test_nothing_is_left(in_dialect: str) -> None:
    with connected(Shop()) as connection:
        shop = connection.root
        before = settled(connection, lambda: shop.echo(0))
        held = [shop.child() for _ in range(20)]
        shop.call(lambda value: value, 1)
        assert connection.statistics()["imports"] >= before["imports"] + 20
        del held
        # What the server drops it tells when it has answered; the next answer comes behind it.
        assert settled(connection, lambda: [shop.echo(0), shop.echo(0)]) == before


def test_what_was_lent_comes_back_released() -> None:
    with connected(Shop()) as connection:
        shop = connection.root
        before = settled(connection, lambda: shop.echo(0))
        shop.keep(lambda: 1)
        assert connection.statistics()["exports"] == before["exports"] + 1
        shop.drop()
        assert settled(connection, lambda: [shop.echo(0), shop.echo(0)]) == before


def test_reference(in_dialect: str) -> None:
    with connected(Echo()) as connection:
        root = connection.reference
        assert root.callRemote("echo", [1, "two"]) == [1, "two"]
        assert root.remoteMethod("echo")(3) == 3
        assert root.options(timeout=30).callRemote("echo", 4) == 4
        root.callRemoteOnly("echo", 5)
        other: Any = root.callRemote("new")
        assert isinstance(other, RemoteReference)
        answer: Any = other.callRemote("echo", 6)
        assert answer == 6
        with pytest.raises(ValueError, match="bad"):
            root.callRemote("fail")
        with pytest.raises(AttributeError, match="nothing"):
            root.callRemote("nothing")
        with pytest.raises(TypeError, match=r"takes no operations.*reference\(x\)\.callRemote"):
            connection.root  # noqa: B018
        del other
        assert settled(connection, lambda: root.callRemote("echo", 1))["imports"] == 0


def test_operations_on_a_reference_wait(in_dialect: str) -> None:
    """An expression about a reference waits where the reference's own calls do."""
    with connected(Shop()) as connection:
        reference = connection.reference
        assert run(expr(reference).price) == value(expr(reference).price) == 3
        assert ops.len(expr(reference).goods) == 100
        assert describe(reference).name == "Shop"
        assert list(ops.iter(expr(reference).goods))[-1] == 99
        assert live(reference).price == 3 and same(live(reference), connection.root)
        with program(reference) as recorded:
            recorded.note(1)
        assert connection.root.noted() == [1]
        with pytest.raises(TypeError, match=r"use run\(x\)"):
            expr(reference).price.deferred()


def test_being_called(in_dialect: str) -> None:
    """What the server calls runs in a worker, which may call the server in turn, as deep as it likes."""
    with connected(Echo()) as connection:
        root = connection.reference
        mine = threading.current_thread()
        threads: list[threading.Thread] = []

        def go(depth: int) -> int:
            threads.append(threading.current_thread())
            return 0 if not depth else 1 + root.callRemote("call", Target(go), depth - 1)

        assert root.callRemote("call", Target(go), 5) == 5
        assert mine not in threads and len(set(threads)) == 6
        assert root.callRemote("call", Target(lambda: "done")) == "done"
        with pytest.raises(KeyError, match="missing"):
            root.callRemote("call", Target({}.__getitem__), "missing")
        assert settled(connection, lambda: root.callRemote("echo", 1))["answers"] == 0


def test_lent_objects_run_in_workers(in_dialect: str) -> None:
    with connected(Shop()) as connection:
        shop = connection.root
        mine = threading.current_thread()
        threads: set[Any] = set()

        def numbers() -> Any:
            for number in range(5):
                threads.add(threading.current_thread())
                yield shop.echo(number)

        def depth(left: int) -> Any:
            threads.add(threading.current_thread())
            return 0 if not left else 1 + shop.call(depth, left - 1)

        assert shop.call(depth, 3) == 3
        shop.keep(numbers())
        assert shop.call(lambda given: list(given), numbers()) == [0, 1, 2, 3, 4]
        shop.drop()
        assert mine not in threads
        with pytest.raises(ZeroDivisionError):
            shop.call(lambda: 1 // 0)


def test_exits_of_the_other_end_end_nothing_here() -> None:
    with connected(Shop()) as connection:
        with pytest.raises(Exception, match="3"):
            connection.root.exit()
        assert connection.root.echo(1) == 1


def test_large_values_cross_both_ways_at_once() -> None:
    """More than the system keeps: what does not go at once is sent by the line's own thread, while others read."""
    data = b"x" * 3_000_000
    with connected(Shop()) as connection:
        shop = connection.root

        def send(number: int) -> None:
            for _ in range(3):
                assert shop.echo(data) == data

        in_threads(4, send)
        assert shop.call(lambda value: value + b"!", data) == data + b"!"


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with served(Shop(), endpoint=f"unix:{path}"), connect(f"unix:{path}") as connection:
        assert connection.root.echo(1) == 1


def test_other_endpoints_take_a_reactor() -> None:
    with served(Echo()) as server, connect(server.endpoint, reactor=reactor()) as connection:
        root = connection.reference
        assert root.callRemote("echo", 1) == 1
        assert root.callRemote("call", Target(lambda: root.callRemote("echo", 2))) == 2
        with pytest.raises(ValueError, match="bad"):
            root.callRemote("fail")
    assert connection.closed
    with pytest.raises(DeadReferenceError):
        root.callRemote("echo", 1)


def test_login() -> None:
    class Customer(Avatar):
        def perspective_hello(self, name: str) -> str:
            return "hello " + name

    @implementer(IRealm)
    class Realm:
        def requestAvatar(self, name: Any, mind: Any, *interfaces: Any) -> Any:
            return IPerspective, Customer(), lambda: None

    portal = Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(ann=b"secret")])
    with served(portal) as server:
        with connect(server.endpoint, credentials=UsernamePassword(b"ann", b"secret")) as connection:
            assert connection.reference.callRemote("hello", "ann") == "hello ann"
        with pytest.raises(UnauthorizedLogin):
            connect(server.endpoint, credentials=UsernamePassword(b"ann", b"wrong"))


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            connect(f"tcp:127.0.0.1:{unused.getsockname()[1]}")


def test_no_server_of_this_kind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with pytest.raises(TimeoutError):
            connect(f"tcp:127.0.0.1:{listening.getsockname()[1]}", timeout=0.05)

        def hang_up() -> None:
            listening.accept()[0].close()

        listening.accept()[0].close()
        threading.Thread(target=hang_up).start()
        with pytest.raises(PBConnectionLost):
            connect(f"tcp:127.0.0.1:{listening.getsockname()[1]}")


def test_closing_wakes_those_who_wait() -> None:
    shop = Shop()
    with served(shop) as server:
        connection = connect(server.endpoint)
        root = connection.root
        failed: list[BaseException] = []

        def wait(number: int) -> None:
            try:
                root.wait()
            except PBConnectionLost as error:
                failed.append(error)

        threads = [threading.Thread(target=wait, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        while connection.statistics()["questions"] < 3:
            pass
        connection.close()
        for thread in threads:
            thread.join()
        shop.gate.set()
        assert len(failed) == 3 and connection.closed
        with pytest.raises(DeadReferenceError):
            root.echo(1)
        connection.close()


def test_server_gone() -> None:
    shop = Shop()
    with served(shop) as server:
        connection = connect(server.endpoint)
        gone = threading.Event()
        connection.reference.notifyOnDisconnect(lambda _: gone.set())
        server.close()
        assert gone.wait(10)
        with pytest.raises(DeadReferenceError):
            connection.root.echo(1)


def test_pair() -> None:
    one, other = Shop(), Shop()
    here, there = link_pair(one, other)
    here.peer_gw().note("to the other")
    there.peer_gw().note("to the one")
    assert (one.log, other.log) == (["to the one"], ["to the other"])
    assert there.peer_gw().call(lambda value: value * 2, 4) == 8
    mine: list[Any] = []
    assert here.peer_gw().call(lambda value: mine.append(value), one) is None and mine == [one]
    here.shutdown()
    assert here.closed
    # The other end may notice a moment later.
    with pytest.raises((DeadReferenceError, PBConnectionLost)):
        there.peer_gw().echo(1)


class Teller:
    @expose
    def call(self, function: Any, *args: Any) -> Any:
        return function(*args)


@pytest.mark.parametrize("named", [True, False])
def test_what_is_served_may_wait_however_it_was_exported(named: bool) -> None:
    shop: Any
    if named:
        names = directory(WRITE)
        names.export(Teller(), "shop")
        root: Any = names
    else:
        root = export(Teller(), OPEN)
    with connected(root) as connection:
        shop = connection.root.fetch("shop") if named else connection.root
        assert shop.call(lambda value: value + 1, 2) == 3
