"""Broken bytes: cut anywhere, too long, too deep, too many."""

from __future__ import annotations

from typing import Any

import pytest

from broker._limits import Limits
from broker._objects.referenceable import Referenceable
from broker._wire.banana import encode
from broker.errors import LimitExceeded
from tests.hostile.scene import CLOSED, NO_KW, Reverse, Scene, call, flat, message, nested, peak

MIB = 1024 * 1024
#: One of every kind, none of which the peer can be waiting for.
KINDS: dict[str, bytes] = {
    "message": call(b"echo", [b"list", 1, [b"unicode", b"two"], 2**70, -5, 1.5]),
    "cachemessage": message(b"cachemessage", 1, 1, b"update", 1, [b"tuple"], NO_KW),
    "answer": message(b"answer", 7, [b"None"]),
    "error": message(b"error", 7, [b"None"]),
    "decref": message(b"decref", 300),
    "decache": message(b"decache", 300),
    "uncache": message(b"uncache", 300),
    "version": message(b"version", 6),
    "didNotUnderstand": message(b"didNotUnderstand", b"x" * 200),
    "unknown": message(b"unknown", [1, 2.5, 2**100, b"text"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_at_every_byte(kind: str) -> None:
    """A message of which only the beginning came does nothing, and its connection goes like any other."""
    data = KINDS[kind]
    for end in range(1, len(data)):
        with Scene() as scene:
            assert scene.raw(data[:end]) == []
            scene.wire.drop()
            assert scene.log.take() == []
            assert scene.service.calls == 0


@pytest.mark.parametrize("kind", KINDS)
def test_byte_by_byte_is_the_same(kind: str) -> None:
    outcomes = []
    for chunk in (None, 1, 2, 3):
        with Scene() as scene:
            scene.wire.chunk = chunk
            outcomes.append((scene.raw(KINDS[kind] * 2), len(scene.log.take()), scene.open))
            scene.alive()
    assert outcomes == outcomes[:1] * 4


@pytest.mark.parametrize(
    "prefix",
    [b"\x01" * 65 + b"\x82", b"\x01" * 65 + b"\x81", b"\x00" * 65 + b"\x80", b"\x01" * 100_000],
    ids=["string", "int", "zeros", "endless"],
)
@pytest.mark.parametrize("start", [b"", b"\x07\x80"], ids=["top", "inside"])
def test_long_prefix(start: bytes, prefix: bytes) -> None:
    with Scene() as scene:
        assert scene.raw(start + prefix) == []
        assert not scene.open
        scene.logged(CLOSED)


@pytest.mark.parametrize("kind", [0x80, 0x82], ids=["list", "string"])
@pytest.mark.parametrize("size", [2**32, 2**64, 2**440], ids=["4GiB", "2^64", "2^440"])
@pytest.mark.parametrize("inside", [False, True])
def test_declared_size_then_nothing(kind: int, size: int, inside: bool) -> None:
    """What is only declared costs nothing, and what passes a ceiling closes at once."""
    digits = bytearray()
    while size:
        digits.append(size & 127)
        size >>= 7
    start = call(b"echo")[: -len(encode(NO_KW, vocabulary=True))] if inside else b"\x03\x80"
    with Scene() as scene:
        with peak(2 * MIB):
            assert scene.raw(start + bytes(digits) + bytes((kind,))) == []
        assert not scene.open
        scene.logged(CLOSED)


def test_declared_within_the_ceilings_then_nothing() -> None:
    """A peer that declares as much as it may and stalls holds no memory but what it sent."""
    with Scene() as scene:
        with peak(2 * MIB):
            scene.raw(b"\x07\x80\x00\x00\x00\x01\x80" + b"\x00\x00\x00\x07\x82stalls")
        assert scene.open
        scene.healthy()


def test_sum_of_declared_strings_passes_the_message() -> None:
    limits = Limits(message=1000, string=600)
    with Scene(limits=limits) as scene:
        scene.raw(b"\x07\x80" + (b"\x58\x04\x82" + b"x" * 600) + b"\x58\x04\x82")
        assert not scene.open
        scene.logged("more than 1000 bytes")


def test_total_message_at_the_ceiling() -> None:
    limits = Limits(message=1000)
    room = 1000 - len(call(b"take", b"x" * 200))
    with Scene(limits=limits) as scene:
        assert scene.call(b"take", b"x" * 200, b"y" * (room - 3)) == [[b"answer", 1, 2]]
        scene.raw(call(b"take", b"x" * 200, b"y" * (room - 2)))
        assert not scene.open
        scene.logged("more than 1000 bytes")


def test_string_at_the_ceiling() -> None:
    with Scene(limits=Limits(string=1000)) as scene:
        assert scene.call(b"take", b"x" * 1000) == [[b"answer", 1, 1]]
        scene.raw(call(b"take", b"x" * 1001))
        assert not scene.open
        scene.logged("1001 bytes; the limit is 1000")


def test_elements_at_the_ceiling() -> None:
    # The message has 7, the tuple 2 and the dictionary 1.
    with Scene(limits=Limits(elements=1000)) as scene:
        assert scene.call(b"take", [b"list", *[0] * 989]) == [[b"answer", 1, 1]]
        scene.raw(call(b"take", [b"list", *[0] * 990]))
        assert not scene.open
        scene.logged("1001 elements; the limit is 1000")


def test_prefix_at_the_ceiling() -> None:
    with Scene(limits=Limits(prefix=8)) as scene:
        assert scene.call(b"take", 2**56 - 1) == [[b"answer", 1, 1]]
        scene.raw(call(b"take", 2**56))
        assert not scene.open
        scene.logged("prefix of more than 8")


def test_elements_of_no_size() -> None:
    """The smallest element there is takes a byte; a list of them cannot cost more than its declared number."""
    with Scene() as scene:
        with peak(30 * MIB):
            answer = scene.raw(
                call(b"take", b"*")[: -len(encode(NO_KW, vocabulary=True)) - 3]
                + b"\x00\x00\x10\x80"  # 2**18 elements
                + b"\x04\x82list"
                + b"\x81" * (2**18 - 1)
                + encode(NO_KW, vocabulary=True)
            )
        assert answer == [[b"answer", 1, 1]]
        scene.alive()


@pytest.mark.parametrize("element", [b"\x00\x82", b"\x00\x80", b"\x01\x80\x00\x82"], ids=["text", "list", "heads"])
def test_empty_elements(element: bytes) -> None:
    tail = encode(NO_KW, vocabulary=True)
    start = call(b"take", b"*")[: -len(tail) - 3]
    with Scene() as scene:
        with peak(16 * MIB):
            answer = scene.raw(start + b"\x00\x00\x02\x80\x04\x82list" + element * (2**15 - 1) + tail)
        if element == b"\x00\x82":
            assert answer == [[b"answer", 1, 1]]
        else:
            scene.refused(answer, b"InsecureJelly")
            scene.logged("was refused")
        scene.alive()


# Depth.


def deep(levels: int, head: bytes = b"list") -> bytes:
    start = call(b"echo", 5)[: -2 - len(encode(NO_KW, vocabulary=True))]
    return start + nested(levels, head=head) + encode(NO_KW, vocabulary=True)


@pytest.mark.parametrize("head", [b"list", b"tuple", b"set", b"frozenset", b"Mystery"])
@pytest.mark.parametrize("levels", [10**5, 10**6 // 2])
def test_nested_far_too_deep(levels: int, head: bytes) -> None:
    with Scene() as scene:
        answer = scene.raw(deep(levels, head))
        scene.refused(answer, b"nested deeper")
        scene.logged("nested deeper")
        scene.alive()


@pytest.mark.parametrize("depth", [10, 63, 64, 65, 300])
def test_nested_at_the_limit(depth: int) -> None:
    """The tuple of arguments is the first level."""
    with Scene(limits=Limits(depth=depth)) as scene:
        assert scene.raw(deep(depth - 1))[0][:2] == [b"answer", 1]
        assert scene.log.take() == []
        answer = scene.raw(deep(depth))
        scene.refused(answer, b"nested deeper")
        scene.logged("nested deeper")
        scene.alive()


def test_nested_commands_and_unknown() -> None:
    """Nesting where no value belongs."""
    with Scene() as scene:
        for data in (
            b"\x02\x80" + encode(b"decref", vocabulary=True) + nested(10**5),
            b"\x02\x80\x03\x82odd" + nested(10**5),
        ):
            scene.raw(data)
            scene.logged()
        scene.alive()
        scene.raw(nested(10**5, head=b"answer"))
        scene.logged()


def our(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [65, 300])
def test_our_own_argument_at_the_limit(depth: int) -> None:
    with Reverse(limits=Limits(depth=depth)) as scene:
        outcome = scene.ask(our(depth - 1))
        assert outcome == []
        for levels in (depth, 10**5):
            refused = scene.ask(our(levels))
            assert refused[0].check(LimitExceeded), refused
        assert len(scene.client.session.questions.entries) == 1
        scene.raw(message(b"answer", 1, [b"None"]))
        assert outcome == [None]
        assert scene.log.take() == []


@pytest.mark.parametrize("depth", [300, 10**5])
def test_our_own_result_too_deep(depth: int) -> None:
    with Scene() as scene:
        scene.service.result = our(depth + 1)
        scene.refused(scene.call(b"give"), b"nested")
        scene.logged("was refused")
        scene.alive()
        while scene.service.result != 1:
            scene.service.result = scene.service.result[0]


def test_our_own_result_too_large_for_a_stock_peer() -> None:
    with Scene() as scene:
        scene.service.result = b"x" * (640 * 1024 + 1)
        scene.refused(scene.call(b"give"), b"LimitExceeded")
        scene.logged("was refused")
        scene.service.result = [0] * (640 * 1024 + 1)
        scene.refused(scene.call(b"give"), b"LimitExceeded")
        scene.logged("was refused")
        scene.service.result = 2**448
        scene.refused(scene.call(b"give"), b"LimitExceeded")
        scene.logged("was refused")
        scene.alive()


def test_result_that_fails_takes_back_its_references() -> None:
    with Scene() as scene:
        scene.service.result = [Referenceable(), Referenceable(), 2**448]
        scene.refused(scene.call(b"give"), b"LimitExceeded")
        scene.logged("was refused")
        assert scene.server.statistics()["exports"] == 0


# Many.


def test_many_small_messages() -> None:
    """Twenty thousand messages in one write: each is answered, and what waits is never all of them."""
    data = call(b"echo", 1) * 20_000
    with Scene(keep=False) as scene:
        with peak(20 * MIB):
            scene.raw(data)
        assert scene.service.calls == 20_000
        assert scene.peer.size > 20_000 * 6
        assert scene.log.take() == []


def test_many_small_messages_in_tiny_pieces() -> None:
    with Scene() as scene:
        scene.wire.chunk = 7
        answers = scene.raw(call(b"echo", 1) * 300)
        assert answers == [[b"answer", 1, 1]] * 300


# Billions of laughs: an argument of few bytes that has an astronomical number of paths.


def laughs(head: bytes, levels: int, kernel: Any = b"ha") -> list[Any]:
    """Return a form in which each level has the next one twice, by reference."""
    form: list[Any] = [head, kernel]
    for number in range(levels, 0, -1):
        form = [head, [b"reference", number, form], [b"dereference", number]]
    return form


@pytest.mark.parametrize("head", [b"list", b"tuple"])
def test_laughs_are_taken_and_can_be_sent_back(head: bytes) -> None:
    with Scene() as scene:
        with peak(4 * MIB):
            assert scene.call(b"take", laughs(head, 100)) == [[b"answer", 1, 1]]
            answer = scene.call(b"echo", laughs(head, 40))
        assert answer[0][0] == b"answer" and len(flat(answer[0])) < 10_000
        scene.alive()


@pytest.mark.parametrize("head", [b"tuple", b"frozenset"])
@pytest.mark.parametrize("where", ["key", "member", "frozen"])
def test_laughs_are_not_hashed(head: bytes, where: str) -> None:
    laugh = laughs(head, 60)
    form = {
        "key": [b"dictionary", [laugh, 1]],
        "member": [b"set", laugh],
        "frozen": [b"frozenset", laugh],
    }[where]
    with Scene() as scene:
        answer = scene.call(b"take", form)
        if head == b"frozenset":
            # Equal members fall together, so these have one path only.
            assert answer[0][0] in (b"answer", b"error")
            scene.log.take()
        else:
            scene.refused(answer, b"too large")
            scene.logged("too large")
        scene.alive()


def test_a_small_billion_is_hashed() -> None:
    with Scene() as scene:
        assert scene.call(b"take", [b"dictionary", [laughs(b"tuple", 8), 1]]) == [[b"answer", 1, 1]]
        scene.alive()


@pytest.mark.parametrize("head", [b"list", b"tuple"])
def test_laughs_in_what_is_no_failure(head: bytes) -> None:
    """The value of an error answer is described, never written out."""
    with Reverse() as scene:
        failure = scene.answer(b"error", encode(laughs(head, 60), vocabulary=True))
        assert len(failure.getErrorMessage()) < 1000
        assert scene.log.take() == []


@pytest.mark.parametrize("key", [b"type", b"value", b"traceback", b"parents"])
@pytest.mark.parametrize("inside", [False, True])
def test_laughs_in_a_failure(key: bytes, inside: bool) -> None:
    laugh = laughs(b"list", 60)
    state = [b"dictionary", [[b"unicode", key], [b"list", laugh] if inside else laugh]]
    with Reverse() as scene:
        failure = scene.answer(b"error", encode([b"twisted.spread.pb.CopyableFailure", state], vocabulary=True))
        assert len(failure.getErrorMessage()) < 1000
        assert len(repr(failure)) < 3000
        assert scene.log.take() == []
