"""AsyncResult, `async_` and `timed`, as RPyC has them."""

from __future__ import annotations

import threading

import pytest
from twisted.internet.defer import CancelledError

from broker.blocking import AsyncResult, async_, connect, timed
from broker.errors import DeadlineExceeded
from tests.blocking.scene import Echo, Shop, connected, served, settled


def test_life_of_a_result(in_dialect: str) -> None:
    shop = Shop()
    with connected(shop) as connection:
        result = async_(connection.root.wait)("done")
        assert isinstance(result, AsyncResult)
        assert (result.ready, result.error, result.expired) == (False, False, False)
        shop.gate.set()
        result.wait()
        assert (result.ready, result.error, result.expired, result.value) == (True, False, False, "done")
        assert result.value == "done" and "ready" in repr(result)


def test_failures() -> None:
    with connected(Shop()) as connection:
        result = async_(connection.root.fail)()
        result.wait()
        assert result.ready and result.error
        for _ in range(2):
            with pytest.raises(ValueError, match="bad"):
                result.value  # noqa: B018


def test_what_can_be_called() -> None:
    with connected(Shop()) as connection, connected(Echo()) as other:
        root, reference = connection.root, other.reference
        assert async_(root.echo)(1).value == 1
        assert async_(reference.remoteMethod("echo"))(2).value == 2
        assert async_(reference.callRemote)("echo", 3).value == 3
        assert async_(reference.options(timeout=30).callRemote)("echo", 4).value == 4
        assert async_(root.echo)({"a": [1]}).value == {"a": [1]}
        for wrong in (len, root, 3, reference):
            if wrong is not root:
                with pytest.raises(TypeError, match="no remote function"):
                    async_(wrong)


def test_calls_begin_in_order_whatever_their_arguments() -> None:
    with connected(Shop()) as connection:
        root = connection.root
        note = async_(root.note)
        results = [note(number if number % 2 else [number, lambda: None]) for number in range(40)]
        for result in results:
            result.wait()
        assert [one if isinstance(one, int) else one[0] for one in root.noted()] == list(range(40))


def test_callbacks_run_in_workers_that_may_wait() -> None:
    shop = Shop()
    with connected(shop) as connection:
        root = connection.root
        seen: list[object] = []
        done = threading.Event()
        result = async_(root.wait)(7)

        def first(given: AsyncResult) -> None:
            seen.append((given is result, root.echo(given.value), threading.current_thread() is not mine))
            done.set()

        mine = threading.current_thread()
        result.add_callback(first)
        assert not seen
        shop.gate.set()
        assert done.wait(20) and seen == [(True, 7, True)]
        again = threading.Event()
        result.add_callback(lambda _: again.set())
        assert again.wait(20)


def test_expiry(in_dialect: str) -> None:
    shop = Shop()
    with connected(shop) as connection:
        root = connection.root
        before = settled(connection, lambda: [root.child().echo(0), root.echo(0), root.echo(0)])
        result = timed(root.wait_for_child, 0.03)()
        with pytest.raises(DeadlineExceeded, match=r"no answer to root\.wait_for_child\(\) within 0\.03"):
            result.wait()
        assert result.expired and not result.ready and not result.error
        with pytest.raises(TimeoutError):
            result.value  # noqa: B018
        shop.gate.set()
        del result
        assert settled(connection, lambda: [root.echo(0), root.echo(0)]) == before


def test_expiry_may_be_changed() -> None:
    shop = Shop()
    with connected(shop) as connection:
        result = async_(connection.root.wait)(1)
        result.set_expiry(0.01)
        result.set_expiry(None)
        shop.gate.set()
        assert result.value == 1 and not result.expired
        result.set_expiry(0)
        assert not result.expired


def test_expiry_wakes_the_thread_that_reads() -> None:
    """It sleeps on the socket, where nothing comes."""
    shop = Shop()
    with connected(shop) as connection:
        result = async_(connection.root.wait)(1)
        threading.Timer(0.05, result.set_expiry, [0.0]).start()
        with pytest.raises(DeadlineExceeded):
            result.wait()
        other = async_(connection.root.wait)(1)
        threading.Timer(0.05, other.cancel).start()
        with pytest.raises(CancelledError):
            other.value  # noqa: B018
        shop.gate.set()


def test_calls_wait_behind_one_that_was_given_up_but_only_those_of_its_client() -> None:
    shop = Shop()
    with served(shop) as server, connect(server.endpoint) as one, connect(server.endpoint) as other:
        shop.keep(shop.child())
        shop.kept[0].gate = shop.gate
        with pytest.raises(DeadlineExceeded, match=r"to Shop\.wait\(1\) within"):
            timed(one.root.kept[0].wait, 0.03)(1).wait()
        behind = async_(one.root.note)("behind")
        other.root.note("other")
        assert not behind.ready
        shop.gate.set()
        behind.wait()
        assert shop.log == ["other", "behind"]
