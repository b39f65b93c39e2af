"""The dialects pb and none: every recorded message, every cut, every wrong field, every ceiling."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.spread import jelly as stock

from broker._limits import PB_SIZE, Limits
from broker._messages.messages import (
    Answer,
    CacheReleased,
    Call,
    Failed,
    Message,
    NotUnderstood,
    Release,
    ReleaseCache,
    Unknown,
    Version,
)
from broker._messages.pb import PBDialect
from broker._values.payload import PENDING, Payload
from broker._wire import banana
from broker.errors import InsecureJelly, LimitExceeded, ProtocolError
from tests.form import interpreted_only
from tests.vectors.load import messages

MESSAGES = messages()


class Swizzler:
    """The long way by stock jelly, counted."""

    def __init__(self, plain: bool = True) -> None:
        self._plain = plain
        self.jellied = 0
        self.unjellied = 0

    @property
    def plain(self) -> bool:
        return self._plain

    def jelly(self, value: Any) -> Any:
        self.jellied += 1
        return stock.jelly(value)

    def unjelly(self, expression: Any) -> Any:
        self.unjellied += 1
        try:
            return stock.unjelly(expression, stock.globalSecurity)
        except stock.InsecureJelly as error:
            raise InsecureJelly(str(error)) from None


def drain(dialect: PBDialect) -> list[Message]:
    found: list[Message] = []
    while (message := dialect.next_message()) is not None:
        found.append(message)
    return found


def feed(dialect: PBDialect, data: bytes, *cuts: int) -> list[Message]:
    found: list[Message] = []
    for start, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        dialect.receive_data(data[start:end])
        found += drain(dialect)
    return found


def one(form: Any, *, vocabulary: bool = True, plain: bool = True, limits: Limits | None = None) -> Message:
    dialect = PBDialect(limits or Limits(), vocabulary=vocabulary)
    dialect.plain = plain
    (message,) = feed(dialect, banana.encode(form, vocabulary=vocabulary))
    return message


def resent(dialect: PBDialect, message: Message) -> bytes:
    """Encode a received message, with payloads that were decoded encoded again."""
    for name in ("args", "kwargs", "payload"):
        payload = getattr(message, name, None)
        if payload is not None and payload.data is None:
            setattr(message, name, dialect.lower(payload.value, Swizzler()))
    return dialect.encode(message)


def parts(message: Message) -> list[Any]:
    """The content of a message; a payload is marked as a value or as the bytes of one."""
    found: list[Any] = [type(message)]
    cls: Any = type(message)
    for name in getattr(cls, "__slots__", None) or cls.__mypyc_attrs__:
        part = getattr(message, name)
        if isinstance(part, Payload):
            assert (part.value is PENDING) is (part.data is not None)
            part = ("value", repr(part.value)) if part.data is None else ("data", part.data)
        found.append(part if isinstance(part, tuple) else repr(part))
    return found


def alike(left: Any, right: Any) -> bool:
    """Whether two parts say the same, where the left one may be a value and the right one the bytes of it."""
    if left[0] == "value" and right[0] == "data":
        return bool(left[1] == repr(stock.unjelly(banana.decode(right[1], vocabulary=True)[0])))
    return bool(left == right)


@pytest.mark.parametrize("plain", [True, False])
def test_every_recorded_message_there_and_back(plain: bool) -> None:
    assert len(MESSAGES) > 190
    for name, vocabulary, data, _ in MESSAGES:
        dialect = PBDialect(Limits(), vocabulary=vocabulary)
        dialect.plain = plain
        (message,) = feed(dialect, data)
        assert not isinstance(message, Unknown)
        assert resent(dialect, message) == data, name


def test_every_recorded_message_at_every_cut_with_bytes_behind() -> None:
    for name, vocabulary, data, _ in MESSAGES:
        expected = PBDialect(Limits(), vocabulary=vocabulary)
        (whole,) = feed(expected, data)
        for cuts in [range(1, len(data)), *([cut] for cut in range(len(data) + 1))]:
            dialect = PBDialect(Limits(), vocabulary=vocabulary)
            found = feed(dialect, data + b"\x02", *cuts)
            assert [parts(m) for m in found] == [parts(whole)], name
            assert dialect.next_message() is None


@given(st.data())
def test_messages_in_a_row_at_any_cuts(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from([m[2] for m in MESSAGES if m[1]]), min_size=1, max_size=6))
    stream = b"".join(chosen)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    dialect = PBDialect(Limits())
    assert [resent(dialect, message) for message in feed(dialect, stream, *cuts)] == chosen


def test_bytes_may_come_while_messages_wait() -> None:
    first, second = (data for _, vocabulary, data, _ in MESSAGES[1:3])
    dialect = PBDialect(Limits())
    dialect.receive_data(first + second[:3])
    dialect.receive_data(second[3:5])
    dialect.receive_data(second[5:] + first)
    dialect.receive_data(second)
    assert [resent(dialect, m) for m in drain(dialect)] == [first, second, first, second]
    assert dialect.next_message() is None


def test_the_fields_are_those_recorded() -> None:
    kinds = {
        b"message": Call,
        b"cachemessage": Call,
        b"answer": Answer,
        b"error": Failed,
        b"decref": Release,
        b"decache": ReleaseCache,
        b"uncache": CacheReleased,
        b"version": Version,
    }
    seen = set()
    for _, vocabulary, _, form in MESSAGES:
        message = one(form, vocabulary=vocabulary, plain=False)
        assert type(message) is kinds[form[0]]
        seen.add(form[0])
        if isinstance(message, Call):
            assert [message.request, message.target, message.method] == form[1:4]
            assert message.wants_answer is bool(form[4])
            assert message.cached is (form[0] == b"cachemessage")
            for payload, part in ((message.args, form[5]), (message.kwargs, form[6])):
                assert payload.data == banana.encode(part, vocabulary=vocabulary)
        elif isinstance(message, (Answer, Failed)):
            assert message.request == form[1]
            assert message.payload.data == banana.encode(form[2], vocabulary=vocabulary)
        elif isinstance(message, Version):
            assert message.number == form[1]
        else:
            assert message.target == form[1]  # type: ignore[union-attr]
    assert seen == set(kinds)


def test_plain_payloads_come_as_values_and_others_as_bytes() -> None:
    message = one([b"message", 1, b"root", b"echo", 1, [b"tuple", [b"remote", 1]], [b"dictionary"]])
    assert isinstance(message, Call)
    assert message.args.value is PENDING
    assert message.args.data == b"\x02\x80\x0b\x87\x02\x80\x10\x87\x01\x81"
    assert message.kwargs.value == {} and message.kwargs.data is None
    message = one([b"answer", 300, [b"unicode", b"x"]])
    assert isinstance(message, Answer)
    assert (message.request, message.payload.value, message.payload.data) == (300, "x", None)


def test_payloads_stay_bytes_when_the_policy_forbids_a_plain_type() -> None:
    message = one([b"message", 1, b"root", b"echo", 1, [b"tuple"], [b"dictionary"]], plain=False)
    assert isinstance(message, Call)
    assert (message.args.data, message.kwargs.data) == (b"\x01\x80\x0b\x87", b"\x01\x80\x05\x87")
    assert message.args.value is message.kwargs.value is PENDING


def test_peers_of_python_2_are_understood() -> None:
    message = one([b"message", 1, 5, b"m", 0, [b"list", 1], [b"dictionary", [b"k", 2]]])
    assert isinstance(message, Call)
    assert (message.args.value, message.kwargs.value, message.wants_answer) == ([1], {b"k": 2}, False)


def test_words_may_be_spelled_out_and_numbers_written_oddly() -> None:
    data = (
        b"\x07\x80\x07\x82message\x00\x01\x85\x04\x82root\x81\x82"
        + b"\x05\x81\x01\x80\x0b\x87\x01\x80\x0a\x82dictionary"
    )
    assert isinstance(feed(PBDialect(Limits()), data)[0], Unknown)  # method is an integer
    data = (
        b"\x07\x80\x07\x82message\x00\x01\x85\x04\x82root\x82" + b"\x05\x81\x01\x80\x0b\x87\x01\x80\x0a\x82dictionary"
    )
    (message,) = feed(PBDialect(Limits()), data)
    assert isinstance(message, Call)
    assert (message.request, message.target, message.method, message.wants_answer) == (128, b"root", b"", True)
    assert (message.args.value, message.kwargs.value) == ((), {})


@pytest.mark.parametrize(
    ("answer", "wanted"), [(b"\x00\x81", False), (b"\x81", False), (b"\x05\x81", True), (b"\x01\x83", True)]
)
def test_whether_an_answer_is_wanted_is_any_integer(answer: bytes, wanted: bool) -> None:
    for args, value in ((b"\x81", 0), (b"\x01\x80\x0b\x87", ())):
        data = b"\x07\x80\x1a\x87\x01\x81\x04\x82root\x01\x82m" + answer + args + b"\x01\x80\x05\x87"
        (message,) = feed(PBDialect(Limits()), data)
        assert isinstance(message, Call)
        assert (message.wants_answer, message.args.value, message.kwargs.value) == (wanted, value, {})


@pytest.mark.parametrize("tail", [b"\x81", b"\x82", b"\x80", b"\x83", b"\x02\x80\x07\x82unicode\x82"])
def test_answers_that_end_in_a_token_without_digits(tail: bytes) -> None:
    for data in (b"\x03\x80\x1b\x87\x07\x81" + tail, b"\x03\x80\x1b\x87\x07\x81\x02\x80\x08\x87" + tail):
        for cuts in ((), range(1, len(data))):
            (message,) = feed(PBDialect(Limits()), data, *cuts)
            assert isinstance(message, Answer)
            assert message.request == 7
            (again,) = feed(PBDialect(Limits()), data + b"\x02\x80", *cuts)
            assert isinstance(again, Answer)
            lift = PBDialect(Limits()).lift
            if tail != b"\x80":
                assert lift(message.payload, Swizzler()) == lift(again.payload, Swizzler())


CALL = [b"message", 9, b"root", b"echo", 1, [b"tuple"], [b"dictionary"]]


def changed(place: int, value: Any) -> list[Any]:
    form = list(CALL)
    form[place] = value
    return form


@pytest.mark.parametrize(
    ("form", "problem", "request_id"),
    [
        ([b"frobnicate", 1, [b"list"]], "not known", None),
        ([b"tuple"], "not known", None),
        (CALL[:-1], "5 fields instead of 6", 9),
        ([*CALL, 1], "7 fields instead of 6", 9),
        ([b"message"], "0 fields", None),
        (changed(1, b"nine"), "field 1 is not an integer", None),
        (changed(1, [9]), "field 1 is not an integer", None),
        (changed(1, 9.0), "field 1 is not an integer", None),
        (changed(2, [b"root"]), "field 2 is not an integer or a byte string", 9),
        (changed(2, 1.5), "field 2", 9),
        (changed(3, 5), "field 3 is not a byte string", 9),
        (changed(3, [b"unicode", b"echo"]), "field 3", 9),
        (changed(4, b"yes"), "field 4 is not an integer", 9),
        (changed(4, b""), "field 4 is not an integer", None),
        ([*changed(3, 5)[:4], 0, *CALL[5:]], "field 3", None),
        ([b"cachemessage", 9, b"root", *CALL[3:]], "field 2 is not an integer", 9),
        ([b"cachemessage", 9, 1, b"m", 1], "4 fields", 9),
        ([b"answer", 1], "1 fields instead of 2", None),
        ([b"answer", b"x", 1], "field 1", None),
        ([b"error", [1], 1], "field 1", None),
        ([b"decref", b"root"], "field 1 is not an integer", None),
        ([b"decref", 1, 2], "2 fields", None),
        ([b"decache", 1.0], "field 1", None),
        ([b"uncache"], "0 fields", None),
        ([b"version", b"6"], "field 1", None),
        ([b"didNotUnderstand", 6], "field 1 is not a byte string", None),
    ],
)
def test_what_is_framed_well_but_wrong(form: list[Any], problem: str, request_id: int | None) -> None:
    for vocabulary in (True, False):
        for plain in (True, False):
            message = one(form, vocabulary=vocabulary, plain=plain)
            assert isinstance(message, Unknown)
            assert (message.command, message.fields, message.request) == (form[0], form[1:], request_id)
            assert problem in message.problem


def test_an_unknown_command_nested_too_deeply_has_no_fields() -> None:
    form: Any = 1
    for _ in range(400):
        form = [form]
    message = one([b"frobnicate", form])
    assert isinstance(message, Unknown)
    assert message.fields == []
    assert "deeper than 300" in message.problem


@pytest.mark.parametrize("form", [5, -5, 1.5, b"message", [], [1, 2], [[b"message"], 1], [1.5]])
def test_what_is_no_message_ends_the_connection(form: Any) -> None:
    data = banana.encode(form, vocabulary=True)
    for cuts in ((), range(1, len(data))):
        with pytest.raises(ProtocolError, match="no message"):
            feed(PBDialect(Limits()), data, *cuts)


@pytest.mark.parametrize(
    "data",
    [
        b"\x88",
        b"\x03\x80\x1b\x87\x01\x81\xff",
        b"\x03\x80\x1b\x87\x01\x81\x20\x87",
        b"\x03\x80\x20\x87\x01\x81\x01\x81",
        b"\x03\x80\x1b\x87" + b"\x01" * 65 + b"\x81\x01\x81",
        b"\x03\x80\x1b\x87\x01\x81" + b"\x01" * 65,
        b"\x03\x80\x1b\x87\x01\x81\x00\x00\x00\x00\x10\x82",
        b"\x03\x80\x1b\x87\x01\x81\x00\x00\x00\x00\x10\x80\x08\x87",
        b"\x00\x00\x00\x00\x10\x80\x1a\x87",
        b"\x07\x80\x1a\x87\x01\x81\x04\x82root\x04\x82echo\x01\x81\x02\x80\x0b\x87\x89",
    ],
)
def test_bytes_that_are_no_tokens_end_the_connection(data: bytes) -> None:
    good = banana.encode([b"decref", 5], vocabulary=True)
    for cuts in ((), range(1, len(data) + len(good))):
        dialect = PBDialect(Limits())
        found: list[Message] = []
        with pytest.raises(ProtocolError):
            for start, end in zip((0, *cuts), (*cuts, len(good + data)), strict=True):
                dialect.receive_data((good + data)[start:end])
                while (message := dialect.next_message()) is not None:
                    found.append(message)
        assert [type(message) for message in found] == [Release]
        with pytest.raises(ProtocolError):
            dialect.next_message()


def test_words_as_numbers_in_dialect_none_end_the_connection() -> None:
    for _, vocabulary, data, _ in MESSAGES:
        if vocabulary:
            with pytest.raises(ProtocolError, match="vocabulary"):
                feed(PBDialect(Limits(), vocabulary=False), data)


@pytest.mark.parametrize(
    ("limits", "value", "problem"),
    [
        (Limits(message=50), b"x" * 60, "more than 50 bytes"),
        (Limits(string=50), b"x" * 51, "51 bytes"),
        (Limits(string=100), "x" * 101, "101 bytes"),
        (Limits(elements=20), list(range(20)), "elements"),
        (Limits(elements=20), ["a"] * 9, "elements"),
        (Limits(prefix=3), 2**30, "more than 3 bytes"),
    ],
)
def test_ceilings(limits: Limits, value: Any, problem: str) -> None:
    sender = PBDialect(Limits())
    data = sender.encode(Answer(1, sender.lower(value, Swizzler())))
    assert feed(PBDialect(Limits()), data)[0].payload.value == value  # type: ignore[union-attr]
    for cuts in ((), range(1, len(data))):
        with pytest.raises(ProtocolError, match=problem):
            feed(PBDialect(limits), data, *cuts)


def test_just_below_the_ceilings() -> None:
    sender = PBDialect(Limits())
    data = sender.encode(Answer(1, sender.lower(["a"] * 5, Swizzler())))
    # Three of the answer, six of the list, two of each text.
    for limits in (Limits(elements=19), Limits(message=len(data)), Limits(string=7)):
        for plain in (True, False):
            dialect = PBDialect(limits)
            dialect.plain = plain
            (message,) = feed(dialect, data * 2)[1:]
            assert dialect.lift(message.payload, Swizzler()) == ["a"] * 5  # type: ignore[union-attr]
    for limits in (Limits(elements=18), Limits(message=len(data) - 1), Limits(string=6)):
        with pytest.raises(ProtocolError):
            feed(PBDialect(limits), data)


class CountingDecoder:
    """Counts how often a payload is tried."""

    def __init__(self, decoder: Any) -> None:
        self.decoder = decoder
        self.calls = 0

    def decode(self, data: bytes, position: int = 0) -> Any:
        self.calls += 1
        return self.decoder.decode(data, position)


@interpreted_only
def test_one_byte_at_a_time_a_payload_is_tried_twice_at_most() -> None:
    sender = PBDialect(Limits())
    data = sender.encode(Answer(1, sender.lower([list(range(50)), "x" * 300, {"a": None}] * 2, Swizzler())))
    dialect = PBDialect(Limits())
    counting = CountingDecoder(dialect._decoder)
    dialect._decoder = counting  # type: ignore[assignment]
    assert len(feed(dialect, data * 3, *range(1, 3 * len(data)))) == 3
    assert counting.calls <= 6
    counting.calls = 0
    assert len(feed(dialect, data * 30, *range(100, 30 * len(data), 100))) == 30
    assert counting.calls <= 60


def test_the_beginning_of_a_message_is_not_scanned_again() -> None:
    dialect = PBDialect(Limits())
    dialect.receive_data(b"\x03\x80\x1b\x87\x01\x81\x00\x00\x01\x80\x08\x87")
    assert dialect.next_message() is None
    scanned = 0
    for _ in range(2000):
        dialect.receive_data(b"\x02\x80\x08\x87\x01\x81")
        before = dialect._scanner.position
        assert dialect.next_message() is None
        assert before >= scanned
        scanned = dialect._scanner.position
        assert scanned == len(dialect._more)


@given(st.sampled_from([m[2] for m in MESSAGES if m[1]]), st.data())
def test_damaged_messages_are_read_alike_by_every_way(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        place = draw.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + draw.draw(st.integers(0, 2))] = draw.draw(
            st.binary(max_size=2)
            | st.sampled_from([b"\x81", b"\x01\x80", b"\x00\x80", b"\x00", b"\x04\x87", b"\x03\x87"])
        )
    ways = []
    for plain, cuts in ((True, ()), (False, ()), (True, range(1, len(damaged)))):
        dialect = PBDialect(Limits())
        dialect.plain = plain
        found: list[Any] = []
        try:
            for start, end in zip((0, *cuts), (*cuts, len(damaged)), strict=True):
                dialect.receive_data(bytes(damaged[start:end]))
                while (message := dialect.next_message()) is not None:
                    found.append(parts(message))
        except ProtocolError as error:
            found.append([type(error).__name__])
        ways.append(found)
    usual, long, one_by_one = ways
    assert usual == one_by_one
    assert [len(each) for each in usual] == [len(each) for each in long]
    for each in zip(usual, long, strict=True):
        assert each[0][0] == each[1][0]
        assert all(alike(*pair) for pair in zip(each[0][1:], each[1][1:], strict=True))


@given(st.binary(max_size=60))
def test_noise_has_no_other_outcome_than_messages_or_protocol_errors(data: bytes) -> None:
    dialect = PBDialect(Limits())
    try:
        feed(dialect, b"\x03\x80\x1b\x87\x01\x81" + data)
    except ProtocolError:
        pass
    assert dialect.name == b"pb"


def test_names() -> None:
    assert PBDialect(Limits()).name == b"pb"
    assert PBDialect(Limits(), vocabulary=False).name == b"none"
    assert PBDialect(Limits(), name=b"x").name == b"x"


def test_counted_releases_go_one_by_one() -> None:
    dialect = PBDialect(Limits())
    assert dialect.encode(Release(1, 2)) == b"\x02\x80\x1d\x87\x01\x81" * 2
    assert dialect.encode(ReleaseCache(300, 3)) == b"\x02\x80\x1e\x87\x2c\x02\x81" * 3


def test_not_understood_goes_as_bytes() -> None:
    dialect = PBDialect(Limits())
    data = dialect.encode(NotUnderstood(b"frobnicate"))
    assert data == banana.encode([b"didNotUnderstand", b"frobnicate"], vocabulary=True)
    (message,) = feed(dialect, data)
    assert isinstance(message, NotUnderstood)
    assert message.command == b"frobnicate"


def test_what_cannot_be_encoded() -> None:
    dialect = PBDialect(Limits())
    with pytest.raises(ValueError, match="only received"):
        dialect.encode(Unknown(b"x", [], "", None))
    with pytest.raises(ValueError, match="encoded"):
        dialect.encode(Answer(1, Payload(5)))
    empty = dialect.lower((), Swizzler())
    with pytest.raises(LimitExceeded, match="655361"):
        dialect.encode(Call(1, b"root", b"m" * (PB_SIZE + 1), True, empty, empty, False))


@pytest.mark.parametrize("plain", [True, False])
def test_lower_and_lift(plain: bool) -> None:
    dialect = PBDialect(Limits())
    swizzler = Swizzler(plain)
    payload = dialect.lower({"a": [1, (2.5, None)]}, swizzler)
    assert swizzler.jellied == (not plain)
    assert payload.value is PENDING
    assert dialect.lift(payload, swizzler) == {"a": [1, (2.5, None)]}
    assert swizzler.unjellied == 1
    assert dialect.lift(Payload("as it is"), swizzler) == "as it is"
    assert swizzler.unjellied == 1


def test_what_is_not_plain_goes_the_long_way() -> None:
    dialect = PBDialect(Limits())
    swizzler = Swizzler()
    payload = dialect.lower([1, object], swizzler)
    assert swizzler.jellied == 1
    assert payload.data == banana.encode([b"list", 1, [b"class", b"builtins.object"]], vocabulary=True)
    with pytest.raises(InsecureJelly):
        dialect.lift(payload, swizzler)


def deep(depth: int) -> Any:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize("plain", [True, False])
def test_values_nested_too_deeply(plain: bool) -> None:
    dialect = PBDialect(Limits())
    swizzler = Swizzler(plain)
    for depth in (64, 65, 150):
        assert dialect.lift(dialect.lower(deep(depth), swizzler), swizzler) == deep(depth)
    for depth in (301, 20_000):
        with pytest.raises(LimitExceeded, match="deep"):
            dialect.lower(deep(depth), swizzler)
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    assert dialect.lower(cyclic, swizzler).data == banana.encode(stock.jelly(cyclic), vocabulary=True)
    for depth in (301, 100_000):
        with pytest.raises(LimitExceeded, match="deep"):
            dialect.lift(Payload(PENDING, b"\x02\x80\x08\x87" * depth + b"\x01\x80\x08\x87"), swizzler)


def test_deep_values_from_the_peer_concern_one_call_only() -> None:
    dialect = PBDialect(Limits())
    hostile = b"\x03\x80\x1b\x87\x01\x81" + b"\x02\x80\x08\x87" * 100_000 + b"\x01\x81"
    messages = feed(dialect, hostile + banana.encode([b"decref", 5], vocabulary=True))
    assert [type(message) for message in messages] == [Answer, Release]
    with pytest.raises(LimitExceeded):
        dialect.lift(messages[0].payload, Swizzler())  # type: ignore[union-attr]


def test_recursion_of_the_jelly_is_a_limit() -> None:
    class Exhausted(Swizzler):
        def jelly(self, value: Any) -> Any:
            raise RecursionError

        def unjelly(self, expression: Any) -> Any:
            raise RecursionError

    dialect = PBDialect(Limits())
    with pytest.raises(LimitExceeded, match="sent"):
        dialect.lower(1, Exhausted(plain=False))
    with pytest.raises(LimitExceeded, match="read"):
        dialect.lift(Payload(PENDING, b"\x01\x81"), Exhausted())


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("value", [b"x" * 101, ["y" * 101], [0] * 100], ids=["bytes", "text", "list"])
def test_what_the_peer_would_not_accept_is_not_sent(plain: bool, value: Any) -> None:
    dialect = PBDialect(Limits(), send_string=100)
    with pytest.raises(LimitExceeded, match="the peer accepts"):
        dialect.lower(value, Swizzler(plain))
    assert dialect.lower("x" * 100, Swizzler(plain)).data is not None
