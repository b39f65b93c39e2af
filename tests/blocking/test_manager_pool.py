"""Pools of a manager, for code that waits: what those of `multiprocessing` do, with functions that it knows."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from multiprocessing import TimeoutError as NotInTime
from multiprocessing.pool import Pool
from operator import mul
from typing import Any

import pytest

from tests.blocking.family import in_process
from tests.blocking.shares import Working, square, started

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture(scope="module")
def manager() -> Iterator[Working]:
    yield from started(Working())


@pytest.fixture
def pool(manager: Working) -> Iterator[Any]:
    # In another thread, as the main one may have a reactor.
    with ThreadPoolExecutor(1) as thread:
        pool = thread.submit(manager.Pool, 4).result()
        yield pool
        for function in (pool.terminate, pool.join):
            thread.submit(function).result()


PAIRS = [(number, 99 - number) for number in range(100)]


def test_nothing_else_is_offered(pool: Any) -> None:
    public = {name for name in dir(pool) if not name.startswith("_")}
    # Where those of `multiprocessing` are made and watched from is the pool itself.
    assert {name for name in dir(Pool) if not name.startswith("_")} - public == {"Process"}
    assert public <= set(dir(Pool))


def test_one_call(pool: Any) -> None:
    assert pool.apply("square", (5,)) == 25 and pool.apply("square", (), {"number": 3}) == 9
    assert pool.apply_async("square", (7,)).get() == 49
    with pytest.raises(LookupError, match="knows no function 'cube'"):
        pool.apply("cube", (1,))


def test_many_calls(pool: Any) -> None:
    assert pool.map("square", range(10)) == list(map(square, range(10)))
    assert pool.map("square", list(range(100)), chunksize=20) == list(map(square, range(100)))
    assert pool.starmap("mul", PAIRS) == pool.starmap("mul", PAIRS, chunksize=20) == list(starmap(mul, PAIRS))
    assert pool.starmap_async("mul", PAIRS).get() == list(starmap(mul, PAIRS))
    assert pool.map_async("square", list(range(10))).get() == list(map(square, range(10)))


def test_callbacks(manager: Working, pool: Any) -> None:
    told, here = manager.list(), manager.Queue()
    pool.map_async("int", ["1"], callback=told.append, error_callback=told.append).wait()
    assert told == [[1]]
    pool.map_async("int", ["a"], callback=told.append, error_callback=told.append).wait()
    assert len(told) == 2 and isinstance(told[1], ValueError) and "invalid literal" in str(told[1])
    pool.map_async("int", ["2"], callback=lambda result: here.put(result)).wait()
    assert here.get() == [2], "a function of this process"
    pool.map_async("int", ["a"], error_callback=lambda error: here.put((type(error).__name__, error.args))).wait()
    assert here.get() == ("ValueError", ("invalid literal for int() with base 10: 'a'",))


def test_results_to_be(manager: Working, pool: Any) -> None:
    done = pool.apply_async("square", (3,))
    done.wait()
    assert done.ready() and done.successful() and done.get(0) == 9
    failed = pool.apply_async("failing", (3,))
    failed.wait()
    assert failed.ready() and not failed.successful()
    event = manager.Event()
    # A function of this process, which waits for something.
    late = pool.apply_async(lambda: event.wait())
    assert not late.ready()
    with pytest.raises(NotInTime):
        late.get(timeout=0.01)
    event.set()
    assert late.get() is True


def test_iterators(pool: Any) -> None:
    drawn = pool.imap("square", list(range(10)))
    assert list(drawn) == list(map(square, range(10)))
    drawn = pool.imap("square", list(range(200)), chunksize=100)
    assert [next(drawn) for _ in range(200)] == list(map(square, range(200)))
    with pytest.raises(StopIteration):
        next(drawn)
    assert sorted(pool.imap_unordered("square", list(range(200)))) == list(map(square, range(200)))


def test_nothing_to_do(pool: Any) -> None:
    assert pool.map("square", []) == list(pool.imap("square", [])) == list(pool.imap_unordered("square", [])) == []
    assert pool.map_async("square", [], chunksize=1).get(timeout=60) == []


def test_what_cannot_be_made(manager: Working) -> None:
    for number in (0, -1):
        with pytest.raises(ValueError, match="at least 1"):
            manager.Pool(number)


def test_exceptions(pool: Any) -> None:
    with pytest.raises(RuntimeError) as caught:
        pool.apply("failing", (123,))
    assert caught.value.args == (123,) and "raise RuntimeError(number)" in str(caught.value.__cause__)
    with pytest.raises(RuntimeError):
        pool.map("failing", [1, 2])
    with pytest.raises(ValueError, match="invalid literal"):
        list(pool.imap("int", ["1", "a", "2"]))


def test_arguments_are_there_before(pool: Any) -> None:
    # They are sent with the call. Iterators are not copied, as they cannot be pickled with `multiprocessing`.
    with pytest.raises(TypeError, match="iterator"):
        pool.map("square", (number for number in range(3)))
    assert pool.map("square", {1: "a", 2: "b"}) == [1, 4] and pool.map("square", (3,)) == [9]


def test_the_end(manager: Working) -> None:
    pool = manager.Pool(3)
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    pool.join()
    with pytest.raises(ValueError, match="not running"):
        pool.map("square", [1])
    with manager.Pool(1) as pool:
        results = [pool.apply_async("square", (number,)) for number in range(3)]
    pool.join()
    assert all(one.ready() for one in results), "done, or never begun"


def _leave(pool: Any) -> None:
    with pool as entered:
        assert entered.apply("square", (2,)) == 4


def test_a_pool_in_a_process(manager: Working) -> None:
    pool = manager.Pool(processes=4)
    in_process(_leave, pool)
    with pytest.raises(ValueError, match="not running"):
        pool.apply("square", (2,))
