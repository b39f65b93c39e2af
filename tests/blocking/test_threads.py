"""Many threads on one connection: no deadlock, no lost wake-up, nothing that grows."""

from __future__ import annotations

import os
import threading
from time import sleep
from typing import Any

from broker.blocking.line import TICK
from broker.blocking.polling import READ
from tests.blocking.scene import Echo, Shop, Target, connected, in_threads, settled

#: Calls of all threads together. A million, in some minutes: BROKER_CALLS=1000000 pytest tests/blocking/test_threads.py
CALLS = int(os.environ.get("BROKER_CALLS", "10000"))


def test_fifty_threads(in_dialect: str) -> None:
    with connected(Echo()) as connection:
        root = connection.reference
        before = settled(connection, lambda: root.callRemote("echo", 0))
        called: list[int] = []
        targets = [Target(called.append)]

        def work(number: int) -> None:
            for turn in range(CALLS // 50):
                value = (number, turn)
                assert root.callRemote("echo", value) == value
                if not turn % 50:
                    root.callRemote("call", targets[0], number)
                    assert root.callRemote("new").callRemote("echo", turn) == turn

        in_threads(50, work)
        assert sorted(called) == sorted(number for number in range(50) for turn in range(0, CALLS // 50, 50))
        targets.clear()
        after = settled(connection, lambda: [root.callRemote("echo", 0), root.callRemote("echo", 0)])
        assert after == before
        line = connection.broker.driver
        assert not line._followers and not line._posted


def test_proxies_in_threads() -> None:
    with connected(Shop()) as connection:
        shop = connection.root
        before = settled(connection, lambda: shop.echo(0))

        def work(number: int) -> None:
            for turn in range(20):
                assert shop.echo(number) == number and shop.price == 3
                child = shop.child()
                assert child.echo([turn]) == [turn]
                assert shop.call(lambda value: shop.echo(value), turn) == turn

        in_threads(8, work)
        assert settled(connection, lambda: [shop.echo(0), shop.echo(0)]) == before


def test_the_thread_that_serves_looks_less_often_where_others_read_all_the_time() -> None:
    with connected(Echo(), keepalive=None) as connection:
        assert connection.reference.callRemote("echo", 1) == 1
        line = connection.broker.driver
        while not line._idle:
            sleep(TICK)
        # Asleep until something comes, it is not in the way of this one.
        looks = []
        for used in (True, True, True, True, False, True):
            line._used = used
            looks.append(line._turn())
        assert looks == [(0, TICK), (0, 2 * TICK), (0, 4 * TICK), (0, 4 * TICK), (READ, None), (0, TICK)]


def test_callbacks_begin_in_order_and_while_nobody_waits() -> None:
    class Later(Echo):
        def remote_later(self, target: Any) -> None:
            for number in range(200):
                target.callRemoteOnly("go", number)

    with connected(Later()) as connection:
        seen: list[int] = []
        enough = threading.Event()

        def go(number: int) -> None:
            seen.append(number)
            if number == 199:
                enough.set()

        connection.reference.callRemote("later", Target(go))
        assert enough.wait(30)
        assert seen == list(range(200))


def test_a_slow_answer_holds_nobody_up() -> None:
    """The thread that reads for all of them leaves, and another one takes over."""
    shop = Shop()
    with connected(shop) as connection, connected(Echo()) as other:
        root = connection.root
        got: list[Any] = []
        waiting = threading.Thread(target=lambda: got.append(root.wait("slow")))
        waiting.start()
        assert shop.entered.wait(10)
        in_threads(4, lambda number: [other.reference.callRemote("echo", number) for _ in range(20)])
        shop.gate.set()
        waiting.join(30)
        assert got == ["slow"]


def test_connection_that_nobody_has_ends() -> None:
    """Its thread does not keep it."""
    import gc
    from weakref import ref

    with connected(Echo()) as connection:
        from broker.blocking import connect

        lost = threading.Event()
        endpoint = f"tcp:127.0.0.1:{connection.broker.transport.getPeer().port}"
        other = connect(endpoint, keepalive=None)
        assert other.reference.callRemote("echo", 1) == 1
        line = ref(other.broker.driver, lambda _: lost.set())
        threads = [one for one in threading.enumerate() if one.name == "broker"]
        del other
        gc.collect()
        assert lost.wait(10) and line() is None
        threads[-1].join(10)
        assert not threads[-1].is_alive()
