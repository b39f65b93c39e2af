"""What stands in for librt does what librt does."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker._wire import pack, unlibrt

MODULES: list[Any] = [unlibrt, pack]
SIZES = {"i16": 2, "i32": 4, "i64": 8, "f64": 8}


def refused(call: Callable[..., Any], *args: Any) -> type[Exception] | None:
    try:
        call(*args)
    except (ValueError, IndexError, TypeError) as error:
        return type(error)
    return None


@pytest.fixture(params=MODULES, ids=["plain", "librt"])
def module(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_both_offer_the_same() -> None:
    assert sorted(pack.__all__) == sorted(unlibrt.__all__)


def test_librt_is_used_where_it_is() -> None:
    strings = pytest.importorskip("librt.strings")
    assert isinstance(strings, ModuleType)
    assert pack.BytesWriter is strings.BytesWriter


def test_writer(module: Any) -> None:
    writer = module.BytesWriter()
    writer.append(255)
    writer.write(b"ab")
    writer.write(bytearray(b"c"))
    assert len(writer) == 4
    assert writer[1] == ord("a")
    writer[1] = 0
    assert writer.getvalue() == b"\xff\0bc"
    assert type(writer.getvalue()) is bytes
    writer.truncate(2)
    writer.append(1)
    assert writer.getvalue() == b"\xff\0\x01"
    for size in (4, -1):
        assert refused(writer.truncate, size) is ValueError
    writer.truncate(0)
    assert writer.getvalue() == b""


def test_numbers_that_do_not_fit(module: Any) -> None:
    writer = module.BytesWriter()
    for bits, write in ((16, module.write_i16_le), (32, module.write_i32_le), (64, module.write_i64_le)):
        for number in (2 ** (bits - 1), -(2 ** (bits - 1)) - 1):
            assert refused(write, writer, number) is ValueError
    assert refused(writer.append, 256) in (ValueError, TypeError)
    assert writer.getvalue() == b""


@pytest.mark.parametrize("kind", SIZES)
def test_reading_outside(module: Any, kind: str) -> None:
    read = getattr(module, f"read_{kind}_le")
    data = bytes(10)
    assert read(data, 10 - SIZES[kind]) == 0
    assert refused(read, data, 11 - SIZES[kind]) is IndexError
    assert refused(read, data, -1) is ValueError


@given(
    st.integers(-(2**15), 2**15 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1), st.floats()
)
def test_numbers(short: int, middle: int, long: int, number: float) -> None:
    written = []
    for module in MODULES:
        writer = module.BytesWriter()
        module.write_i16_le(writer, short)
        module.write_i32_le(writer, middle)
        module.write_i64_le(writer, long)
        module.write_f64_le(writer, number)
        data = writer.getvalue()
        assert module.read_i16_le(data, 0) == short
        assert module.read_i32_le(data, 2) == middle
        assert module.read_i64_le(data, 6) == long
        got = module.read_f64_le(data, 14)
        assert got == number and math.copysign(1, got) == math.copysign(1, number) or got != got and number != number
        written.append(data)
    assert (
        written[0]
        == written[1]
        == (
            short.to_bytes(2, "little", signed=True)
            + middle.to_bytes(4, "little", signed=True)
            + long.to_bytes(8, "little", signed=True)
            + written[0][14:]
        )
    )
