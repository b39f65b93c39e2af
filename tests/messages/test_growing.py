"""Large messages in pieces: the same as whole, the same as the long way, and each piece read once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._limits import Limits
from broker._messages import pb_reader
from broker._messages.messages import Answer, Call, Message
from broker._messages.pb import PBDialect
from broker._values import unplain
from broker._values.payload import PENDING
from broker._wire import banana
from broker.errors import ProtocolError
from tests.form import interpreted_only
from tests.messages.test_pb import Swizzler, drain, feed


def lower(value: Any, vocabulary: bool = True) -> bytes:
    data = PBDialect(Limits(), vocabulary=vocabulary).lower(value, Swizzler()).data
    assert data is not None
    return data


def answer(value: Any, vocabulary: bool = True) -> bytes:
    word = b"\x1b\x87" if vocabulary else b"\x06\x82answer"
    return b"\x03\x80" + word + b"\x07\x81" + lower(value, vocabulary)


def call(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    return b"\x07\x80\x1a\x87\x09\x81\x04\x82root\x04\x82echo\x01\x81" + lower(args) + lower(kwargs)


def content(message: Message) -> list[Any]:
    """The message with its payloads lifted."""
    lift = PBDialect(Limits()).lift
    payloads = [message.args, message.kwargs] if isinstance(message, Call) else [message.payload]  # type: ignore[union-attr]
    return [type(message), message.request, *(repr(lift(payload, Swizzler())) for payload in payloads)]  # type: ignore[union-attr]


SHARED = [1, {"a": (2,)}]
VALUES: list[Any] = [
    list(range(3000)),
    [list(range(i)) for i in range(100)],
    [{"id": i, "tags": ["x", "y"], "price": 1.5, "on": True, "none": None, "sub": {"k": (i, -i)}} for i in range(90)],
    {f"key {i}": [i, {i: {i}}] for i in range(400)},
    [SHARED, SHARED, *[[SHARED, frozenset((i,))] for i in range(400)], SHARED],
    {(1, (2, tuple(range(2000)))): "a key that is a container", "then": list(range(2000))},
    [b"x" * 3000, "y" * 3000, b"z" * 3000],
    "one text" * 2000,
    [[[[[[list(range(2000))], 1], (2, [3, {"x": list(range(2000))}])]]], {1, 2}],
]
NESTED: Any = list(range(2000))
for _ in range(50):
    NESTED = [NESTED, 1]
VALUES.append(NESTED)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("piece", [1, 7, 100, 1000, 4096, 5000])
def test_pieces_of_any_size(value: Any, piece: int) -> None:
    small = b"\x02\x80\x1d\x87\x05\x81"
    for data in (answer(value), call((value, 5), {}), call((1,), {"value": value})):
        (whole,) = feed(PBDialect(Limits()), data)
        found = feed(PBDialect(Limits()), data + small, *range(piece, len(data) + len(small), piece))
        assert len(found) == 2
        assert content(found[0]) == content(whole)


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_one_cut_anywhere_with_messages_around(value: Any) -> None:
    data = answer(value)
    before = call((1,), {})
    (whole,) = feed(PBDialect(Limits()), data)
    for cut in [*range(4090, min(len(data), 4400)), *range(4400, len(data), 997)]:
        found = feed(PBDialect(Limits()), before + data + before, len(before) + cut)
        assert [type(message) for message in found] == [Call, Answer, Call]
        assert content(found[1]) == content(whole)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_any_cuts_in_any_value(data: st.DataObject) -> None:
    leaves = st.one_of(
        st.integers(), st.text(max_size=200), st.binary(max_size=200), st.booleans(), st.none(), st.floats()
    )
    keys = st.one_of(st.text(max_size=5), st.integers(), st.tuples(st.integers(), st.text(max_size=3)))
    inner = st.recursive(
        leaves, lambda deeper: st.one_of(st.lists(deeper), st.dictionaries(keys, deeper), st.tuples(deeper, deeper))
    )
    value = [data.draw(inner), list(range(1500)), data.draw(inner), {"k": list(range(1500)), "l": data.draw(inner)}] * 2
    encoded = answer(value)
    (whole,) = feed(PBDialect(Limits()), encoded)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(encoded)), max_size=12)))
    (found,) = feed(PBDialect(Limits()), encoded, *cuts)
    assert content(found) == content(whole)


@pytest.mark.parametrize("vocabulary", [True, False])
def test_something_that_is_not_plain_at_the_end(vocabulary: bool) -> None:
    form = [b"answer", 7, [b"list", *range(9000), [b"remote", 5]]]
    data = banana.encode(form, vocabulary=vocabulary)
    for piece in (1000, 6000, len(data) - 1):
        dialect = PBDialect(Limits(), vocabulary=vocabulary)
        (message,) = feed(dialect, data, *range(piece, len(data), piece))
        assert isinstance(message, Answer)
        assert message.payload.value is PENDING
        assert message.payload.data == banana.encode(form[2], vocabulary=vocabulary)
        assert len(feed(dialect, data, 5000)) == 1


HOSTILE = [
    b"\x88",
    b"\x20\x87",
    b"\x01" * 65,
    b"\x01" * 65 + b"\x81",
    b"\x00\x00\x00\x7f\x80",
    b"\x00\x00\x00\x7f\x82",
    b"\x02\x80\x07\x82unicode\x00\x00\x00\x7f\x82",
    b"\x00\x00\x00\x7f\x80\x08\x87",
]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("piece", [4500, 9000])
def test_hostile_bytes_in_a_message_that_grows(bad: bytes, piece: int) -> None:
    head = banana.encode(list(range(5000)), vocabulary=True)[3:]
    data = b"\x03\x80\x1b\x87\x07\x81" + b"\x7f\x7f\x80\x08\x87" + head
    dialect = PBDialect(Limits())
    assert feed(dialect, data, *range(piece, len(data), piece)) == []
    assert dialect._growing is not None
    with pytest.raises(ProtocolError):
        # A few bytes wait until more are there.
        feed(dialect, bad + b"\x01\x81" * 40)


def outcome(limits: Limits, data: bytes, piece: int) -> Any:
    """What comes of bytes, and after which piece."""
    dialect = PBDialect(limits)
    for start in range(0, len(data), piece):
        dialect.receive_data(data[start : start + piece])
        try:
            found = drain(dialect)
        except ProtocolError as error:
            return start, str(error)
        if found:
            return start, content(found[0])
    return None


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("piece", [100, 1000, 5000])
def test_every_ceiling_is_met_at_the_same_byte_as_when_nothing_grows(
    value: Any, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = answer(value)
    size = len(data)
    for name in ("message", "string", "elements"):
        for ceiling in (size // 8, size // 4, size // 3, size // 2, size - 1, size, size + 1):
            limits = Limits(**{name: ceiling})
            grown = outcome(limits, data, piece)
            with monkeypatch.context() as patch:
                patch.setattr(pb_reader, "_LARGE", 1 << 60)
                assert outcome(limits, data, piece) == grown


class Counting(unplain.PlainDecoder):
    """Counts the forms it reads."""

    forms = 0

    def _form(self, data: bytes, position: int, count: int, depth: int) -> tuple[Any, int]:
        Counting.forms += 1
        return super()._form(data, position, count, depth)


@interpreted_only
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_no_form_is_read_twice_but_those_that_are_cut(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pb_reader, "PlainDecoder", Counting)
    data = answer(value)
    Counting.forms = 0
    feed(PBDialect(Limits()), data)
    once = Counting.forms
    piece = 1000
    Counting.forms = 0
    feed(PBDialect(Limits()), data, *range(piece, len(data), piece))
    # What came before the message was large is read again, and the forms around and at each cut.
    first = data[: 5 * piece].count(b"\x80")
    assert Counting.forms <= once + first + 8 * (len(data) // piece + 1)


@interpreted_only
def test_work_is_proportional_to_the_pieces() -> None:
    """A long text and a container inside a container inside, in small pieces: no attempt before there is a chance."""
    dialect = PBDialect(Limits())
    data = answer([1, ["x" * 300_000], 2])
    calls = 0
    resume = dialect._decoder.resume

    class Watched(unplain.PlainDecoder):
        def resume(self, data: bytes) -> tuple[Any, int]:
            nonlocal calls
            calls += 1
            return super().resume(data)

    assert resume is not None
    dialect._decoder = Watched(True)
    (message,) = feed(dialect, data, *range(500, len(data), 500))
    assert isinstance(message, Answer) and message.payload.value == [1, ["x" * 300_000], 2]
    assert calls <= 3
