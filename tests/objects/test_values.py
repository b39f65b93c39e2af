"""What crosses in each dialect: our own has more types, larger values, and fewer messages for many releases."""

from __future__ import annotations

import gc
import math
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from broker import InsecureJelly, LimitExceeded, Referenceable, Root, SecurityOptions
from broker._wire import frames
from broker.testing import tables
from broker.testing.harness import Pairs


class Echo(Root):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def remote_echo(self, value: Any) -> Any:
        return value

    def remote_see(self, *values: Any) -> None:
        self.seen.extend(values)

    def remote_new(self, count: int) -> Any:
        return [Referenceable() for _ in range(count)]

    def remote_size(self, value: Any) -> int:
        return len(value)

    def remote_fill(self, size: int) -> bytes:
        return b"x" * size


SHARED: list[Any] = [1, 2]
IN_BOTH: list[Any] = [
    *(None, True, False, 0, -1, 2**31, -(2**31) - 1, 2**63, 2**400, -(2**400)),
    *(0.0, -0.0, 1.5, math.inf, -math.inf, "", "ü\u20ac\U0001f600", "x" * 1000, b"", b"\x00\xff", b"x" * 1000),
    *([], (), {}, set(), frozenset(), [[]], ((),), {(): []}, [1, "two", b"three", 4.5, None, True]),
    *({"a": 1, "b": {"c": [1, 2]}}, {1: "one", (2, 3): "pair", b"b": None}, {1, 2, (3, 4)}, frozenset({"x", "y"})),
    *([{"id": n, "name": f"n{n}"} for n in range(3)], list(range(100)), [0.5] * 50, [SHARED, SHARED]),
    *(date(2026, 1, 2), time(3, 4, 5, 6), datetime(2026, 1, 2, 3, 4, 5, 6), timedelta(-1, 2, 3)),
    *(Decimal("1.50"), Decimal("-12E+30"), Decimal(0)),
]
#: What PB has no form for, or none that brings all of it back. It is refused where it is sent.
IN_OURS: list[Any] = [
    *(1j, complex(math.inf, -0.0), UUID(int=2**127 + 5)),
    *(datetime(2026, 1, 2, tzinfo=timezone.utc), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30)))),
    *(datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), time(1, tzinfo=timezone.utc)),
    *(Decimal("NaN"), Decimal("-sNaN123"), Decimal("Infinity"), Decimal("-Infinity")),
]


def same(sent: Any, received: Any) -> bool:
    """Whether it is the same, to the last bit."""
    return type(sent) is type(received) and repr(sent) == repr(received)


@pytest.mark.parametrize("value", [*IN_BOTH, math.nan], ids=lambda value: repr(value)[:40])
def test_what_crosses_in_both(pairs: Pairs, value: Any) -> None:
    echo = Echo()
    pair = pairs(echo)
    received = pair.call(pair.root, "echo", value)
    assert same(value, received) or (type(value) in (set, frozenset) and value == received)
    pair.call(pair.root, "see", value, [value])
    assert same(echo.seen, [value, [value]]) or echo.seen == [value, [value]]


@pytest.mark.parametrize("value", IN_OURS, ids=repr)
def test_what_crosses_in_ours_only(pairs: Pairs, in_dialect: str, value: Any) -> None:
    echo = Echo()
    pair = pairs(echo)
    if in_dialect == "broker/1":
        received = pair.call(pair.root, "echo", value)
        assert same(value, received) and getattr(value, "fold", 0) == getattr(received, "fold", 0)
        pair.call(pair.root, "see", [value])
        assert same(echo.seen, [[value]])
    else:
        assert isinstance(pair.failure(pair.root.callRemote("see", [value])), InsecureJelly)
        assert echo.seen == []


def test_zeros_of_decimals_keep_their_sign_in_ours(pairs: Pairs, in_dialect: str) -> None:
    pair = pairs(Echo())
    received = pair.call(pair.root, "echo", Decimal("-0.00"))
    # PB sends digits as a number, and its zero has no sign.
    assert repr(received) == ("Decimal('-0.00')" if in_dialect == "broker/1" else "Decimal('0.00')")


def test_parts_that_are_shared_stay_so(pairs: Pairs) -> None:
    pair = pairs(Echo())
    loop: list[Any] = [1]
    loop.append(loop)
    first, second, again = pair.call(pair.root, "echo", [SHARED, SHARED, loop])
    assert first is second and again[1] is again
    again.clear()
    loop.clear()


@pytest.mark.parametrize("size", [640 * 1024 + 1, 5 * 1024 * 1024])
def test_values_larger_than_pbs(pairs: Pairs, in_dialect: str, size: int) -> None:
    pair = pairs(Echo())
    # Two ends of ours agree on more than 640 KiB in PB's dialect too, but on less than in our own.
    if in_dialect == "broker/1" or size < 4 * 1024 * 1024:
        assert pair.call(pair.root, "size", b"x" * size) == size
        assert pair.call(pair.root, "fill", size) == b"x" * size
    else:
        assert isinstance(pair.failure(pair.root.callRemote("size", b"x" * size)), LimitExceeded)
        assert isinstance(pair.failure(pair.root.callRemote("fill", size)), LimitExceeded)
    assert pair.call(pair.root, "echo", 1) == 1


def test_many_releases(pairs: Pairs, in_dialect: str) -> None:
    pair = pairs(Echo())
    held = pair.call(pair.root, "new", 300)
    assert tables(pair.server)["exports"] == 300
    pair.transcript.clear()
    with pair.client.turn():
        held.clear()
        gc.collect()
    written = b"".join(data for to, data in pair.transcript if to == "server")
    pair.flush()
    assert tables(pair.server)["exports"] == 0
    if in_dialect == "broker/1":
        assert written[0] == frames.RELEASE and len(written) == 4 + int.from_bytes(written[1:4], "little")
        assert len(written) < 4 + 3 * 300 + 1
    else:
        assert len(written) > 4 * 300


@pytest.mark.in_dialects("broker/1")
@pytest.mark.parametrize("value", [1j, UUID(int=1), [1j], {"id": UUID(int=2)}], ids=repr)
def test_a_policy_can_refuse_what_pb_never_had(pairs: Pairs, value: Any) -> None:
    class WithoutThem(SecurityOptions):
        def isTypeAllowed(self, typeName: Any) -> bool:
            return typeName not in (b"complex", b"uuid") and super().isTypeAllowed(typeName)

    policy = WithoutThem()
    policy.allowBasicTypes()
    echo = Echo()
    pair = pairs(echo, security=policy)
    assert pair.call(pair.root, "echo", [1, {"a": (2.5, None)}]) == [1, {"a": (2.5, None)}]
    assert isinstance(pair.failure(pair.root.callRemote("see", value)), InsecureJelly)
    # And where the other end sends it all the same.
    pair.client.plain = True
    pair.client.security = SecurityOptions()
    pair.client.security.allowBasicTypes()
    assert isinstance(pair.failure(pair.root.callRemote("see", value)), InsecureJelly)
    assert echo.seen == []
