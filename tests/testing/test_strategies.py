"""What the strategies give crosses unharmed, however it is cut."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker import pb
from broker.testing import pair
from broker.testing.strategies import plain_values, splits

# What is drawn says what is spoken.
pytestmark = pytest.mark.in_dialects("broker/1")
DIALECTS = st.sampled_from(["broker/1", "pb"])


class Echo(pb.Root):
    def remote_echo(self, value: Any) -> Any:
        return value


@given(plain_values(), DIALECTS)
def test_plain_values_cross(value: Any, dialect: str) -> None:
    connected = pair(Echo(), require=dialect)
    received = connected.call(connected.root, "echo", value)
    assert received == value
    assert type(received) is type(value)


@given(st.data(), st.binary(max_size=40))
def test_splits(data: st.DataObject, whole: bytes) -> None:
    pieces = data.draw(splits(whole, max_cuts=5))
    assert b"".join(pieces) == whole
    assert all(pieces) and len(pieces) <= 6


@given(st.data(), plain_values(max_leaves=4), DIALECTS)
def test_cut_anywhere(data: st.DataObject, value: Any, dialect: str) -> None:
    connected = pair(Echo(), require=dialect)
    waiting = connected.root.callRemote("echo", value)
    for piece in data.draw(splits(bytes(connected.pending("server")))):
        connected.deliver("server", len(piece))
    assert connected.result(waiting) == value


def test_without_hypothesis() -> None:
    program = (
        "import sys; sys.modules['hypothesis'] = None; import broker.testing\n"
        "try: import broker.testing.strategies\n"
        "except ImportError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "broker.testing.strategies needs hypothesis: pip install hypothesis\n"
