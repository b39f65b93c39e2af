"""The codecs alone, in process: a value to the bytes of an answer, and back."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.testing import StringTransport
from twisted.spread import banana, jelly

from broker._limits import Limits
from broker._messages.messages import Answer
from broker._messages.pb import PBDialect

__all__ = ["CODECS", "Codec", "Ours", "Stock"]


class Codec(Protocol):
    """Value to bytes and back."""

    name: str
    ours: bool

    def encode(self, value: Any) -> bytes:
        """Return the bytes of an answer with that value."""

    def decode(self, data: bytes, piece: int) -> Any:
        """Return the value of the answer in these bytes, which come so many at a time."""


class _Plain:
    """A swizzler for plain values: there is nothing to lower or to lift."""

    plain = True

    def jelly(self, value: Any) -> Any:
        """Refuse."""
        raise AssertionError(f"{value!r} is not plain")

    def unjelly(self, expression: Any) -> Any:
        """Refuse."""
        raise AssertionError(f"{expression!r} is not plain")


class Ours:
    """The PB dialect of broker."""

    name = "broker"
    ours = True

    def __init__(self) -> None:
        self._dialect = PBDialect(Limits())

    def encode(self, value: Any) -> bytes:
        """Return the bytes of an answer with that value."""
        return self._dialect.encode(Answer(1, self._dialect.lower(value, _Plain())))

    def decode(self, data: bytes, piece: int) -> Any:
        """Return the value of the answer in these bytes, which come so many at a time."""
        dialect, message = self._dialect, None
        for start in range(0, len(data), piece):
            dialect.receive_data(data[start : start + piece])
            message = dialect.next_message()
        assert isinstance(message, Answer)
        return dialect.lift(message.payload, _Plain())


class _Banana(banana.Banana):
    """A stock banana that keeps what it read."""

    read: Any = None

    def expressionReceived(self, obj: Any) -> None:
        """Keep it."""
        self.read = obj


class Stock:
    """Stock jelly and banana."""

    name = "stock"
    ours = False

    def __init__(self) -> None:
        self._banana, self._transport = _banana()

    def encode(self, value: Any) -> bytes:
        """Return the bytes of an answer with that value."""
        self._transport.clear()
        self._banana.sendEncoded([b"answer", 1, jelly.jelly(value)])
        data: bytes = self._transport.value()
        return data

    def decode(self, data: bytes, piece: int) -> Any:
        """Return the value of the answer in these bytes, which come so many at a time."""
        decoder = self._banana
        for start in range(0, len(data), piece):
            decoder.dataReceived(data[start : start + piece])
        return jelly.unjelly(decoder.read[2])


def _banana() -> tuple[Any, StringTransport]:
    """Return a stock banana that is past its greeting, and what it writes to."""
    made: Any = _Banana
    protocol, transport = made(isClient=False), StringTransport()
    protocol.makeConnection(transport)
    protocol._selectDialect(b"pb")
    transport.clear()
    return protocol, transport


CODECS: list[Codec] = [Stock(), Ours()]
