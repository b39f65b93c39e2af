"""Conversations in ``broker/1`` as text: recorded from two real ends, and replayed against either of them.

Each frame is two lines or more: who sends it and what it says, then its bytes in hexadecimal digits, behind the four of
its head. ``78*32`` is a byte, or a group of them, so many times. A frame that begins with ``+`` is of the same write as
the one before it. A line that begins with ``#`` says what the client does next.
"""

from __future__ import annotations

import gc
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

import broker
from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._messages.messages import Nothing
from broker._messages.native import NativeDialect
from broker._wire import frames
from broker._wire.buffer import Decoder
from broker.testing import pair
from broker.testing.transport import MemoryAddress
from broker.testing.wire import Wire
from docs.notation import hexadecimal, meaning

FOLDER = Path(__file__).parent / "broker-1"
ENDS = {"C>S": "server", "S>C": "client"}
WAYS = {end: way for way, end in ENDS.items()}
#: What a challenge is while a conversation is recorded or replayed.
CHALLENGE = bytes(range(16))


@contextmanager
def settled() -> Iterator[None]:
    """Have challenges that are known, and no work put off because it takes long."""
    with mock.patch("broker._cred.portal.challenge", lambda: CHALLENGE), mock.patch("broker._net.protocol.SLICE", 1e9):
        yield


@dataclass
class Write:
    """What one end wrote at once: frames, each with what it says."""

    way: str
    frames: list[tuple[bytes, str]] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(data for data, _ in self.frames)


@dataclass
class Step:
    """Something that the client did, and what was written until both ends were quiet."""

    title: str
    writes: list[Write] = field(default_factory=list)


@dataclass(frozen=True)
class Conversation:
    """A script for the client, and what the server serves.

    :ivar root: makes the root object.
    :ivar script: what the client does.
    :ivar limits: of both ends; so is what `registry` makes.
    """

    title: str
    root: Callable[[], Any]
    script: Callable[[Client], None]
    limits: broker.Limits | None = None
    registry: Callable[[], Any] = broker.Registry

    def options(self) -> dict[str, Any]:
        """Return the options of both factories."""
        return {"keepalive": None, "limits": self.limits, "registry": self.registry()}


class Client:
    """What a script does things with.

    :ivar root: the reference to the server's root object.
    :ivar factory: the client's factory.
    """

    def __init__(self, factory: Any, flush: Callable[[str], None]) -> None:
        self.factory = factory
        self._flush = flush
        self.root: Any = None

    def go(self, title: str) -> None:
        """Let both ends talk until they are quiet."""
        # What was dropped is released by now, and not at some later time.
        gc.collect(1)
        self._flush(title)

    def outcome(self, title: str, waiting: Deferred[Any]) -> Any:
        """Return what a Deferred comes to: its result, or the exception that it fails with."""
        found: list[Any] = []
        waiting.addBoth(found.append)
        self.go(title)
        result = found.pop()
        return result.value if isinstance(result, Failure) else result

    def call(self, title: str, target: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method and return its result, or the exception that it failed with."""
        return self.outcome(title, target.callRemote(method, *args, **kwargs))

    def begin(self) -> None:
        """Connect, and get the root object."""
        self.root = self.outcome("connects", self.factory.getRootObject())


# Recording.


class Narrator:
    """Cuts what one end sends into frames, and says what each means."""

    def __init__(self, way: str, limits: Limits) -> None:
        self._greeting: Decoder | None = Decoder(Limits(), vocabulary=False)
        self._verb = "offers" if way == "S>C" else "takes"
        self._reader = NativeDialect(limits, {}, Codecs())

    def tell(self, data: bytes) -> Iterator[tuple[bytes, str]]:
        """Give the frames of some bytes, which end where a frame ends."""
        if self._greeting is not None:
            self._greeting.receive_data(data)
            said = self._greeting.next_expression()
            rest = self._greeting.take_rest()
            self._greeting = None
            names = said if isinstance(said, list) else [said]
            yield data[: len(data) - len(rest)], f"{self._verb} {', '.join(name.decode() for name in names)}"
            data = rest
        while data:
            size = 4 + int.from_bytes(data[1:4], "little")
            frame, data = data[:size], data[size:]
            assert len(frame) == size, "a write that ends within a frame"
            yield frame, self._say(frame)

    def _say(self, frame: bytes) -> str:
        self._reader.receive_data(frame)
        said = []
        try:
            while (message := self._reader.next_message()) is not None:
                if not isinstance(message, Nothing):
                    said.append(meaning(message))
        except broker.ProtocolError as error:
            return f"wrong: {error}"
        if frame[0] == frames.PART:
            return f"a piece of {len(frame) - 4} bytes"
        if frame[0] == frames.LAST:
            said.insert(0, f"the last piece, of {len(frame) - 4} bytes")
        return "; ".join(said) or f"a hint of kind {frame[0]:02x}"


def recorded(conversation: Conversation) -> list[Step]:
    """Have a conversation, and return it."""
    with settled():
        made = pair(conversation.root(), negotiate=False, clock=Clock(), **conversation.options())
        limits = conversation.limits or Limits()
        narrators = {way: Narrator(way, limits) for way in ENDS}
        steps: list[Step] = []

        def flush(title: str) -> None:
            made.flush()
            writes = []
            for to, data in made.transcript:
                way = WAYS[to]
                writes.append(Write(way, list(narrators[way].tell(data))))
            made.transcript.clear()
            steps.append(Step(title, writes))

        client = Client(made.client_factory, flush)
        client.begin()
        conversation.script(client)
        return steps


# As text.


def written(conversation: Conversation, steps: list[Step]) -> str:
    """Return a conversation as text."""
    lines = [f"{conversation.title}."]
    for step in steps:
        lines += ["", f"# The client {step.title}."]
        for write in step.writes:
            for index, (data, said) in enumerate(write.frames):
                lines += _wrapped(f"{'  +' if index else write.way} {said}", "    ")
                head, body = (data[:4], data[4:]) if not said.startswith(("offers ", "takes ")) else (b"", data)
                text = " ".join(filter(None, [head.hex(), hexadecimal(body)]))
                lines += _wrapped(f"        {text}", "        ")
    return "\n".join(lines) + "\n"


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, 118, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def data_of(text: str) -> bytes:
    """Return the bytes that stand in a text."""
    out = b""
    for word in text.split():
        digits, _, times = word.partition("*")
        out += bytes.fromhex(digits) * int(times or 1)
    return out


def read(text: str) -> list[Step]:
    """Return the steps of a conversation that was written."""
    steps: list[Step] = []
    for block in re.findall(r"^(?:#.*|(?:[SC]>[SC]|  \+) .*(?:\n {4}\S.*)*(?:\n {8}.*)+)$", text, re.MULTILINE):
        if block.startswith("#"):
            steps.append(Step(block.removeprefix("# The client ").removesuffix(".")))
            continue
        lines = block.split("\n")
        said = " ".join(line.strip() for line in lines if not line.startswith(" " * 8))
        data = data_of(" ".join(line.strip() for line in lines if line.startswith(" " * 8)))
        mark, _, said = said.partition(" ")
        if mark != "+":
            steps[-1].writes.append(Write(mark))
        steps[-1].writes[-1].frames.append((data, said))
    return steps


# Replaying.


class Other(Protocol):
    """The end that is not there: keeps what it is sent."""

    def __init__(self) -> None:
        self.heard = b""

    def dataReceived(self, data: bytes) -> None:
        self.heard += data


class Replay:
    """One real end, and the recorded bytes of the other one.

    :param role: which end is real.
    :param factory: makes it.
    """

    def __init__(self, role: str, factory: Any, steps: list[Step]) -> None:
        self._mine = "S>C" if role == "server" else "C>S"
        self._other = Other()
        real = factory.buildProtocol(MemoryAddress("client" if role == "server" else "server"))
        ends = (self._other, real) if role == "server" else (real, self._other)
        self.wire = Wire(*ends, clock=Clock())
        self._steps = iter(steps)
        self._factory = factory

    def step(self, title: str | None = None) -> bool:
        """Go through the next step; returns whether there was one."""
        step = next(self._steps, None)
        if step is None:
            return False
        assert title in (None, step.title)
        for write in step.writes:
            self.wire.flush()
            if write.way == self._mine:
                heard, self._other.heard = self._other.heard[: len(write.data)], self._other.heard[len(write.data) :]
                assert heard.hex() == write.data.hex(), write.frames
            else:
                assert self._other.transport is not None
                self._other.transport.write(write.data)
        self.wire.flush()
        return True

    def run(self, conversation: Conversation) -> None:
        """Have the whole conversation."""
        with settled():
            if self._mine == "C>S":
                client = Client(self._factory, lambda title: _true(self.step(title)))
                client.begin()
                conversation.script(client)
            while self.step():
                pass
        assert self._other.heard == b"", "more than was recorded"
        assert not self.wire.escaped


def _true(value: bool) -> None:
    assert value, "the script has more steps than were recorded"
