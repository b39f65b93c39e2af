"""Mutated messages to the readers of both dialects: ``python -m tests.hostile.fuzz_readers --count 20000000 --jobs 2``.

Whatever comes, a reader gives messages or `ProtocolError`, and what is lifted from a message gives a value or one of
the two errors documented for that.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import resource
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from time import perf_counter
from typing import Any
from uuid import UUID

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
    NotUnderstood,
    Ping,
    Pong,
)
from broker._messages.native import NativeDialect
from broker._messages.pb import PBDialect
from broker._session.outbox import Outbox
from broker._values.jelly import Jellier
from broker._values.policy import SecurityOptions
from broker._values.registry import Registry
from broker._values.unjelly import Unjellier
from broker.errors import InsecureJelly, LimitExceeded, ProtocolError
from tests.vectors import load_fixtures
from tests.vectors.load import messages

__all__ = ["DIALECTS", "fuzz", "main"]

#: Small, so that what they forbid is met often.
LIMITS = Limits(message=200_000, elements=20_000, depth=40, streams=3, buffer=400_000)
#: Most bytes of the process's memory, in KiB, that the inputs may add.
ROOM = 200 * 1024
_SHARED: list[Any] = [1]
VALUES: list[Any] = [
    *(None, True, 0, 127, 128, -1, -33, 2**15, -(2**31), 2**63, -(2**200), 1.5, float("nan"), 1j, b"", b"x" * 300),
    *("", "a", "ü" * 20, "x" * 300, [], (), {}, set(), frozenset(), Decimal("-0"), Decimal("NaN"), UUID(int=7)),
    *(date(2026, 1, 2), datetime(2026, 1, 2, tzinfo=timezone.utc), timedelta(-1, 2, 3)),
    *([1, 2, "three"], (1, (2, (3,))), {"a": 1, "b": [2]}, {1: 2}, {1, 2}, frozenset({3}), list(range(50))),
    *([0.5] * 40, [{"id": n, "name": f"n{n}"} for n in range(4)], [_SHARED, _SHARED], {(1, 2): _SHARED}),
]


class Swizzler:
    """Lowers and lifts without a connection."""

    plain = True
    taster = SecurityOptions()

    def __init__(self) -> None:
        self.taster.allowBasicTypes()
        self.registry = Registry()

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Lower a value."""
        return Jellier(self.taster, None, self, strict=True, atoms=atoms).jelly(value)

    def unjelly(self, expression: Any) -> Any:
        """Lift a value."""
        return Unjellier(self.taster, None, self, registry=self.registry, depth=LIMITS.depth).unjellyFull(expression)


def _native() -> NativeDialect:
    return NativeDialect(LIMITS, {}, _CODECS)


def _pb() -> PBDialect:
    return PBDialect(LIMITS)


_CODECS = Codecs()


def native_seeds() -> list[bytes]:
    """Return messages of ``broker/1`` of every kind, whole and in pieces."""
    generous = NativeDialect(Limits(), {}, Codecs())
    swizzler: Any = Swizzler()
    seeds = []
    for number, value in enumerate(VALUES):
        payload = generous.lower(value, swizzler)
        seeds.append(generous.encode(Answer(number, payload)))
        seeds.append(
            generous.encode_call(number, number * 99, b"echo", (value,), {}, True, False, number - 1, swizzler)
        )
        seeds.append(generous.encode_call(1, b"root", b"m", (), {"key": value}, False, True, -1, swizzler))
        swizzler.plain = False
        seeds.append(generous.encode(Failed(number, generous.lower([value] if number > 20 else 1, swizzler))))
        swizzler.plain = True
    for message in (Cancel(3), Ping(b"12345678"), Pong(b""), GoAway("soon"), Abort("why"), CacheReleased(300)):
        seeds.append(generous.encode(message))
    seeds.append(generous.encode(NotUnderstood(b"\x77")))
    seeds.append(generous.encode_releases([(1, 1), (300, 70_000)], False))
    seeds.append(generous.encode_releases([(5, 2)], True))
    seeds.append(bytes((0x90, 3, 0, 0)) + b"abc")
    outbox = Outbox(3, LIMITS.buffer, [])
    for value in (b"x" * 70_000, list(range(40_000)), {"a": ["text"] * 12_000}):
        outbox.put(generous.encode_call(1, 7, b"echo", (value,), {}, True, False, -1, swizzler), None, False)
    while outbox.pieces:
        seeds.append(outbox.next_piece())
    return seeds


def pb_seeds() -> list[bytes]:
    """Return the recorded messages of PB."""
    load_fixtures()
    return [data for _, _, data, _ in messages()]


DIALECTS: dict[str, tuple[Callable[[], Any], Callable[[], list[bytes]]]] = {
    "broker/1": (_native, native_seeds),
    "pb": (_pb, pb_seeds),
}
_MARKS = bytes((*range(0x80, 0x88), 0x7F, 0xFF, 0, *range(0xB8, 0xE2)))


def mutated(source: random.Random, seeds: list[bytes]) -> bytes:
    """Return one or two messages with a few bytes changed, dropped, doubled or put in."""
    bits = source.getrandbits
    data = bytearray(seeds[bits(20) % len(seeds)])
    if len(data) > 4096 and bits(4):
        data = bytearray(seeds[bits(20) % len(seeds)])
    if not bits(2):
        data += seeds[bits(20) % len(seeds)]
    for _ in range(bits(2)):
        size = len(data)
        if not size:
            break
        place = bits(24) % (size if bits(1) else min(size, 24))
        kind = bits(3)
        if kind < 3:
            data[place] = bits(8)
        elif kind == 3:
            del data[place : place + 1 + bits(3)]
        elif kind == 4:
            data[place:place] = data[place : place + 1 + bits(4)]
        elif kind == 5:
            data[place:place] = bits(24).to_bytes(3, "little")
        else:
            data[place] = _MARKS[bits(8) % len(_MARKS)]
    return bytes(data)


def feed(dialect: Any, swizzler: Any, data: bytes, cut: int) -> None:
    """Give bytes to a reader, in two parts, and lift all that comes of them."""
    for part in (data[:cut], data[cut:]) if cut else (data,):
        dialect.receive_data(part)
        while True:
            try:
                message = dialect.next_message()
            except ProtocolError:
                return
            if message is None:
                break
            if isinstance(message, Call):
                payloads = [message.args, message.kwargs]
            else:
                payloads = [message.payload] if isinstance(message, (Answer, Failed)) else []
            for payload in payloads:
                try:
                    dialect.lift(payload, swizzler)
                except (InsecureJelly, LimitExceeded):
                    pass


def fuzz(name: str, count: int, seed: int, tell: Callable[[int], object] = lambda done: None) -> float:
    """Give so many inputs to the reader of a dialect; return the seconds that the slowest one took."""
    make, collect = DIALECTS[name]
    seeds = collect()
    swizzler = Swizzler()
    source = random.Random(seed)
    slowest = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for done in range(count):
        data = mutated(source, seeds)
        cut = source.getrandbits(16) % (len(data) + 1) if not done & 3 else 0
        started = perf_counter()
        try:
            feed(make(), swizzler, data, cut)
        except BaseException:
            print(f"{name}, seed {seed}, input {done}, cut at {cut}: {data[:2000]!r}", file=sys.stderr)
            raise
        slowest = max(slowest, perf_counter() - started)
        if not done & 0xFFFF:
            tell(done)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < ROOM, f"{grown} KiB more memory"
    return slowest


def _job(name: str, count: int, seed: int, show: bool) -> float:
    started = perf_counter()

    def tell(done: int) -> None:
        if show and done:
            left = (perf_counter() - started) / done * (count - done)
            print(f"\r{name}: {done / count:4.0%} of {count} inputs, {left:4.0f} s left ", end="", file=sys.stderr)

    return fuzz(name, count, seed, tell)


def main() -> None:
    """Run from a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs for each dialect (1,000,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first job; each has its own (1)")
    parser.add_argument("--jobs", type=int, default=1, help="processes (1)")
    parser.add_argument("--dialect", choices=list(DIALECTS), help="only this one")
    options = parser.parse_args()
    for name in [options.dialect] if options.dialect else DIALECTS:
        share = -(-options.count // options.jobs)
        work = [(name, share, options.seed + job, job == 0) for job in range(options.jobs)]
        started = perf_counter()
        with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
            slowest = max(pool.starmap(_job, work))
        took = perf_counter() - started
        spent = f"{took:.0f} s, {slowest * 1000:.1f} ms at most for one"
        print(f"\r{name}: {share * options.jobs:,} inputs in {spent}; nothing escaped")


if __name__ == "__main__":
    main()
