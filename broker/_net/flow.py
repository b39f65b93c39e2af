"""What waits to be written on one connection, and who fills it: back-pressure, large messages, and pagers.

A transport tells a registered producer when it has enough; until it says that there is room again, bytes are kept here,
up to a ceiling. A peer that calls and calls and never reads its answers thus costs a bounded amount of memory. Reading
is not stopped meanwhile: if both ends did so, both would wait for ever.

What is written to an idle socket is sent at once, see `broker._net.direct`. Of the rest, the producer is registered for
one write in every `PROBE` bytes, and stays so only if the transport then has enough: a transport with TLS does not
close as long as it has a producer, and programs close transports themselves.

Large messages are taken from their source piece by piece, as long as the transport has not enough. What is written
meanwhile goes in front of the pieces that are still there, so it waits for what is below only: some 128 KiB in the
transport, and as many in the system, which would take megabytes if it were not told. As long as pieces wait the
producer stays registered: a transport that is told to close sends them first.

While pagers are registered the transport pulls instead: each time it has room, a few pieces go, then every pager sends
one page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from broker._net.direct import is_plain, send
from broker._net.sockets import keep_unsent_short

__all__ = ["BURST", "PROBE", "ROUND", "SHARE", "Flow", "Source"]

#: Bytes written between two looks at whether the transport has enough: what Twisted buffers before it says so.
PROBE: Final = 64 * 1024
#: Writes sent at once between two readings. In a loop that makes many calls each would go to the system by itself, at
#: several microseconds; those after the first few are collected for the reactor's next turn.
BURST: Final = 4
#: Pieces that go at once, or in one turn of pagers: as many bytes as Twisted sends at a time.
ROUND: Final = 2
#: Pieces after which pagers get a turn though more pieces wait: a megabyte, so that nobody starves. Pages that are so
#: large as to go in pieces themselves must not pile up, so it is not one.
SHARE: Final = 16


class Source(Protocol):
    """What has large messages to send."""

    @property
    def pieces(self) -> bool:
        """Whether pieces wait to be sent."""

    def next_piece(self) -> bytes:
        """Return the next one, some 64 KiB at most, or nothing when there is none."""


@implementer(IPushProducer)
class _Pressure:
    """Hears from the transport whether it has enough."""

    __slots__ = ("flow",)

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

    :ivar paused: whether the transport has enough.
    :ivar pagers: the pagers that send at the moment.
    :ivar burst: how many writes have been sent at once; whoever reads from the transport sets it to 0.
    """

    __slots__ = (
        "_ceiling",
        "_closed",
        "_guarded",
        "_kept",
        "_overflow",
        "_plain",
        "_pressure",
        "_pulling",
        "_share",
        "_size",
        "_source",
        "_unprobed",
        "burst",
        "pagers",
        "paused",
        "transport",
    )

    def __init__(
        self, transport: Any, ceiling: int, overflow: Callable[[], None], guarded: Callable[..., None]
    ) -> None:
        self.transport = transport
        self.paused = False
        self.pagers: list[Any] = []
        self.burst = 0
        self._ceiling = ceiling
        self._overflow = overflow
        self._guarded = guarded
        self._kept: list[bytes] | None = None
        self._size = 0
        self._unprobed = 0
        self._closed = False
        self._plain = is_plain(transport)
        #: Registered while the transport is probed, while it has enough, and while pieces wait; made when needed.
        self._pressure: _Pressure | None = None
        #: Whether this is registered, for pagers.
        self._pulling = False
        self._source: Source | None = None
        #: Pieces sent since pagers had their turn.
        self._share = 0

    def write(self, data: bytes) -> None:
        """Write bytes, now or when the transport has room."""
        if self.paused:
            self._keep(data)
            return
        if self._plain:
            sent = self._send(data)
            if sent == len(data):
                return
            if sent:
                data = data[sent:]
        self._unprobed += len(data)
        if self._pulling:
            self.transport.write(data)
            if self._unprobed > self._ceiling:
                self.too_much()
        elif self._unprobed < PROBE or self._closing:
            self.transport.write(data)
        else:
            self._hold()
            self.transport.write(data)
            self._let_go()

    def _send(self, data: bytes) -> int:
        """Send what can be sent at once, and return how many bytes that is."""
        if self.burst >= BURST:
            # What comes now is collected by the transport until it is sent in a turn of the reactor.
            self.burst = 0
            return 0
        self.burst += 1
        sent = send(self.transport, data)
        if sent:
            self._unprobed = 0
        return sent

    def _keep(self, data: bytes) -> None:
        if self._closed:
            return
        if self._kept is None:
            self._kept = []
        self._kept.append(data)
        self._size += len(data)
        if self._size > self._ceiling:
            self.too_much()

    def too_much(self) -> None:
        """More would have to be kept than may be: nothing more is written, and the owner is told."""
        if not self._closed:
            self.close()
            # However that was noticed: a polite farewell would not be taken either.
            self.paused = True
            self._overflow()

    # Back-pressure.

    @property
    def overflowed(self) -> bool:
        """Whether more would have had to be kept than may be."""
        return self._closed and self.paused

    @property
    def _closing(self) -> bool:
        """Whether the transport was told to close. Not all say so."""
        return bool(getattr(self.transport, "disconnecting", False))

    def _hold(self) -> None:
        """Hear from the transport whether it has enough."""
        if self._pressure is None:
            self._pressure = _Pressure(self)
        self._unprobed = 0
        self.transport.registerProducer(self._pressure, True)

    def _let_go(self) -> None:
        """Hear no more of the transport, unless it has enough."""
        if self.paused:
            return
        if self._closing:
            # One with TLS drops what it collected in this turn if its producer goes while it closes. Told once more to
            # close, it sends that first.
            self.transport.loseConnection()
        self.transport.unregisterProducer()

    def relieved(self) -> None:
        """The transport has room again: write what was kept, then pieces."""
        if self.paused:
            self.paused = False
            self._go_on()

    def _go_on(self) -> None:
        self._write_kept()
        source, count = self._source, 0
        while source is not None and not self.paused and source.pieces:
            self._put(source.next_piece(), count < ROUND)
            count += 1
        self._let_go()

    def _write_kept(self) -> None:
        if self._kept:
            data = b"".join(self._kept)
            self._kept = None
            self._size = 0
            self._put(data, True)

    def _put(self, data: bytes, at_once: bool) -> None:
        """Write bytes while `_pressure` is registered."""
        sent = send(self.transport, data, self._pressure) if at_once and self._plain else 0
        if sent < len(data):
            self.transport.write(data[sent:] if sent else data)

    def close(self) -> None:
        """Nothing more will be written."""
        self._closed = True
        self._kept = None
        self.pagers.clear()
        self._source = None

    # Large messages.

    def fill(self, source: Source) -> None:
        """Send the pieces that a source has, now and whenever the transport has room, until there are none."""
        if self._closed or self._closing:
            return
        if self._source is None:
            keep_unsent_short(self.transport)
        self._source = source
        if source.pieces and not self.paused and not self._pulling:
            self._hold()
            self._go_on()

    # Pagers.

    def add_pager(self, pager: Any) -> None:
        """Let a pager send a page each time the transport has room, until it says that it is through."""
        self.pagers.append(pager)
        if self._pulling or self._closed:
            return
        self._pulling = True
        if self.paused:
            # What was kept goes first; then it is the pages' turn, and the transport asks for each.
            self.paused = False
            self.transport.unregisterProducer()
            self._write_kept()
        self._share = SHARE
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """The transport has room: send a few pieces, and one page of each pager."""
        self._unprobed = 0
        source = self._source
        for _ in range(ROUND):
            if source is None or not source.pieces:
                self._share = SHARE
                break
            self.transport.write(source.next_piece())
            self._share += 1
        if self._share >= SHARE:
            self._share = 0
            for pager in list(self.pagers):
                self._guarded(self._page, pager)
        source = self._source
        if not self.pagers and not (source is not None and source.pieces):
            self._pulling = False
            self._let_go()

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
