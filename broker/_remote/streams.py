"""What a peer has open at an owner: iterators that it draws batches from, and contexts that it has entered.

Both are ended by the peer, by its dropping the reference, or by the connection going: then a generator is closed, so
that its ``finally`` runs, and a context is left with the error that the connection was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import islice
from types import AsyncGeneratorType, GeneratorType
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredLock

from broker._remote.side import Side
from broker._remote.verbs import HiddenVerb
from broker.errors import LimitExceeded, PBConnectionLost

__all__ = ["Context", "Stream", "Taken", "enter"]

#: Iterators of these types cannot fail or run code of anybody's, so that a batch is one slice.
_SIMPLE: Final = frozenset(map(type, (iter([]), iter(()), iter(range(0)), iter(""), iter(b""))))


class Taken:
    """One batch: items, whether there are no more, what went wrong after them, the value that a generator returned."""

    __slots__ = ("done", "error", "items", "value")

    def __init__(
        self, items: list[Any], done: bool = False, error: BaseException | None = None, value: Any = None
    ) -> None:
        self.items = items
        self.done = done
        self.error = error
        self.value = value


class Stream:
    """An iterator, synchronous or not, that batches are drawn from.

    :param side: the connection that draws.
    :param iterator: the iterator.
    :param ours: whether nobody else holds it, so that it is closed with the stream.
    """

    __slots__ = ("__weakref__", "_lock", "_pending", "asynchronous", "iterator", "ours", "side")

    def __init__(self, side: Side, iterator: Any, ours: bool) -> None:
        self.side = side
        self.iterator = iterator
        self.ours = ours
        self.asynchronous = not hasattr(type(iterator), "__next__")
        self._lock = DeferredLock() if self.asynchronous else None
        self._pending: Deferred[Any] | None = None

    @classmethod
    def over(cls, side: Side, value: Any) -> Stream:
        """Return a stream of the items of a value.

        :raises TypeError: it has none.
        """
        if hasattr(type(value), "__aiter__") and not hasattr(type(value), "__iter__"):
            iterator = type(value).__aiter__(value)
        else:
            iterator = iter(value)
        return cls(side, iterator, iterator is not value)

    def open(self, limit: int) -> None:
        """Enter the stream among those of its connection.

        :raises LimitExceeded: too many are open.
        """
        if len(self.side.streams) >= limit:
            self.close()
            raise LimitExceeded(f"more than {limit} streams are open")
        self.side.streams[id(self)] = self.close
        if self.side.lost:
            self.close()

    def close(self) -> Any:
        """End the stream; return a Deferred if that takes time."""
        self.side.streams.pop(id(self), None)
        iterator, self.iterator = self.iterator, iter(())
        if not self.ours:
            return None
        if isinstance(iterator, GeneratorType):
            return iterator.close()
        if isinstance(iterator, AsyncGeneratorType):
            pending, self._pending = self._pending, None
            if pending is not None:
                pending.addErrback(lambda _: None)
                pending.cancel()
            return Deferred.fromCoroutine(_aclose(iterator))
        return None

    def take(self, count: int, size: int) -> Taken | Deferred[Taken]:
        """Return the next items.

        :param count: most items.
        :param size: bytes, roughly counted, after which no more are taken.
        """
        if self._lock is not None:
            return self._lock.run(lambda: Deferred.fromCoroutine(self._take_later(count, size)))
        if type(self.iterator) in _SIMPLE and count > 1:
            return self._ended(self._slice(count, size), count)
        items: list[Any] = []
        while len(items) < count and size > 0:
            try:
                item = next(self.iterator)
            except StopIteration as end:
                self.side.streams.pop(id(self), None)
                return Taken(items, True, None, end.value)
            except BaseException as error:  # noqa: BLE001  the peer gets it behind the items that came before
                self.side.streams.pop(id(self), None)
                return Taken(items, True, error)
            items.append(item)
            size -= _rough(item)
        return Taken(items)

    def _slice(self, count: int, size: int) -> list[Any]:
        items = list(islice(self.iterator, min(count, 4)))
        while items and len(items) < count:
            # By what these took, so many more are within bounds.
            each = sum(map(_rough, items)) // len(items) or 1
            room = min(size // each, count) - len(items)
            more = list(islice(self.iterator, min(room, 4 * len(items)))) if room > 0 else []
            items += more
            if not more:
                break
        return items

    def _ended(self, items: list[Any], count: int) -> Taken:
        # The simple ones tell how many are left.
        done = self.iterator.__length_hint__() == 0
        if done:
            self.side.streams.pop(id(self), None)
        return Taken(items, done)

    async def _take_later(self, count: int, size: int) -> Taken:
        """Wait for one item, and take those that are there without waiting."""
        items: list[Any] = []
        while len(items) < count and size > 0:
            pending, self._pending = self._pending, None
            if pending is None:
                pending = Deferred.fromCoroutine(_anext(self.iterator))
            if items and not pending.called:
                self._pending = pending
                break
            try:
                item = await pending
            except StopAsyncIteration:
                self.side.streams.pop(id(self), None)
                return Taken(items, True)
            except BaseException as error:  # noqa: BLE001  as above
                self.side.streams.pop(id(self), None)
                return Taken(items, True, error)
            items.append(item)
            size -= _rough(item)
        return Taken(items)


async def _anext(iterator: Any) -> Any:
    return await type(iterator).__anext__(iterator)


async def _aclose(iterator: Any) -> None:
    await iterator.aclose()


def _rough(item: Any) -> int:
    """Return about how many bytes an item takes on the wire."""
    if isinstance(item, (str, bytes, bytearray)):
        return len(item) + 8
    if isinstance(item, (list, tuple, set, frozenset)):
        return 8 * len(item) + 8
    return 16 * len(item) + 8 if isinstance(item, dict) else 8


class Context:
    """A context that the peer has entered."""

    __slots__ = ("_exit", "side", "value")

    def __init__(self, side: Side, value: Any, leave: Callable[..., Any]) -> None:
        self.side = side
        self.value = value
        self._exit = leave

    def leave(self, error: BaseException | None) -> Any:
        """Leave the context with an exception, or without; return what ``__exit__`` does, or a coroutine of it."""
        if self in self.side.contexts:
            self.side.contexts.remove(self)
        if error is None:
            return self._exit(self.value, None, None, None)
        return self._exit(self.value, type(error), error, error.__traceback__)

    def abandon(self) -> None:
        """Leave the context because the connection was lost."""
        lost = PBConnectionLost("the connection was lost")
        try:
            left = self.leave(lost)
        except PBConnectionLost as error:
            if error is not lost:
                raise
            return
        if hasattr(left, "__await__"):
            Deferred.fromCoroutine(_awaited(left)).addErrback(lambda failure: failure.trap(PBConnectionLost) and None)


def enter(side: Side, value: Any, limit: int, told: Callable[[Any], dict[str, Any]] = lambda _: {}) -> Any:
    """Enter a context for the peer; return what ``__enter__`` does, or a coroutine of it.

    :param told: returns the named arguments of a special method: it may be one that is told who calls.
    :raises LimitExceeded: too many are open.
    :raises HiddenVerb: the object is no context manager.
    """
    if len(side.contexts) >= limit:
        raise LimitExceeded(f"more than {limit} contexts are open")
    kind = type(value)
    if hasattr(kind, "__enter__") and hasattr(kind, "__exit__"):
        result = kind.__enter__(value, **told(kind.__enter__))
        _opened(side, Context(side, value, partial(kind.__exit__, **told(kind.__exit__))))
        return result
    if not hasattr(kind, "__aenter__"):
        raise HiddenVerb("the object is no context manager")
    return _enter_later(side, value, kind, told)


async def _enter_later(side: Side, value: Any, kind: Any, told: Callable[[Any], dict[str, Any]]) -> Any:
    result = await kind.__aenter__(value, **told(kind.__aenter__))
    _opened(side, Context(side, value, partial(kind.__aexit__, **told(kind.__aexit__))))
    return result


def _opened(side: Side, context: Context) -> None:
    if side.lost:
        context.abandon()
    else:
        side.contexts.append(context)


async def _awaited(waiting: Any) -> Any:
    return await waiting
