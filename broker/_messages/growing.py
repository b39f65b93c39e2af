"""A large message while it comes, in pieces: what came of it is decoded already, and each piece is decoded once.

Only plain payloads grow. All bytes of the message are kept until it is whole, so that it can go the long way from its
start when something else turns up.
"""

from __future__ import annotations

from typing import Final

from broker._messages.messages import Answer, Call, Failed
from broker._values.payload import Payload
from broker._values.unplain import Incomplete, PlainDecoder

__all__ = ["Growing"]

#: Bytes that may wait undecoded, and a mistake in them unnoticed.
_PATIENCE: Final = 64


class Growing:
    """A message whose fields are read, but for its last payload or two.

    :param message: the message; what is missing in it is put there by `advance`.
    :param payloads: those of its payloads that are whole.
    :param decoder: what the next one was decoded with, in vain.
    :param cut: that one's end.
    :param data: a buffer with the beginning of the message, up to all that came.
    :param start: where in it the message begins.
    :param position: where in it the payload begins that is not whole.

    size: bytes kept.
    """

    __slots__ = ("_begun", "_decoder", "_kept", "_message", "_missing", "_payloads", "_tail", "size")

    def __init__(
        self,
        message: Call | Answer | Failed,
        payloads: list[Payload],
        decoder: PlainDecoder,
        cut: Incomplete,
        data: bytes,
        start: int,
        position: int,
    ) -> None:
        self._message = message
        self._payloads = payloads
        self._decoder = decoder
        self._kept = [data[start:]]
        self.size = len(data) - start
        # The item that was cut and what came behind it.
        self._tail: list[bytes] = []
        self._begun = False
        self._missing = 0
        self._wait(cut, data, position)

    def _wait(self, cut: Incomplete, data: bytes, position: int) -> None:
        """Keep what could not be decoded yet; where no container is open that is all of the payload."""
        self._begun = self._decoder.owed > 0
        self._tail = [data[self._decoder.at if self._begun else position :]]
        # Each item still owed takes a byte or more, so fewer bytes cannot end the message; a peer that sends them one
        # by one shall not cost an attempt for each.
        self._missing = max(cut.missing, min(self._decoder.owed // 2, _PATIENCE))

    @property
    def bound(self) -> int:
        """Neither bytes nor elements of the message are fewer than they were declared so far, nor more than this."""
        return self.size + max(self._missing, 0) + self._decoder.owed + 2

    def take(self, data: bytes) -> None:
        """Take more bytes."""
        self._kept.append(data)
        self._tail.append(data)
        self.size += len(data)
        self._missing -= len(data)

    def advance(self) -> tuple[Call | Answer | Failed, bytes] | None:
        """Decode what came; return the message and the bytes behind it when it is whole.

        :raises NotPlain: it must go the long way.
        """
        if self._missing > 0:
            return None
        message = self._message
        data = b"".join(self._tail)
        position = 0
        try:
            while len(self._payloads) < (2 if isinstance(message, Call) else 1):
                decoder = self._decoder
                value, position = decoder.resume(data) if self._begun else decoder.decode(data, position)
                self._begun = False
                self._payloads.append(Payload(value))
        except Incomplete as cut:
            self._wait(cut, data, position)
            return None
        if isinstance(message, Call):
            message.args, message.kwargs = self._payloads
        else:
            message.payload = self._payloads[0]
        return message, data[position:]

    def bytes(self) -> bytearray:
        """Return all that came, to be read another way."""
        return bytearray(b"".join(self._kept))
