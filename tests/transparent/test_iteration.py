"""Iterators, generators, contexts and callbacks: in batches, in order, and ended when nobody is interested any more."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from broker.errors import InsecureJelly, LimitExceeded, PBConnectionLost, RemoteError
from broker.testing import assert_empty
from broker.testing.harness import Pairs
from broker.transparent import (
    LIVE,
    SHARED,
    Quota,
    export,
    expose,
    expr,
    live,
    ops,
    stream,
    value,
)
from tests.remote.scene import Num, Tree, Waiting, counted, proxied


class Source:
    """Generators of several kinds, and a record of what became of them."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def numbers(self, most: int = 10**9) -> Iterator[int]:
        try:
            for number in range(most):
                self.log.append(number)
                yield number
        finally:
            self.log.append("closed")

    def stream(self, most: int = 10**9) -> Any:
        return stream(self.numbers(most))

    def talk(self) -> Any:
        heard = []
        try:
            said = yield "hello"
            while said is not None:
                heard.append(said)
                try:
                    said = yield f"you said {said}"
                except KeyError as error:
                    said = yield f"caught {error.args[0]}"
        finally:
            self.log.append(heard)
        return "bye"

    def failing(self) -> Iterator[int]:
        yield 1
        yield 2
        raise IndexError("after two")

    def returning(self) -> Any:
        yield 1
        return "value"

    async def later(self, most: int) -> AsyncIterator[int]:
        try:
            for number in range(most):
                yield number
        finally:
            self.log.append("closed later")

    def objects(self) -> Iterator[Num]:
        yield Num(1)
        yield Num(2)


def test_batches_grow(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    numbers = proxy.numbers(100)
    with counted(pair) as messages:
        assert next(numbers) == 0 and source.log == [0], "the first step is exactly one"
        assert next(numbers) == 1 and source.log == [0, 1, 2]
        assert list(numbers) == list(range(2, 100))
    assert messages.calls == 7, "1, 2, 4, ... 64"
    assert source.log[-1] == "closed"


def test_a_large_container_takes_few_messages(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, list(range(10_000)))
    with counted(pair) as messages:
        assert list(iter(proxy)) == list(range(10_000))
    assert messages.calls <= 12


def test_a_batch_is_bounded_in_bytes(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, ["x" * 10_000 for _ in range(100)])
    with counted(pair) as messages:
        assert sum(map(len, proxy)) == 1_000_000
    assert 10 < messages.calls < 40


@pytest.mark.parametrize(
    "container",
    [(1, 2, 3), {1: 2}, {1, 2}, frozenset((1,)), "text", range(5), {1: 2}.keys(), {1: 2}.items(), b"ab", [[1], [2]]],
    ids=repr,
)
def test_whatever_can_be_iterated(pairs: Pairs, container: Any) -> None:
    class Holder:
        def items(self) -> Any:
            return iter(container)

    pair, proxy = proxied(pairs, Holder())
    with counted(pair) as messages:
        found = [value(item) if hasattr(item, "append") else item for item in proxy.items()]
    assert found == list(container) and messages.calls <= 5


def test_a_stream_closes_with_a_break(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    for number in proxy.stream():
        if number == 5:
            break
    gc.collect()
    pair.flush()
    assert source.log[-1] == "closed" and len(source.log) < 12
    for number in proxy.numbers():
        if number == 5:
            break
    gc.collect()
    pair.flush()
    assert source.log[-1] == "closed"


def test_iteration_goes_on_where_it_was(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Source())
    numbers = proxy.numbers(10)
    for number in numbers:
        if number == 3:
            break
    assert list(numbers) == [4, 5, 6, 7, 8, 9], "nothing that was fetched ahead is lost"
    assert list(numbers) == []


def test_a_stream_is_closed_when_asked(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    for numbers in (proxy.stream(), proxy.numbers()):
        assert next(numbers) == 0
        numbers.close()
        assert source.log[-1] == "closed" and list(numbers) == []


def test_generators_are_resumed(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    for talk in (proxy.talk(), proxy.talk()):
        assert next(talk) == "hello"
        assert talk.send("a") == "you said a"
        assert talk.throw(KeyError("k")) == "caught k"
        assert talk.send("b") == "you said b"
        with pytest.raises(StopIteration) as end:
            talk.send(None)
        assert end.value.value == "bye"
        assert source.log.pop() == ["a", "b"]
    numbers = proxy.numbers(10)
    next(numbers), next(numbers)
    with pytest.raises(RuntimeError, match="ahead"):
        numbers.send(1)
    with pytest.raises(ZeroDivisionError):
        proxy.numbers(3).throw(ZeroDivisionError())


def test_failures_come_after_the_items_before_them(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Source())
    seen = []
    with pytest.raises(IndexError, match="after two"):
        for item in proxy.failing():
            seen.append(item)
    assert seen == [1, 2]
    table = {1: 1, 2: 2, 3: 3}
    pair, proxy = proxied(pairs, table, LIVE.but(batch=LIVE.batch.__class__(most=1)))
    iterator = iter(proxy)
    assert next(iterator) == 1
    table[4] = 4
    with pytest.raises(RuntimeError, match="changed size"):
        next(iterator)


def test_the_value_of_a_generator_arrives(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Source())

    def all_of() -> Any:
        return (yield from proxy.returning())

    generator = all_of()
    assert next(generator) == 1
    with pytest.raises(StopIteration) as end:
        next(generator)
    assert end.value.value == "value"


def test_items_are_objects_too(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Source())
    assert [int(item) for item in proxy.objects()] == [1, 2]
    shared, other = proxied(pairs, Source(), SHARED)
    with pytest.raises(InsecureJelly):
        list(other.objects())


def test_asynchronous_generators_are_streams_like_others(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    assert list(proxy.later(20)) == list(range(20))
    assert source.log == ["closed later"]
    for number in proxy.later(10):
        if number == 2:
            break
    del number
    gc.collect()
    pair.flush()

    async def some() -> list[int]:
        return [item async for item in ops.iter(expr(pair.root).later(5))]

    assert pair.result(some()) == [0, 1, 2, 3, 4]


def test_an_asynchronous_stream_gives_what_is_there(pairs: Pairs) -> None:
    waiting: list[Deferred[int]] = []

    class Slow:
        async def numbers(self) -> AsyncIterator[int]:
            while True:
                waiting.append(Deferred())
                yield await waiting[-1]

        def stream(self) -> Any:
            return stream(self.numbers())

    pair = pairs(export(Slow(), LIVE))
    got: list[int] = []

    async def read() -> None:
        async for number in await expr(pair.root).stream():
            got.append(number)
            if number == 3:
                break

    done = Deferred.fromCoroutine(read())
    for number in range(4):
        pair.flush()
        assert got == list(range(number)), "each as soon as it is there"
        waiting[-1].callback(number)
    pair.result(done)
    gc.collect()
    pair.flush()
    assert_empty(pair)


def test_async_for(pairs: Pairs) -> None:
    source = Source()
    pair = pairs(export(source, LIVE))
    x = expr(pair.root)

    async def through_expressions() -> list[int]:
        found = []
        async for number in x.numbers():
            found.append(number)
            if number == 3:
                break
        async for number in ops.iter(x.numbers(3), first=100):
            found.append(number)
        return found

    assert pair.result(through_expressions()) == [0, 1, 2, 3, 0, 1, 2]
    gc.collect()
    pair.flush()
    assert source.log.count("closed") == 2

    async def through_a_proxy() -> list[int]:
        proxy = await live(pair.root)
        numbers = await proxy.numbers(5)
        found = [number async for number in numbers]
        return found + [number async for number in numbers]

    assert pair.result(through_a_proxy()) == [0, 1, 2, 3, 4]


def test_exact_iteration(pairs: Pairs) -> None:
    source = Source()
    pair = pairs(export(source, LIVE))

    async def talk() -> list[str]:
        iterator = ops.iter(expr(pair.root).talk(), exact=True)
        said = [await iterator.__anext__(), await iterator.asend("a"), await iterator.athrow(KeyError("k"))]
        await iterator.aclose()
        return said

    assert pair.result(talk()) == ["hello", "you said a", "caught k"]
    assert source.log == [["a"]]

    async def step() -> None:
        iterator = ops.iter(expr(pair.root).numbers(), exact=True)
        for expected in range(3):
            assert await iterator.__anext__() == expected
            assert source.log[-1] == expected
        await iterator.aclose()

    pair.result(step())
    assert source.log[-1] == "closed"


def test_nothing_is_asked_before_the_first_item(pairs: Pairs) -> None:
    pair = pairs(export(Source(), LIVE))
    root = pair.root
    with counted(pair) as messages:
        iterator = ops.iter(expr(root).numbers())
        pair.result(iterator.aclose())
    assert messages.calls == 0


def test_streams_end_with_the_connection(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source)
    streams = [proxy.stream() for _ in range(3)]
    generator = proxy.numbers()
    assert [next(stream) for stream in streams] == [0, 0, 0] and next(generator) == 0
    pair.drop()
    gc.collect()
    assert source.log.count("closed") == 4


def test_a_stream_ends_with_the_connection_whoever_else_holds_it(pairs: Pairs) -> None:
    class Keeping(Source):
        def __init__(self) -> None:
            super().__init__()
            self.kept = self.numbers()

        def shared(self) -> Any:
            return stream(self.kept)

    source = Keeping()
    pair, proxy = proxied(pairs, source)
    numbers = proxy.shared()
    assert next(numbers) == 0
    pair.drop()
    assert source.log == [0, "closed"] and list(source.kept) == []


def test_streams_are_counted(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Source(), LIVE.but(quota=Quota(streams=3)))
    held = [proxy.stream() for _ in range(3)]
    with pytest.raises(LimitExceeded, match="streams"):
        proxy.stream()
    held.pop().close()
    assert next(proxy.stream()) == 0


def test_a_whole_stream_leaves_nothing_open(pairs: Pairs) -> None:
    source = Source()
    pair, proxy = proxied(pairs, source, LIVE.but(quota=Quota(streams=1)))
    for _ in range(5):
        assert list(proxy.stream(3)) == [0, 1, 2]
    gc.collect()
    pair.flush()
    assert next(proxy.stream()) == 0


# Contexts.


class Door:
    def __init__(self) -> None:
        self.log: list[Any] = []

    def __enter__(self) -> Door:
        self.log.append("in")
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> bool:
        self.log.append(error if error is None else (kind, type(error), str(error)))
        return isinstance(error, KeyError)

    @contextmanager
    def managed(self) -> Iterator[str]:
        self.log.append("managed")
        try:
            yield "inside"
        except PBConnectionLost:
            self.log.append("lost")
            raise
        finally:
            self.log.append("left")

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[str]:
        self.log.append("slow")
        try:
            yield "inside"
        finally:
            self.log.append("left slowly")


def test_contexts(pairs: Pairs) -> None:
    door = Door()
    pair, proxy = proxied(pairs, door)
    with counted(pair) as messages:
        with proxy as entered:
            assert entered is proxy and door.log == ["in"]
    assert door.log == ["in", None] and messages.calls == 2
    with proxy:
        raise KeyError("swallowed")
    assert door.log[-1][1:] == (KeyError, "'swallowed'") or issubclass(door.log[-1][1], KeyError)
    with pytest.raises(ValueError), proxy:
        raise ValueError("not swallowed")
    with proxy.managed() as inside:
        assert inside == "inside"
    assert door.log[-2:] == ["managed", "left"]
    with pytest.raises(TypeError):
        proxy.__exit__(None, None, None)


def test_asynchronous_contexts(pairs: Pairs) -> None:
    door = Door()
    pair = pairs(export(door, LIVE))

    async def through_an_expression() -> None:
        async with expr(pair.root).managed() as inside:
            assert inside == "inside" and door.log == ["managed"]
        async with expr(pair.root).slow() as inside:
            assert inside == "inside"
        async with expr(pair.root):
            raise KeyError("swallowed")

    pair.result(through_an_expression())
    assert door.log[:5] == ["managed", "left", "slow", "left slowly", "in"]

    async def through_a_proxy() -> None:
        proxy = await live(pair.root)
        async with proxy as entered:
            assert entered is proxy
        async with await proxy.slow():
            pass

    pair.result(through_a_proxy())
    with proxied(pairs, Door())[1].slow() as inside:
        assert inside == "inside"


def test_open_contexts_are_left_when_the_client_vanishes(pairs: Pairs) -> None:
    door = Door()
    pair, proxy = proxied(pairs, door)
    managed, slow = proxy.managed(), proxy.slow()
    proxy.__enter__()
    managed.__enter__()
    slow.__enter__()
    pair.drop()
    assert door.log[:3] == ["in", "managed", "slow"]
    assert door.log[3:6] == ["left slowly", "lost", "left"], "the last first"
    assert issubclass(door.log[6][0], PBConnectionLost)


def test_contexts_are_counted(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Door(), LIVE.but(quota=Quota(contexts=2)))
    proxy.__enter__(), proxy.__enter__()
    with pytest.raises(LimitExceeded, match="contexts"):
        proxy.__enter__()


# Callbacks.


def test_functions_are_passed(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree)
    heard: list[Any] = []

    async def later(function: Any) -> Any:
        return await function(1) + await function(2)

    tree.twice = later  # type: ignore[attr-defined]
    assert proxy.call(lambda number: number + 1, 4) == 5
    assert proxy.call(heard.append, 3) is None and heard == [3]
    assert proxy.grow() is None
    other = live(proxy, LIVE, transport=Waiting(pair))
    assert other.twice(lambda number: number * 10) == 30
    with pytest.raises(ZeroDivisionError):
        proxy.call(lambda: 1 // 0)


def test_callbacks_are_kept_and_called(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree, clock=Clock())
    heard: list[Any] = []
    proxy.hold(heard.append)
    for number in range(3):
        tree.held(number)
    pair.flush()
    assert heard == [0, 1, 2], "sent when they are called, and in order"
    assert callable(tree.held) and not hasattr(tree.held, "gi_frame")
    tree.held = None


def test_what_is_lent_offers_little(pairs: Pairs) -> None:
    class Local:
        secret = 1

        @expose
        def shown(self) -> int:
            return 7

        def hidden(self) -> None: ...

    tree = Tree()
    pair, proxy = proxied(pairs, tree)
    local = Local()
    proxy.hold(local)
    assert dir(tree.held) == ["shown"]
    assert pair.result(tree.held.shown()) == 7
    for name in ("secret", "hidden", "_private"):
        assert isinstance(pair.failure(ops.getattr(tree.held, name)), AttributeError)
    assert proxy.held is local, "come home, it is the object itself"
    tree.held = None


def test_the_owner_iterates_what_it_was_passed(pairs: Pairs) -> None:
    tree = Tree()

    async def total(items: Any) -> int:
        return sum([item async for item in items])

    tree.total = total  # type: ignore[attr-defined]
    pair, proxy = proxied(pairs, tree)
    closed = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    assert proxy.total(numbers()) == 45 and closed == [True]


def test_a_lost_callback_is_an_error_of_the_connection(pairs: Pairs) -> None:
    tree = Tree()
    pair, proxy = proxied(pairs, tree)
    proxy.hold(lambda: None)
    waiting = tree.held()
    pair.drop()
    failures: list[Any] = []
    waiting.addErrback(failures.append)
    assert failures[0].check(PBConnectionLost) and not failures[0].check(RemoteError)
    tree.held = None
