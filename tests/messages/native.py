"""What the tests of ``broker/1`` share: making dialects, feeding them, looking at messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._messages.messages import Call, Message, Nothing
from broker._messages.native import NativeDialect
from broker._values.jelly import Jellier, Jellyable
from broker._values.native import NativeEncoder
from broker._values.payload import Broken, Payload
from broker._values.policy import SecurityOptions
from broker._values.registry import Registry
from broker._values.unjelly import Unjellier
from broker._wire import frames
from broker._wire.frames import frame, varint
from broker.errors import InsecureJelly, LimitExceeded

__all__ = ["Swizzler", "Thing", "content", "drain", "feed", "made", "pieces", "value"]


class Thing(Jellyable):
    """Something that is not plain: crosses as an s-expression."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def jellyFor(self, jellier: Any) -> Any:
        return [b"thing", *(jellier.jelly(part) for part in self.parts)]


class Lifted:
    """What a `Thing` becomes."""

    def __init__(self) -> None:
        self.parts: tuple[Any, ...] = ()

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        self.parts = tuple(unjellier.unjelly(part) for part in expression[1:])
        return self

    def __repr__(self) -> str:
        return f"thing{self.parts!r}"


class Swizzler:
    """Lowers and lifts without a connection; counts how often.

    :param plain: whether plain types need no look.
    """

    def __init__(self, plain: bool = True) -> None:
        self.plain = plain
        self.lowered = self.lifted = 0
        self.taster = SecurityOptions()
        self.taster.allowBasicTypes()
        self.taster.allowTypes("thing")
        self.registry = Registry()
        self.registry.setUnjellyableForClass("thing", Lifted)

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        self.lowered += 1
        return Jellier(self.taster, None, self, registry=self.registry, strict=True, atoms=atoms).jelly(value)

    def unjelly(self, expression: Any) -> Any:
        self.lifted += 1
        return Unjellier(self.taster, None, self, registry=self.registry).unjellyFull(expression)


def made(limits: Limits | None = None, plain: bool = True, **settings: int) -> NativeDialect:
    """Return a dialect.

    :param settings: what the peer accepts.
    """
    dialect = NativeDialect(limits or Limits(), settings, Codecs())
    dialect.plain = plain
    return dialect


def drain(dialect: NativeDialect) -> list[Message]:
    """Return the messages that are there; what stands for nothing is left out."""
    found: list[Message] = []
    while (message := dialect.next_message()) is not None:
        if type(message) is not Nothing:
            found.append(message)
    return found


def feed(dialect: NativeDialect, data: bytes, cuts: Iterable[int] = ()) -> list[Message]:
    """Give bytes to a dialect, cut at these places; return the messages."""
    found: list[Message] = []
    places = [0, *cuts, len(data)]
    for start, end in zip(places, places[1:], strict=False):
        dialect.receive_data(data[start:end])
        found += drain(dialect)
    return found


def value(thing: Any) -> bytes:
    """Return the bytes of a plain value."""
    return NativeEncoder(1000, 10**7).encode(thing)


def pieces(message: bytes, *sizes: int, stream: int = 1) -> list[bytes]:
    """Return the frames of a message in pieces.

    :param message: its kind and its body.
    :param sizes: of the pieces; the last one has the rest.
    """
    out = []
    position = 0
    for size in sizes:
        out.append(frame(frames.PART, varint(stream) + message[position : position + size]))
        position += size
    return [*out, frame(frames.LAST, varint(stream) + message[position:])]


def content(message: Message, dialect: NativeDialect | None = None) -> tuple[Any, ...]:
    """Return what is in a message, its values lifted; an error stands for a value that cannot be."""
    cls: Any = type(message)
    names = getattr(cls, "__slots__", None) or cls.__mypyc_attrs__
    parts: list[Any] = [cls]
    for name in sorted(names):
        part = getattr(message, name)
        if isinstance(part, Payload):
            part = _lifted(part, dialect or made())
        parts.append((name, repr(part)))
    if type(message) is Call and Broken in (type(message.args.value), type(message.kwargs.value)):
        # Whichever of them it is, the call fails.
        parts = [part for part in parts if part == cls or part[0] not in ("args", "kwargs")]
    return tuple(parts)


def _lifted(payload: Payload, dialect: NativeDialect) -> Any:
    try:
        return dialect.lift(payload, Swizzler())
    except (InsecureJelly, LimitExceeded) as error:
        return type(error)
