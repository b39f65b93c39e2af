"""Time that is over: the call is given up, the connection goes on, and what comes late is let go."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from broker.blocking import connect, deadline
from broker.blocking.threaded import Threaded
from broker.errors import DeadlineExceeded
from tests.blocking.scene import Echo, Shop, connected, served, settled

SHORT = 0.03


def test_no_bound_unless_asked() -> None:
    shop = Shop()
    with connected(shop) as connection:
        threading.Timer(0.05, shop.gate.set).start()
        assert connection.root.wait("done") == "done"


def test_late_answers_release_what_they_carry(in_dialect: str) -> None:
    shop = Shop()
    with connected(shop) as connection:
        root = connection.root
        before = settled(connection, lambda: [root.child().echo(0), root.echo(0), root.echo(0)])
        with pytest.raises(DeadlineExceeded, match="wait_for_child"), deadline(SHORT):
            root.wait_for_child()
        shop.gate.set()
        assert root.echo(1) == 1
        assert settled(connection, lambda: [root.echo(0), root.echo(0)]) == before


def test_usual_bound_of_a_connection() -> None:
    echo = Echo()
    with connected(echo, callTimeout=SHORT) as connection:
        with pytest.raises(DeadlineExceeded, match="'wait'"):
            connection.reference.callRemote("wait")
        echo.gate.set()
        assert connection.reference.options(timeout=30).callRemote("echo", 1) == 1


def test_reference() -> None:
    echo = Echo()
    with connected(echo) as connection:
        root = connection.reference
        before = settled(connection, lambda: root.callRemote("echo", 0))
        with pytest.raises(DeadlineExceeded, match="'wait'"):
            root.options(timeout=SHORT).callRemote("wait")
        with pytest.raises(TimeoutError), deadline(SHORT):
            root.callRemote("wait")
        with pytest.raises(DeadlineExceeded), deadline(0):
            root.callRemote("echo", 1)
        echo.gate.set()
        assert settled(connection, lambda: [root.callRemote("echo", 0), root.callRemote("echo", 0)]) == before


def test_a_follower_has_a_bound_too() -> None:
    shop = Shop()
    with connected(shop) as connection:
        root = connection.root
        reader = threading.Thread(target=root.wait)
        reader.start()
        assert shop.entered.wait(10)
        with pytest.raises(DeadlineExceeded, match="wait"), deadline(SHORT):
            root.wait()
        shop.gate.set()
        reader.join(30)
        assert not reader.is_alive() and root.echo(1) == 1


def test_the_reader_may_run_out_of_time_first() -> None:
    """Whoever reads for others and leaves hands over."""
    shop = Shop()
    with connected(shop) as connection:
        root = connection.root
        problems: list[BaseException] = []

        def short() -> None:
            try:
                with deadline(0.2):
                    root.wait()
            except BaseException as error:  # noqa: BLE001  looked at below
                problems.append(error)

        reader = threading.Thread(target=short)
        reader.start()
        assert shop.entered.wait(10)
        got: list[Any] = []
        follower = threading.Thread(target=lambda: got.append(root.echo(2)))
        follower.start()
        reader.join(30)
        shop.gate.set()
        follower.join(30)
        assert isinstance(problems[0], DeadlineExceeded) and got == [2]


def test_other_endpoints() -> None:
    from tests.blocking.scene import reactor

    echo = Echo()
    with served(echo) as server, connect(server.endpoint, reactor=reactor()) as connection:
        with pytest.raises(DeadlineExceeded, match="'wait'"), deadline(SHORT):
            connection.reference.callRemote("wait")
        echo.gate.set()
        assert connection.reference.callRemote("echo", 1) == 1


def test_over_while_the_reactor_gives_up() -> None:
    """The reactor's thread cancels so fast that the result is there when the waiting thread looks again."""

    class AtOnce:
        running = True

        def callFromThread(self, function: Any, *args: Any) -> None:
            function(*args)

    cancelled: list[Deferred[Any]] = []
    with pytest.raises(DeadlineExceeded):
        Threaded(AtOnce(), 0).wait(SHORT, lambda: Deferred(cancelled.append))
    assert len(cancelled) == 1
