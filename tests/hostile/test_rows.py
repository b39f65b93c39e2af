"""Values in ``broker/1`` that are short to send and large, deep or endless to take: each with its defined outcome."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker._limits import Limits
from broker._objects.broker import Broker
from broker._session.hello import DIALECTS
from broker._wire import frames
from broker._wire.frames import PIECE, frame, varint
from broker.errors import InsecureJelly, LimitExceeded
from tests.hostile.native_scene import NativeScene, call, value
from tests.hostile.scene import CLOSED, Scene, peak
from tests.hostile.scene import call as pb_call

MIB = 1024 * 1024
HUGE = b"\xff\xff\xff\xff"
#: A tuple of one, which is what arguments are.
ONE = b"\xb1"


def pieces(data: bytes, stream: int = 1, size: int = PIECE) -> bytes:
    """Return a message as it goes in pieces, the last one included."""
    number = varint(stream)
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    kinds = [frames.PART] * (len(parts) - 1) + [frames.LAST]
    return b"".join(frame(kind, number + part) for kind, part in zip(kinds, parts, strict=True))


def back(number: int) -> bytes:
    """Return a reference to the container with a number."""
    return b"\xd5" + number.to_bytes(4, "little")


# Elements without a size, and what is declared and never comes.

DECLARED = {
    "text": b"\xca" + HUGE,
    "bytes": b"\xcc" + HUGE,
    "list": b"\xcd" + HUGE,
    "tuple": b"\xce" + HUGE,
    "dictionary": b"\xcf" + HUGE,
    "set": b"\xd0" + HUGE,
    "frozenset": b"\xd1" + HUGE,
    "integer": b"\xc8" + HUGE,
    "integers": b"\xdd\x01" + HUGE,
    "integers of no size": b"\xdd\x00" + HUGE,
    "floats": b"\xde" + HUGE,
    "form": b"\xdf\xcd" + HUGE,
    "list of lists": (b"\xcd\xff\xff\x3f\x00") * 290,
}


@pytest.mark.parametrize("name", DECLARED)
def test_declared_in_one_frame(name: str) -> None:
    """The frame is there: it is known at once that the rest of the value is not."""
    data = DECLARED[name] if name == "form" else ONE + DECLARED[name]
    with NativeScene() as scene:
        with peak(MIB):
            answer = scene.raw(call(b"take", data))
        scene.refused(answer)
        scene.logged("was refused")
        scene.alive()


@pytest.mark.parametrize("name", DECLARED)
def test_declared_in_pieces_then_silence(name: str) -> None:
    data = DECLARED[name] if name == "form" else ONE + DECLARED[name]
    with NativeScene() as scene:
        with peak(MIB):
            assert scene.raw(frame(frames.PART, b"\x01" + call(b"take", data, head=False))) == []
            assert scene.raw(frame(frames.PART, b"\x01" + b"x" * 1000)) == []
        scene.alive()
        # It ends before it is whole: the call fails, and nothing else.
        scene.refused(scene.raw(frame(frames.LAST, b"\x01x")))
        scene.log.take()
        scene.alive()


def test_list_of_half_a_billion_empties() -> None:
    """No element is without a size, so there is no short message with many: what is declared must come."""
    with NativeScene(limits=Limits(elements=100_000)) as scene:
        with peak(MIB):
            scene.refused(scene.raw(call(b"take", ONE + b"\xcd" + (2**29).to_bytes(4, "little"))), b"LimitExceeded")
        scene.logged("was refused")
        for empty in (b"\xa0", b"\xb0", b"\xb8", b"\x80", b"\xc0", b"\xd0\x00\x00\x00\x00"):
            count = 65_000 // len(empty) - 10
            assert scene.service.calls == 0
            answer = scene.raw(call(b"take", ONE + b"\xcd" + count.to_bytes(4, "little") + empty * count))
            scene.answered(answer, 1)
            scene.service.calls = 0


@pytest.mark.parametrize("kind", range(0, 256, 17))
def test_frame_larger_than_any(kind: int) -> None:
    """16 MiB is the most that the head of a frame can declare, and 64 KiB the most that is taken."""
    with NativeScene() as scene:
        with peak(MIB):
            scene.raw(bytes((kind,)) + b"\xff\xff\xff" + b"x" * 1000)
        assert not scene.open
        scene.logged(CLOSED)


def test_frame_within_the_ceiling_then_silence() -> None:
    with NativeScene() as scene:
        with peak(MIB):
            scene.raw((frames.CALL | 65_536 << 8).to_bytes(4, "little") + b"x" * 100)
        assert scene.open and scene.log.take() == []


# References to what was met before.


def nested_laughs(levels: int, tag: bytes) -> bytes:
    """Return containers of two, each with the next one twice: by itself, and by reference."""
    return tag * levels + tag[:1] + b"\x01\x01" + b"".join(back(number) for number in range(levels, 0, -1))


def flat_laughs(levels: int) -> bytes:
    """Return a list of tuples, each of which has the one before twice; none is nested on the wire."""
    first = b"\xb2\x01\x01"
    rest = b"".join(b"\xb2" + back(number) * 2 for number in range(1, levels))
    return b"\xcd" + levels.to_bytes(4, "little") + first + rest


@pytest.mark.parametrize("data", [nested_laughs(40, b"\xa2"), nested_laughs(40, b"\xb2"), flat_laughs(41)])
def test_laughs_take_what_they_are_long(data: bytes) -> None:
    """2^40 paths through 40 containers: taken, given back and forgotten in the space of 40."""
    # The tuple of the arguments is a container as well, with the number 0.
    shifted = shift(data)
    with NativeScene() as scene:
        with peak(MIB):
            answer = scene.raw(call(b"echo", ONE + shifted))
        assert len(answer) == 1 and scene.peer.size < 2000
        assert scene.service.calls == 1
        scene.alive()


def shift(data: bytes) -> bytes:
    """Return a value of containers of two with all its references counted from one container further out."""
    out, position = bytearray(), 0
    while position < len(data):
        if data[position] == 0xD5:
            out += back(int.from_bytes(data[position + 1 : position + 5], "little") + 1)
            position += 5
        elif data[position] == 0xCD:
            out += data[position : position + 5]
            position += 5
        else:
            out.append(data[position])
            position += 1
    return bytes(out)


@pytest.mark.parametrize("where", ["key", "member", "frozen", "key of a key"])
def test_laughs_are_not_hashed(where: str) -> None:
    laugh = nested_laughs(60, b"\xb2")
    data = {
        "key": b"\xb9" + laugh + b"\x01",
        "member": b"\xd0\x01\x00\x00\x00" + laugh,
        "frozen": b"\xd1\x01\x00\x00\x00" + laugh,
        "key of a key": b"\xb9\xb1" + laugh + b"\x01",
    }[where]
    depth = 3 if where == "key of a key" else 2
    for _ in range(depth):
        data = shift(data)
    with NativeScene() as scene:
        scene.refused(scene.raw(call(b"take", ONE + data)), b"too large")
        scene.logged("too large")
        scene.alive()


def test_reference_chain_of_ten_thousand() -> None:
    """What is flat on the wire may be deep in memory: taken, given back or refused, and let go without recursion."""
    with NativeScene() as scene:
        answer = scene.raw(pieces(call(b"take", ONE + shift(flat_laughs(10_000)), head=False)))
        scene.answered(answer, 1)
        as_key = b"\xb2" + shift(shift(flat_laughs(10_000))) + b"\xb9" + back(10_002) + b"\x01"
        scene.refused(scene.raw(pieces(call(b"take", ONE + as_key, head=False))))
        scene.logged("was refused")
        scene.alive()


# Keys that hash alike: Python salts texts only.

#: Multiples of it hash to 0.
MODULUS = 2**61 - 1
ALIKE: list[Any] = [number * MODULUS for number in range(5, 3_005)]
MIXED: list[Any] = [*range(3_000), *ALIKE]


@pytest.mark.parametrize(
    "keys", [ALIKE, MIXED, [(number,) for number in ALIKE]], ids=["alone", "among others", "tuples"]
)
@pytest.mark.parametrize("kind", ["dictionary", "set", "frozenset"])
def test_keys_that_hash_alike(keys: list[Any], kind: str) -> None:
    """Each would be compared with all of them: a few megabytes would take hours."""
    makers: dict[str, Any] = {"dictionary": dict.fromkeys, "set": set, "frozenset": frozenset}
    with NativeScene() as scene:
        data = ONE + value(makers[kind](keys))
        scene.refused(scene.raw(pieces(call(b"take", data, head=False))), b"LimitExceeded")
        scene.logged("was refused")
        scene.alive()


@pytest.mark.parametrize("keys", [ALIKE, MIXED, [[b"tuple", number] for number in ALIKE]])
@pytest.mark.parametrize("kind", [b"dictionary", b"set", b"frozenset"])
@pytest.mark.parametrize("odd", [False, True])
def test_keys_that_hash_alike_in_pb(keys: list[Any], kind: bytes, odd: bool) -> None:
    """The same whether the argument is plain or not."""
    items = [[key, 1] for key in keys] if kind == b"dictionary" else keys
    with Scene() as scene:
        odd_one = [[b"local", 12345]] if odd else []
        scene.refused(scene.raw(pb_call(b"take", [kind, *items], *odd_one)), b"LimitExceeded")
        scene.logged("have the same hash")
        scene.alive()


@pytest.mark.parametrize("dialects", [DIALECTS, (b"pb", b"none")])
def test_keys_that_do_not_hash_alike(dialects: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broker, "dialects", dialects)
    honest: list[Any] = [(row, column) for row in range(-20, 20) for column in range(-20, 20)]
    honest += [number * 10**30 for number in range(200)]
    honest += [Decimal(number) / 100 for number in range(201)]
    with Scene() as scene:
        assert scene.honest.server.dialect == dialects[0].decode()
        for thing in (dict.fromkeys(honest), set(honest), frozenset(honest)):
            assert scene.honest.call(scene.honest.root, "echo", thing) == thing


# Depth.


@pytest.mark.parametrize("tag", [b"\xa1", b"\xb1", b"\xb9\x01", b"\xd2\x02\x81a\x81b\x01"])
def test_nested_a_hundred_thousand_deep(tag: bytes) -> None:
    with NativeScene() as scene:
        with peak(4 * MIB):
            answer = scene.raw(pieces(call(b"take", ONE + tag * 100_000 + b"\x01", head=False)))
        scene.refused(answer, b"nested deeper")
        scene.logged("nested deeper")
        scene.refused(scene.raw(call(b"take", ONE + tag * 5_000 + b"\x01")), b"nested deeper")
        scene.logged("nested deeper")
        scene.alive()


def test_form_nested_a_hundred_thousand_deep() -> None:
    with NativeScene() as scene:
        answer = scene.raw(pieces(call(b"take", b"\xdf" + b"\xa1" * 100_000 + b"\x01", head=False)))
        scene.refused(answer, b"nested deeper")
        scene.logged("nested deeper")
        scene.alive()


def test_our_own_values_nested_a_hundred_thousand_deep() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with NativeScene() as scene:
        for argument in (deep, tuple(deep), {"key": deep}, [object, deep]):
            with pytest.raises((LimitExceeded, InsecureJelly)):
                scene.honest.call(scene.honest.root, "take", argument)
        assert scene.service.calls == 0
        scene.service.result = deep
        scene.refused(scene.raw(call(b"give")), b"LimitExceeded")
        scene.logged("was refused")
        scene.alive()
        scene.service.result = None
    while deep:
        deep = deep.pop()


# Numbers.


def test_integer_of_a_megabyte() -> None:
    """It is a number in binary: taken and given back as what it is, never written out in digits."""
    number = (1 << 8_000_000) - 12345
    with NativeScene() as scene:
        answer = scene.raw(pieces(call(b"echo", ONE + value(number), head=False)))
        scene.answered(answer, number)
        # Where it has no place it is not written out either.
        for data in (b"\xb9" + value(number) + b"\x01", b"\xd7" + value(number) * 3, b"\xdb" + value(number) * 3):
            answer = scene.raw(pieces(call(b"nosuch", ONE + data, head=False)))
            scene.refused(answer)
            scene.logged("was refused")
        scene.alive()
