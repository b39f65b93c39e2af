"""Pools run what they know by name, and nothing else."""

from __future__ import annotations

from multiprocessing import TimeoutError as NotInTime
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from broker.manager.pool import _as_they_come
from broker.manager.registry import Types
from broker.manager.standard import standard_types
from broker.testing.harness import Pairs
from tests.manager.scene import Work, came, clients, failed

pytestmark = pytest.mark.in_dialects("broker/1")


def bad(number: int) -> None:
    raise KeyError(number)


async def later(number: int) -> int:
    return number + 100


def types() -> Types:
    made = standard_types()
    made.register_function("square", lambda number: number * number)
    made.register_function("power", "operator:pow")
    made.register_function("bad", bad)
    made.register_function("later", later)
    return made


def held(server: Any) -> list[Work]:
    """Have functions run when they are told to only; return those that wait for that."""
    server.workers.held = []
    return server.workers.held  # type: ignore[no-any-return]


def test_calls(pairs: Pairs) -> None:
    _, ann = clients(pairs, 1, types())
    pool = ann.make("Pool", 2)
    assert pool.apply("square", (3,)) == 9
    assert pool.apply("power", [2, 5]) == 32
    assert pool.apply("later", (1,)) == 101
    assert pool.map("square", range(4)) == [0, 1, 4, 9]
    assert pool.starmap("power", [(2, 1), (2, 2)]) == [2, 4]
    assert list(pool.imap("square", [3, 2, 1])) == [9, 4, 1]
    assert sorted(pool.imap_unordered("square", [3, 2, 1])) == [1, 4, 9]
    assert pool.apply(lambda number: number + 1, (1,)) == 2, "a function of the client's own runs there"
    with pytest.raises(KeyError):
        pool.map("bad", [1, 2])


@pytest.mark.parametrize("name", ["os:system", "os.system", "eval", "", "operator:pow"])
def test_nothing_is_imported_for_a_peer(pairs: Pairs, name: str) -> None:
    _, ann = clients(pairs, 1, types())
    with pytest.raises(LookupError, match="knows no function"):
        ann.make("Pool", 1).apply(name, ())
    with pytest.raises(TypeError):
        ann.make("Pool", 1).apply(3, ())


def test_results_to_be(pairs: Pairs) -> None:
    server, ann = clients(pairs, 1, types())
    pool = ann.make("Pool", 1)
    waiting = held(server)
    told: list[Any] = []
    result, other = pool.apply_async("square", (3,), {}, told.append), pool.map_async("square", [1, 2])
    assert not result.ready()
    with pytest.raises(ValueError, match="not ready"):
        result.successful()
    late, found, waited = came(ann.late(result).get(2)), came(ann.late(result).get()), came(ann.late(result).wait())
    ann.pair.flush()
    server.clock.advance(2)
    ann.pair.flush()
    assert issubclass(failed(late), NotInTime)
    waiting.pop(0)()
    ann.pair.flush()
    assert (found, waited, told, result.successful(), result.get()) == ([9], [None], [9], True, 9)
    while waiting:
        waiting.pop(0)()
    assert other.get() == [1, 4]
    wrong: list[Any] = []
    problem = pool.apply_async("bad", (3,), None, None, wrong.append)
    waiting.pop(0)()
    # Not before those who are to be told are.
    assert not problem.ready()
    ann.pair.flush()
    assert problem.successful() is False
    raised = came(ann.late(problem).get())
    ann.pair.flush()
    assert issubclass(failed(raised), KeyError)
    assert [type(error).__name__ for error in wrong] == ["KeyError"] and isinstance(wrong[0], KeyError)
    # They keep the frames of this test.
    del problem, raised, wrong
    server.settle()


def test_so_many_at_a_time(pairs: Pairs) -> None:
    server, ann = clients(pairs, 1, types())
    pool = ann.make("Pool", 2)
    waiting = held(server)
    found = came(ann.late(pool).map("square", [1, 2, 3]))
    ann.pair.flush()
    assert len(waiting) == 2
    waiting.pop(1)()
    assert len(waiting) == 2
    while waiting:
        waiting.pop()()
    ann.pair.flush()
    assert found == [[1, 4, 9]]
    with pytest.raises(ValueError):
        ann.make("Pool", 0)


def test_the_end(pairs: Pairs) -> None:
    server, ann = clients(pairs, 1, types())
    pool = ann.make("Pool", 1)
    waiting = held(server)
    one, two = came(ann.late(pool).apply("square", (1,))), came(ann.late(pool).apply("square", (2,)))
    ann.pair.flush()
    with pytest.raises(ValueError, match="still running"):
        pool.join()
    pool.close()
    with pytest.raises(ValueError, match="not running"):
        pool.apply("square", (1,))
    joined = came(ann.late(pool).join())
    ann.pair.flush()
    pool.terminate()
    ann.pair.flush()
    assert failed(two) is not None and joined == [] and one == []
    waiting.pop()()
    ann.pair.flush()
    assert (one, joined) == ([1], [None])


def test_a_lost_client_has_nothing_begun(pairs: Pairs) -> None:
    server, ann, bob = clients(pairs, 2, types())
    pool = ann.make("Pool", 1)
    waiting = held(server)
    came(bob.late(bob.take(ann, pool)).map("square", [1, 2, 3]))
    bob.pair.flush()
    bob.pair.drop()
    waiting.pop()()
    assert not waiting, "what had not begun does not begin"
    deferred = ann.late(pool).apply("square", (1,))
    found = came(deferred)
    ann.pair.flush()
    deferred.cancel()
    ann.pair.flush()
    assert failed(found) is CancelledError
    waiting.pop()()
    assert str(pool) == "<Pool 0/1, 0 waiting>"


def test_context(pairs: Pairs) -> None:
    _, ann = clients(pairs, 1, types())
    with ann.make("Pool", 1) as pool:
        assert pool.apply("square", (2,)) == 4
    with pytest.raises(ValueError, match="not running"):
        pool.apply("square", (2,))


def test_results_that_come_one_by_one() -> None:
    jobs: list[Deferred[Any]] = [Deferred() for _ in range(3)]

    async def draw() -> list[Any]:
        return [item async for item in _as_they_come(jobs)]

    found: list[Any] = []
    Deferred.fromCoroutine(draw()).addCallback(found.append)
    # Whoever draws asks for the next one while it is being told of this one.
    for number in (1, 0, 2):
        jobs[number].callback(number)
    assert found == [[1, 0, 2]]
