"""The dialect ``broker/1``, which two of our ends speak.

How messages lie in frames is in `broker._wire.frames`, how they are read in `broker._messages.native_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from broker._limits import Limits
from broker._messages.codecs import LARGE, Codecs
from broker._messages.dialect import Swizzler
from broker._messages.messages import (
    Abort,
    Answer,
    CacheReleased,
    Cancel,
    Failed,
    GoAway,
    Message,
    NotUnderstood,
    Ping,
    Pong,
    Release,
    ReleaseCache,
)
from broker._messages.native_reader import NativeReader
from broker._messages.native_values import put_form
from broker._values.native import NativeEncoder
from broker._values.payload import PENDING, Broken, Jellied, Payload, Unchecked
from broker._values.plain import NotPlain
from broker._values.policy import check_atoms, check_plain
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, frame, put_number, varint
from broker._wire.pack import BytesWriter
from broker._wire.parts import Parts
from broker.errors import LimitExceeded

__all__ = ["NAME", "NativeDialect", "settings_of"]

NAME: Final = b"broker/1"
#: Longest name of a method or a preset object, in bytes.
_NAME: Final = 255
#: Longest reason, in bytes.
_REASON: Final = 1024


def settings_of(limits: Limits) -> dict[str, int]:
    """Return what a side says that it accepts, behind the dialect's name in the greeting."""
    return {
        "message": limits.message,
        "elements": limits.elements,
        "depth": limits.depth,
        "references": limits.references,
        "calls": limits.calls,
        "streams": limits.streams,
        "buffer": limits.buffer,
    }


class NativeDialect(NativeReader):
    """``broker/1``, for one connection.

    :param limits: the ceilings for what is received.
    :param settings: what the peer said that it accepts; what it left out is taken to be what we accept.
    :param codecs: where encoders and decoders are borrowed.
    """

    __slots__ = ("_depth", "_idle", "_most", "name", "settings")

    def __init__(self, limits: Limits, settings: Mapping[str, int], codecs: Codecs) -> None:
        super().__init__(limits, codecs)
        self.name = NAME
        self.settings = codecs.settings({**settings_of(limits), **settings})
        self._most = self.settings["message"]
        self._depth = min(limits.depth, self.settings["depth"])
        self._idle = codecs.idle_encoders(self._depth, self.settings["elements"])

    # Messages. Those too large for a frame are returned with a head that says nothing: they go in pieces.

    def encode_plain(
        self, request: int, target: int | bytes, method: bytes, args: Any, kwargs: Any
    ) -> bytes | Parts | None:
        """Return the bytes of a call that wants an answer, or None when its arguments are not plain.

        :raises LimitExceeded: something in them is larger than the peer accepts, or nested too deeply.
        """
        encoder = self._borrow()
        writer = encoder.writer
        try:
            flags = frames.WANTS_ANSWER | (frames.KEYWORDS if kwargs else 0)
            _open_call(writer, request, target, method, flags, -1)
            encoder.put(args)
            if kwargs:
                encoder.put(kwargs)
            return self._framed(encoder)
        except NotPlain:
            return None
        finally:
            self._give_back(encoder)

    def encode_answer(self, request: int, value: Any) -> bytes | Parts | None:
        """Return the bytes of an answer, or None when the result is not plain.

        :raises LimitExceeded: something in it is larger than the peer accepts, or nested too deeply.
        """
        encoder = self._borrow()
        writer = encoder.writer
        try:
            _open(writer, frames.ANSWER)
            put_number(writer, request)
            encoder.put(value)
            return self._framed(encoder)
        except NotPlain:
            return None
        finally:
            self._give_back(encoder)

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
    ) -> bytes | Parts:
        """Return the bytes of a call, its arguments lowered.

        :raises InsecureJelly: something in them is not on the whitelist.
        :raises LimitExceeded: something in them is larger than the peer accepts, or nested too deeply.
        """
        flags = frames.WANTS_ANSWER if wants_answer else 0
        if cached:
            flags |= frames.CACHED
        if kwargs:
            flags |= frames.KEYWORDS
        if swizzler.plain:
            encoder = self._borrow()
            try:
                _open_call(encoder.writer, request, target, method, flags, deadline)
                encoder.put(args)
                if kwargs:
                    encoder.put(kwargs)
                return self._framed(encoder)
            except NotPlain:
                pass
            finally:
                self._give_back(encoder)
        form = _jellied(args, swizzler)
        named = _jellied(kwargs, swizzler) if kwargs else None
        encoder = self._borrow()
        try:
            _open_call(encoder.writer, request, target, method, flags, deadline)
            put_form(encoder, form)
            if kwargs:
                put_form(encoder, named)
            return self._framed(encoder)
        finally:
            self._give_back(encoder)

    def _borrow(self) -> NativeEncoder:
        """Take an encoder, with nothing written to it."""
        idle = self._idle
        return idle.pop() if idle else NativeEncoder(self._depth, self.settings["elements"])

    def _give_back(self, encoder: NativeEncoder) -> None:
        """Forget what was written, and let others have the encoder."""
        if len(encoder.writer) <= LARGE:
            encoder.clear()
            self._idle.append(encoder)

    def _framed(self, encoder: NativeEncoder) -> bytes | Parts:
        """Return the message that was written, with its length in its head if it goes in a frame.

        :raises LimitExceeded: the peer does not accept one of that size.
        """
        writer = encoder.writer
        if encoder.parts:
            # A part of it alone is longer than a frame.
            parts = Parts(encoder.take_parts())
            self._check(len(parts) - HEAD)
            return parts
        size: int = len(writer) - HEAD
        self._check(size)
        if size <= FRAME:
            writer[1] = size & 0xFF
            writer[2] = size >> 8 & 0xFF
            writer[3] = size >> 16
        return encoder.take()

    def _check(self, size: int) -> None:
        """Let a message of so many bytes pass, or not."""
        if size > self._most:
            raise LimitExceeded(f"a message of {size} bytes; the peer accepts {self._most}")

    def encode(self, message: Message) -> bytes:
        """Return the bytes of one message; its payload must be encoded.

        :raises LimitExceeded: it is larger than the peer accepts.
        :raises ValueError: the message is one that is only received, or a payload is not encoded.
        """
        if isinstance(message, (Answer, Failed)):
            return b"".join(self.encode_response(message))
        if isinstance(message, Release):
            return self.encode_releases([(message.target, message.count)], False)
        if isinstance(message, ReleaseCache):
            return self.encode_releases([(message.target, message.count)], True)
        if isinstance(message, CacheReleased):
            return frame(frames.CACHE_RELEASED, varint(message.target))
        if isinstance(message, Cancel):
            return frame(frames.CANCEL, varint(message.request))
        if isinstance(message, Ping):
            return frame(frames.PING, message.data)
        if isinstance(message, Pong):
            return frame(frames.PONG, message.data)
        if isinstance(message, GoAway):
            return frame(frames.GO_AWAY, _reason(message.reason))
        if isinstance(message, Abort):
            return frame(frames.ABORT, _reason(message.reason))
        if isinstance(message, NotUnderstood):
            return frame(frames.NOT_UNDERSTOOD, message.command)
        raise ValueError(f"{type(message).__name__} is no message of this dialect, or is only received")

    def encode_response(self, message: Answer | Failed) -> list[bytes]:
        """Return the bytes of an answer: its opening, and its payload, which must be encoded.

        :raises LimitExceeded: it is larger than the peer accepts.
        :raises ValueError: the payload is not encoded.
        """
        data = message.payload.data
        if data is None:
            raise ValueError("the payload of a message to be sent must be encoded")
        kind = frames.ANSWER if isinstance(message, Answer) else frames.FAILED
        opening = varint(message.request)
        size = len(opening) + len(data)
        self._check(size)
        return [(kind | min(size, FRAME) << 8).to_bytes(HEAD, "little") + opening, data]

    def encode_releases(self, owed: list[tuple[int, int]], cached: bool) -> bytes:
        """Return the bytes of a batch of releases.

        :param owed: numbers and counts.
        :param cached: they are of copies.
        """
        kind = frames.RELEASE_CACHE if cached else frames.RELEASE
        out = []
        # Two numbers are 18 bytes at most.
        for start in range(0, len(owed), FRAME // 18):
            batch = owed[start : start + FRAME // 18]
            out.append(frame(kind, b"".join([varint(number) + varint(count) for number, count in batch])))
        return b"".join(out)

    # Payloads.

    def lower(self, value: Any, swizzler: Swizzler) -> Payload:
        """Encode one value.

        :raises InsecureJelly: something in it is not on the whitelist.
        :raises LimitExceeded: something in it is larger than the peer accepts, or nested too deeply.
        """
        if swizzler.plain:
            encoder = self._borrow()
            try:
                encoder.put(value)
                return Payload(PENDING, encoder.take())
            except NotPlain:
                pass
            finally:
                self._give_back(encoder)
        return Payload(PENDING, self.lower_bytes(value, swizzler))

    def lower_bytes(self, value: Any, swizzler: Swizzler) -> bytes:
        """Encode one value the long way, as an s-expression; see `lower`."""
        form = _jellied(value, swizzler)
        encoder = self._borrow()
        try:
            put_form(encoder, form)
            return encoder.take()
        finally:
            self._give_back(encoder)

    def lift(self, payload: Payload, swizzler: Swizzler) -> Any:
        """Decode one value.

        :raises InsecureJelly: something in it is not on the whitelist, or is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
        held = payload.value
        if isinstance(held, Jellied):
            if not swizzler.plain:
                check_atoms(held.expression, swizzler.taster)
            try:
                return swizzler.unjelly(held.expression)
            except RecursionError:
                raise LimitExceeded("a value nested too deeply to be read") from None
        if isinstance(held, Broken):
            raise held.error
        if isinstance(held, Unchecked):
            check_plain(held.value, swizzler.taster)
            return held.value
        return held


def _open(writer: BytesWriter, kind: int) -> None:
    """Write the head of a message whose length is not known yet."""
    writer.append(kind)
    writer.append(0)
    writer.append(0)
    writer.append(0)


def _open_call(
    writer: BytesWriter, request: int, target: int | bytes, method: bytes, flags: int, deadline: int
) -> None:
    """Write a call up to its values."""
    _open(writer, frames.CALL)
    if deadline >= 0:
        flags |= frames.DEADLINE
    if isinstance(target, int):
        writer.append(flags)
        put_number(writer, request)
        put_number(writer, target)
    else:
        writer.append(flags | frames.NAMED)
        put_number(writer, request)
        _put_name(writer, target)
    _put_name(writer, method)
    if deadline >= 0:
        put_number(writer, deadline)


def _put_name(writer: BytesWriter, name: bytes) -> None:
    """Write a name with its length in one byte before it.

    :raises LimitExceeded: it is too long for that.
    """
    if len(name) > _NAME:
        raise LimitExceeded(f"a name of {len(name)} bytes; {_NAME} are the most")
    writer.append(len(name))
    writer.write(name)


def _jellied(value: Any, swizzler: Swizzler) -> Any:
    """Lower a value to an s-expression."""
    try:
        return swizzler.jelly(value, True)
    except RecursionError:
        raise LimitExceeded("a value nested too deeply to be sent") from None


def _reason(text: str) -> bytes:
    """Return a reason as bytes, cut where it is too long."""
    return text.encode("utf-8", "replace")[:_REASON]
