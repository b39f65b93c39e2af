"""What is compared: every way from values to bytes and back, over one form of the core.

A subject lowers a value to bytes, and lifts what it makes of bytes that come in pieces. What it returns is compared by
`tests.compiled.compare`, so it may be anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.compiled.compare import outcome
from tests.compiled.twins import Core

__all__ = ["SUBJECTS", "Subject"]

#: Small, so that made-up values meet them.
CEILINGS = {"message": 20_000, "string": 2_000, "elements": 3_000, "depth": 60, "prefix": 64}


class Subject:
    """One codec of one form of the core. Each value and each connection has a new one."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.limits = core["_limits"].Limits(**CEILINGS)

    def lower(self, value: Any) -> bytes:
        """Return the bytes of a value."""
        raise NotImplementedError

    def lift(self, pieces: list[bytes]) -> Any:
        """Return what becomes of bytes."""
        raise NotImplementedError

    def invented(self, form: Any) -> bytes | None:
        """Return the bytes of an s-expression of PB, right or wrong; None where there are none in the bytes."""
        return None


class _Forms(Subject):
    """A codec of s-expressions."""

    def invented(self, form: Any) -> bytes | None:
        data: bytes = self.core["_wire.banana"].encode(form, vocabulary=True)
        return data


class Banana(_Forms):
    """S-expressions and tokens."""

    def lower(self, value: Any) -> bytes:
        data: bytes = self.core["_wire.banana"].encode(value, vocabulary=True, string_limit=2_000, depth_limit=60)
        return data

    def lift(self, pieces: list[bytes]) -> Any:
        decoder = self.core["_wire.buffer"].Decoder(self.limits, vocabulary=True)
        found = []
        for piece in pieces:
            decoder.receive_data(piece)
            while (expression := decoder.next_expression()) is not None:
                found.append(expression)
        return found, decoder.take_rest()


class Jelly(_Forms):
    """The long way of PB."""

    def lower(self, value: Any) -> bytes:
        policy = self.core["_values.policy"].SecurityOptions()
        policy.allowBasicTypes()
        expression = self.core["_values.jelly"].Jellier(policy, strict=True, depth=60).jelly(value)
        data: bytes = self.core["_wire.banana"].encode(expression, vocabulary=True)
        return data

    def lift(self, pieces: list[bytes]) -> Any:
        policy = self.core["_values.policy"].SecurityOptions()
        policy.allowBasicTypes()
        registry = self.core["_values.registry"].Registry()
        expression, end = self.core["_wire.banana"].decode(b"".join(pieces), vocabulary=True)
        lifter = self.core["_values.unjelly"].Unjellier(policy, registry=registry, depth=60)
        return lifter.unjellyFull(expression), end


class Plain(_Forms):
    """The short way of PB, a form that comes in pieces gone on with."""

    def lower(self, value: Any) -> bytes:
        data: bytes = self.core["_values.plain"].PlainEncoder(True, 60, 2_000).encode(value)
        return data

    def lift(self, pieces: list[bytes]) -> Any:
        unplain = self.core["_values.unplain"]
        decoder = unplain.PlainDecoder(True, 60)
        rest = b""
        steps: list[Any] = []
        for piece in pieces:
            rest += piece
            try:
                value, end = decoder.resume(rest) if decoder.owed else decoder.decode(rest)
                return value, end, steps
            except unplain.Incomplete as cut:
                owed = decoder.owed
                steps.append((cut.missing, owed, decoder.stuck))
                if owed:
                    rest = rest[decoder.at :]
        return steps


class _Messages(Subject):
    """A dialect: a value inside a message."""

    def dialect(self) -> Any:
        """Return a new one."""
        raise NotImplementedError

    def lower(self, value: Any) -> bytes:
        dialect = self.dialect()
        swizzler = Swizzler(self.core)
        call = dialect.encode_call(7, b"root", b"echo", (value,), {"key": value}, True, False, -1, swizzler)
        answer = self.core["_messages.messages"].Answer(300, dialect.lower(value, swizzler))
        data: bytes = call + dialect.encode(answer)
        return data

    def lift(self, pieces: list[bytes]) -> Any:
        dialect = self.dialect()
        swizzler = Swizzler(self.core)
        payload = self.core["_values.payload"].Payload
        found: list[Any] = []
        for piece in pieces:
            dialect.receive_data(piece)
            while (message := dialect.next_message()) is not None:
                found.append(message)
                for name in ("args", "kwargs", "payload"):
                    part = getattr(message, name, None)
                    if isinstance(part, payload):
                        found.append(outcome(lambda part=part: dialect.lift(part, swizzler)))  # type: ignore[misc]
        return found


class PB(_Messages):
    """The dialect ``pb``."""

    def dialect(self) -> Any:
        return self.core["_messages.pb"].PBDialect(self.limits, send_string=2_000)

    def invented(self, form: Any) -> bytes | None:
        call = [b"message", 1, b"root", b"echo", 1, form, [b"dictionary"]]
        data: bytes = self.core["_wire.banana"].encode(call, vocabulary=True)
        return data


class Messages(_Messages):
    """The dialect ``broker/1``."""

    def dialect(self) -> Any:
        return self.core["_messages.native"].NativeDialect(self.limits, {}, self.core["_messages.codecs"].Codecs())


class Native(Subject):
    """The values of ``broker/1``: twice by one codec, which knows the shapes of the first time, and in pieces."""

    def lower(self, value: Any) -> bytes:
        encoder = self.core["_values.native"].NativeEncoder(60, 3_000)
        data: bytes = encoder.encode(value)
        assert encoder.encode(value) == data
        return data

    def lift(self, pieces: list[bytes]) -> Any:
        decoder = self.core["_values.unnative"].NativeDecoder(60, 3_000)
        whole = b"".join(pieces)
        found = [outcome(lambda: (decoder.decode(whole, 0, len(whole)), decoder.position)) for _ in range(2)]
        decoder.begin()
        done = False
        for piece in pieces:
            if not done:
                done = decoder.feed(piece, 0, len(piece))
        return found, done, decoder.value if done else None, decoder.position if done else None


class Swizzler:
    """Stands for a connection without objects."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.taster = core["_values.policy"].SecurityOptions()
        self.taster.allowBasicTypes()
        self.plain = True

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Lower what is not plain."""
        return self.core["_values.jelly"].Jellier(self.taster, strict=True, depth=60, atoms=atoms).jelly(value)

    def unjelly(self, expression: Any) -> Any:
        """Lift what is not plain."""
        registry = self.core["_values.registry"].Registry()
        return self.core["_values.unjelly"].Unjellier(self.taster, registry=registry, depth=60).unjellyFull(expression)


def _by_name(subjects: Iterable[type[Subject]]) -> dict[str, type[Subject]]:
    return {subject.__name__.lower(): subject for subject in subjects}


#: By name. Whatever is added here is compared, shortly by the tests and at length by ``python -m tests.compiled``.
SUBJECTS = _by_name((Banana, Jelly, Plain, PB, Native, Messages))
