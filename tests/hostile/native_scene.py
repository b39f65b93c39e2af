"""The scene of hostile peers in ``broker/1``: what `tests.hostile.scene` is for Perspective Broker's dialect."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol

from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._messages.messages import Answer, Failed
from broker._messages.native import NAME, NativeDialect
from broker._values.native import NativeEncoder
from broker._wire import frames
from broker._wire.buffer import Decoder
from broker._wire.frames import frame, varint
from broker._wire.greeting import pick, with_settings
from tests.hostile.scene import Scene

__all__ = ["NativePeer", "NativeScene", "call", "value"]


def value(thing: Any) -> bytes:
    """Return the bytes of a plain value."""
    return NativeEncoder(1000, 10**7).encode(thing)


def call(
    method: bytes,
    args: bytes = b"\xb0",
    *,
    request: int = 1,
    target: int | bytes = b"root",
    flags: int = frames.WANTS_ANSWER,
    head: bool = True,
) -> bytes:
    """Return the bytes of a call; what stands behind the method's name is as it is given.

    :param head: whether it is a frame; without, it is what goes in pieces.
    """
    if isinstance(target, bytes):
        flags |= frames.NAMED
        whom = bytes((len(target),)) + target
    else:
        whom = varint(target)
    body = bytes((flags,)) + varint(request) + whom + bytes((len(method),)) + method + args
    return frame(frames.CALL, body) if head else bytes((frames.CALL,)) + body


class NativePeer(Protocol):
    """The hostile end: writes what bytes it likes and reads what comes with a reader of ours.

    :ivar received: every message that came.
    :ivar size: how many bytes came.
    """

    def __init__(self, keep: bool = True) -> None:
        self.received: list[Any] = []
        self.lost = False
        self.size = 0
        self._keep = keep
        self._greeting: Decoder | None = Decoder(Limits(), vocabulary=False)
        self._dialect = NativeDialect(Limits(depth=1000), {}, Codecs())

    def dataReceived(self, data: bytes) -> None:
        self.size += len(data)
        if not self._keep:
            return
        if self._greeting is not None:
            self._greeting.receive_data(data)
            if self._greeting.next_expression() is None:
                return
            data = self._greeting.take_rest()
            self._greeting = None
        self._dialect.receive_data(data)
        while (message := self._dialect.next_message()) is not None:
            self.received.append(message)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


class NativeScene(Scene):
    """A live server, a hostile peer that speaks ``broker/1`` on one connection, and an honest client on another.

    :param keep: whether the peer keeps what it receives.
    :param settings: what the peer says that it accepts.
    """

    def __init__(
        self, root: Any = None, *, keep: bool = True, settings: dict[str, int] | None = None, **options: Any
    ) -> None:
        greet = pick(with_settings(NAME, settings or {}))
        super().__init__(root, greet=greet, peer=NativePeer(keep), **options)
        assert self.server.dialect == self.honest.server.dialect == "broker/1"

    def __enter__(self) -> NativeScene:
        return self

    def refused(self, answer: list[Any], kind: bytes = b"", request: int = 1) -> None:
        """The answer was an error, of this kind, on that call; and the connection stands."""
        assert self.open
        assert len(answer) == 1 and type(answer[0]) is Failed and answer[0].request == request, answer
        told = repr(answer[0].payload.value.expression)
        assert kind.decode() in told, told

    def answered(self, answer: list[Any], result: Any, request: int = 1) -> None:
        """The answer was this result, of that call."""
        assert len(answer) == 1 and type(answer[0]) is Answer, answer
        assert answer[0].request == request and answer[0].payload.value == result

    def alive(self) -> None:
        """The hostile connection stands and is served, too."""
        assert self.open
        answer = self.raw(call(b"echo", b"\xb1\x4d", request=99_999))
        self.answered(answer[-1:], 77, 99_999)
