"""Iterators over what a peer has: they fetch in batches that grow, and are closed when they are dropped.

Dropping needs no message of its own: the reference to the stream is released like any other, and the owner closes what
it stands for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, succeed

from broker._objects.reference import RemoteReference
from broker._remote.faults import describe_exception
from broker._remote.policy import Batch as Sizes
from broker._remote.program import Node, Program, View
from broker._remote.sending import Transport
from broker._remote.unpacking import Batch
from broker._remote.verbs import Verb, Want

__all__ = ["AsyncRemoteIterator", "Buffer", "NOTHING", "RemoteIterator", "make_exact"]

#: What a buffer gives when it has nothing.
NOTHING: Final = object()


class Buffer:
    """Items that were fetched and not yet given out.

    :param reference: the iterator at the owner; None when everything is here.
    :ivar done: whether the owner has no more.
    :ivar fetched: how many items the last batch was asked for.
    :ivar first: how many the next one is to have; 0 for as many as follow from the last.
    :ivar exact: whether items are fetched one by one, because values are sent in.
    """

    __slots__ = ("done", "error", "exact", "fetched", "first", "items", "reference", "sizes", "value", "view")

    def __init__(self, view: View | None, reference: RemoteReference | None, sizes: Sizes, exact: bool = False) -> None:
        self.view = view
        self.reference = reference
        self.sizes = sizes
        self.items: deque[Any] = deque()
        self.done = reference is None
        self.error: BaseException | None = None
        self.value: Any = None
        self.fetched = self.first = 0
        self.exact = exact

    def take(self, batch: Batch, asked: int) -> None:
        """Put in a batch that arrived."""
        self.items.extend(batch.items)
        self.error, self.value = batch.error, batch.value
        self.fetched = asked
        if batch.done:
            self.finish()

    def finish(self) -> None:
        """There is no more to come: let the owner's iterator go."""
        self.done = True
        self.reference = None

    def more(self) -> tuple[Program, int]:
        """Return the program that fetches the next batch, and how many items it asks for."""
        assert self.reference is not None
        count = 1 if self.exact else self.first or self.sizes.after(self.fetched)
        self.first = 0
        return self._program(Verb.NEXT, count), count

    def resume(self, verb: Verb, *operands: Any) -> Program:
        """Return the program that sends something into a generator.

        :raises RuntimeError: items were fetched ahead, so that it would arrive too late.
        """
        if self.items:
            raise RuntimeError("items were fetched ahead; ask for this iterator with exact=True to send into it")
        self.exact = True
        return self._program(verb, *operands)

    def _program(self, verb: Verb, *operands: Any) -> Program:
        assert self.reference is not None and self.view is not None
        return Program([Node(self.reference).then(verb, *operands)], self.view, Want.AUTO)

    def give(self) -> Any:
        """Return the next item that is here, or `NOTHING`.

        :raises BaseException: the iterator failed here.
        """
        if self.items:
            return self.items.popleft()
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            # Without a circle of the exception and this frame.
            del error
        return NOTHING


class RemoteIterator:
    """An iterator whose items come from the owner; for code that may wait.

    :param transport: waits.
    """

    __slots__ = ("__weakref__", "_buffer", "_transport")

    def __init__(self, buffer: Buffer, transport: Transport) -> None:
        self._buffer = buffer
        self._transport = transport

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        buffer = self._buffer
        while True:
            item = buffer.give()
            if item is not NOTHING:
                return item
            if buffer.done:
                value, buffer.value = buffer.value, None
                raise StopIteration(value)
            program, asked = buffer.more()
            buffer.take(self._transport.perform(program.reference, program), asked)

    def begin(self, count: int) -> None:
        """Have the first batch be of so many items; none has been fetched."""
        self._buffer.first = count

    def __length_hint__(self) -> int:
        return len(self._buffer.items)

    def send(self, value: Any) -> Any:
        """Resume a generator with a value; return its next item."""
        return self._resume(Verb.SEND, value)

    def throw(self, error: BaseException) -> Any:
        """Raise an exception in a generator; return its next item."""
        return self._resume(Verb.THROW, describe_exception(error))

    def _resume(self, verb: Verb, operand: Any) -> Any:
        if self._buffer.done:
            raise StopIteration
        program = self._buffer.resume(verb, operand)
        self._buffer.take(self._transport.perform(program.reference, program), 1)
        return next(self)

    def close(self) -> None:
        """End the iterator, and the generator behind it."""
        buffer = self._buffer
        buffer.items.clear()
        if not buffer.done:
            program = buffer.resume(Verb.CLOSE)
            buffer.finish()
            self._transport.perform(program.reference, program)

    def __repr__(self) -> str:
        return f"<RemoteIterator, {len(self._buffer.items)} items here>"


class AsyncRemoteIterator:
    """An iterator whose items come from the owner; for ``async for``.

    :param buffer: what is here, or a function that opens the stream when the first item is asked for.
    :param transport: returns Deferreds.
    """

    __slots__ = ("__weakref__", "_buffer", "_open", "_transport")

    def __init__(self, buffer: Buffer | Callable[[], Deferred[Any]], transport: Transport) -> None:
        self._buffer = buffer if isinstance(buffer, Buffer) else None
        self._open = None if isinstance(buffer, Buffer) else buffer
        self._transport = transport

    def __aiter__(self) -> AsyncRemoteIterator:
        return self

    async def _opened(self) -> Buffer:
        if self._buffer is None:
            assert self._open is not None
            self._buffer = (await self._open())._buffer
        return self._buffer

    async def __anext__(self) -> Any:
        buffer = await self._opened()
        while True:
            item = buffer.give()
            if item is not NOTHING:
                return item
            if buffer.done:
                raise StopAsyncIteration
            program, asked = buffer.more()
            buffer.take(await self._transport.perform(program.reference, program), asked)

    async def asend(self, value: Any) -> Any:
        """Resume a generator with a value; return its next item."""
        return await self._resume(Verb.SEND, value)

    async def athrow(self, error: BaseException) -> Any:
        """Raise an exception in a generator; return its next item."""
        return await self._resume(Verb.THROW, describe_exception(error))

    async def _resume(self, verb: Verb, operand: Any) -> Any:
        buffer = await self._opened()
        if buffer.done:
            raise StopAsyncIteration
        program = buffer.resume(verb, operand)
        buffer.take(await self._transport.perform(program.reference, program), 1)
        return await self.__anext__()

    def aclose(self) -> Deferred[Any]:
        """End the iterator, and the generator behind it."""
        buffer = self._buffer
        if buffer is None or buffer.done:
            self._buffer = buffer or Buffer(None, None, Sizes())
            self._buffer.items.clear()
            return succeed(None)
        buffer.items.clear()
        program = buffer.resume(Verb.CLOSE)
        buffer.finish()
        closed: Deferred[Any] = self._transport.perform(program.reference, program)
        return closed

    def __repr__(self) -> str:
        return "<AsyncRemoteIterator>"


def make_exact(iterator: Any) -> Any:
    """Have an iterator fetch items one by one from now on; return it. What has no buffer is returned as it is."""
    if isinstance(iterator, (RemoteIterator, AsyncRemoteIterator)) and iterator._buffer is not None:
        iterator._buffer.exact = True
    return iterator
