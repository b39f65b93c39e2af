"""The frames of ``broker/1``: their kinds, their heads, and numbers of variable length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from broker._wire.pack import BytesWriter
from broker.errors import ProtocolError

if TYPE_CHECKING:
    from mypy_extensions import i64

__all__ = [
    "ABORT",
    "ANSWER",
    "CACHED",
    "CACHE_RELEASED",
    "CALL",
    "CANCEL",
    "DEADLINE",
    "FAILED",
    "FRAME",
    "GO_AWAY",
    "HEAD",
    "HELLO",
    "HINTS",
    "KEYWORDS",
    "LAST",
    "NAMED",
    "NOT_UNDERSTOOD",
    "OPTIONS",
    "PART",
    "PIECE",
    "PING",
    "PIPELINED",
    "PONG",
    "RELEASE",
    "RELEASE_CACHE",
    "WANTS_ANSWER",
    "frame",
    "put_number",
    "take_number",
    "varint",
]

#: Most bytes of one frame behind its head. A message that needs more goes in pieces of this size, between which other
#: messages find their place: at 100 MB/s one piece is 0.7 ms.
FRAME: Final = 65536
#: Bytes of a frame's head: the kind, and the length as 24 bits, little-endian.
HEAD: Final = 4
#: Bytes of a message in one piece; with the number of its stream it is a frame.
PIECE: Final = FRAME - 10

HELLO: Final = 0x01
CALL: Final = 0x02
ANSWER: Final = 0x03
FAILED: Final = 0x04
RELEASE: Final = 0x05
RELEASE_CACHE: Final = 0x06
CACHE_RELEASED: Final = 0x07
CANCEL: Final = 0x08
PING: Final = 0x09
PONG: Final = 0x0A
GO_AWAY: Final = 0x0B
NOT_UNDERSTOOD: Final = 0x0C
PART: Final = 0x0D
LAST: Final = 0x0E
ABORT: Final = 0x0F
#: From here on a kind that is not known is passed over without a word.
HINTS: Final = 0x80

#: The flags of a call.
WANTS_ANSWER: Final = 1
CACHED: Final = 2
NAMED: Final = 4
DEADLINE: Final = 8
KEYWORDS: Final = 16
OPTIONS: Final = 32
PIPELINED: Final = 64

#: The longest number, in bytes: 63 bits.
_NUMBER: Final = 9


def varint(number: int) -> bytes:
    """Return a number from 0 to 2⁶³−1 in groups of seven bits, the lowest first, all but the last with the top bit."""
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def put_number(writer: BytesWriter, number: int) -> None:
    """Write a number as `varint` makes it."""
    rest: i64 = number
    while rest > 0x7F:
        writer.append(rest & 0x7F | 0x80)
        rest >>= 7
    writer.append(rest)


def take_number(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a number and return it with the position behind it.

    :raises ProtocolError: it does not end before `end`, or is too large.
    """
    if position < end:
        byte = data[position]
        if byte < 0x80:
            return byte, position + 1
    number = 0
    shift = 0
    for index in range(position, min(end, position + _NUMBER)):
        byte = data[index]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, index + 1
        shift += 7
    raise ProtocolError("a number without an end")


def frame(kind: int, body: bytes) -> bytes:
    """Return a whole frame, of a body that is not too long."""
    return (kind | len(body) << 8).to_bytes(4, "little") + body
