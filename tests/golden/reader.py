"""A reader of ``broker/1`` that knows what its page says, ``docs/protocol/broker-1.md``, and nothing else.

It shows that the page says enough, so it must not import anything of broker. It is neither fast nor safe.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

FRAME = 65536
DEPTH = 300


class Wrong(Exception):
    """The bytes are not as the page says they should be."""


class Jelly:
    """A value that is an s-expression."""

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        return f"jelly {self.expression!r}"


class Bytes:
    """Bytes that are taken from the front."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise Wrong("cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int = 4, signed: bool = False) -> int:
        return int.from_bytes(self.take(size), "little", signed=signed)

    def float(self) -> float:
        found: float = struct.unpack("<d", self.take(8))[0]
        return found

    def varint(self) -> int:
        number = shift = 0
        while shift < 63:
            byte = self.number(1)
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
        raise Wrong("a number of more than 63 bits")

    def name(self) -> bytes:
        return self.take(self.number(1))

    @property
    def rest(self) -> bytes:
        return self.data[self.at :]


# Values.

OPEN = object()
NOTHING = object()


class Values:
    """Reads one value."""

    def __init__(self, data: Bytes, depth: int = DEPTH) -> None:
        self.data = data
        self.containers: list[Any] = []
        self.shapes: list[list[str]] = []
        self.depth = depth

    def read(self) -> Any:
        if self.data.data[self.data.at : self.data.at + 1] == b"\xdf":
            self.data.take(1)
            expression = Values(self.data, DEPTH * 3 + 3).value(DEPTH * 3 + 3)
            self.check(expression, set())
            return Jelly(expression)
        return self.value(self.depth)

    def check(self, part: Any, seen: set[int]) -> None:
        """Check that an s-expression is made of lists and atoms, no list twice."""
        if type(part) in (tuple, dict, set, frozenset) or id(part) in seen:
            raise Wrong("no s-expression")
        if type(part) is list:
            seen.add(id(part))
            for item in part:
                self.check(item, seen)

    def value(self, depth: int) -> Any:
        data = self.data
        tag = data.number(1)
        if tag < 0x80:
            return tag
        if tag < 0xA0:
            return data.take(tag - 0x80).decode()
        if tag < 0xB0:
            return self.list(tag - 0xA0, depth)
        if tag < 0xB8:
            return self.tuple(tag - 0xB0, depth)
        if tag < 0xC0:
            return self.dictionary(tag - 0xB8, depth)
        if tag >= 0xE0:
            return tag - 256
        if tag in (0xC0, 0xC1, 0xC2):
            return {0xC0: None, 0xC1: False, 0xC2: True}[tag]
        if tag == 0xC3:
            return data.float()
        if tag in (0xC4, 0xC5, 0xC6, 0xC7):
            return data.number(1 << (tag - 0xC4), True)
        if tag == 0xC8:
            return data.number(data.number(), True)
        if tag in (0xC9, 0xCA):
            return data.take(data.number(1 if tag == 0xC9 else 4)).decode()
        if tag in (0xCB, 0xCC):
            return data.take(data.number(1 if tag == 0xCB else 4))
        if tag == 0xCD:
            return self.list(data.number(), depth)
        if tag == 0xCE:
            return self.tuple(data.number(), depth)
        if tag == 0xCF:
            return self.dictionary(data.number(), depth)
        if tag == 0xD0:
            return self.set(data.number(), depth)
        if tag == 0xD1:
            return self.frozenset(data.number(), depth)
        if tag == 0xD2:
            return self.record(depth)
        if tag in (0xD3, 0xD4):
            return self.known(data.number(tag - 0xD2), depth)
        if tag == 0xD5:
            return self.back(data.number())
        if tag == 0xDD:
            width = data.number(1)
            if width not in (1, 2, 4, 8):
                raise Wrong("a width that is none")
            return self.packed([data.number(width, True) for _ in range(data.number())])
        if tag == 0xDE:
            return self.packed([data.float() for _ in range(data.number())])
        if tag == 0xDF:
            raise Wrong("an s-expression inside of a value")
        return self.rare(tag)

    # Containers.

    def opened(self, container: Any, depth: int) -> int:
        """Give a container its number."""
        if depth <= 0:
            raise Wrong("nested too deeply")
        self.containers.append(container)
        return len(self.containers) - 1

    def packed(self, items: list[Any]) -> list[Any]:
        self.containers.append(items)
        return items

    def list(self, count: int, depth: int) -> list[Any]:
        made: list[Any] = []
        self.opened(made, depth)
        for _ in range(count):
            made.append(self.value(depth - 1))
        return made

    def tuple(self, count: int, depth: int) -> tuple[Any, ...]:
        if not count:
            return ()
        number = self.opened(OPEN, depth)
        made = tuple([self.value(depth - 1) for _ in range(count)])
        self.containers[number] = made
        return made

    def set(self, count: int, depth: int) -> set[Any]:
        made: set[Any] = set()
        self.opened(made, depth)
        made.update([self.hashable(depth - 1) for _ in range(count)])
        return made

    def frozenset(self, count: int, depth: int) -> frozenset[Any]:
        if not count:
            return frozenset()
        number = self.opened(OPEN, depth)
        made = frozenset([self.hashable(depth - 1) for _ in range(count)])
        self.containers[number] = made
        return made

    def hashable(self, depth: int) -> Any:
        found = self.value(depth)
        try:
            hash(found)
        except TypeError:
            raise Wrong("a key or member that cannot be hashed") from None
        return found

    def dictionary(self, count: int, depth: int) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        self.opened(made, depth)
        for _ in range(count):
            key = self.hashable(depth - 1)
            made[key] = self.value(depth - 1)
        return made

    def record(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self.opened(made, depth)
        count = self.data.number(1)
        keys = [self.value(depth - 1) for _ in range(count)]
        if count < 2 or len(set(keys)) < count or not all(type(key) is str for key in keys):
            raise Wrong("a record with keys that are none")
        if len(self.shapes) == 4096:
            raise Wrong("too many shapes")
        self.shapes.append(keys)
        return self.filled(made, keys, depth)

    def known(self, shape: int, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self.opened(made, depth)
        if shape >= len(self.shapes):
            raise Wrong("a shape that is not known")
        return self.filled(made, self.shapes[shape], depth)

    def filled(self, made: dict[str, Any], keys: list[str], depth: int) -> dict[str, Any]:
        for key in keys:
            made[key] = self.value(depth - 1)
        return made

    def back(self, number: int) -> Any:
        if number >= len(self.containers) or self.containers[number] is OPEN:
            raise Wrong("a reference to what is not there")
        return self.containers[number]

    # Dates and the like.

    def rare(self, tag: int) -> Any:
        data = self.data
        try:
            if tag == 0xD6:
                return complex(data.float(), data.float())
            if tag == 0xD7:
                return self.decimal()
            if tag == 0xD8:
                return date(data.number(2), data.number(1), data.number(1))
            if tag == 0xD9:
                kind, hour, minute, second, micro = struct.unpack("<BBBBI", data.take(8))
                return time(hour, minute, second, micro, self.zone(kind), fold=kind >> 7)
            if tag == 0xDA:
                kind, *parts = struct.unpack("<BHBBBBBI", data.take(12))
                return datetime(*parts, self.zone(kind), fold=kind >> 7)
            if tag == 0xDB:
                days, seconds, micro = struct.unpack("<iII", data.take(12))
                if seconds > 86399 or micro > 999999:
                    raise Wrong("a timedelta out of bounds")
                return timedelta(days, seconds, micro)
            return UUID(bytes=data.take(16))
        except ValueError as error:
            raise Wrong(str(error)) from None

    def zone(self, kind: int) -> tzinfo | None:
        kind &= 0x7F
        if kind == 0:
            return None
        if kind == 1:
            return timezone.utc
        if kind in (2, 3):
            offset = timedelta(microseconds=self.data.number(8, True))
            return timezone(offset) if kind == 2 else timezone(offset, self.data.name().decode())
        if kind == 4:
            return ZoneInfo(self.data.name().decode())
        raise Wrong("a zone of an unknown kind")

    def decimal(self) -> Decimal:
        kind, exponent, size = struct.unpack("<BiH", self.data.take(7))
        digits = self.data.take(size).hex()
        sign, kind = kind >> 7, kind & 0x7F
        if kind > 3 or (digits and not digits.isdigit()) or (kind == 0 and not digits) or (kind == 1 and digits):
            raise Wrong("a decimal that is none")
        if kind == 0:
            return Decimal(f"{'-' * sign}{digits}E{exponent}")
        return Decimal("-" * sign + {1: "Infinity", 2: "NaN", 3: "sNaN"}[kind] + digits)


def one_value(data: bytes) -> Any:
    """Return the value that some bytes are, all of them."""
    source = Bytes(data)
    try:
        found = Values(source).read()
    except UnicodeDecodeError:
        raise Wrong("a text that is not UTF-8") from None
    if source.rest:
        raise Wrong("bytes behind the value")
    return found


# Messages.


def shown(thing: Any) -> str:
    """Return a value as Python writes it, in short where it is long."""
    text = repr(thing)
    return text if len(text) <= 1000 else f"{text[:60]} ... {text[-20:]}"


class Reader:
    """Reads what one end sends, and says what it means.

    :param listener: whether that end listened for the connection.
    """

    def __init__(self, listener: bool) -> None:
        self._verb = "offers" if listener else "takes"
        self._greeted = False
        self._waiting = b""
        self._large: dict[int, bytes] = {}

    def feed(self, data: bytes) -> Iterator[str]:
        """Take bytes, cut anywhere, and say what the frames mean that are whole."""
        self._waiting += data
        while (size := self._size()) and len(self._waiting) >= size:
            frame, self._waiting = self._waiting[:size], self._waiting[size:]
            yield self.tell(frame)

    def _size(self) -> int:
        """Return how many bytes the next frame, or the greeting, has; 0 if that cannot be said yet."""
        if self._greeted:
            return 4 + int.from_bytes(self._waiting[1:4], "little") if len(self._waiting) >= 4 else 0
        try:
            source = Bytes(self._waiting)
            banana(source)
            return source.at
        except Wrong:
            return 0

    def tell(self, frame: bytes) -> str:
        """Say what a frame, or the greeting, means."""
        if not self._greeted:
            self._greeted = True
            said = banana(Bytes(frame))
            return f"{self._verb} {', '.join(name.decode() for name in (said if type(said) is list else [said]))}"
        body = Bytes(frame[4:])
        if len(body.data) > FRAME:
            return f"wrong: a frame of {len(body.data)} bytes"
        if frame[0] in (0x0D, 0x0E):
            number = body.varint()
            message = self._large.pop(number, b"") + body.rest
            if frame[0] == 0x0D:
                self._large[number] = message
                return f"a piece of {len(body.data)} bytes"
            return f"the last piece, of {len(body.data)} bytes; {self._message(message[0], Bytes(message[1:]))}"
        return self._message(frame[0], body)

    def _message(self, kind: int, body: Bytes) -> str:
        if kind == 0x02:
            return self._call(body)
        if kind in (0x03, 0x04):
            return f"{'answer' if kind == 3 else 'failed'} {body.varint()}: {shown(one_value(body.rest))}"
        if kind in (0x05, 0x06):
            pairs = []
            while body.rest:
                target = body.varint()
                pairs.append(f"release{' of copies' * (kind == 6)}: {body.varint()} of #{target}")
            return "; ".join(pairs)
        if kind == 0x07:
            return f"no more updates of #{body.varint()}"
        if kind == 0x08:
            return f"cancel {body.varint()}"
        if kind in (0x09, 0x0A):
            if len(body.data) > 8:
                return f"wrong: a ping with {len(body.data)} bytes; 8 are the most"
            return f"{'ping' if kind == 9 else 'pong'} {body.data.hex()}".rstrip()
        if kind in (0x0B, 0x0F):
            return f"{'going away' if kind == 0x0B else 'aborting'}: {body.data.decode()!r}"
        if kind == 0x0C:
            return f"not understood: {body.data.hex()}"
        return f"unknown: {kind:02x}" if kind < 0x80 else f"a hint of kind {kind:02x}"

    def _call(self, body: Bytes) -> str:
        flags = body.number(1)
        request = body.varint()
        if flags >= 64:
            return f"unknown: 02{flags:02x}"
        target = body.name().decode() if flags & 4 else f"#{body.varint()}"
        said = f"call {request}: {'cached ' if flags & 2 else ''}{target}.{body.name().decode()}"
        within = f", within {body.varint()} ms" if flags & 8 else ""
        try:
            if flags & 32:
                Values(body).read()
            args = Values(body).read()
            named = Values(body).read() if flags & 16 else {}
            if body.rest:
                raise Wrong("bytes behind the arguments")
        except Wrong:
            return f"{said}(what is wrong){within}" + ("" if flags & 1 else ", no answer")
        if type(args) is tuple and type(named) is dict:
            shows = [*map(shown, args), *[f"{name}={shown(thing)}" for name, thing in named.items()]]
        else:
            shows = [f"*{shown(args)}"] + ([f"**{shown(named)}"] if named else [])
        return f"{said}({', '.join(shows)}){within}" + ("" if flags & 1 else ", no answer")


def banana(source: Bytes) -> Any:
    """Read a list or a byte string of the greeting."""
    number = shift = 0
    while (byte := source.number(1)) < 0x80:
        number |= byte << shift
        shift += 7
    if byte == 0x80:
        return [banana(source) for _ in range(number)]
    if byte == 0x82:
        return source.take(number)
    raise Wrong("neither a list nor a byte string")
