"""The dialect broker/1: every message there and back, every cut, every wrong field, every ceiling."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._limits import Limits
from broker._messages.messages import (
    Abort,
    Answer,
    CacheReleased,
    Call,
    Cancel,
    Failed,
    GoAway,
    Message,
    Nothing,
    NotUnderstood,
    Ping,
    Pong,
    Release,
    ReleaseCache,
    Unknown,
    Version,
)
from broker._messages.native import NAME
from broker._values.payload import PENDING, Broken, Jellied, Payload, Unchecked
from broker._values.policy import SecurityOptions
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, frame
from broker._wire.parts import Parts
from broker.errors import BadValue, InsecureJelly, LimitExceeded, ProtocolError
from tests.messages.native import Swizzler, Thing, content, drain, feed, made, value

LONGEST = 2**63 - 1
#: Bytes in front of those of a byte string that is not short.
HEAD_OF_BYTES = 5


def lowered(thing: Any) -> Payload:
    return made().lower(thing, Swizzler())


def called(args: Any = (), kwargs: Any = None, **fields: Any) -> bytes:
    """Return the bytes of a call."""
    known: dict[str, Any] = {
        "request": 1,
        "target": b"root",
        "method": b"m",
        "wants_answer": True,
        "cached": False,
        "deadline": -1,
    }
    known |= {"args": args, "kwargs": kwargs or {}, "swizzler": Swizzler(), **fields}
    return made().encode_call(**known)


SENT: dict[str, Message] = {
    "answer": Answer(3, lowered({"a": [1, 2.5]})),
    "answer of the longest number": Answer(LONGEST, lowered(None)),
    "answer that is jellied": Answer(4, lowered([Thing(1, "two")])),
    "failed": Failed(5, lowered([Thing(b"reason")])),
    "release": Release(300, 2),
    "release cache": ReleaseCache(7, LONGEST),
    "cache released": CacheReleased(128),
    "cancel": Cancel(2**40),
    "ping": Ping(b"12345678"),
    "ping of nothing": Ping(b""),
    "pong": Pong(b"\x00"),
    "go away": GoAway("für heute"),
    "go away without words": GoAway(""),
    "abort": Abort("you sent noise"),
    "not understood": NotUnderstood(b"\x10abc"),
}
CALLS: dict[str, dict[str, Any]] = {
    "a call": {"args": (1, "two", [3])},
    "without arguments": {},
    "with keywords": {"args": (1,), "kwargs": {"a": 1, "b": [None]}},
    "of a number": {"target": 300, "request": 2**50},
    "without answer": {"wants_answer": False},
    "of a copy": {"target": 3, "cached": True},
    "with a deadline": {"deadline": 1500, "kwargs": {"x": b""}},
    "with no time left": {"deadline": 0},
    "with the longest deadline": {"deadline": LONGEST},
    "with something that is not plain": {"args": (Thing(1), Thing("x")), "kwargs": {"thing": Thing()}},
    "with keywords that are not plain": {"args": (1, [2]), "kwargs": {"thing": Thing()}},
    "of the longest names": {"target": b"t" * 255, "method": b"m" * 255},
    "of a name that is no text": {"method": b"\xff\x00"},
}
BYTES = {name: made().encode(message) for name, message in SENT.items()}
BYTES |= {name: called(**fields) for name, fields in CALLS.items()}


def read(data: bytes) -> Message:
    (message,) = feed(made(), data)
    return message


def test_the_samples_are_every_message() -> None:
    received = {type(read(data)) for data in BYTES.values()}
    assert received == {Answer, Failed, Call, Release, ReleaseCache, CacheReleased} | {
        Cancel,
        Ping,
        Pong,
        GoAway,
        Abort,
        NotUnderstood,
    }


@pytest.mark.parametrize("name", SENT)
def test_messages_there_and_back(name: str) -> None:
    message = read(BYTES[name])
    sent = SENT[name]
    if not isinstance(sent, (Answer, Failed)):
        assert content(message) == content(sent)
        return
    assert isinstance(message, (Answer, Failed)) and type(message) is type(sent)
    assert message.request == sent.request
    results = {"answer": {"a": [1, 2.5]}, "answer of the longest number": None}
    result = made().lift(message.payload, Swizzler())
    if name in results:
        assert message.payload.data is None and result == results[name]
    else:
        assert repr(result) in ("[thing(1, 'two')]", "[thing(b'reason',)]")


@pytest.mark.parametrize("name", CALLS)
def test_calls_there_and_back(name: str) -> None:
    sent = {"request": 1, "target": b"root", "method": b"m", "wants_answer": True, "cached": False, "deadline": -1}
    sent |= CALLS[name]
    message = read(BYTES[name])
    assert isinstance(message, Call)
    for field in ("request", "target", "method", "wants_answer", "cached", "deadline"):
        assert getattr(message, field) == sent[field], field
    lifted = [made().lift(payload, Swizzler()) for payload in (message.args, message.kwargs)]
    assert (
        repr(lifted).replace("thing(", "T(")
        == repr([sent.get("args", ()), sent.get("kwargs", {})]).replace("thing(", "T(")
        or "not plain" in name
    )
    plain = "not plain" not in name
    assert (message.args.data is None) is plain


def test_what_is_not_plain_is_lowered_and_lifted_once() -> None:
    there, back = Swizzler(), Swizzler()
    data = called((Thing(1, "two"), [b"x"]), swizzler=there)
    message = read(data)
    assert isinstance(message, Call) and isinstance(message.args.value, Jellied)
    args = made().lift(message.args, back)
    assert type(args) is tuple and repr(args) == "(thing(1, 'two'), [b'x'])"
    assert (there.lowered, back.lifted) == (1, 1)


# However the bytes are cut.


@pytest.mark.parametrize("name", BYTES)
def test_every_message_at_every_cut_with_bytes_behind(name: str) -> None:
    data = BYTES[name]
    expected = [content(read(data))]
    for cuts in (range(1, len(data)), *([cut] for cut in range(len(data) + 1))):
        dialect = made()
        found = feed(dialect, data + b"\x02\x09", cuts)
        assert [content(message) for message in found] == expected
        assert dialect.next_message() is None


@pytest.mark.parametrize("name", BYTES)
def test_a_message_of_which_only_the_beginning_came_is_none(name: str) -> None:
    for end in range(len(BYTES[name])):
        assert feed(made(), BYTES[name][:end]) == []


@given(st.data())
def test_messages_in_a_row_at_any_cuts(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(list(BYTES)), min_size=1, max_size=8))
    stream = b"".join(BYTES[name] for name in names)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=10)))
    assert [content(message) for message in feed(made(), stream, cuts)] == [
        content(read(BYTES[name])) for name in names
    ]


@given(st.data())
def test_messages_that_are_taken_later_at_any_cuts(data: st.DataObject) -> None:
    """Whoever reads may stop between two messages while more bytes come."""
    names = data.draw(st.lists(st.sampled_from(list(BYTES)), min_size=1, max_size=8))
    stream = b"".join([*(BYTES[name] for name in names), made().encode_releases([(1, 1), (2, 2), (3, 3)], False)])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=10)))
    dialect = made()
    found: list[Any] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        dialect.receive_data(stream[start:end])
        for _ in range(data.draw(st.integers(0, 3))):
            message = dialect.next_message()
            if message is None:
                break
            found.append(content(message))
    found += [content(message) for message in drain(dialect)]
    releases = [content(Release(n, n)) for n in (1, 2, 3)]
    assert found == [content(read(BYTES[name])) for name in names] + releases


def test_random_bytes_are_messages_or_an_error() -> None:
    source = random.Random(1)
    for _ in range(3000):
        dialect = made()
        body = source.randbytes(source.randrange(40))
        try:
            for message in feed(dialect, frame(source.randrange(0x12), body) + BYTES["ping"]):
                content(message)
        except ProtocolError:
            continue


# Wrong fields.

NO_END = b"\xff" * 9
WRONG = {
    "a call of nothing": (frame(frames.CALL, b""), "without anything"),
    "a call of flags only": (frame(frames.CALL, b"\x01"), "number without an end"),
    "a request without an end": (frame(frames.CALL, b"\x01" + NO_END), "number without an end"),
    "a request of 64 bits": (frame(frames.CALL, b"\x01" + b"\xff" * 9 + b"\x01"), "number without an end"),
    "a request cut short": (frame(frames.CALL, b"\x01\x80"), "number without an end"),
    "a target without an end": (frame(frames.CALL, b"\x01\x01\x80"), "number without an end"),
    "no target": (frame(frames.CALL, b"\x01\x01"), "number without an end"),
    "a target's name cut short": (frame(frames.CALL, b"\x05\x01\x05root"), "name without an end"),
    "no target's name": (frame(frames.CALL, b"\x05\x01"), "name without an end"),
    "no method": (frame(frames.CALL, b"\x01\x01\x01"), "name without an end"),
    "a method cut short": (frame(frames.CALL, b"\x01\x01\x01\x03me"), "name without an end"),
    "no deadline": (frame(frames.CALL, b"\x09\x01\x01\x01m"), "number without an end"),
    "a deadline without an end": (frame(frames.CALL, b"\x09\x01\x01\x01m" + NO_END), "number without an end"),
    "an answer of nothing": (frame(frames.ANSWER, b""), "number without an end"),
    "an answer's request without an end": (frame(frames.ANSWER, NO_END), "number without an end"),
    "a failure of nothing": (frame(frames.FAILED, b""), "number without an end"),
    "half a release": (frame(frames.RELEASE, b"\x05"), "number without an end"),
    "a release and a half": (frame(frames.RELEASE, b"\x05\x01\x06"), "number without an end"),
    "a release without an end": (frame(frames.RELEASE, b"\x05\xff"), "number without an end"),
    "half a release of a cache": (frame(frames.RELEASE_CACHE, b"\x05"), "number without an end"),
    "the end of no cache": (frame(frames.CACHE_RELEASED, b""), "number without an end"),
    "the end of a cache and more": (frame(frames.CACHE_RELEASED, b"\x05\x05"), "bytes behind a number"),
    "a cancel of nothing": (frame(frames.CANCEL, b""), "number without an end"),
    "a cancel and more": (frame(frames.CANCEL, b"\x05\x00"), "bytes behind a number"),
    "a long ping": (frame(frames.PING, b"123456789"), "a ping with 9 bytes"),
    "a long pong": (frame(frames.PONG, b"123456789"), "a ping with 9 bytes"),
    "a piece of nothing": (frame(frames.PART, b""), "number without an end"),
    "a last piece of nothing": (frame(frames.LAST, b""), "number without an end"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields_end_the_connection(name: str) -> None:
    data, problem = WRONG[name]
    for cuts in (range(0), range(1, len(data))):
        dialect = made()
        found: list[Message] = []
        with pytest.raises(ProtocolError, match=problem):
            found += feed(dialect, BYTES["ping"] + data, cuts)
    dialect = made()
    dialect.receive_data(BYTES["ping"] + data)
    assert type(dialect.next_message()) is Ping, "what came before it was taken"


@pytest.mark.parametrize("kind", [0, frames.HELLO, *range(0x10, 0x80)])
def test_kinds_that_are_not_known_are_told(kind: int) -> None:
    first, second = feed(made(), frame(kind, b"some body") + BYTES["ping"])
    assert isinstance(first, Unknown) and isinstance(second, Ping)
    assert (first.command[0], first.request) == (kind, None)
    assert str(kind) in first.problem


@pytest.mark.parametrize("kind", range(0x80, 0x100))
def test_hints_that_are_not_known_are_passed_over(kind: int) -> None:
    data = frame(kind, b"") + frame(kind, b"some body") + frame(kind, bytes(FRAME)) + BYTES["ping"]
    for cuts in ([], [1], [HEAD], [HEAD + 2], [HEAD * 2 + 9 + 30_000]):
        (message,) = feed(made(), data, cuts)
        assert isinstance(message, Ping)


def test_hints_count_as_asking_for_nothing() -> None:
    dialect = made()
    dialect.receive_data(frame(0x80, b"") + frame(frames.RELEASE, b"") + BYTES["ping"])
    for _ in range(2):
        message = dialect.next_message()
        assert isinstance(message, Nothing) and message.controls == 1
    assert isinstance(dialect.next_message(), Ping)


@pytest.mark.parametrize("flags", [64, 65, 64 | 16, 128, 129, 255])
def test_flags_that_are_not_known(flags: int) -> None:
    first, second = feed(made(), frame(frames.CALL, bytes((flags, 9)) + b"whatever") + BYTES["ping"])
    assert isinstance(first, Unknown) and isinstance(second, Ping)
    assert first.request == (9 if flags & 1 else None)
    assert first.command == bytes((frames.CALL, flags)) and "flags" in first.problem


def test_options_are_left_aside() -> None:
    for options in (None, {"later": ["version"]}, 7, "x" * 100):
        body = b"\x25\x07\x04root\x01m" + value(options) + value((1, 2))
        message = read(frame(frames.CALL, body))
        assert isinstance(message, Call) and message.args.value == (1, 2) and message.kwargs.value == {}
        body = b"\x35\x07\x04root\x01m" + value(options) + value((1, 2)) + value({"k": 3})
        message = read(frame(frames.CALL, body))
        assert isinstance(message, Call) and message.args.value == (1, 2) and message.kwargs.value == {"k": 3}


# Values that are broken fail the one call.

BROKEN = {
    "nothing": (b"", "cut short"),
    "cut short": (value("text")[:-1], "cut short"),
    "items that are not there": (value((1, 2))[:-1], "more items than there are bytes"),
    "a set larger than there are bytes": (b"\xd0\xff\xff\xff\xff", ""),
    "bytes behind it": (value((1,)) + b"\x00", "bytes behind"),
    "no text": (b"\xb1\x81\xff", ""),
    "a number of a container that is not there": (b"\xd5\x07\x00\x00\x00", ""),
    "jelly inside": (b"\xb1\xdf\xa0", "s-expression"),
    "jelly inside jelly": (b"\xdf\xa1\xdf\xa0", "s-expression"),
    "jelly of a dictionary": (b"\xdf\xa1\xb8", "dict in it"),
    "jelly of a tuple": (b"\xdf\xb0", "tuple in it"),
    "jelly of a part twice": (b"\xdf\xa2\xa1\x01\xd5\x01\x00\x00\x00", "twice"),
    "jelly of itself": (b"\xdf\xa1\xd5\x00\x00\x00\x00", "twice"),
    "jelly of nothing": (b"\xdf", "cut short"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("where", ["arguments", "keywords", "options", "answer", "failed"])
def test_broken_values_fail_the_one_message(where: str, name: str) -> None:
    data, problem = BROKEN[name]
    if where == "arguments":
        body = b"\x05\x07\x04root\x01m" + data
    elif where == "keywords":
        body = b"\x15\x07\x04root\x01m" + value((1,)) + data
    elif where == "options":
        body = b"\x25\x07\x04root\x01m" + data
    else:
        body = b"\x07" + data
    kind = {"answer": frames.ANSWER, "failed": frames.FAILED}.get(where, frames.CALL)
    for cuts in (range(0), range(1, HEAD + len(body))):
        dialect = made()
        first, second = feed(dialect, frame(kind, body) + BYTES["ping"], cuts)
        assert isinstance(second, Ping)
        assert isinstance(first, (Call, Answer, Failed)) and first.request == 7
        payloads = [first.args, first.kwargs] if isinstance(first, Call) else [first.payload]
        broken = [payload.value.error for payload in payloads if type(payload.value) is Broken]
        if where == "options" and name == "bytes behind it":
            # Here they are the arguments, and no tuple.
            assert not broken
            continue
        assert len(broken) == 1
        assert isinstance(broken[0], (BadValue, LimitExceeded)) and problem in str(broken[0])
        for payload in payloads:
            if type(payload.value) is Broken:
                with pytest.raises(type(broken[0])):
                    dialect.lift(payload, Swizzler())


def test_nothing_is_read_in_the_place_of_broken_options() -> None:
    dialect = made()
    # What stands behind the call, and in front of it, would make arguments.
    dialect.receive_data(frame(frames.CALL, b"\x25\x07\x04root\x01m\xd5\x07\x00\x00\x00") + b"\xb0")
    message = dialect.next_message()
    assert isinstance(message, Call) and type(message.args.value) is Broken


def test_missing_keywords_are_a_mistake() -> None:
    message = read(frame(frames.CALL, b"\x15\x07\x04root\x01m" + value((1,))))
    assert isinstance(message, Call) and type(message.kwargs.value) is Broken


def test_bytes_behind_the_keywords_are_a_mistake() -> None:
    message = read(frame(frames.CALL, b"\x15\x07\x04root\x01m" + value((1,)) + value({}) + b"\x00"))
    assert isinstance(message, Call) and type(message.args.value) is Broken


# Ceilings of what is received.


@pytest.mark.parametrize("kind", [*range(0x10), 0x10, 0x7F, 0x80, 0xFF])
def test_a_frame_that_is_too_long_is_noticed_by_its_head(kind: int) -> None:
    dialect = made()
    dialect.receive_data(bytes((kind,)) + (FRAME + 1).to_bytes(3, "little"))
    with pytest.raises(ProtocolError, match=f"a frame of {FRAME + 1} bytes"):
        dialect.next_message()


def test_a_frame_of_full_length_is_read() -> None:
    room = FRAME - 1 - HEAD_OF_BYTES
    message = read(frame(frames.ANSWER, b"\x07" + value(bytes(room))))
    assert isinstance(message, Answer) and message.payload.value == bytes(room)
    with pytest.raises(OverflowError):
        frame(frames.ANSWER, bytes(2**24))


@pytest.mark.parametrize("kind", [frames.CALL, frames.ANSWER, frames.FAILED])
def test_a_ceiling_of_messages_below_a_frame_holds(kind: int) -> None:
    body = (b"\x05\x07\x04root\x01m" if kind == frames.CALL else b"\x07") + value((b"x" * 80,))
    assert feed(made(Limits(message=len(body))), frame(kind, body))
    dialect = made(Limits(message=len(body) - 1))
    dialect.receive_data(frame(kind, body)[:HEAD])
    with pytest.raises(ProtocolError, match="a message of more than"):
        dialect.next_message()
    # It is one of messages with values: releases come in batches as large as a frame.
    assert len(feed(made(Limits(message=10)), frame(frames.RELEASE, b"\x01\x01" * 50))) == 50


def test_elements_and_depth_fail_the_one_call() -> None:
    many = frame(frames.ANSWER, b"\x07" + value(list("abcdefghij")))
    deep: Any = 1
    for _ in range(10):
        deep = [deep]
    for limits, data in ((Limits(elements=9), many), (Limits(depth=9), frame(frames.ANSWER, b"\x07" + value(deep)))):
        (message,) = feed(made(limits), data)
        assert isinstance(message, Answer) and type(message.payload.value) is Broken
        assert isinstance(message.payload.value.error, LimitExceeded)
    assert feed(made(Limits(elements=10)), many)[0].payload.value == list("abcdefghij")  # type: ignore[union-attr]


# What is sent keeps to what the peer accepts, and to the layout.


def joined(data: bytes | Parts | None) -> bytes:
    assert data is not None
    return data if isinstance(data, bytes) else b"".join(data.take(len(data)))


def test_the_largest_message_that_the_peer_accepts() -> None:
    for size in (100, FRAME, FRAME + 1, 3 * FRAME):
        data = b"x" * (size - 1 - (HEAD_OF_BYTES if size > 300 else 2))
        assert len(made(message=size).encode(Answer(7, lowered(data)))) == size + HEAD
        with pytest.raises(LimitExceeded, match=f"a message of {size} bytes; the peer accepts {size - 1}"):
            made(message=size - 1).encode(Answer(7, lowered(data)))
        args = (data,)
        exact = len(called(args)) - HEAD
        for accepted in (exact, exact - 1):
            dialect = made(message=accepted)
            call: Any = (1, b"root", b"m", args, {}, True, False, -1, Swizzler())
            if accepted == exact:
                assert len(dialect.encode_call(*call)) == exact + HEAD
                assert joined(dialect.encode_plain(1, b"root", b"m", args, {})) == joined(dialect.encode_call(*call))
                continue
            with pytest.raises(LimitExceeded, match=f"the peer accepts {accepted}"):
                dialect.encode_call(*call)
            with pytest.raises(LimitExceeded, match=f"the peer accepts {accepted}"):
                dialect.encode_plain(1, b"root", b"m", args, {})
            with pytest.raises(LimitExceeded, match=f"the peer accepts {accepted}"):
                dialect.encode_answer(1, [data, b"x" * 100])


@pytest.mark.parametrize(("setting", "most"), [("elements", 5), ("depth", 3)])
def test_what_the_peer_accepts_in_one_value(setting: str, most: int) -> None:
    def sample(size: int) -> Any:
        if setting == "elements":
            return list("abcdefgh"[:size])
        nested: Any = 1
        for _ in range(size):
            nested = [nested]
        return nested

    settings: Any = {setting: most}
    dialect = made(**settings)
    limits: Any = {setting: most}
    receiver = made(Limits(**limits))
    (answer,) = feed(receiver, dialect.encode(Answer(1, dialect.lower(sample(most), Swizzler()))))
    assert isinstance(answer, Answer) and answer.payload.value == sample(most)
    with pytest.raises(LimitExceeded):
        dialect.lower(sample(most + 1), Swizzler())
    # What did not fit left nothing behind in the encoder.
    assert dialect.lower([1], Swizzler()).data == value([1])


def test_our_own_depth_bounds_what_is_sent_too() -> None:
    with pytest.raises(LimitExceeded):
        made(Limits(depth=2), depth=1000).lower([[[1]]], Swizzler())


def test_settings_that_a_peer_left_out_are_taken_to_be_ours() -> None:
    dialect = made(Limits(message=777, calls=5), depth=12)
    assert (dialect.settings["message"], dialect.settings["calls"], dialect.settings["depth"]) == (777, 5, 12)
    assert dialect.name == NAME == b"broker/1"


@pytest.mark.parametrize("name", ["target", "method"])
def test_names_have_a_length_in_one_byte(name: str) -> None:
    assert called(**{name: b"n" * 255})
    with pytest.raises(LimitExceeded, match="a name of 256 bytes"):
        called(**{name: b"n" * 256})
    names: Any = [b"n" * 256 if each == name else b"n" for each in ("target", "method")]
    with pytest.raises(LimitExceeded, match="a name of 256 bytes"):
        made().encode_plain(1, names[0], names[1], (), {})


def test_what_is_not_of_this_dialect_is_not_sent() -> None:
    for message in (Version(6), Unknown(b"x", [], "", None), Nothing(1)):
        with pytest.raises(ValueError, match="no message of this dialect"):
            made().encode(message)


def test_a_payload_that_is_not_encoded_is_not_sent() -> None:
    with pytest.raises(ValueError, match="must be encoded"):
        made().encode(Answer(1, Payload([1])))


def test_reasons_are_cut() -> None:
    for cls in (GoAway, Abort):
        data = made().encode(cls("x" * 5000))
        assert len(data) == HEAD + 1024
        (message,) = feed(made(), data)
        assert isinstance(message, (GoAway, Abort)) and message.reason == "x" * 1024
        # One that is cut inside a character, or is no text at all, is still readable.
        (message,) = feed(made(), made().encode(cls("€" * 1000)))
        assert isinstance(message, (GoAway, Abort)) and message.reason.startswith("€" * 341)
    (message,) = feed(made(), frame(frames.GO_AWAY, b"x" * 5000))
    assert isinstance(message, GoAway) and len(message.reason) == 1024


def test_words_of_the_peer_bring_no_line_and_no_command() -> None:
    (message,) = feed(made(), frame(frames.ABORT, b"one\ntwo\x1b[2J\xff"))
    assert isinstance(message, Abort)
    assert message.reason.isprintable() and "one" in message.reason


def test_what_was_not_understood_is_bounded() -> None:
    (message,) = feed(made(), frame(frames.NOT_UNDERSTOOD, b"x" * 5000))
    assert isinstance(message, NotUnderstood) and len(message.command) == 80


def test_releases_go_in_batches_of_a_frame() -> None:
    owed = [(LONGEST - n, LONGEST) for n in range(8000)]
    data = made().encode_releases(owed, False)
    found = feed(made(), data)
    assert [(message.target, message.count) for message in found if isinstance(message, Release)] == owed
    assert made().encode_releases([], False) == b""
    few = made().encode_releases([(1, 2), (3, 4)], True)
    assert few == frame(frames.RELEASE_CACHE, b"\x01\x02\x03\x04")
    assert [type(message) for message in feed(made(), few)] == [ReleaseCache] * 2


def test_bytes_that_come_while_a_batch_of_releases_is_read() -> None:
    batch = made().encode_releases([(1, 1), (2, 2), (3, 3)], False)
    dialect = made()
    dialect.receive_data(batch)
    assert content(dialect.next_message() or Nothing(0)) == content(Release(1, 1))
    dialect.receive_data(BYTES["ping"][:3])
    assert content(dialect.next_message() or Nothing(0)) == content(Release(2, 2))
    dialect.receive_data(BYTES["ping"][3:])
    assert [type(message) for message in drain(dialect)] == [Release, Ping]
    dialect.receive_data(batch)
    assert len([dialect.next_message() for _ in range(3)]) == 3
    # All of it was taken and nobody has asked for more: what comes now is no release.
    dialect.receive_data(BYTES["ping"])
    assert [type(message) for message in drain(dialect)] == [Ping]


# Policy.


def test_a_policy_that_forbids_a_plain_type_looks_at_every_value() -> None:
    strict = Swizzler(plain=False)
    strict.taster = SecurityOptions()
    strict.taster.allowTypes("tuple", "list", "thing")
    for name in (b"unicode", b"decimal", b"set", b"None"):
        del strict.taster.allowedTypes[name]
    dialect = made(plain=False)
    (message,) = feed(dialect, called((1, [2])))
    assert isinstance(message, Call) and isinstance(message.args.value, Unchecked)
    assert dialect.lift(message.args, strict) == (1, [2])
    for forbidden in ("text", None, {1: 2}, {3}, Decimal(1)):
        (message,) = feed(dialect, called((1, forbidden)))
        assert isinstance(message, Call)
        with pytest.raises(InsecureJelly):
            dialect.lift(message.args, strict)
        (message,) = feed(dialect, called((Thing(), forbidden)))
        assert isinstance(message, Call)
        with pytest.raises(InsecureJelly):
            dialect.lift(message.args, strict)
    # What is sent goes the long way too, where it is looked at.
    payload = dialect.lower([1, [2]], strict)
    assert payload.value is PENDING and payload.data is not None and payload.data[0] == 0xDF
    assert strict.lowered == 1


def test_an_object_that_lowers_itself_to_something_odd_is_refused() -> None:
    class Odd(Thing):
        def jellyFor(self, jellier: Any) -> Any:
            return self.parts[0]

    dialect = made()
    forms: list[Any] = [{}, {1}, frozenset(), [b"thing", {}], [b"thing", [[set()]]], [b"thing", object()]]
    for form in forms:
        with pytest.raises(InsecureJelly):
            dialect.lower([Odd(form)], Swizzler())
    # The encoder is as new.
    assert dialect.lower([1], Swizzler()).data == value([1])
    assert called((1,)) == dialect.encode_call(1, b"root", b"m", (1,), {}, True, False, -1, Swizzler())


def test_a_jellied_value_nested_too_deeply_to_be_lifted_is_refused() -> None:
    nested = (b"\xa2" + value(b"list")) * 2000 + b"\x01"
    (message,) = feed(made(Limits(depth=1000)), frame(frames.ANSWER, b"\x07\xdf" + nested))
    assert isinstance(message, Answer)
    with pytest.raises((LimitExceeded, BadValue)):
        made(Limits(depth=1000)).lift(message.payload, Swizzler())
