"""What waits to be written on one connection, and who fills it: back-pressure, and pagers.

A transport tells a registered producer when it has enough; until it says that there is room again, bytes are kept here,
up to a ceiling. A peer that calls and calls and never reads its answers thus costs a bounded amount of memory. Reading
is not stopped meanwhile: if both ends did so, both would wait for ever.

The producer is registered for one write in every `PROBE` bytes, and stays so only if the transport then has enough: a
transport with TLS does not close as long as it has a producer, and programs close transports themselves.

While pagers are registered the transport pulls instead: each time it has room, every pager sends one page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

__all__ = ["PROBE", "Flow"]

#: Bytes written between two looks at whether the transport has enough: what Twisted buffers before it says so.
PROBE: Final = 64 * 1024


@implementer(IPushProducer)
class _Pressure:
    """Hears from the transport whether it has enough."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def pauseProducing(self) -> None:
        self.flow.paused = True

    def resumeProducing(self) -> None:
        self.flow.relieved()

    def stopProducing(self) -> None:
        """The transport is gone; its loss is reported elsewhere."""


@implementer(IPullProducer)
class Flow:
    """The outgoing side of one connection.

    :param transport: where bytes go.
    :param ceiling: most bytes kept while the transport has enough.
    :param overflow: called, once, when more than that would have to be kept.
    :param guarded: calls a function of the user's and logs what it raises.
    """

    def __init__(
        self, transport: Any, ceiling: int, overflow: Callable[[], None], guarded: Callable[..., None]
    ) -> None:
        self.transport = transport
        self.paused = False
        self.pagers: list[Any] = []
        self._ceiling = ceiling
        self._overflow = overflow
        self._guarded = guarded
        self._kept: list[bytes] = []
        self._size = 0
        self._unprobed = 0
        self._closed = False
        self._pressure = _Pressure(self)

    def write(self, data: bytes) -> None:
        """Write bytes, now or when the transport has room."""
        if not self.paused:
            self._unprobed += len(data)
            if self._unprobed < PROBE or self.pagers:
                self.transport.write(data)
            else:
                self._probe(data)
            return
        self._kept.append(data)
        self._size += len(data)
        if self._size > self._ceiling and not self._closed:
            self.close()
            self._overflow()

    def _probe(self, data: bytes) -> None:
        """Write bytes and see whether the transport then has enough."""
        self._unprobed = 0
        self.transport.registerProducer(self._pressure, True)
        self.transport.write(data)
        if not self.paused:
            self.transport.unregisterProducer()

    def relieved(self) -> None:
        """The transport has room again: write what was kept."""
        if not self.paused:
            return
        self.paused = False
        self.transport.unregisterProducer()
        if self._kept:
            data = b"".join(self._kept)
            self._kept.clear()
            self._size = 0
            self._probe(data)

    def close(self) -> None:
        """Nothing more will be written."""
        self._closed = True
        self._kept.clear()
        self.pagers.clear()

    # Pagers.

    def add_pager(self, pager: Any) -> None:
        """Let a pager send a page each time the transport has room, until it says that it is through."""
        self.pagers.append(pager)
        if len(self.pagers) == 1 and not self._closed:
            self.relieved()
            if self.paused:
                # What was kept filled the transport again; it is the pages' turn now.
                self.paused = False
                self.transport.unregisterProducer()
            self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The transport has room: send one page of each pager."""
        for pager in list(self.pagers):
            self._guarded(self._page, pager)
        if not self.pagers and not self._closed:
            self.transport.unregisterProducer()

    def _page(self, pager: Any) -> None:
        going = False
        try:
            pager.sendNextPage()
            going = pager.stillPaging()
        finally:
            # A pager that fails is through, or it would fail for ever.
            if not going and pager in self.pagers:
                self.pagers.remove(pager)

    def stopProducing(self) -> None:
        """The transport is gone; its loss is reported elsewhere."""
