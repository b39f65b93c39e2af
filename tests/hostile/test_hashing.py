"""Values that are short to send and endless, or fatal, to hash: refused on the one call, and quickly."""

from __future__ import annotations

from typing import Any

import pytest

from broker._messages.native_values import put_form
from broker._objects.referenceable import Root
from broker._values.native import NativeEncoder
from broker._wire import frames
from broker._wire.banana import encode
from broker._wire.frames import frame
from broker.testing.pairs import pair


class Service(Root):
    def remote_echo(self, value: Any) -> Any:
        return value


def flat(length: int, times: int, use: Any) -> list[Any]:
    """Tuples each of which holds the one before so many times, none nested in the form, and a use of the last one."""
    first = [b"reference", 1, [b"tuple", 1]]
    rest = [[b"reference", n, [b"tuple", *[[b"dereference", n - 1]] * times]] for n in range(2, length + 1)]
    return [b"list", first, *rest, use([b"dereference", length])]


def nested(levels: int) -> list[Any]:
    """The same with the tuples nested in the form."""
    form: list[Any] = [b"reference", 1, [b"tuple", 1, 2]]
    for number in range(2, levels + 1):
        form = [b"reference", number, [b"tuple", form, [b"dereference", number - 1]]]
    return form


def as_key(form: Any) -> list[Any]:
    return [b"dictionary", [form, 1]]


def as_member(form: Any) -> list[Any]:
    return [b"set", form]


HOSTILE = {
    "doubling tuples, then a key": flat(60, 2, as_key),
    "doubling tuples, then a member": flat(60, 2, as_member),
    "doubling tuples, then a member of a member": flat(60, 2, lambda form: [b"set", [b"frozenset", form]]),
    "doubling tuples, then a key with one in it": flat(60, 2, lambda form: as_key([b"tuple", form])),
    "nested doubling tuples as a key": as_key(nested(60)),
    "nested doubling tuples as a key, not deep": as_key(nested(30)),
    "a chain of a hundred thousand tuples, then a key": flat(100_000, 1, as_key),
    "a decimal with an exponent that fills memory": [b"decimal", 1, 99_999_999_999],
}


def in_pb(value: Any) -> bytes:
    """Return the bytes of a call with this argument, an s-expression."""
    message = [b"message", 77, b"root", b"echo", 1, [b"tuple", value], [b"dictionary"]]
    return encode(message, vocabulary=True)


def in_broker_1(value: Any) -> bytes:
    """Return the same in our own dialect, in pieces."""
    encoder = NativeEncoder(1000, 10**7)
    put_form(encoder, [b"tuple", value])
    call = bytes((frames.CALL, frames.WANTS_ANSWER | frames.NAMED, 77)) + b"\x04root\x04echo" + encoder.take()
    pieces = [call[start : start + frames.PIECE] for start in range(0, len(call), frames.PIECE)]
    kinds = [frames.PART] * (len(pieces) - 1) + [frames.LAST]
    return b"".join(frame(kind, b"\x01" + piece) for kind, piece in zip(kinds, pieces, strict=True))


#: The dialects: how a call is written, and how the answer begins that says that it failed.
DIALECTS = {"pb": (in_pb, b"\x03\x80\x1c\x87"), "broker/1": (in_broker_1, bytes((frames.FAILED,)))}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_hashing_is_bounded(dialect: str, name: str) -> None:
    connected = pair(Service(), require=dialect)
    other = connected.another()
    written, failed = DIALECTS[dialect]
    connected.transcript.clear()
    connected.server.dataReceived(written(HOSTILE[name]))
    answer = b"".join(data for to, data in connected.transcript if to == "client")
    assert answer.startswith(failed), f"an error, not {answer[:40]!r}"
    assert not connected.server.disconnected
    assert other.call(other.root, "echo", 1) == 1


@pytest.mark.parametrize("value", [[(), ()], {"a": [1], "b": [1]}, [frozenset(), frozenset()]])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_harmless_passes(dialect: str, value: Any) -> None:
    connected = pair(Service(), require=dialect)
    assert connected.call(connected.root, "echo", value) == value
    shared: list[Any] = [1]
    twice = connected.call(connected.root, "echo", [shared, shared])
    assert twice[0] is twice[1]
    key = (1, 2)
    assert connected.call(connected.root, "echo", [key, {key: key}]) == [key, {key: key}]
