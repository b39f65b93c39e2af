"""Values that are short to send and endless, or fatal, to hash: refused on the one call, and quickly."""

from __future__ import annotations

from typing import Any

import pytest

from broker._objects.referenceable import Root
from broker._wire.banana import encode
from broker.testing.pairs import Pair, pair


class Service(Root):
    def remote_echo(self, value: Any) -> Any:
        return value


def doubling(levels: int) -> list[Any]:
    """A tuple of twice a tuple of twice a tuple ...: 2 ** levels parts, in a few bytes for each level."""
    form: list[Any] = [b"reference", 1, [b"tuple", 1, 2]]
    for number in range(2, levels + 1):
        form = [b"reference", number, [b"tuple", form, [b"dereference", number - 1]]]
    return form


def chain(length: int) -> list[Any]:
    """Tuples in tuples, none nested in the form: each is referred to by the next."""
    first = [b"reference", 1, [b"tuple", 1]]
    rest = [[b"reference", n, [b"tuple", [b"dereference", n - 1]]] for n in range(2, length + 1)]
    return [b"list", first, *rest, [b"dictionary", [[b"dereference", length], 1]]]


HOSTILE = {
    "a doubling tuple as a key": [b"dictionary", [doubling(60), 1]],
    "a doubling tuple in a set": [b"set", doubling(60)],
    "a doubling tuple in a frozenset in a set": [b"set", [b"frozenset", doubling(60)]],
    "a doubling tuple in a tuple as a key": [b"dictionary", [[b"tuple", doubling(60)], 1]],
    "a chain of a hundred thousand tuples as a key": chain(100_000),
    "a decimal with an exponent that fills memory": [b"decimal", 1, 99_999_999_999],
}


def send(connected: Pair, value: Any) -> bytes:
    """Have the server given a call with this argument; return what it answers."""
    connected.flush()
    connected.transcript.clear()
    message = [b"message", 77, b"root", b"echo", 1, [b"tuple", value], [b"dictionary"]]
    connected.server.dataReceived(encode(message, vocabulary=True))
    return b"".join(data for to, data in connected.transcript if to == "client")


@pytest.mark.parametrize("name", HOSTILE)
def test_hashing_is_bounded(name: str) -> None:
    connected = pair(Service())
    other = connected.another()
    answer = send(connected, HOSTILE[name])
    assert answer[2:4] == b"\x1c\x87", f"an error, not {answer[:40]!r}"
    assert not connected.server.disconnected
    assert other.call(other.root, "echo", 1) == 1


@pytest.mark.parametrize("value", [[(), ()], {"a": [1], "b": [1]}, [frozenset(), frozenset()]])
def test_what_is_harmless_passes(value: Any) -> None:
    connected = pair(Service())
    assert connected.call(connected.root, "echo", value) == value
    shared: list[Any] = [1]
    twice = connected.call(connected.root, "echo", [shared, shared])
    assert twice[0] is twice[1]
    key = (1, 2)
    assert connected.call(connected.root, "echo", [key, {key: key}]) == [key, {key: key}]
