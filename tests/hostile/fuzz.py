"""Mutated transcripts and made-up messages to a live server; ``python -m tests.hostile.fuzz --count N --seed S``."""

from __future__ import annotations

import argparse
import random
import resource
import sys
from collections.abc import Iterator
from typing import Any

from twisted.logger import globalLogBeginner

from broker._wire.banana import encode
from broker.testing.leftovers import tables
from tests.hostile.scene import Log, Scene
from tests.hostile.test_ids import Stock
from tests.vectors import load_fixtures
from tests.vectors.load import messages

__all__ = ["attack", "cases", "main"]

COMMANDS = [b"message", b"cachemessage", b"answer", b"error", b"decref", b"decache", b"uncache", b"version", b"odd"]
HEADS = [
    *(b"list", b"tuple", b"dictionary", b"set", b"frozenset", b"unicode", b"boolean", b"None", b"reference"),
    *(b"dereference", b"remote", b"local", b"cached", b"lcache", b"hostile.Stock", b"hostile.Plain", b"decimal"),
    *(
        b"date",
        b"time",
        b"datetime",
        b"timedelta",
        b"class",
        b"instance",
        b"persistent",
        b"unpersistable",
        b"os.system",
    ),
    b"twisted.spread.pb.CopyableFailure",
]
NUMBERS = [0, 1, 2, 3, 5, -1, 127, 128, 2**31, -(2**31), 2**64, 2**447]
#: Most bytes of the process's memory, in KiB, that attacks may add.
ROOM = 400 * 1024


def form(source: random.Random, depth: int = 0) -> Any:
    """Return a made-up s-expression."""
    kind = source.randrange(9)
    if kind < 2:
        return source.choice(NUMBERS)
    if kind == 2:
        return source.choice([b"", b"a", b"true", b"\xff", b"root", b"1 2 3"])
    if kind == 3 or depth > 5:
        return source.choice([1.5, float("nan"), float("inf")])
    return [source.choice(HEADS), *(form(source, depth + 1) for _ in range(source.randrange(4)))]


def invented(source: random.Random) -> bytes:
    """Return a few made-up messages."""
    data = b""
    for _ in range(source.randrange(1, 5)):
        command = source.choice(COMMANDS)
        if command in (b"message", b"cachemessage") and source.random() < 0.9:
            name = source.choice([b"echo", b"take", b"keep", b"stored", b"give", b"later", b"same", b"new", b"nosuch"])
            target = source.choice([b"root", b"root", *NUMBERS])
            args = [b"tuple", *(form(source) for _ in range(source.randrange(3)))]
            fields = [source.choice(NUMBERS), target, name, source.randrange(2), args, [b"dictionary"]]
        else:
            fields = [form(source) for _ in range(source.randrange(1, 3))]
        data += encode([command, *fields], vocabulary=True)
    return data


def mutated(source: random.Random, seeds: list[bytes]) -> bytes:
    """Return recorded messages with a few bytes changed, dropped, doubled or put in."""
    data = bytearray(b"".join(source.choice(seeds) for _ in range(source.randrange(1, 4))))
    for _ in range(source.randrange(0, 6)):
        place = source.randrange(len(data) or 1)
        kind = source.randrange(5)
        if kind == 0 and data:
            data[place] = source.randrange(256)
        elif kind == 1:
            del data[place : place + source.randrange(1, 9)]
        elif kind == 2:
            data[place:place] = data[place : place + source.randrange(1, 20)]
        elif kind == 3:
            data[place:place] = source.randbytes(source.randrange(1, 4))
        elif data:
            data[place] = source.choice(b"\x80\x81\x82\x83\x84\x85\x86\x87\x00\x7f")
    return bytes(data)


def cases(seed: int) -> Iterator[bytes]:
    """Give attacks without end, the same for the same seed."""
    load_fixtures()
    seeds = [data for _, _, data, _ in messages()]
    source = random.Random(seed)
    while True:
        yield invented(source) if source.random() < 0.4 else mutated(source, seeds)


def attack(scene: Scene, data: bytes) -> None:
    """Send bytes on a scene's hostile connection and check that nothing worse came of it than its end."""
    scene.service.result = Stock()
    scene.wire.client.write(data)
    scene.wire.transcript.clear()
    scene.wire.flush()
    assert scene.wire.escaped == [], (data, scene.wire.escaped)
    assert all(size < 10_000 for size in tables(scene.server).values())


def run(count: int, seed: int, *, progress: bool = False) -> int:
    """Do so many attacks, some of them on one connection; return how many connections they took."""
    scenes = 0
    log = Log()
    source = cases(seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = 0
    while done < count:
        with Scene(keep=False) as scene:
            scenes += 1
            for _ in range(5):
                attack(scene, next(source))
                done += 1
                if not scene.open or done == count:
                    break
            for waiting in scene.service.waiting:
                waiting.callback(None)
        log.events.clear()
        if progress and not scenes % 1000:
            print(f"\r{done} of {count} attacks, {scenes} connections", end="", file=sys.stderr, flush=True)
    log.close()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < ROOM, f"{grown} KiB more memory"
    return scenes


def main() -> None:
    """Run from a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Or Twisted would keep, and print, what is logged before anybody asked for a log.
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    scenes = run(options.count, options.seed, progress=True)
    print(f"\n{options.count} attacks on {scenes} connections: nothing escaped")


if __name__ == "__main__":
    main()
