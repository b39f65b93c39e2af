"""A large message of ``broker/1`` while it comes, in pieces, each of which is decoded at once and not kept."""

from __future__ import annotations

from broker._limits import Limits
from broker._messages.messages import Answer, Call, Failed, Message, Unknown
from broker._messages.native_values import JELLY, NESTED, form_decoder, held
from broker._values.payload import Broken, Payload
from broker._values.plain import NotPlain
from broker._values.unnative import NativeDecoder
from broker.errors import BadValue, LimitExceeded

__all__ = ["Stream"]


class Stream:
    """A message whose values come in pieces.

    :param limits: the ceilings for them.
    :param message: the message, without its values.
    :param values: how many it has.
    :param plain: whether they may be used as they are decoded.
    :param options: whether the first of them is the options of a call.

    size: bytes that came of it.
    """

    __slots__ = (
        "_broken",
        "_decoder",
        "_jelly",
        "_left",
        "_limits",
        "_message",
        "_open",
        "_options",
        "_payloads",
        "_plain",
        "size",
    )

    def __init__(
        self, limits: Limits, message: Call | Answer | Failed | Unknown, values: int, plain: bool, options: bool = False
    ) -> None:
        self.size = 0
        self._limits = limits
        self._message = message
        self._left = values
        self._plain = plain
        self._options = options
        self._payloads: list[Payload] = []
        self._decoder: NativeDecoder | None = None
        # Whether a value is open, and whether that is an s-expression.
        self._open = False
        self._jelly = False
        self._broken: Exception | None = None

    def take(self, data: bytes, position: int, end: int) -> None:
        """Decode one more piece. After a mistake the rest is only counted."""
        if self._broken is not None or isinstance(self._message, Unknown):
            return
        try:
            while position < end:
                if not self._open:
                    position = self._next(data, position)
                decoder = self._decoder
                assert decoder is not None
                if not decoder.feed(data, position, end):
                    return
                self._payloads.append(held(decoder.value, self._jelly, self._plain))
                position = decoder.position
                self._open = False
        except (BadValue, LimitExceeded) as error:
            self._give_up(error)
        except NotPlain:
            self._give_up(BadValue(NESTED))

    def _give_up(self, error: Exception) -> None:
        self._broken = error
        self._payloads.clear()
        self._decoder = None

    def _next(self, data: bytes, position: int) -> int:
        """Begin the next value; return where its tag is.

        :raises BadValue: there should be none.
        """
        if not self._left:
            raise BadValue("there are bytes behind the last value")
        self._left -= 1
        self._open = True
        self._jelly = data[position] == JELLY
        if self._jelly:
            self._decoder = form_decoder(self._limits)
            position += 1
        else:
            self._decoder = NativeDecoder(self._limits.depth, self._limits.elements)
        self._decoder.begin()
        return position

    def finish(self) -> Message:
        """All pieces came: return the message."""
        message = self._message
        if isinstance(message, Unknown):
            return message
        if self._broken is None and (self._open or self._left):
            self._broken = BadValue("a value that was cut short")
        if self._broken is not None:
            self._payloads = [Payload(Broken(self._broken), b"")]
        elif self._options:
            del self._payloads[0]
        if not isinstance(message, Call):
            message.payload = self._payloads[0]
            return message
        message.args = self._payloads[0]
        if len(self._payloads) > 1:
            message.kwargs = self._payloads[1]
        return message
