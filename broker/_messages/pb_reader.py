"""The receiving half of the dialects ``pb`` and ``none``: bytes in, messages out.

Where the buffer holds a whole message of usual form it is read in one pass, plain payloads straight to values; a large
one is read so while it comes. Everything else goes the long way: the end of the message is found by counting, then
the spans of its fields, and a payload is kept as its bytes. The long way decides what is an error.
"""

from __future__ import annotations

from typing import Any, Final

from broker._limits import PB_PREFIX, Limits
from broker._messages.growing import Growing
from broker._messages.messages import (
    Answer,
    CacheReleased,
    Call,
    Failed,
    Message,
    NotUnderstood,
    Release,
    ReleaseCache,
    Unknown,
    Version,
)
from broker._values.payload import PENDING, Payload
from broker._values.plain import NotPlain
from broker._values.unplain import Incomplete, PlainDecoder
from broker._wire import banana
from broker._wire.banana import INT, STRING, header, string_token
from broker._wire.buffer import Scanner
from broker._wire.vocabulary import VOCAB
from broker.errors import LimitExceeded, ProtocolError

__all__ = ["PBReader", "TABLES"]

#: The fields of each command behind the word: i integer, t integer or name, s byte string, p payload.
_FIELDS: dict[bytes, str] = {
    b"message": "itsipp",
    b"cachemessage": "iisipp",
    b"answer": "ip",
    b"error": "ip",
    b"decref": "i",
    b"decache": "i",
    b"uncache": "i",
    b"version": "i",
    b"didNotUnderstand": "s",
}
_KINDS = {"i": "an integer", "t": "an integer or a byte string", "s": "a byte string"}


class _Tables:
    """What depends on nothing but whether words go as numbers; never changed once made."""

    __slots__ = ("commands", "heads", "no_args", "no_keywords", "no_kwargs")

    def __init__(self, vocabulary: bool) -> None:
        self.heads = {
            command: bytes((len(kinds) + 1, banana.LIST)) + string_token(command, vocabulary)
            for command, kinds in _FIELDS.items()
        }
        # List header and word of the usual messages, which take four bytes where the vocabulary is on.
        self.commands = {self.heads[word.encode()]: word for word in ("message", "answer", "error", "decref")}
        self.no_args = banana.encode([b"tuple"], vocabulary=vocabulary)
        self.no_kwargs = banana.encode([b"dictionary"], vocabulary=vocabulary)
        # The keywords of most calls to be sent.
        self.no_keywords = Payload(PENDING, self.no_kwargs)


#: Nothing, in the place of a payload that is still to be read.
_EMPTY: Final = Payload(None)
#: From so many bytes on a message that is not whole is decoded as it comes.
_LARGE: Final = 4096

TABLES: Final = (_Tables(False), _Tables(True))


class PBReader:
    """Reads the messages of one connection.

    :param limits: the ceilings for what is received.
    :param vocabulary: whether words come as numbers.

    plain: decode plain payloads while reading. The session clears it when the policy forbids a plain type.
    """

    __slots__ = (
        "_data",
        "_decoder",
        "_easy",
        "_growing",
        "_limits",
        "_measuring",
        "_more",
        "_position",
        "_scanner",
        "_tables",
        "plain",
        "vocabulary",
    )

    def __init__(self, limits: Limits, vocabulary: bool) -> None:
        self.vocabulary = vocabulary
        self.plain = True
        self._limits = limits
        # Whole messages of no more bytes than this pass no ceiling, so they need no counting.
        self._easy = min(limits.message, limits.string, limits.elements)
        if limits.prefix < PB_PREFIX:
            self._easy = 0
        # Bytes are read from _data at _position. What comes before that is used up waits in _more, and so does a
        # message that is not whole, which _scanner then measures; but a large one is _growing, unless that failed and
        # it is being measured.
        self._growing: Growing | None = None
        self._measuring = False
        self._data = b""
        self._position = 0
        self._more = bytearray()
        self._scanner = Scanner(limits, vocabulary)
        self._decoder = PlainDecoder(vocabulary, limits.depth)
        self._tables = TABLES[vocabulary]

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came, split anywhere."""
        if self._growing is not None:
            self._growing.take(data)
        elif self._more or self._position < len(self._data):
            self._more += data
        else:
            self._data = data
            self._position = 0

    def next_message(self) -> Message | None:
        """Return the next whole message, or None when more bytes are needed.

        :raises ProtocolError: the bytes are no messages, or pass a ceiling; the connection is over.
        """
        if self._growing is not None:
            return self._grow(self._growing)
        size = len(self._data) - self._position
        if size:
            if size <= self._easy:
                try:
                    message = self._read()
                except (IndexError, Incomplete):
                    return self._wait()
                if message is not None:
                    return message
            end = self._end_of(self._data, self._position)
            return self._parse(end) if end else self._wait()
        if not self._more:
            return None
        if not self._measuring and _LARGE <= len(self._more) <= self._easy:
            # Large enough to be worth decoding what is there of it.
            self._turn_back()
            return self.next_message()
        if not self._scanner.advance(self._more):
            return None
        end = self._scanner.position
        self._turn_back()
        return self._parse(end)

    def _turn_back(self) -> None:
        """Make what waits what is read from."""
        self._data = bytes(self._more)
        self._position = 0
        self._more.clear()
        self._scanner.restart(0)
        self._measuring = False

    def _wait(self) -> Message | None:
        """Move the beginning of a message to where the rest of it will come."""
        growing = self._growing
        if growing is not None:
            if self._more:
                growing.take(bytes(self._more))
                self._more.clear()
            self._data = b""
            self._position = 0
            return self._grow(growing)
        self._measuring = len(self._data) - self._position >= _LARGE
        self._more[:0] = self._data[self._position :]
        self._data = b""
        self._position = 0
        return self.next_message()

    def _grow(self, growing: Growing) -> Message | None:
        """Go on with a large message; where it could pass a ceiling or is not plain, it is measured instead."""
        if not self._decoder.stuck and growing.bound <= self._easy:
            try:
                whole = growing.advance()
            except NotPlain:
                pass
            else:
                if whole is not None:
                    self._growing = None
                    message, self._data = whole
                    return message
                if not self._decoder.stuck and growing.bound <= self._easy:
                    return None
        self._growing = None
        self._more = growing.bytes()
        self._measuring = True
        return self.next_message()

    def _begin(self, cut: Incomplete, message: Call | Answer | Failed, payloads: list[Payload], position: int) -> None:
        """Keep what was decoded of a message that the data end in, if it is a large one."""
        if max(len(self._data) - self._position, cut.missing) >= _LARGE:
            self._growing = Growing(message, payloads, self._decoder, cut, self._data, self._position, position)

    def _read(self) -> Message | None:
        """Read a message of usual form, or return None: then nothing was used up.

        :raises IndexError: the data end before the message does; so does `Incomplete`.
        """
        data = self._data
        start = self._position
        command = self._tables.commands.get(data[start : start + 4])
        if command is None:
            return None
        request, position = _number(data, start + 4)
        if request < 0:
            return None
        if command == "message":
            return self._read_call(data, position, request)
        if command == "decref":
            self._position = position
            return Release(request, 1)
        message = Answer(request, _EMPTY) if command == "answer" else Failed(request, _EMPTY)
        try:
            message.payload, self._position = self._payload(data, position)
        except Incomplete as cut:
            self._begin(cut, message, [], position)
            raise
        return message

    def _read_call(self, data: bytes, position: int, request: int) -> Message | None:
        """Read a call behind its request number."""
        target: int | bytes
        if data.startswith(b"\x04\x82root", position):
            target = b"root"
            position += 6
        else:
            target, position = _number(data, position)
            if target < 0:
                return None
        length = data[position]
        if length > 0x7F or data[position + 1] != STRING:
            return None
        position += 2
        method = data[position : position + length]
        position += length
        wants_answer = data[position]
        if wants_answer > 1 or data[position + 1] != INT:
            return None
        position += 2
        call = Call(request, target, method, wants_answer == 1, _EMPTY, _EMPTY, False)
        try:
            call.args, position = self._payload(data, position)
            call.kwargs, self._position = self._payload(data, position)
        except Incomplete as cut:
            self._begin(cut, call, [] if call.args is _EMPTY else [call.args], position)
            raise
        return call

    def _payload(self, data: bytes, position: int) -> tuple[Payload, int]:
        """Read a payload: its value if that is plain, else its bytes, whose end must be counted out.

        :raises Incomplete: the data end in a payload that is plain so far.
        :raises IndexError: they end in another one.
        """
        if self.plain:
            if data.startswith(self._tables.no_args, position):
                return Payload(()), position + len(self._tables.no_args)
            if data.startswith(self._tables.no_kwargs, position):
                return Payload({}), position + len(self._tables.no_kwargs)
            try:
                value, end = self._decoder.decode(data, position)
                return Payload(value), end
            except NotPlain:
                pass
        end = self._end_of(data, position)
        if not end:
            raise IndexError
        return Payload(PENDING, data[position:end]), end

    def _end_of(self, data: bytes, position: int) -> int:
        """Return where the expression at a position ends, or 0 when the data end before."""
        # What waits in _more is not begun to be measured while there are data to be read.
        scanner = self._scanner
        scanner.restart(position)
        end = scanner.position if scanner.advance(data) else 0
        scanner.restart(0)
        return end

    def _parse(self, end: int) -> Message:
        """Read a message that is whole and ends at `end`, whatever it is."""
        data = self._data
        start = self._position
        self._position = end
        count, token, position = header(data, start)
        if token != banana.LIST:
            raise ProtocolError("what came is no message: no list")
        if not count:
            raise ProtocolError("what came is no message: an empty list")
        token = header(data, position)[1]
        if token != STRING and token != VOCAB:
            raise ProtocolError("what came is no message: its command is no byte string")
        command, position = banana.decode(data, position, vocabulary=self.vocabulary)
        kinds = _FIELDS.get(command)
        if kinds is None:
            return self._unknown(command, start, "the command is not known")
        if len(kinds) != count - 1:
            return self._unknown(command, start, f"{count - 1} fields instead of {len(kinds)}")
        fields: list[Any] = []
        field: Any
        for kind in kinds:
            if kind == "p":
                field, position = self._payload(data, position)
            elif self._fits(kind, position):
                field, position = banana.decode(data, position, vocabulary=self.vocabulary)
            else:
                return self._unknown(command, start, f"field {len(fields) + 1} is not {_KINDS[kind]}")
            fields.append(field)
        return _message(command, fields)

    def _fits(self, kind: str, position: int) -> bool:
        """Tell whether a field is of the kind that belongs there."""
        token = header(self._data, position)[1]
        if token == STRING or token == VOCAB:
            return kind != "i"
        return kind != "s" and token != banana.LIST and token != banana.FLOAT

    def _unknown(self, command: bytes, start: int, problem: str) -> Unknown:
        """Make the message that stands for one that was not understood."""
        try:
            expression, _ = banana.decode(self._data, start, vocabulary=self.vocabulary, depth_limit=self._limits.depth)
        except LimitExceeded as error:
            return Unknown(command, [], f"{problem}; {error}", None)
        fields = expression[1:]
        request: int | None = None
        if (command == b"message" or command == b"cachemessage") and len(fields) > 3 and fields[3]:
            request = fields[0] if isinstance(fields[0], int) else None
        return Unknown(command, fields, problem, request)


def _number(data: bytes, position: int) -> tuple[int, int]:
    """Read a number and return the position behind it; -1 when there is something else."""
    number = data[position]
    if number < 0x80 and data[position + 1] == INT:
        return number, position + 2
    number, kind, position = header(data, position)
    return (number if kind == INT else -1), position


def _message(command: bytes, fields: list[Any]) -> Message:
    """Make a message of a known command with the right fields."""
    if command == b"message" or command == b"cachemessage":
        request, target, method, wants_answer, args, kwargs = fields
        return Call(request, target, method, wants_answer != 0, args, kwargs, command == b"cachemessage")
    if command == b"answer":
        return Answer(fields[0], fields[1])
    if command == b"error":
        return Failed(fields[0], fields[1])
    if command == b"decref":
        return Release(fields[0], 1)
    if command == b"decache":
        return ReleaseCache(fields[0], 1)
    if command == b"uncache":
        return CacheReleased(fields[0])
    if command == b"version":
        return Version(fields[0])
    return NotUnderstood(fields[0])
