"""Large messages of broker/1, which come in pieces: between each other, cut anywhere, broken, too many, too large."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._limits import Limits
from broker._messages.messages import Answer, Call, Message, Nothing, Ping, Release, Unknown
from broker._values.payload import Broken
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, PIECE, frame, varint
from broker.errors import BadValue, LimitExceeded, ProtocolError
from tests.messages.native import Swizzler, Thing, content, drain, feed, made, pieces, value

PING = frame(frames.PING, b"ping")
ANSWER = bytes((frames.ANSWER, 7))
#: A call with keywords and options; everything of it up to its values, which must be in the first piece.
CALL_HEAD = bytes((frames.CALL, 0x3D, 7)) + b"\x04root\x01m" + varint(1500)


def jelly(*things: Any) -> bytes:
    """Return the bytes of things that are not plain."""
    data = made().lower(list(things), Swizzler()).data
    assert data is not None and data[0] == 0xDF
    return data


#: Kinds and bodies of messages, and how many bytes of each must be in its first piece.
WHOLE: dict[str, tuple[bytes, int]] = {
    "an answer": (ANSWER + value({"a": [1, 2.5, "x" * 40], "b": list(range(40))}), 2),
    "a failure": (bytes((frames.FAILED, 0x87, 1)) + jelly(Thing("reason", 1)), 3),
    "a jellied answer": (ANSWER + jelly(Thing(1), Thing("two", b"three")), 2),
    "a call": (CALL_HEAD + value({"opt": 1}) + value((1, [2], "three")) + value({"k": b"x" * 30}), len(CALL_HEAD)),
    "a call of things": (CALL_HEAD + value(None) + jelly(Thing(1)) + jelly(Thing("k")), len(CALL_HEAD)),
    "a call without arguments": (bytes((frames.CALL, 1, 7, 3, 1)) + b"m" + value(()), 6),
    "nothing": (ANSWER, 2),
    "a value cut short": (ANSWER + value([1, 2, "three"])[:-1], 2),
    "a value without its head": (ANSWER + b"\xca\x05", 2),
    "bytes behind the value": (ANSWER + value([1, 2]) + b"\x00\x01", 2),
    "bytes behind a jellied value": (ANSWER + jelly(Thing()) + b"\x00", 2),
    "a call without keywords": (CALL_HEAD + value(None) + value((1,)), len(CALL_HEAD)),
    "a call with more behind": (CALL_HEAD + value(None) + value((1,)) + value({}) + value({}), len(CALL_HEAD)),
    "a call with broken options": (CALL_HEAD + b"\xd5\x07\0\0\0" + value((1,)) + value({}), len(CALL_HEAD)),
    "jelly inside": (ANSWER + b"\xa2\x01\xdf\xa0", 2),
    "jelly inside jelly": (ANSWER + b"\xdf\xa2\x01\xdf\xa0", 2),
    "jelly of a tuple": (ANSWER + b"\xdf\xb1\x01", 2),
    "jelly of nothing": (ANSWER + b"\xdf", 2),
    "no text": (ANSWER + b"\xa1\x81\xff", 2),
    "a call with flags of another time": (bytes((frames.CALL, 0x41, 9)) + b"whatever it is", 3),
}


def in_a_frame(message: bytes) -> tuple[Any, ...]:
    (received,) = feed(made(), frame(message[0], message[1:]))
    return content(received)


@pytest.mark.parametrize("name", WHOLE)
def test_pieces_of_every_size_are_the_message(name: str) -> None:
    message, first = WHOLE[name]
    expected = in_a_frame(message)
    for size in range(first, len(message) + 1):
        for data in (pieces(message, size), pieces(message, first, *[1] * (size - first))):
            (received,) = feed(made(), b"".join(data))
            assert content(received) == expected


@pytest.mark.parametrize("name", WHOLE)
def test_pieces_at_every_cut_of_the_bytes(name: str) -> None:
    message, first = WHOLE[name]
    expected = [in_a_frame(message), content(Ping(b"ping"))]
    half = (len(message) - first) // 2
    data = b"".join([*pieces(message, first, *[half] * (half > 0)), PING])
    for cuts in (range(1, len(data)), *([cut] for cut in range(len(data) + 1))):
        assert [content(received) for received in feed(made(), data, cuts)] == expected


@given(st.data())
def test_pieces_of_several_messages_in_any_order(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(list(WHOLE)), min_size=1, max_size=4))
    waiting: list[list[bytes]] = []
    for stream, name in enumerate(names):
        message, first = WHOLE[name]
        sizes = data.draw(st.lists(st.integers(1, max(1, len(message) // 3)), max_size=3))
        while sum(sizes) + first > len(message):
            sizes = sizes[1:]
        waiting.append(pieces(message, first, *sizes, stream=stream * 1000))
    out: list[bytes] = []
    ended: list[str] = []
    left = dict(enumerate(waiting))
    while left:
        chosen = data.draw(st.sampled_from(list(left)))
        out.append(left[chosen].pop(0))
        if not left[chosen]:
            del left[chosen]
            ended.append(names[chosen])
        if data.draw(st.booleans()):
            out.append(PING)
    stream_of_bytes = b"".join(out)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream_of_bytes)), max_size=6)))
    received = feed(made(), stream_of_bytes, cuts)
    assert [content(m) for m in received if not isinstance(m, Ping)] == [in_a_frame(WHOLE[n][0]) for n in ended]
    assert sum(isinstance(m, Ping) for m in received) == out.count(PING)


@given(st.data())
def test_broken_messages_are_broken_alike_in_pieces(data: st.DataObject) -> None:
    """Bytes changed anywhere behind the head: a frame and pieces come to the same."""
    message, first = WHOLE[data.draw(st.sampled_from(list(WHOLE)))]
    changed = bytearray(message)
    for place in data.draw(st.lists(st.integers(first, len(message)), max_size=4)):
        changed[place : place + 1] = data.draw(st.binary(max_size=3))
    body = bytes(changed)
    sizes = [first]
    while data.draw(st.booleans()) and sum(sizes) < len(body):
        sizes.append(data.draw(st.integers(1, len(body) - sum(sizes))))
    (received,) = feed(made(), b"".join(pieces(body, *sizes)))
    assert _outcome(content(received)) == _outcome(in_a_frame(body))


def _outcome(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    # Of several mistakes another one may be met first.
    return tuple(
        (part[0], "broken") if isinstance(part, tuple) and "broker.errors" in str(part[1]) else part for part in parts
    )


def test_a_message_that_is_not_finished_is_none() -> None:
    message, first = WHOLE["a call"]
    dialect = made()
    for size in range(first, first + 16):
        assert feed(dialect, frame(frames.PART, varint(size) + message[:size])) == []
    (ping,) = feed(dialect, PING)
    assert isinstance(ping, Ping)


def test_the_number_of_a_stream_may_be_used_again() -> None:
    message, first = WHOLE["an answer"]
    dialect = made(Limits(streams=1))
    for _ in range(3):
        assert [content(m) for m in feed(dialect, b"".join(pieces(message, first)))] == [in_a_frame(message)]


@pytest.mark.parametrize("number", [0, 127, 128, 2**63 - 1])
def test_streams_of_any_number(number: int) -> None:
    message, first = WHOLE["an answer"]
    data = b"".join(pieces(message, first, 10, stream=number))
    for cuts in (range(0), range(1, len(data))):
        assert [content(m) for m in feed(made(), data, cuts)] == [in_a_frame(message)]


# What ends the connection.


def refused(data: bytes, problem: str, limits: Limits | None = None) -> None:
    for cuts in (range(0), range(1, len(data))):
        with pytest.raises(ProtocolError, match=problem):
            feed(made(limits), data, cuts)


@pytest.mark.parametrize("kind", [k for k in range(256) if k not in (frames.CALL, frames.ANSWER, frames.FAILED)])
def test_only_calls_and_answers_come_in_pieces(kind: int) -> None:
    refused(frame(frames.PART, b"\x01" + bytes((kind,)) + b"\x01\x01"), f"a message of kind {kind} in pieces")
    refused(frame(frames.LAST, b"\x01" + bytes((kind,)) + b"\x01\x01"), f"a message of kind {kind} in pieces")


@pytest.mark.parametrize("size", range(1, len(CALL_HEAD)))
def test_the_head_of_a_message_is_in_its_first_piece(size: int) -> None:
    refused(frame(frames.PART, b"\x01" + CALL_HEAD[:size]), "without an end|without anything")


def test_pieces_without_bytes() -> None:
    refused(frame(frames.PART, b"\x01"), "a piece with nothing in it")
    refused(frame(frames.PART, b"\x01" + ANSWER) + frame(frames.PART, b"\x01"), "a piece with nothing in it")
    # The last one of a message may have nothing left to bring.
    data = frame(frames.PART, b"\x01" + ANSWER + value(5)) + frame(frames.LAST, b"\x01")
    (message,) = feed(made(), data, range(1, len(data)))
    assert isinstance(message, Answer) and message.payload.value == 5
    refused(frame(frames.LAST, b"\x01"), "a message of kind 0 in pieces")


def test_too_many_at_a_time() -> None:
    limits = Limits(streams=3)
    begun = b"".join(frame(frames.PART, varint(stream) + ANSWER) for stream in range(3))
    refused(begun + frame(frames.PART, varint(3) + ANSWER), "more than 3 large messages", limits)
    # One that has ended makes room.
    dialect = made(limits)
    (message,) = feed(dialect, begun + frame(frames.LAST, varint(1) + value(1)) + frame(frames.PART, b"\x03" + ANSWER))
    assert isinstance(message, Answer)
    with pytest.raises(ProtocolError, match="more than 3"):
        feed(dialect, frame(frames.PART, b"\x04" + ANSWER))


def test_too_large() -> None:
    body = ANSWER + value(b"x" * 993)
    assert len(body) == 1 + 999
    for sizes in ([2], [2, 500], [999], [2] + [1] * 700):
        data = b"".join(pieces(body, *sizes))
        (message,) = feed(made(Limits(message=999)), data)
        assert isinstance(message, Answer) and message.payload.value == b"x" * 993
        refused(data, "a message of more than 998 bytes", Limits(message=998))
    # What is broken, or not known, is counted all the same.
    refused(b"".join(pieces(ANSWER + b"\xf8" * 1000, 2, 500)), "of more than 999 bytes", Limits(message=999))
    unknown = bytes((frames.CALL, 0x40, 1)) + bytes(1000)
    refused(b"".join(pieces(unknown, 3, 500)), "of more than 999 bytes", Limits(message=999))


def test_a_message_that_is_too_large_is_noticed_before_it_has_ended() -> None:
    dialect = made(Limits(message=1000))
    dialect.receive_data(frame(frames.PART, b"\x01" + ANSWER + b"\xcc\xff\xff\xff\x00"))
    assert drain(dialect) == []
    dialect.receive_data(frame(frames.PART, b"\x01" + bytes(2000))[:1500])
    with pytest.raises(ProtocolError, match="a message of more than 1000 bytes"):
        drain(dialect)


def test_unfinished_messages_are_bounded_together() -> None:
    limits = Limits(buffer=1000)
    part = [frame(frames.PART, varint(stream) + ANSWER + b"\xcc\xff\x00\x00\x00" + bytes(400)) for stream in range(3)]
    refused(b"".join(part), "unfinished messages of more than 1000 bytes", limits)
    # One that is finished is counted no more.
    dialect = made(limits)
    for _ in range(5):
        (message,) = feed(dialect, part[0] + frame(frames.LAST, b"\x00"))
        assert isinstance(message, Answer) and type(message.payload.value) is Broken


def test_ceilings_of_one_value_hold_in_pieces() -> None:
    many, deep = value(list("abcdefghij")), b"\xa1" * 10 + b"\x01"
    for limits, body in ((Limits(elements=9), ANSWER + many), (Limits(depth=9), ANSWER + deep)):
        for sizes in ([2], [2, 3], [2] + [1] * (len(body) - 3)):
            (message,) = feed(made(limits), b"".join(pieces(body, *sizes)))
            assert isinstance(message, Answer) and type(message.payload.value) is Broken
            assert isinstance(message.payload.value.error, LimitExceeded)


def test_a_broken_value_costs_the_one_message() -> None:
    body = ANSWER + b"\xa2\x81\xff\x01"
    other, first = WHOLE["a call"]
    data = [*pieces(body, 2, 3), *pieces(other, first, stream=2)]
    received = feed(made(), b"".join([data[0], data[3], data[1], data[4], data[2], PING]))
    assert [type(message) for message in received] == [Call, Answer, Ping]
    assert content(received[0]) == in_a_frame(other)
    assert isinstance(received[1], Answer) and isinstance(received[1].payload.value.error, BadValue)


def test_a_call_that_is_not_known_is_answered_when_it_has_ended() -> None:
    body, first = WHOLE["a call with flags of another time"]
    (message,) = feed(made(), b"".join(pieces(body, first, 5)))
    assert isinstance(message, Unknown) and message.request == 9


# How it is read.


def test_nothing_of_a_piece_is_read_as_releases() -> None:
    message, first = WHOLE["an answer"]
    begin, end = pieces(message, first)
    dialect = made()
    assert feed(dialect, begin) == []
    releases = frame(frames.RELEASE, b"\x07\x01")
    (release,) = feed(dialect, releases + end[: HEAD + 20])
    assert isinstance(release, Release)
    (received,) = feed(dialect, end[HEAD + 20 :])
    assert content(received) == in_a_frame(message)


def test_a_burst_of_small_pieces_leaves_room_for_others() -> None:
    body = ANSWER + value(list(range(1000)))
    dialect = made()
    dialect.receive_data(b"".join(pieces(body, 2, *[1] * 1000)))
    rounds = 0
    while isinstance(message := dialect.next_message(), Nothing):
        rounds += 1
        assert message.controls == 0
    assert rounds > 10 and isinstance(message, Answer)
    assert message.payload.value == list(range(1000))


def test_bytes_of_a_piece_are_taken_as_they_come_and_not_kept() -> None:
    """64 MiB in small reads cost little more than the value."""
    size = 8 * 1024 * 1024
    body = ANSWER + value(b"x" * size)
    data = b"".join(pieces(body, *[PIECE] * (len(body) // PIECE)))
    dialect = made()
    tracemalloc.start()
    try:
        for start in range(0, len(data), 5000):
            dialect.receive_data(data[start : start + 5000])
            found: Message | None = dialect.next_message()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(found, Answer) and found.payload.value == b"x" * size
    assert peak < 2.5 * size


def test_a_whole_frame_of_pieces_is_the_longest() -> None:
    assert len(varint(2**63 - 1)) + 1 + PIECE <= FRAME
