"""The dialects ``pb`` and ``none`` of Perspective Broker.

A message is one banana list: a command word and its fields. How they are read is in `broker._messages.pb_reader`.
"""

from __future__ import annotations

from typing import Any, Final

from broker._limits import PB_SIZE, Limits
from broker._messages.dialect import Swizzler
from broker._messages.messages import (
    Answer,
    CacheReleased,
    Call,
    Failed,
    Message,
    NotUnderstood,
    Release,
    ReleaseCache,
    Version,
)
from broker._messages.pb_reader import PBReader
from broker._values.payload import PENDING, Payload
from broker._values.plain import NotPlain, PlainEncoder
from broker._wire import banana
from broker._wire.banana import int_token, string_token
from broker.errors import LimitExceeded

__all__ = ["PBDialect"]

#: So many names that were sent are remembered, of no more bytes than that.
_NAMES: Final = 256
_NAME: Final = 64


class PBDialect(PBReader):
    """Perspective Broker's wire, for one connection.

    :param limits: the ceilings for what is received.
    :param vocabulary: words of the vocabulary go as numbers: on for ``pb``, off for ``none``.
    :param name: the dialect's name; by default the one that fits `vocabulary`.
    :param send_string: most bytes of a byte string, and most elements of a list, that the peer accepts.
    """

    __slots__ = ("_encoder", "_names", "_send_string", "name")

    def __init__(
        self, limits: Limits, *, vocabulary: bool = True, name: bytes | None = None, send_string: int = PB_SIZE
    ) -> None:
        super().__init__(limits, vocabulary)
        self.name = name if name is not None else (b"pb" if vocabulary else b"none")
        self._send_string = send_string
        self._encoder = PlainEncoder(vocabulary, limits.depth, send_string)
        self._names: dict[bytes, bytes] = {}

    # Sending

    def encode(self, message: Message) -> bytes:
        """Return the bytes of one message; its payloads must be encoded ones.

        :raises LimitExceeded: the message has a part that the peer would not accept.
        :raises ValueError: the message is one that is only received, or a payload is not encoded.
        """
        heads = self._tables.heads
        if isinstance(message, Call):
            return self._encode_call(message)
        if isinstance(message, Answer):
            return heads[b"answer"] + int_token(message.request) + _data(message.payload)
        if isinstance(message, Failed):
            return heads[b"error"] + int_token(message.request) + _data(message.payload)
        if isinstance(message, Release):
            return (heads[b"decref"] + int_token(message.target)) * message.count
        if isinstance(message, ReleaseCache):
            return (heads[b"decache"] + int_token(message.target)) * message.count
        if isinstance(message, CacheReleased):
            return heads[b"uncache"] + int_token(message.target)
        if isinstance(message, Version):
            return heads[b"version"] + int_token(message.number)
        if isinstance(message, NotUnderstood):
            return heads[b"didNotUnderstand"] + self._string(message.command)
        raise ValueError(f"{type(message).__name__} is no message of this dialect, or is only received")

    def encode_call(
        self,
        request: int,
        target: int | bytes,
        method: bytes,
        args: Any,
        kwargs: Any,
        wants_answer: bool,
        cached: bool,
        deadline: int,
        swizzler: Swizzler,
    ) -> bytes:
        """Return the bytes of a call whose arguments are still to be lowered. There is no form for a deadline.

        :raises InsecureJelly: something in them is not on the whitelist.
        :raises LimitExceeded: something in them is larger than the peer accepts, or nested too deeply.
        """
        lowered = self.lower(args, swizzler)
        named = self.lower(kwargs, swizzler)
        return self._encode_call(Call(request, target, method, wants_answer, lowered, named, cached))

    def encode_releases(self, owed: list[tuple[int, int]], cached: bool) -> bytes:
        """Return the bytes of releases: one message for each count."""
        heads = self._tables.heads[b"decache" if cached else b"decref"]
        return b"".join([(heads + int_token(number)) * count for number, count in owed])

    def _encode_call(self, call: Call) -> bytes:
        target = call.target
        return b"".join(
            (
                self._tables.heads[b"cachemessage" if call.cached else b"message"],
                int_token(call.request),
                int_token(target) if isinstance(target, int) else self._string(target),
                self._string(call.method),
                b"\x01\x81" if call.wants_answer else b"\x00\x81",
                _data(call.args),
                _data(call.kwargs),
            )
        )

    def _string(self, string: bytes) -> bytes:
        """Return the token of a name, and remember it."""
        token = self._names.get(string)
        if token is None:
            token = string_token(string, self.vocabulary, self._send_string)
            if len(string) <= _NAME and len(self._names) < _NAMES:
                self._names[string] = token
        return token

    # Payloads

    def lower(self, value: Any, swizzler: Swizzler) -> Payload:
        """Encode one value.

        :raises InsecureJelly: something in it is not on the whitelist.
        :raises LimitExceeded: something in it is larger than the peer accepts, or nested too deeply.
        """
        if swizzler.plain:
            if type(value) is dict and not value:
                return self._tables.no_keywords
            try:
                return Payload(PENDING, self._encoder.encode(value))
            except (NotPlain, RecursionError):
                pass
        try:
            expression = swizzler.jelly(value)
        except RecursionError:
            raise LimitExceeded("a value nested too deeply to be sent") from None
        data = banana.encode(
            expression,
            vocabulary=self.vocabulary,
            string_limit=self._send_string,
            depth_limit=self._limits.depth,
        )
        return Payload(PENDING, data)

    def lift(self, payload: Payload, swizzler: Swizzler) -> Any:
        """Decode one value.

        :raises InsecureJelly: something in it is not on the whitelist, or is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
        data = payload.data
        if data is None:
            return payload.value
        expression, _ = banana.decode(data, vocabulary=self.vocabulary, depth_limit=self._limits.depth)
        try:
            return swizzler.unjelly(expression)
        except RecursionError:
            raise LimitExceeded("a value nested too deeply to be read") from None


def _data(payload: Payload) -> bytes:
    """Return the bytes of a payload to be sent."""
    if payload.data is None:
        raise ValueError("the payload of a message to be sent must be encoded")
    return payload.data
