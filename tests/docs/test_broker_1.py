"""The page on broker/1 says what is so: our decoder reads its examples, and so does one that knows nothing else."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._limits import Limits
from broker._messages.native_values import checked, form_decoder
from broker._values.native import NativeEncoder
from broker._values.unnative import NativeDecoder
from broker._wire import frames
from broker.errors import BadValue, LimitExceeded
from broker.testing.strategies import plain_values
from docs import native
from tests.docs.pages import DOCS
from tests.golden import reader
from tests.golden.reader import Bytes, Reader, Wrong, one_value
from tests.golden.transcript import data_of
from tests.values.exact import assert_same

PAGE = (DOCS / "protocol" / "broker-1.md").read_text(encoding="utf-8")


def part(name: str) -> str:
    """Return a generated part of the page."""
    found = re.search(rf"<!-- generated: {name} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


VALUES = re.findall(r"^\| `(.*)` \| `([0-9a-f* ]+)` \|$", part("native-values"), re.MULTILINE)
MESSAGES = re.findall(r"^\| `([0-9a-f* ]+)` \| `(.*)` \|$", part("native-messages"), re.MULTILINE)


def decoded(data: bytes) -> Any:
    """Return the value that bytes are, by our own decoder."""
    decoder = NativeDecoder(Limits().depth, Limits().elements)
    value = decoder.decode(data, 0, len(data))
    if decoder.position != len(data):
        raise BadValue("bytes behind the value")
    return value


def test_nothing_of_ours_is_in_the_reader() -> None:
    tree = ast.parse(inspect.getsource(reader))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert not any((name or "").partition(".")[0] in ("broker", "docs", "tests") for name in modules)


@pytest.mark.parametrize(("text", "shown"), VALUES, ids=[text[:40] for text, _ in VALUES])
def test_values(text: str, shown: str) -> None:
    try:
        value = native.evaluated(text, ZoneInfo)
    except ZoneInfoNotFoundError:
        pytest.skip("this machine knows no time zones")
    data = data_of(shown)
    assert_same(value, one_value(data))
    assert_same(value, decoded(data))


def test_every_tag_has_an_example() -> None:
    first = {data_of(shown)[0] for _, shown in VALUES}
    inside = {0xD3, 0xD5}
    exempt = {0xD4, 0xDF, *range(0x80, 0xC0), *range(0x80), *range(0xE0, 0x100)}
    assert first | inside | exempt == set(range(256))


@pytest.mark.parametrize(("shown", "text"), MESSAGES, ids=[text[:40] for _, text in MESSAGES])
def test_messages(shown: str, text: str) -> None:
    talk = Reader(listener=False)
    talk.tell(b"\x02\x82pb")
    assert talk.tell(data_of(shown)) == text


def test_every_kind_and_flag_is_there() -> None:
    constants = {name: value for name, value in vars(frames).items() if name.isupper() and type(value) is int}
    sizes = {"FRAME", "HEAD", "PIECE"}
    flags = {"WANTS_ANSWER", "CACHED", "NAMED", "DEADLINE", "KEYWORDS", "OPTIONS", "PIPELINED"}
    for name in flags:
        assert f"| {constants[name]} | `{name}` |" in part("native-flags")
    for name in constants.keys() - flags - sizes - {"HINTS"}:
        assert name.startswith("_") or f"| {constants[name]:02X} | `{name}` |" in part("native-frames")


def test_examples_in_the_text() -> None:
    assert Bytes(bytes.fromhex("ac02")).varint() == 300 and "300 is\n`ac02`" in PAGE
    for shown, form in (
        ("dfa2cb0672656d6f746501", [b"remote", 1]),
        ("dfa2cb057475706c65a2cb056c6f63616c01", [b"tuple", [b"local", 1]]),
    ):
        data = bytes.fromhex(shown)
        assert f"`{shown}`" in PAGE
        assert one_value(data).expression == form
        assert checked(form_decoder(Limits()).decode(data, 1, len(data))).expression == form


#: Bytes that are no value.
WRONG = {
    "nothing": "",
    "a text cut short": "8261",
    "a list cut short": "a201",
    "bytes behind": "0102",
    "a text that is not UTF-8": "81ff",
    "a length beyond the end": "ca0500000061",
    "a reference to nothing": "d500000000",
    "a reference to a later container": "a2d501000000a0",
    "a tuple in itself": "b1d500000000",
    "a record of one key": "d201816101",
    "a record with a key twice": "d202816181610102",
    "a record with a key that is no text": "d202816105 0102",
    "a shape that is not known": "d30001",
    "packed integers of three bytes": "dd0301000000010203",
    "a list as a key": "b9a001",
    "a dictionary in a set": "d001000000b8",
    "an s-expression inside": "a1dfa0",
    "a day that does not exist": "d8ea07021e",
    "a zone of an unknown kind": "d905173b3a07000000",
    "a decimal without digits": "d700000000000000",
    "a decimal with a digit that is none": "d7000000000001000a",
    "a timedelta of too many seconds": "db00000000805101000000 0000",
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_is_no_value(data: str) -> None:
    with pytest.raises(Wrong):
        one_value(bytes.fromhex(data))
    with pytest.raises(BadValue):
        decoded(bytes.fromhex(data))


@given(plain_values())
def test_any_value_is_read(value: Any) -> None:
    assert_same(value, one_value(NativeEncoder(300, 1_000_000).encode(value)))


@given(st.binary(max_size=60))
def test_any_bytes_are_read_alike(data: bytes) -> None:
    """Where one of the two finds a value the other finds the same; neither fails in another way."""
    if data[:1] == b"\xdf":
        return
    try:
        mine = one_value(data)
    except (Wrong, MemoryError, ZoneInfoNotFoundError, ValueError, OverflowError):
        mine = Wrong
    try:
        ours = decoded(data)
    except (BadValue, LimitExceeded):
        ours = Wrong
    if mine is Wrong or ours is Wrong:
        assert mine is ours
    else:
        assert_same(mine, ours)
