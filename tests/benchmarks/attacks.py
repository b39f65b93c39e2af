"""One hostile process, as `harm` starts it: `python -m tests.benchmarks.attacks NAME PORT`.

It speaks ``broker/1`` in bytes of its own making, as fast as it can, and connects again whenever it is cut off. When
its standard input ends it says what it did.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from broker._messages.native import NAME
from broker._values.native import NativeEncoder
from broker._wire import frames
from broker._wire.frames import PIECE, frame, varint
from broker._wire.greeting import pick, with_settings

__all__ = ["ATTACKS", "Attack"]

#: Bytes taken from a socket, or given to it, at a time.
_CHUNK = 1 << 18
#: A tuple of one value, which is what the arguments of a call are.
_ONE = b"\xb1"
#: Every multiple of it hashes to 0.
_MODULUS = 2**61 - 1


@dataclass(frozen=True)
class Attack:
    """Something done to harm others.

    :param text: what it is.
    :param block: makes the bytes that are sent again and again.
    :param reads: whether what comes is read.
    :param open: how many connections it has.
    :param drops: whether it closes each connection when it has sent one block.
    """

    text: str
    block: Callable[[], bytes]
    reads: bool = True
    open: int = 1
    drops: bool = False


def _value(thing: object) -> bytes:
    return NativeEncoder(10_000, 1 << 30).encode(thing)


def _body(method: bytes, args: bytes) -> bytes:
    flags = frames.WANTS_ANSWER | frames.NAMED
    return bytes((flags, 1, 4)) + b"root" + bytes((len(method),)) + method + args


def _call(method: bytes, args: bytes) -> bytes:
    """Return a call, in pieces where it is too large for a frame."""
    body = _body(method, args)
    if len(body) <= frames.FRAME:
        return frame(frames.CALL, body)
    data = bytes((frames.CALL,)) + body
    parts = [data[start : start + PIECE] for start in range(0, len(data), PIECE)]
    kinds = [frames.PART] * (len(parts) - 1) + [frames.LAST]
    return b"".join(frame(kind, b"\x01" + part) for kind, part in zip(kinds, parts, strict=True))


def _echo(thing: object) -> bytes:
    return _call(b"echo", _ONE + _value(thing))


def _laughs() -> bytes:
    """Return a call with 2^60 paths through 60 lists."""
    back = b"".join(b"\xd5" + number.to_bytes(4, "little") for number in range(61, 1, -1))
    return _call(b"echo", _ONE + b"\xa2" * 60 + b"\xa2\x01\x01" + back) * 50


def _names() -> bytes:
    return b"".join(_call(b"%d" % number, b"\xb0") for number in range(1_000))


def _unfinished() -> bytes:
    """Return the beginnings of sixteen large texts, each of several megabytes, and then nothing that ends one."""
    head = bytes((frames.CALL,)) + _body(b"echo", _ONE + b"\xca" + (60 << 20).to_bytes(4, "little"))
    begun = b"".join(frame(frames.PART, varint(stream) + head) for stream in range(16))
    more = [frame(frames.PART, varint(stream) + b"x" * (PIECE - 1)) for stream in range(16)]
    return begun + b"".join(more) * 50


def _alike() -> bytes:
    """Return a call with a dictionary that is not made here: that would take as long as it is meant to."""
    keys = [_value(number * _MODULUS) for number in range(9, 60_009)]
    return _call(b"echo", _ONE + b"\xcf" + len(keys).to_bytes(4, "little") + b"\x00".join(keys) + b"\x00")


def _tiny() -> bytes:
    """Return a call in pieces of a byte each."""
    data = bytes((frames.CALL,)) + _body(b"echo", _ONE + _value(b"x" * 60_000))
    head, rest = data[:40], data[40:]
    tiny = b"".join(frame(frames.PART, bytes((1, byte))) for byte in rest[:-1])
    return frame(frames.PART, b"\x01" + head) + tiny + frame(frames.LAST, b"\x01" + rest[-1:])


ATTACKS: dict[str, Attack] = {
    "calls": Attack("calls of echo, as fast as they go", lambda: _echo(1) * 2_000),
    "calls on 20 connections": Attack("the same on 20 connections", lambda: _echo(1) * 2_000, open=20),
    "never reads": Attack("calls with large answers, which are not read", lambda: _echo("x" * 60_000), reads=False),
    "calls and cancels": Attack(
        "calls, each of them given up at once", lambda: (_echo(1) + frame(frames.CANCEL, b"\x01")) * 1_000
    ),
    "cancels": Attack("cancels of calls that are not there", lambda: frame(frames.CANCEL, b"\x07") * 10_000),
    "new names": Attack("calls of methods that are not there", _names),
    "no objects": Attack(
        "calls of objects that are not there", lambda: frame(frames.CALL, b"\x01\x01\x63\x01a\xb0") * 1_000
    ),
    "wrong messages": Attack("releases of what is not held", lambda: frame(frames.RELEASE, b"\x07\x01" * 1_000)),
    "pings": Attack("pings", lambda: frame(frames.PING, b"12345678") * 5_000),
    "hints": Attack("messages that are passed over", lambda: frame(0x80, b"") * 10_000),
    "tiny pieces": Attack("a call in pieces of one byte", _tiny),
    "unfinished": Attack("large texts that never end", _unfinished),
    "deep": Attack("lists nested 50,000 deep", lambda: _call(b"echo", _ONE + b"\xa1" * 50_000 + b"\x01")),
    "laughs": Attack("lists that have each other twice, 60 levels of them", _laughs),
    "alike": Attack("dictionaries of 60,000 integers that hash alike", _alike),
    "integers": Attack("integers of a megabyte", lambda: _echo(1 << 8_000_000)),
    "lists": Attack("lists of 60,000 numbers", lambda: _echo([None] * 60_000) * 4),
    "large lists": Attack("lists of 4,000,000 elements", lambda: _echo([None] * 4_000_000)),
    "large dictionaries": Attack("dictionaries of 1,000,000 entries", lambda: _echo(dict.fromkeys(range(1_000_000)))),
    "large forms": Attack(
        "s-expressions of 2,000,000 elements",
        lambda: _call(b"echo", b"\xdf\xa2" + _value(b"tuple") + _value([b"list", *[0.5] * 2_000_000])),
    ),
    "large texts": Attack("texts of 16 MiB", lambda: _echo("x" * (16 << 20))),
    "connects": Attack("connections that are closed at once", lambda: b"", drops=True),
    "silent": Attack("500 connections that say nothing", lambda: b"", open=500),
}


class _Hostile:
    """One connection of an attack."""

    def __init__(self, attack: Attack, block: bytes, port: int) -> None:
        self._attack, self._block, self._port = attack, block, port
        self.sent = self.cut = 0
        self._connect()

    def _connect(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setblocking(False)
        self._rest = b"" if self._attack.open > 100 else pick(with_settings(NAME, {}))

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self.socket.fileno()

    @property
    def writes(self) -> bool:
        """Whether there is something to be sent, ever."""
        return bool(self._rest or self._block or self._attack.drops)

    def again(self) -> None:
        """Connect anew, after it was cut off."""
        self.cut += 1
        self.socket.close()
        self._connect()

    def read(self) -> None:
        """Take what came."""
        try:
            if not self.socket.recv(_CHUNK):
                self.again()
        except BlockingIOError:
            pass
        except OSError:
            self.again()

    def write(self) -> None:
        """Send more."""
        if not self._rest:
            if self._attack.drops:
                self.again()
                return
            self._rest = self._block
        try:
            count = self.socket.send(self._rest[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:
            self.again()
            return
        self.sent += count
        self._rest = self._rest[count:]


def run(name: str, port: int, most: float = 600.0) -> dict[str, int]:
    """Attack until standard input ends; return how many bytes were sent, and how often it was cut off."""
    attack = ATTACKS[name]
    block = attack.block()
    until = monotonic() + most
    hostile = [_Hostile(attack, block, port) for _ in range(attack.open)]
    print("{}", flush=True)
    while monotonic() < until:
        reading = [each for each in hostile if attack.reads]
        ready, room, _ = select.select([sys.stdin, *reading], [each for each in hostile if each.writes], [], 1.0)
        if sys.stdin in ready:
            break
        for each in ready:
            each.read()
        for each in room:
            each.write()
    return {"sent": sum(each.sent for each in hostile), "cut": sum(each.cut for each in hostile)}


def main(argv: list[str]) -> None:
    """Run from the harness: name, port, core or -1, and how far to step back."""
    name, port, core, nice = argv[0], *map(int, argv[1:4])
    if core >= 0:
        os.sched_setaffinity(0, {core})
    os.nice(nice)
    print(json.dumps(run(name, port)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
