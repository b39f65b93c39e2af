"""Values that cannot be sent, cannot be decoded, are too large, or refer to themselves."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import math
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from tests.defects.defect import defect, kept
from tests.defects.wire import RawPeer, Sides, Wire, collect, encode, failure_of, logged, value_of

INSECURE = "twisted.spread.jelly.InsecureJelly"
TOO_LONG = 640 * 1024 + 1
NODE = b"tests.defects.Node"


def root_of(sides: Sides, **methods: Any) -> Any:
    """A root with the given remote methods; `seen` lists what `take` received."""

    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.seen: list[Any] = []

        def remote_take(self, *args: Any, **kwargs: Any) -> None:
            self.seen.append((args, kwargs))

        def remote_ping(self) -> str:
            return "pong"

    for name, method in methods.items():
        setattr(Served, f"remote_{name}", method)
    return Served()


def insecure(failure: Any, sides: Sides) -> bool:
    """Is this a refusal, made here or sent by the peer?"""
    return bool(failure.check(sides.client.jelly.InsecureJelly, INSECURE))


# ------------------------------------------------------------------------------------------- answers nobody can decode


@defect("ours", "our-client", stock="escaped dataReceived: InsecureJelly")
def test_10910_undecodable_answer(sides: Sides) -> None:
    """An answer that cannot be decoded never fires its Deferred and drops the connection with all other calls."""

    class Unheard(sides.server.pb.Copyable):  # type: ignore[misc,name-defined]
        def getTypeToCopy(self) -> bytes:
            return b"tests.defects.Unheard"

    later: Deferred[str] = Deferred()
    wire = Wire(sides, root_of(sides, bad=lambda _self: Unheard(), later=lambda _self: later))
    waiting = wire.call("later")
    assert insecure(failure_of(wire.call("bad")), sides)
    later.callback("still here")
    wire.pump()
    assert value_of(waiting) == "still here"
    assert value_of(wire.call("ping")) == "pong"
    assert wire.connected() and not wire.client.waitingForAnswers


@defect("ours", "our-client", stock="escaped dataReceived: InsecureJelly")
def test_10910_undecodable_error(sides: Sides) -> None:
    """An error that cannot be decoded drops the connection too."""
    pb = sides.server.pb

    class Unheard(pb.Error, pb.Copyable):  # type: ignore[misc,name-defined]
        def getTypeToCopy(self) -> bytes:
            return b"tests.defects.UnheardError"

    def bad(_self: Any) -> None:
        raise Unheard("nobody knows me")

    wire = Wire(sides, root_of(sides, bad=bad))
    assert insecure(failure_of(wire.call("bad")), sides)
    assert value_of(wire.call("ping")) == "pong"
    assert wire.connected()


MALFORMED: dict[str, Any] = {
    "empty list": [],
    "empty list inside": [b"list", []],
    "number as a type": [5, 1],
    "list as a type": [[b"list"], 1],
    "unknown type": [b"frob", 1],
    "unknown dotted type": [b"frob.Frob", 1],
    "class": [b"class", b"os.system"],
    "instance": [b"instance", [b"class", b"os._Environ"], [b"dictionary"]],
    "text without bytes": [b"unicode"],
    "text from a number": [b"unicode", 5],
    "text that is no UTF-8": [b"unicode", b"\xff"],
    "decimal from text": [b"decimal", b"x", b"y"],
    "decimal without exponent": [b"decimal", 5],
    "boolean without value": [b"boolean"],
    "boolean maybe": [b"boolean", b"maybe"],
    "datetime of letters": [b"datetime", b"x"],
    "date of month 13": [b"date", b"2020 13 1"],
    "time of nothing": [b"time"],
    "timedelta too short": [b"timedelta", b"1"],
    "dictionary of numbers": [b"dictionary", 1],
    "dictionary with an unhashable key": [b"dictionary", [[b"list"], 1]],
    "set of lists": [b"set", [b"list"]],
    "reference without value": [b"reference", 1],
    "reference given twice": [b"list", [b"reference", 1, [b"list"]], [b"reference", 1, [b"list"]]],
    "dereference of a list": [b"dereference", [1]],
    "remote without number": [b"remote"],
    "local without number": [b"local"],
    "cached unknown": [b"cached", 77],
    "lcache unknown": [b"lcache", 77],
    "failure without state": [b"twisted.spread.pb.CopyableFailure"],
    "failure of a number": [b"twisted.spread.pb.CopyableFailure", 5],
}


@pytest.mark.parametrize("name", sorted(MALFORMED))
@pytest.mark.parametrize("command", [b"answer", b"error"])
@defect("ours", stock="escaped dataReceived")
def test_malformed_value_in_an_answer(sides: Sides, command: bytes, name: str) -> None:
    """A malformed value in an answer or error raises out of dataReceived instead of failing its call."""
    peer = RawPeer.of_client(sides.client)
    bad, good = peer.call("bad"), peer.call("good")
    peer.send([command, 1, MALFORMED[name]])
    failure_of(bad)
    assert not peer.closed()
    peer.send([b"answer", 2, 17])
    assert value_of(good) == 17


def nested(depth: int) -> bytes:
    """The answer to request 1, nested so deeply that building it by recursion would fail here."""
    return encode([b"answer", 1, []])[:-2] + encode([b"list", []])[:-2] * depth + encode([b"list"])


@defect("ours", stock="escaped dataReceived: RecursionError")
def test_deeply_nested_answer(sides: Sides) -> None:
    """An answer nested very deeply exhausts the stack of the caller's dataReceived."""
    peer = RawPeer.of_client(sides.client)
    bad, good = peer.call("bad"), peer.call("good")
    peer.send_bytes(nested(2000))
    failure_of(bad)
    peer.send([b"answer", 2, 17])
    assert value_of(good) == 17 and not peer.closed()


# ------------------------------------------------------------------------------------------------------------ too large


LARGE: dict[str, Any] = {
    "bytes": lambda: b"x" * TOO_LONG,
    "text": lambda: "x" * TOO_LONG,
    "list": lambda: [1] * TOO_LONG,
    "int": lambda: 2**448,
    "negative int": lambda: -(2**448),
}


@pytest.mark.parametrize("kind", sorted(LARGE))
@pytest.mark.parametrize("later", [False, True], ids=["now", "deferred"])
@defect("our-server", stock="escaped dataReceived|never fired")
def test_719_result_too_large(sides: Sides, later: bool, kind: str) -> None:
    """A result larger than the wire allows drops the connection, or leaves the caller waiting for ever."""
    fires: Deferred[Any] = Deferred()
    wire = Wire(sides, root_of(sides, big=lambda _self: fires if later else LARGE[kind]()))
    called = wire.call("big")
    if later:
        fires.callback(LARGE[kind]())
        fires.addErrback(lambda _failure: None)
        wire.pump()
    failure = failure_of(called)
    assert failure.check("broker.errors.LimitExceeded"), failure.type
    assert value_of(wire.call("ping")) == "pong"
    assert wire.connected()


@defect("our-server", stock="escaped dataReceived")
def test_719_error_too_large(sides: Sides) -> None:
    """An exception whose text is larger than the wire allows cannot be answered either."""

    def bad(_self: Any) -> None:
        raise sides.server.pb.Error("x" * TOO_LONG)

    wire = Wire(sides, root_of(sides, bad=bad))
    failure_of(wire.call("bad"))
    assert value_of(wire.call("ping")) == "pong" and wire.connected()


@pytest.mark.parametrize("kind", sorted(LARGE))
@defect("our-client", stock="too l(ong|arge) to send", raises=Exception)
def test_argument_too_large(sides: Sides, kind: str) -> None:
    """An argument too large raises at once, leaves a dead question behind and keeps references it counted."""
    wire = Wire(sides, root_of(sides))
    root = wire.root()
    mine = sides.client.pb.Referenceable()
    before = dict(wire.client.localObjects)
    failure = failure_of(root.callRemote("take", mine, [LARGE[kind]()], again=mine))
    assert "LimitExceeded" in failure.type.__name__
    assert not wire.client.waitingForAnswers, "a dead question is left"
    assert dict(wire.client.localObjects) == before, "references were counted"
    assert bytes(wire.client_end.sent) == b"", "something was sent"
    assert value_of(wire.call("ping")) == "pong" and wire.connected()


def unsendable(sides: Sides) -> Any:
    """What is refused while it is serialised; stock sends most other things in some form or other."""
    return decimal.Decimal("NaN") if sides.dialect == "pb" or sides.server.stock or sides.client.stock else object()


@defect("ours", "our-client", stock="references were counted")
def test_references_counted_for_a_call_never_sent(sides: Sides) -> None:
    """References counted while serialising arguments stay counted when a later argument is refused."""
    wire = Wire(sides, root_of(sides))
    mine = sides.client.pb.Referenceable()
    failure_of(wire.call("take", mine, mine, unsendable(sides)))
    assert list(wire.client.localObjects) == [], "references were counted"
    value_of(wire.call("take", mine))
    collect()
    wire.pump()


@defect("ours", "our-server", stock="references were counted")
def test_references_counted_for_an_answer_never_sent(sides: Sides) -> None:
    """References counted while serialising a result stay counted when the rest of it is refused."""
    mine = sides.server.pb.Referenceable()
    wire = Wire(sides, root_of(sides, give=lambda _self: [mine, unsendable(sides)]))
    failure_of(wire.call("give"))
    assert list(wire.server.localObjects) == [b"root"], "references were counted"


# --------------------------------------------------------------------------------------------------------------- cycles


def node_classes(sides: Sides) -> Any:
    class Node(sides.server.pb.Copyable):  # type: ignore[misc,name-defined]
        def getTypeToCopy(self) -> bytes:
            return NODE

    class RemoteNode(sides.client.pb.RemoteCopy):  # type: ignore[misc,name-defined]
        pass

    sides.client.pb.setUnjellyableForClass(NODE, RemoteNode)
    return Node


def itself(node: Any) -> Any:
    node.me = node
    return node


def mutual(node: Any) -> Any:
    other = type(node)()
    node.other, other.back = other, node
    return node


def in_containers(node: Any) -> Any:
    node.items = ([node],)
    node.table = {"node": (node,)}
    return node


def in_tuple(node: Any) -> Any:
    node.pair = (1, (node, 2))
    return node


CYCLES: dict[str, tuple[Any, Any]] = {
    "itself": (itself, lambda got: [got.me]),
    "mutual": (mutual, lambda got: [got.other.back]),
    "tuple": (in_tuple, lambda got: [got.pair[1][0]]),
}


@pytest.mark.parametrize("name", sorted(CYCLES))
@defect("ours", "our-client", stock="placeholder|has no attribute|not subscriptable", raises=Exception)
def test_10071_cycle_through_copyables(sides: Sides, name: str) -> None:
    """A cycle through Copyables arrives with an internal placeholder in place of the object."""
    build, found = CYCLES[name]
    node = build(node_classes(sides)())
    wire = Wire(sides, root_of(sides, give=lambda _self: node))
    got = value_of(wire.call("give"))
    for each in found(got):
        assert each is got, f"a placeholder: {each!r}"


@kept("ours", "our-server", "our-client")
def test_10071_cycle_through_containers(sides: Sides) -> None:
    """A cycle that passes a list or dictionary on its way back to the Copyable is resolved by stock, too."""
    node = in_containers(node_classes(sides)())
    got = value_of(Wire(sides, root_of(sides, give=lambda _self: node)).call("give"))
    assert got.items[0][0] is got and got.table["node"][0] is got


# ------------------------------------------------------------------------------------------------------ unknown objects


class Colour(enum.Enum):
    RED = 1


class Number(enum.IntEnum):
    ONE = 1


Pair = collections.namedtuple("Pair", "left right")


class Text(str):
    pass


class Table(dict):  # type: ignore[type-arg]
    pass


class Plain:
    def method(self) -> None:
        """Sent as a bound method."""


async def a_coroutine() -> None:
    """Never awaited: sent."""


def a_generator() -> Any:
    yield 1


UNKNOWN: dict[str, Any] = {
    "Colour": lambda: Colour.RED,
    "Number": lambda: Number.ONE,
    "Pair": lambda: Pair(1, 2),
    "Text": lambda: Text("text"),
    "Table": lambda: Table(a=1),
    "Plain": Plain,
    "complex": lambda: 1j,
    "bytearray": lambda: bytearray(b"bytes"),
    "range": lambda: range(3),
    "ValueError": lambda: ValueError("value"),
    "coroutine": a_coroutine,
    "generator": a_generator,
    "object": object,
}


def close(value: Any) -> None:
    """A coroutine nobody awaits would be reported."""
    if hasattr(value, "close"):
        value.close()


def knows_complex(sides: Sides, kind: str) -> bool:
    """PB has no form for complex numbers; our own dialect has."""
    return kind == "complex" and sides.dialect == "broker/1" and not (sides.server.stock or sides.client.stock)


@pytest.mark.parametrize("kind", sorted(UNKNOWN))
@defect("ours", "our-client", stock="no failure but None")
def test_7294_unknown_argument(sides: Sides, kind: str) -> None:
    """An argument of an unknown type is not refused: the peer silently gets an Unpersistable."""
    root = root_of(sides)
    wire = Wire(sides, root)
    value = UNKNOWN[kind]()
    if knows_complex(sides, kind):
        assert value_of(wire.call("take", 1, [2, {"the key": value}])) is None
        assert root.seen == [((1, [2, {"the key": value}]), {})]
        return
    failure = failure_of(wire.call("take", 1, [2, {"the key": value}]))
    close(value)
    assert insecure(failure, sides)
    text = failure.getErrorMessage()
    assert kind in text, f"the type is not named: {text}"
    assert "the key" in text and "1" in text, f"the place is not named: {text}"
    assert root.seen == []
    assert not wire.client.waitingForAnswers
    assert value_of(wire.call("ping")) == "pong"


@pytest.mark.parametrize("kind", sorted(UNKNOWN))
@pytest.mark.parametrize("later", [False, True], ids=["now", "deferred"])
@defect("ours", "our-server", stock="no failure but")
def test_7294_unknown_result(sides: Sides, later: bool, kind: str) -> None:
    """A result of an unknown type is not refused: the caller silently gets an Unpersistable."""
    value = UNKNOWN[kind]()
    wire = Wire(sides, root_of(sides, give=lambda _self: succeed([value]) if later else [value]))
    if knows_complex(sides, kind):
        assert value_of(wire.call("give")) == [value]
        return
    failure = failure_of(wire.call("give"))
    close(value)
    assert insecure(failure, sides)
    assert kind in failure.getErrorMessage()
    assert value_of(wire.call("ping")) == "pong"


@pytest.mark.parametrize(
    "value", [len, test_7294_unknown_result, math, [].append, Plain().method], ids=lambda value: type(value).__name__
)
@defect("ours", "our-client", stock="Banana cannot send|no failure but", raises=Exception)
def test_functions_modules_methods(sides: Sides, value: Any) -> None:
    """Functions, modules and methods pass jelly and are refused by banana, synchronously."""
    wire = Wire(sides, root_of(sides))
    called = wire.root().callRemote("take", [value])
    wire.pump()
    assert insecure(failure_of(called), sides)
    assert not wire.client.waitingForAnswers
    assert value_of(wire.call("ping")) == "pong"


HALF_SUPPORTED: dict[str, Any] = {
    "aware datetime": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
    "aware time": datetime.time(1, tzinfo=datetime.timezone.utc),
    "NaN": decimal.Decimal("NaN"),
    "sNaN": decimal.Decimal("sNaN"),
    "Infinity": decimal.Decimal("Infinity"),
    "-Infinity": decimal.Decimal("-Infinity"),
}


@pytest.mark.parametrize("kind", sorted(HALF_SUPPORTED))
@defect("our-client", stock="no clear error|Banana cannot send", raises=Exception)
def test_half_supported_argument(sides: Sides, kind: str) -> None:
    """Aware datetimes and special decimals fail from inside the codec, some of them synchronously."""
    root = root_of(sides)
    wire = Wire(sides, root)
    failure = failure_of(wire.root().callRemote("take", [HALF_SUPPORTED[kind]]))
    wire.pump()
    assert insecure(failure, sides), f"no clear error: {failure.type}"
    assert root.seen == [] and not wire.client.waitingForAnswers
    assert value_of(wire.call("ping")) == "pong"


@pytest.mark.parametrize("kind", sorted(HALF_SUPPORTED))
@defect("our-server", stock="no clear error|escaped dataReceived")
def test_half_supported_result(sides: Sides, kind: str) -> None:
    """Returned, they fail as an inner error of the server, or drop the connection."""
    wire = Wire(sides, root_of(sides, give=lambda _self: [HALF_SUPPORTED[kind]]))
    failure = failure_of(wire.call("give"))
    assert insecure(failure, sides), f"no clear error: {failure.type}"
    assert value_of(wire.call("ping")) == "pong"


# ----------------------------------------------------------------------------------------------------------- coroutines


@defect("ours", "our-server", stock="Unpersistable")
def test_coroutine_method(sides: Sides) -> None:
    """An ``async def`` method is not awaited: the caller gets an Unpersistable."""

    async def add(_self: Any, left: int, right: int) -> int:
        return left + right

    wire = Wire(sides, root_of(sides, add=add))
    assert value_of(wire.call("add", 1, right=2)) == 3


@defect("ours", "our-server", stock="Unpersistable")
def test_coroutine_method_that_raises(sides: Sides) -> None:
    """An exception in an ``async def`` method never happens, since nobody runs it."""

    async def bad(_self: Any) -> None:
        raise ValueError("as expected")

    wire = Wire(sides, root_of(sides, bad=bad))
    with logged() as log:
        failure = failure_of(wire.call("bad"))
    assert failure.check("builtins.ValueError", ValueError)
    assert failure.getErrorMessage() == "as expected"
    assert len(log.errors()) >= 1, "an unexpected error is logged where it happens"


@defect("ours", "our-server", stock="Unpersistable|never fired|no failure")
def test_coroutine_method_that_waits(sides: Sides) -> None:
    """An ``async def`` method cannot await Deferreds, calls back to its caller among them."""
    waited: Deferred[int] = Deferred()

    async def relay(_self: Any, mine: Any) -> Any:
        first = await waited
        return [first, await mine.callRemote("second"), mine]

    class Mine(sides.client.pb.Referenceable):  # type: ignore[misc,name-defined]
        def remote_second(self) -> int:
            return 2

    wire = Wire(sides, root_of(sides, relay=relay))
    mine = Mine()
    called = wire.call("relay", mine)
    waited.callback(1)
    wire.pump()
    answer = value_of(called)
    assert answer == [1, 2, mine], answer
