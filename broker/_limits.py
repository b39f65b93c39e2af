"""The ceilings of one connection: everything that a peer can make grow, each with the reason for its default."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

__all__ = ["DEFAULT", "Limits", "PB_PREFIX", "PB_SIZE"]

#: The longest byte string, and the most elements of one list, that a stock PB peer accepts. Longer ones are never
#: sent to it: it would drop the connection.
PB_SIZE: Final = 640 * 1024
#: The longest length prefix, in bytes, that a stock PB peer accepts; it also bounds integers to 448 bits.
PB_PREFIX: Final = 64


@dataclass(frozen=True)
class Limits:
    """Ceilings of one connection.

    A ceiling that only one call meets fails that call with `LimitExceeded`; one that concerns the connection closes
    it, with the reason in the log.

    :param message: most bytes of one received message. 64 MiB: a list of a million texts of 50 bytes fits; a peer
        that declares more is stopped before it is kept.
    :param string: most bytes of one received byte string or text. 16 MiB: PB's 640 KiB is what its users run
        into first, and longer ones belong into a pager.
    :param elements: most elements of one received message, all lists together. 4 Mi: six of PB's largest lists; at
        some 60 bytes each it bounds the memory one message can cost.
    :param prefix: most bytes of a length prefix, PB's own number. It bounds integers to 448 bits.
    :param depth: deepest nesting of containers, sent or received. 300: stock PB fails between 300 and 400.
    :param references: most objects that one peer may hold at a time: those exported to it, and as many cached.
        8192: PB's 1,024 is the second limit its users run into.
    :param calls: most calls of one peer that may be unanswered here at a time. 10,000: a Deferred and its table
        entry are about 1 KiB, so 10 MiB.
    :param unanswered: most connections of one server that have not finished negotiating. 1,000.
    :param handshake: seconds for the negotiation to finish. 30.
    :param buffer: most bytes that may wait to be written on one connection before it is closed. 256 MiB: a peer
        that sends calls but never reads the answers is stopped here. Also most bytes that may have come of several
        large messages together before they are whole; the peer is told, and begins no more than that.
    :param streams: most large messages of one peer that may be under way, in pieces, at a time. 16: so many users of
        one connection do not wait for each other, and what half of them can cost is bounded by `buffer`.
    :param controls: most pings and other messages that ask for nothing, per second. 200: a hundred times what keeping a
        connection alive takes.
    :param faults: most wrong messages forgiven on one connection before it is closed. 100: a peer with a bug shows
        it in a few log lines, one that means harm cannot fill the log.
    """

    message: int = 64 * 1024 * 1024
    string: int = 16 * 1024 * 1024
    elements: int = 4 * 1024 * 1024
    prefix: int = PB_PREFIX
    depth: int = 300
    references: int = 8 * 1024
    calls: int = 10_000
    unanswered: int = 1_000
    handshake: float = 30.0
    buffer: int = 256 * 1024 * 1024
    streams: int = 16
    controls: int = 200
    faults: int = 100

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise ValueError(f"Limits.{field.name} must be a positive number, not {value!r}")


#: The ceilings of connections that are given none.
DEFAULT: Final = Limits()
