"""Pagers: large things sent in pages, as fast as the connection takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from twisted.protocols.basic import FileSender
from twisted.python.failure import Failure
from zope.interface import implementer

from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable
from broker.errors import PBConnectionLost

__all__ = ["CallbackPageCollector", "FilePager", "Pager", "StringPager", "getAllPages"]


class Pager:
    """Sends pages to a collector of the peer, one each time the connection has room.

    :param collector: a reference to an object with ``remote_gotPage(page)`` and ``remote_endedPaging()``.
    :param callback: called with the remaining arguments when the last page has been sent.
    """

    def __init__(
        self, collector: RemoteReference, callback: Callable[..., object] | None = None, *args: Any, **kw: Any
    ) -> None:
        self.callback = callback if callable(callback) else None
        self.callbackArgs = args
        self.callbackKeyword = kw
        self._going = True
        self.collector = collector
        collector.broker.registerPageProducer(self)

    def stillPaging(self) -> bool:
        """Return whether there is more to send; the first time there is not, say so to the collector."""
        if not self._going:
            self.collector.callRemoteOnly("endedPaging")
            if self.callback is not None:
                self.callback(*self.callbackArgs, **self.callbackKeyword)
        return self._going

    def sendNextPage(self) -> None:
        """Send one page."""
        self.collector.callRemoteOnly("gotPage", self.nextPage())

    def nextPage(self) -> Any:
        """Return the next page, any value that may be sent; call `stopPaging` with the last one."""
        raise NotImplementedError(f"{type(self).__name__}.nextPage")

    def stopPaging(self) -> None:
        """The page being sent is the last one."""
        self._going = False


class StringPager(Pager):
    """Sends a byte string or text in slices.

    :param st: what to send.
    :param chunkSize: the length of a page.

    See `Pager` for the other parameters.
    """

    def __init__(
        self,
        collector: RemoteReference,
        st: Any,
        chunkSize: int = 8192,
        callback: Callable[..., object] | None = None,
        *args: Any,
        **kw: Any,
    ) -> None:
        self.string = st
        self.pointer = 0
        self.chunkSize = chunkSize
        super().__init__(collector, callback, *args, **kw)

    def nextPage(self) -> Any:
        """Return the next slice."""
        page = self.string[self.pointer : self.pointer + self.chunkSize]
        self.pointer += self.chunkSize
        if self.pointer >= len(self.string):
            self.stopPaging()
        return page


@implementer(IConsumer)
class FilePager(Pager):
    """Sends what a file holds, reading it as it goes.

    :param fd: the file, open for reading bytes.

    See `Pager` for the other parameters.
    """

    def __init__(
        self,
        collector: RemoteReference,
        fd: IO[bytes],
        callback: Callable[..., object] | None = None,
        *args: Any,
        **kw: Any,
    ) -> None:
        self.chunks: list[bytes] = []
        self.producer: Any = None
        super().__init__(collector, callback, *args, **kw)
        self.startProducing(fd)

    def startProducing(self, fd: IO[bytes]) -> None:
        """Begin to read."""
        self.deferred = FileSender().beginFileTransfer(fd, self)
        self.deferred.addBoth(lambda _: self.stopPaging())

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take the source of chunks."""
        self.producer = producer
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """The file is read to its end."""
        self.producer = None

    def write(self, chunk: bytes) -> None:
        """Take a chunk."""
        self.chunks.append(chunk)

    def stillPaging(self) -> bool:
        """Return whether there is more to send; chunks that were read are."""
        return True if self.chunks else super().stillPaging()

    def sendNextPage(self) -> None:
        """Send one chunk, and have the next one read."""
        if not self.chunks:
            return
        chunk = self.chunks.pop(0)
        if self.producer is not None:
            self.producer.resumeProducing()
        self.collector.callRemoteOnly("gotPage", chunk)


class CallbackPageCollector(Referenceable):
    """Collects pages and calls a function with the list of them when the last one is here.

    :param callback: the function.
    """

    def __init__(self, callback: Callable[[list[Any]], object]) -> None:
        self.pages: list[Any] = []
        self.callback = callback

    def remote_gotPage(self, page: Any) -> None:
        """Take a page."""
        self.pages.append(page)

    def remote_endedPaging(self) -> None:
        """That was the last page."""
        self.callback(self.pages)


def getAllPages(referenceable: RemoteReference, methodName: str, *args: Any, **kw: Any) -> Deferred[list[Any]]:
    """Call a method that takes a page collector in front of its arguments, and collect its pages.

    :param referenceable: a reference to the object.
    :param methodName: the bare name of the method; the remaining arguments are for it.
    :returns: a Deferred of the list of pages. It fails when the call fails, or when the connection goes first.
    """
    result: Deferred[list[Any]] = Deferred(lambda _: referenceable.broker.dontNotifyOnDisconnect(lost))

    def finish(outcome: Any) -> None:
        referenceable.broker.dontNotifyOnDisconnect(lost)
        if not result.called:
            result.callback(outcome)

    def lost() -> None:
        finish(Failure(PBConnectionLost("the connection went before the last page came")))

    referenceable.broker.notifyOnDisconnect(lost)
    call = referenceable.callRemote(methodName, CallbackPageCollector(finish), *args, **kw)
    call.addErrback(finish)
    return result
