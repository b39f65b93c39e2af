"""Registered classes over a connection, and against a stock peer's jelly."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import attrs
import pytest
from twisted.spread import jelly as stock

from broker._objects.copyable import Copyable, RemoteCopy
from broker._objects.referenceable import Referenceable, Root
from broker._values.jelly import jelly
from broker._values.policy import SecurityOptions, dotted_name
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker.errors import BadValue, InsecureJelly
from broker.testing.checks import check_copyable
from broker.testing.leftovers import assert_empty, assert_no_escape
from broker.testing.pairs import Pair, pair


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: Any
    y: Any = 0


@dataclass(frozen=True)
class Order:
    what: str
    colour: Colour
    at: Point = Point(0)
    extras: list[Any] = field(default_factory=list, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.what, str) or not self.what:
            raise ValueError("an order for nothing")


@attrs.define
class Member:
    name: str = attrs.field(validator=attrs.validators.instance_of(str))
    _rights: Rights = Rights.READ
    friends: list[Any] = attrs.Factory(list)


class Box(Copyable, RemoteCopy):
    """A copy in the old way, with the others in it."""

    def __init__(self, part: Any) -> None:
        self.part = part


class Service(Root):
    def __init__(self) -> None:
        self.taken: Any = None

    def remote_echo(self, *values: Any, **named: Any) -> Any:
        self.taken = values, named
        return (*values, named) if named else values if len(values) > 1 else values[0]

    def remote_call_back(self, order: Any) -> Any:
        return order.extras[0].callRemote("hear", order.colour)


class Listener(Referenceable):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def remote_hear(self, value: Any) -> Any:
        self.heard.append(value)
        return [value, value]


def registry() -> Registry:
    made = Registry()
    for cls in (Colour, Rights, Point, Order, Member):
        made.passByValue(cls)
    made.setUnjellyableForClass(Box, Box)
    return made


@pytest.fixture
def connect() -> Iterator[Callable[..., Pair]]:
    """Connects a service to a client; no error may have escaped."""
    made: list[Pair] = []

    def connect(**options: Any) -> Pair:
        made.append(pair(Service(), **{"registry": registry(), **options}))
        return made[-1]

    yield connect
    for each in made:
        assert_no_escape(each)


SAMPLES: list[Any] = [
    Rights(3),
    Point(1, [2]),
    Order("tea", Colour.RED, Point(Point(1)), [{"x": (1.5, None)}]),
    Member("Ann", Rights.WRITE, [Member("Bo"), Order("tea", Colour.BLUE)]),
]


@pytest.mark.parametrize("value", SAMPLES, ids=repr)
def test_they_are_copies(value: Any) -> None:
    def same(sent: Any, received: Any) -> bool:
        return type(sent) is type(received) and bool(sent == received)

    if isinstance(value, enum.Enum):
        connected = pair(Service(), registry=registry())
        assert connected.call(connected.root, "echo", value) is value
    else:
        check_copyable(value, same, registry=registry())


def test_everything_together(connect: Callable[..., Pair]) -> None:
    connected = connect()
    order = Order("tea", Colour.RED)
    ann = Member("Ann", friends=[order, order])
    value = [ann, {order: ann, Colour.BLUE: {order, Point(1)}}, Box(ann)]
    made = connected.call(connected.root, "echo", value, key=order)
    (received, named) = made
    assert received[:2] == value[:2]
    assert named["key"] == order
    first, table, box = received
    assert first.friends[0] is first.friends[1] is next(key for key in table if isinstance(key, Order))
    assert table[order] is first is box.part
    assert type(box) is Box
    assert Colour.BLUE in table
    connected.server_factory.root.taken = None
    del made, received, named, first, table, box
    assert_empty(connected)


def test_references_within(connect: Callable[..., Pair]) -> None:
    connected = connect()
    listener = Listener()
    order = Order("tea", Colour.RED, extras=[listener])
    assert connected.call(connected.root, "call_back", order) == [Colour.RED, Colour.RED]
    assert listener.heard == [Colour.RED]
    back = connected.call(connected.root, "echo", order)
    assert back.extras[0] is listener


def test_the_sender_refuses_what_it_has_not_registered(connect: Callable[..., Pair]) -> None:
    connected = connect()

    class Other(enum.Enum):
        A = 1

    connected.transcript.clear()
    error = connected.failure(connected.root.callRemote("echo", Order("tea", Colour.RED, extras=[(Other.A,)])))
    assert isinstance(error, InsecureJelly)
    assert str(error).startswith("value[0].extras[0][0]: ")
    assert str(error).endswith("Other is not on the whitelist")
    assert not [data for to, data in connected.transcript if to == "server" and b"tea" in data]


def test_the_receiver_refuses_what_it_has_not_registered(connect: Callable[..., Pair]) -> None:
    less = Registry()
    less.passByValue(Point)

    def server(root: Any, registry: Registry, **options: Any) -> Any:
        from broker._net.factory import ServerFactory

        return ServerFactory(root, registry=less, **options)

    connected = connect(server_factory=server)
    assert connected.call(connected.root, "echo", Point(1)) == Point(1)
    error = connected.failure(connected.root.callRemote("echo", Colour.RED))
    assert isinstance(error, InsecureJelly)
    assert "not allowed (in type" in str(error)
    assert connected.call(connected.root, "echo", 1) == 1


def test_what_the_class_refuses_fails_the_call(connect: Callable[..., Pair]) -> None:
    connected = connect()
    order = Order("tea", Colour.RED)
    object.__setattr__(order, "what", "")
    for value, problem in (
        (order, "Order refuses it: ValueError: an order for nothing"),
        (Box([order]), "Order refuses it: ValueError: an order for nothing"),
    ):
        error = connected.failure(connected.root.callRemote("echo", value))
        assert isinstance(error, InsecureJelly)
        assert problem in str(error)
    assert connected.server_factory.root.taken is None
    assert connected.call(connected.root, "echo", 1) == 1


def test_a_result_that_the_caller_refuses(connect: Callable[..., Pair]) -> None:
    strict = Registry()

    @dataclass
    class Strict:
        what: Any
        colour: Any = None
        at: Any = None
        extras: Any = None

        def __post_init__(self) -> None:
            raise ValueError("never")

    strict.passByValue(Strict, dotted_name(Order))
    strict.passByValue(Colour)
    strict.passByValue(Point)

    def client(registry: Registry, **options: Any) -> Any:
        from broker._net.factory import ClientFactory

        return ClientFactory(registry=strict, **options)

    connected = connect(client_factory=client)
    connected.server_factory.root.remote_order = lambda: [Order("tea", Colour.RED)]
    error = connected.failure(connected.root.callRemote("order"))
    assert isinstance(error, BadValue)
    assert str(error).endswith("Strict refuses it: ValueError: never")


def test_with_a_policy_of_its_own(connect: Callable[..., Pair]) -> None:
    security = SecurityOptions()
    security.allowBasicTypes()
    connected = connect(security=security)
    assert connected.call(connected.root, "echo", [Colour.RED, Point(1)]) == [Colour.RED, Point(1)]


def test_the_registry_of_the_process(connect: Callable[..., Pair]) -> None:
    name = dotted_name(Colour).encode()
    try:
        globalRegistry.passByValue(Colour)
        connected = connect(registry=globalRegistry)
        assert connected.call(connected.root, "echo", [Colour.RED]) == [Colour.RED]
        child = connect(registry=Registry(globalRegistry))
        assert child.call(child.root, "echo", Colour.RED) is Colour.RED
    finally:
        del globalRegistry.unjellyables[name], globalSecurity.allowedTypes[name], globalRegistry._classes[Colour]


def test_a_stock_peer_finds_a_copyable() -> None:
    """What it has registered for the name gets the state, as that of a Copyable of its own."""
    known = registry()
    assert known.classes()
    name = "tests.by-value/order"
    seen: list[Any] = []
    try:
        globalRegistry.passByValue(Point, name)
        stock.setUnjellyableFactoryForClass(name, lambda state: seen.append(state) or "made")
        assert stock.unjelly(jelly([Point(1, 2)])) == ["made"]
        assert seen == [(1, 2)]
    finally:
        wire = name.encode()
        del globalRegistry.unjellyables[wire], globalSecurity.allowedTypes[wire], globalRegistry._classes[Point]
        del stock.unjellyableFactoryRegistry[wire]
