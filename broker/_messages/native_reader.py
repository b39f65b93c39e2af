"""The receiving half of ``broker/1``: bytes in, messages out.

Values are decoded while they are read, those of a large message piece by piece. What is wrong inside a value is kept
with the message and comes out where the value is used: the call fails and nothing else.
"""

from __future__ import annotations

from typing import Final

from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._messages.messages import (
    Abort,
    Answer,
    CacheReleased,
    Call,
    Cancel,
    Failed,
    GoAway,
    Message,
    Nothing,
    NotUnderstood,
    Ping,
    Pong,
    Release,
    ReleaseCache,
    Unknown,
)
from broker._messages.native_values import Values
from broker._messages.stream import Stream
from broker._values.payload import Payload
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, take_number
from broker.errors import ProtocolError

__all__ = ["NO_KEYWORDS", "NativeReader"]

#: The keywords of most calls.
NO_KEYWORDS: Final = Payload({})
_REQUEST_KINDS: Final = (frames.CALL, frames.ANSWER, frames.FAILED)
#: The longest number, in bytes.
_NUMBER: Final = 9
#: Most bytes of a reason in words.
_REASON: Final = 1024
#: Pieces after which whoever reads may see to others. Of the smallest ones, 64 KiB would otherwise be some 20 ms.
_PIECES: Final = 64


class NativeReader:
    """Reads the messages of one connection.

    :param limits: the ceilings for what is received.

    plain: whether values may be used as they are decoded; the session clears it when the policy forbids a plain type.
    """

    __slots__ = (
        "_batch",
        "_batch_kind",
        "_data",
        "_largest",
        "_last",
        "_limits",
        "_missing",
        "_more",
        "_need",
        "_piece",
        "_position",
        "_streamed",
        "_streams",
        "plain",
        "values",
    )

    def __init__(self, limits: Limits, codecs: Codecs) -> None:
        self.plain = True
        self._limits = limits
        self._largest = min(FRAME, limits.message)
        self.values = Values(limits, codecs)
        # Bytes are read from _data at _position. A frame that is not whole waits in _more until it has _need bytes.
        self._data = b""
        self._position = 0
        self._more: bytearray | None = None
        self._need = 0
        # Where the batch of releases ends that is being read, and of which kind they are.
        self._batch = 0
        self._batch_kind = 0
        self._streams: dict[int, Stream] | None = None
        self._streamed = 0
        # The piece that is being read, where it did not come at once: of which stream, and how many bytes are missing.
        self._piece = -1
        self._missing = 0
        self._last = False

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came, split anywhere."""
        more = self._more
        if more is not None:
            more += data
            if len(more) < self._need:
                return
            self._more = None
            data = bytes(more)
        else:
            if self._position < len(self._data):
                data = self._data[self._position :] + data
            # Counted from where reading goes on, also when that is behind everything that came before.
            self._batch -= self._position
        self._data = data
        self._position = 0

    def next_message(self) -> Message | None:
        """Return the next whole message, or None when more bytes are needed.

        :raises ProtocolError: the bytes are no messages, or pass a ceiling; the connection is over.
        """
        pieces = 0
        while pieces < _PIECES:
            data = self._data
            start = self._position
            if start < self._batch:
                return self._release()
            size = len(data) - start
            if self._piece >= 0:
                if not size:
                    return None
                message = self._more_of_piece(data, start, min(size, self._missing))
                if message is not None:
                    return message
                pieces += 1
                continue
            if size < HEAD:
                self._wait(HEAD)
                return None
            kind = data[start]
            length = data[start + 1] | data[start + 2] << 8 | data[start + 3] << 16
            if length > self._largest:
                self._check_length(kind, length)
            if size < HEAD + length:
                if (kind == frames.PART or kind == frames.LAST) and self._streams and size > HEAD + _NUMBER:
                    if self._begin_piece(kind, data, start + HEAD, start + HEAD + length):
                        continue
                self._wait(HEAD + length)
                return None
            start += HEAD
            self._position = end = start + length
            if kind == frames.CALL:
                return self._call(data, start, end)
            if kind == frames.ANSWER or kind == frames.FAILED:
                request, start = take_number(data, start, end)
                payload = self.values.read(data, start, end, self.plain)
                return Answer(request, payload) if kind == frames.ANSWER else Failed(request, payload)
            message = self._other(kind, data, start, end)
            if message is not None:
                return message
            pieces += 1
        return Nothing(0)

    def _check_length(self, kind: int, length: int) -> None:
        """Let a frame pass, or not, which is larger than any should be or than a message with a value may be."""
        if length > FRAME:
            raise ProtocolError(f"a frame of {length} bytes; {FRAME} are the most")
        if kind in _REQUEST_KINDS:
            raise ProtocolError(f"a message of more than {self._limits.message} bytes")

    def _wait(self, need: int) -> None:
        """Keep the beginning of a frame until it has so many bytes."""
        if self._position < len(self._data):
            self._more = bytearray(self._data[self._position :])
            self._need = need
        self._data = b""
        self._position = self._batch = 0

    def _other(self, kind: int, data: bytes, start: int, end: int) -> Message | None:
        """Read a frame of one of the rarer kinds; None for a piece that is not the last one."""
        if kind == frames.PART or kind == frames.LAST:
            return self._whole_piece(kind, data, start, end)
        if kind == frames.RELEASE or kind == frames.RELEASE_CACHE:
            if start == end:
                return Nothing(1)
            self._position, self._batch, self._batch_kind = start, end, kind
            return self._release()
        if kind == frames.CANCEL:
            return Cancel(_only_number(data, start, end))
        if kind == frames.CACHE_RELEASED:
            return CacheReleased(_only_number(data, start, end))
        if kind == frames.PING or kind == frames.PONG:
            token = data[start:end]
            if len(token) > 8:
                raise ProtocolError(f"a ping with {len(token)} bytes; 8 are the most")
            return Ping(token) if kind == frames.PING else Pong(token)
        if kind == frames.GO_AWAY:
            return GoAway(_text(data, start, end))
        if kind == frames.ABORT:
            return Abort(_text(data, start, end))
        if kind == frames.NOT_UNDERSTOOD:
            return NotUnderstood(data[start : min(end, start + 80)])
        if kind >= frames.HINTS:
            return Nothing(1)
        return Unknown(bytes((kind,)), [], f"messages of kind {kind} are not known", None)

    def _release(self) -> Message:
        """Read one pair of a batch of releases."""
        end = self._batch
        target, position = take_number(self._data, self._position, end)
        count, self._position = take_number(self._data, position, end)
        return Release(target, count) if self._batch_kind == frames.RELEASE else ReleaseCache(target, count)

    def _call(self, data: bytes, start: int, end: int) -> Message:
        """Read a call that came in one frame."""
        call, position, keywords, options = self._head(data, start, end)
        if isinstance(call, Unknown):
            return call
        values = self.values
        if options:
            # None is known yet, and each is safe to leave aside.
            call.args = values.read_one(data, position, end, self.plain)
            position = values.position
        if position >= 0:
            call.args = values.read_one(data, position, end, self.plain)
        if keywords and values.position >= 0:
            call.kwargs = values.read_one(data, values.position, end, self.plain)
        if values.position >= 0 and values.position != end:
            call.args = values.broken("there are bytes behind the arguments")
        return call

    def _head(self, data: bytes, start: int, end: int) -> tuple[Call | Unknown, int, bool, bool]:
        """Read a call up to its values; return also where these begin, and whether there are keywords and options."""
        if start >= end:
            raise ProtocolError("a call without anything in it")
        flags = data[start]
        request, position = take_number(data, start + 1, end)
        if flags >= frames.PIPELINED:
            wants = request if flags & frames.WANTS_ANSWER else None
            command = bytes((frames.CALL, flags))
            return Unknown(command, [], f"calls with flags {flags:#x} are not known", wants), position, False, False
        target: int | bytes
        if flags & frames.NAMED:
            target, position = _short(data, position, end)
        else:
            target, position = take_number(data, position, end)
        method, position = _short(data, position, end)
        call = Call(
            request,
            target,
            method,
            flags & frames.WANTS_ANSWER != 0,
            NO_KEYWORDS,
            NO_KEYWORDS,
            flags & frames.CACHED != 0,
        )
        if flags & frames.DEADLINE:
            call.deadline, position = take_number(data, position, end)
        return call, position, flags & frames.KEYWORDS != 0, flags & frames.OPTIONS != 0

    # Large messages.

    def _whole_piece(self, kind: int, data: bytes, start: int, end: int) -> Message | None:
        """Take a piece of a large message; return that when it is whole.

        :raises ProtocolError: it is too large, there are too many, it is none that may be large, or it brings nothing:
            pieces without bytes would be without end.
        """
        number, start = take_number(data, start, end)
        if start == end and kind == frames.PART:
            raise ProtocolError("a piece with nothing in it")
        if self._streams is None:
            self._streams = {}
        stream = self._streams.get(number)
        if stream is None:
            if len(self._streams) >= self._limits.streams:
                raise ProtocolError(f"more than {self._limits.streams} large messages at a time")
            stream = self._begin(data, start, end)
            self._streams[number] = stream
            # Not the byte for the kind, which is in the head of a message that goes whole.
            start += 1
        else:
            stream.take(data, start, end)
        self._count(stream, end - start)
        return self._finish(number) if kind == frames.LAST else None

    def _begin_piece(self, kind: int, data: bytes, start: int, end: int) -> bool:
        """Begin to take a piece before all of it is there, if it is not the first one of its message."""
        number, position = take_number(data, start, end)
        if self._streams is None or number not in self._streams:
            return False
        self._piece = number
        self._missing = end - position
        self._last = kind == frames.LAST
        self._position = position
        return True

    def _more_of_piece(self, data: bytes, start: int, size: int) -> Message | None:
        """Take more of the piece that is being read."""
        assert self._streams is not None
        number = self._piece
        stream = self._streams[number]
        self._count(stream, size)
        stream.take(data, start, start + size)
        self._position = start + size
        self._missing -= size
        if self._missing:
            return None
        self._piece = -1
        return self._finish(number) if self._last else None

    def _count(self, stream: Stream, size: int) -> None:
        """Count bytes of large messages.

        :raises ProtocolError: they are too many.
        """
        stream.size += size
        self._streamed += size
        if stream.size > self._limits.message:
            raise ProtocolError(f"a message of more than {self._limits.message} bytes")
        if self._streamed > self._limits.buffer and self._streams is not None and len(self._streams) > 1:
            # One alone may be as large as any message.
            raise ProtocolError(f"unfinished messages of more than {self._limits.buffer} bytes")

    def _finish(self, number: int) -> Message:
        assert self._streams is not None
        stream = self._streams.pop(number)
        self._streamed -= stream.size
        return stream.finish()

    def _begin(self, data: bytes, start: int, end: int) -> Stream:
        """Read the head of a large message, all of which is in its first piece."""
        kind = data[start] if start < end else 0
        start += 1
        if kind == frames.CALL:
            message, position, keywords, options = self._head(data, start, end)
            if isinstance(message, Unknown):
                return Stream(self.values.limits, message, 0, self.plain)
            stream = Stream(self.values.limits, message, 1 + keywords + options, self.plain, options)
        elif kind in _REQUEST_KINDS:
            request, position = take_number(data, start, end)
            answer = Answer(request, NO_KEYWORDS) if kind == frames.ANSWER else Failed(request, NO_KEYWORDS)
            stream = Stream(self.values.limits, answer, 1, self.plain)
        else:
            raise ProtocolError(f"a message of kind {kind} in pieces")
        stream.take(data, position, end)
        return stream


def _only_number(data: bytes, start: int, end: int) -> int:
    number, position = take_number(data, start, end)
    if position != end:
        raise ProtocolError("there are bytes behind a number")
    return number


def _short(data: bytes, position: int, end: int) -> tuple[bytes, int]:
    """Read a name, its length in one byte before it."""
    if position >= end:
        raise ProtocolError("a name without an end")
    stop = position + 1 + data[position]
    if stop > end:
        raise ProtocolError("a name without an end")
    return data[position + 1 : stop], stop


def _text(data: bytes, start: int, end: int) -> str:
    """Read words for a log: nothing in them may start a line there, or command a terminal."""
    text = data[start : min(end, start + _REASON)].decode("utf-8", "replace")
    return text if text.isprintable() else ascii(text)[1:-1]
