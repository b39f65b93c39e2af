"""What waits to be written on one connection, and who fills it: back-pressure, and pagers.

A transport that has enough says pauseProducing; until it says resumeProducing, bytes are kept here, up to a ceiling. A
peer that calls and calls and never reads its answers thus costs a bounded amount of memory. Reading is not stopped
meanwhile: if both ends did so, both would wait for ever.

While pagers are registered the transport pulls instead: each time it has room, every pager sends one page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

__all__ = ["Flow"]


@implementer(IPushProducer)
class _Pressure:
    """Hears from the transport whether it has enough."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow

    def pauseProducing(self) -> None:
        self.flow.paused = True

    def resumeProducing(self) -> None:
        self.flow.paused = False
        self.flow.drain()

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
        self._closed = False
        self._pressure = _Pressure(self)
        transport.registerProducer(self._pressure, True)

    def write(self, data: bytes) -> None:
        """Write bytes, now or when the transport has room."""
        if not self.paused:
            self.transport.write(data)
            return
        self._kept.append(data)
        self._size += len(data)
        if self._size > self._ceiling and not self._closed:
            self.close()
            self._overflow()

    def drain(self) -> None:
        """Write what was kept."""
        if self._kept:
            data = b"".join(self._kept)
            self._kept.clear()
            self._size = 0
            self.transport.write(data)

    def close(self) -> None:
        """Nothing more will be written."""
        self._closed = True
        self._kept.clear()
        self.pagers.clear()

    # Pagers.

    def add_pager(self, pager: Any) -> None:
        """Let a pager send a page each time the transport has room, until it says that it is through."""
        self.pagers.append(pager)
        if len(self.pagers) == 1:
            self._switch(self, False)

    def _switch(self, producer: Any, streaming: bool) -> None:
        if self._closed:
            return
        self.transport.unregisterProducer()
        if self.paused:
            self.paused = False
            self.drain()
        self.transport.registerProducer(producer, streaming)

    def resumeProducing(self) -> None:
        """The transport has room: send one page of each pager."""
        for pager in list(self.pagers):
            self._guarded(self._page, pager)
        if not self.pagers:
            self._switch(self._pressure, True)

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
