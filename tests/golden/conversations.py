"""The golden conversations in ``broker/1``; ``python -m tests.golden.conversations`` records them anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import implementer

import broker
from tests.golden.transcript import FOLDER, Client, Conversation, recorded, written


class Service(broker.Root):
    """What most conversations are with."""

    def __init__(self) -> None:
        self.kept: Any = None

    def rootObject(self, broker: Any) -> Any:
        self.connection = broker
        return self

    def remote_echo(self, value: Any = None, **more: Any) -> Any:
        return (value, more) if more else value

    def remote_note(self, value: Any) -> None:
        self.kept = value

    def remote_noted(self) -> Any:
        return self.kept

    # Errors.

    def remote_expected(self) -> None:
        raise broker.Error("foreseen")

    def remote_unexpected(self) -> None:
        raise ZeroDivisionError("not foreseen")

    def remote_secret(self) -> object:
        return object()

    # References.

    def remote_box(self) -> Box:
        return Box()

    def remote_isYours(self, thing: Any) -> bool:
        return isinstance(thing, Box)

    async def remote_ask(self, friend: Any) -> Any:
        return await friend.callRemote("answer", 20) + 1

    # Time.

    def remote_later(self) -> Deferred[Any]:
        self.kept = Deferred()
        return self.kept  # type: ignore[no-any-return]

    @broker.shielded
    def remote_shielded(self) -> Deferred[Any]:
        return self.remote_later()

    def remote_fire(self, value: Any) -> None:
        self.kept.callback(value)

    # The end.

    def remote_leave(self) -> None:
        self.connection.goAway("closing for today")


class Box(broker.Referenceable):
    def __init__(self) -> None:
        self.content: list[Any] = []

    def remote_put(self, *things: Any) -> int:
        self.content += things
        return len(self.content)


class Friend(broker.Referenceable):
    """The client's."""

    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []

    def remote_answer(self, number: int) -> int:
        return 2 * number

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


def echo(client: Client) -> None:
    client.call("calls echo", client.root, "echo", "hello")
    client.call("calls it with keywords", client.root, "echo", 1, two=2, three=[3])
    client.root.callRemoteOnly("note", None)
    client.go("wants no answer")
    waiting = [client.root.callRemote("echo", number) for number in range(3)]
    client.go("makes three calls at once")
    assert [one.result for one in waiting] == [0, 1, 2]


SHARED: list[Any] = [1, 2]
CYCLE: dict[str, Any] = {"name": "cycle"}
CYCLE["self"] = CYCLE
THINGS = {
    "numbers": (0, -1, 127, 128, -33, 1000, -100000, 2**40, -(2**70), 0.5, float("inf"), -0.0, complex(1, -1)),
    "texts and bytes": ("", "h\u00e9llo", "x" * 40, "y" * 300, b"", b"\x00\xff", b"z" * 300),
    "constants": (None, True, False),
    "containers": ([], [1, [2, [3]]], (), ((),), (1,) * 9, {}, {1: "one", (2, 3): "more"}, {4}, frozenset([5])),
    "records": [{"tea": "assam", "price": 3}, {"tea": "oolong", "price": 4}, {"price": 5, "tea": "sencha"}],
    "packed lists": [list(range(20)), [1000] * 16, [2**40] * 16, [0.5] * 16],
    "shared parts": [SHARED, SHARED, {"again": SHARED}],
    "a cycle": CYCLE,
    "dates and the like": [
        date(2026, 2, 28),
        datetime(2026, 2, 28, 12, 30, 15, 7),
        datetime(2026, 2, 28, tzinfo=timezone.utc),
        datetime(2026, 2, 28, tzinfo=timezone(timedelta(hours=5, minutes=30), "IST")),
        datetime(2026, 2, 28, 12).time().replace(tzinfo=timezone(timedelta(hours=-1)), fold=1),
        timedelta(-1, 2, 3),
        Decimal("-12.345"),
        Decimal("sNaN12"),
        UUID("00112233-4455-6677-8899-aabbccddeeff"),
    ],
}


def values(client: Client) -> None:
    for title, thing in THINGS.items():
        client.call(f"sends {title}", client.root, "echo", thing)


def errors(client: Client) -> None:
    assert isinstance(client.call("meets an expected error", client.root, "expected"), broker.Error)
    unexpected = client.call("meets an unexpected one", client.root, "unexpected")
    assert isinstance(unexpected, ZeroDivisionError)
    assert isinstance(client.call("calls a method that is not there", client.root, "dance"), broker.NoSuchMethod)
    refused = client.call("wants something that may not cross", client.root, "secret")
    assert isinstance(refused, broker.InsecureJelly)
    stale = broker.RemoteReference(None, client.root.broker, 99, False)
    assert isinstance(client.call("calls an object that is not there", stale, "put"), broker.Error)


def references(client: Client) -> None:
    box = client.call("is given a reference", client.root, "box")
    client.call("calls the object", box, "put", "tea", "cups")
    assert client.call("sends it home", client.root, "isYours", box) is True
    del box
    client.go("drops it")
    box = client.call("is given another one", client.root, "box")
    client.call("passes that on in a list, twice", client.root, "note", [box, box])
    del box
    client.go("drops it; the server keeps its own")


def callbacks(client: Client) -> None:
    friend = Friend()
    assert client.call("sends an object of its own, which the server calls", client.root, "ask", friend) == 41
    client.call("leaves it with the server", client.root, "note", friend)
    assert client.call("gets it back", client.root, "noted") is friend
    client.call("has the server forget it", client.root, "note", None)


class Point(broker.Copyable, broker.RemoteCopy):
    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def getTypeToCopy(self) -> str:
        return "golden.Point"


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Order:
    tea: str
    cups: int = 1


def registry() -> broker.Registry:
    """Return what both ends of the conversation on copies know."""
    made = broker.Registry()
    made.setUnjellyableForClass("golden.Point", Point)
    made.setUnjellyableForClass("golden.Stock", Seen)
    made.passByValue(Colour, name="golden.Colour")
    made.passByValue(Order, name="golden.Order")
    return made


def copies(client: Client) -> None:
    client.call("sends a copy", client.root, "echo", Point(1, "two"))
    point = Point(None, 2.5)
    point.x = point
    client.call("sends one that contains itself", client.root, "echo", point)
    point = Point([], ())
    client.call(
        "sends one twice, with plain values and with a shared list", client.root, "echo", [point, point, point.x]
    )
    client.call(
        "sends a member of an enum, and a dataclass", client.root, "echo", {"a": Colour.RED, "b": Order("assam")}
    )
    client.call(
        "sends dates and numbers inside of a copy", client.root, "echo", Point(date(2026, 2, 28), {Decimal(1): 2**70})
    )


class Stock(broker.Cacheable):
    def __init__(self) -> None:
        self.count = 10
        self.observers: list[Any] = []

    def getTypeToCopyFor(self, perspective: Any) -> str:
        return "golden.Stock"

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> Any:
        self.observers.append(observer)
        return {"count": self.count}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        self.observers.remove(observer)

    def set(self, count: int) -> None:
        self.count = count
        for observer in self.observers:
            observer.callRemote("set", count).addErrback(lambda failure: None)


class Seen(broker.RemoteCache):
    def observe_set(self, count: int) -> None:
        self.count = count


class Market(broker.Root):
    def __init__(self) -> None:
        self.stock = Stock()

    def remote_stock(self) -> Stock:
        return self.stock

    def remote_sell(self) -> int:
        self.stock.set(self.stock.count - 1)
        return self.stock.count

    def remote_isYours(self, stock: Any) -> bool:
        return stock is self.stock


def caches(client: Client) -> None:
    stock = client.call("is given a cached copy", client.root, "stock")
    client.call("has it changed", client.root, "sell")
    assert stock.count == 9
    again = client.call("is given it again", client.root, "stock")
    assert again == stock
    assert client.call("sends it home", client.root, "isYours", stock) is True
    del stock, again
    client.go("drops it")


def cancelling(client: Client) -> None:
    waiting = client.root.callRemote("later")
    client.go("makes a call that takes long")
    waiting.cancel()
    client.outcome("cancels it", waiting)
    patient = client.root.options(cancel="wait")
    waiting = patient.callRemote("later")
    client.go("makes another one")
    waiting.cancel()
    client.outcome("cancels it and waits for what comes of that", waiting)
    waiting = patient.callRemote("shielded")
    client.go("makes a call that does not let itself be cancelled")
    waiting.cancel()
    client.go("cancels that")
    client.call("has it end", client.root, "fire", "done all the same")
    assert waiting.result == "done all the same"


def deadlines(client: Client) -> None:
    patient = client.root.options(timeout=2)
    assert patient.callRemote("echo", 1).addErrback(lambda _: None)
    client.go("makes a call with two seconds to go")
    client.outcome("makes one whose deadline the server hands on", patient.callRemote("ask", Friend()))
    client.root.broker.callTimeout = 1.5
    client.call("has a deadline for all calls", client.root, "echo", 2)


LARGE = 150_000


def large(client: Client) -> None:
    waiting = client.root.callRemote("echo", b"x" * LARGE)
    small = client.root.broker.remoteForName("other").callRemote("echo", "small")
    behind = client.root.callRemote("echo", "behind")
    client.go(
        "sends a large value, a small one to another object, which passes it, and one to the same, which does not"
    )
    assert waiting.result == b"x" * LARGE and behind.result == "behind"
    small.addErrback(lambda failure: None)
    with client.root.broker.turn():
        both = [client.root.broker.remoteForName(name).callRemote("echo", name * LARGE) for name in ("a", "b")]
    for one in both:
        one.addErrback(lambda failure: None)
    client.go("sends two large values at once, to two objects that are not there")
    too_large = client.call(
        "sends one that the server does not take, which is refused here", client.root, "echo", b"y" * 500_000
    )
    assert isinstance(too_large, broker.LimitExceeded)


def pings(client: Client) -> None:
    client.root.broker.ping()
    client.go("asks whether the server is there")


def leaving(client: Client) -> None:
    friend = Friend()
    client.call("leaves an object with the server", client.root, "note", friend)
    waiting = client.root.callRemote("ask_later")
    client.go("makes a call, while which the server calls it")
    left = client.root.callRemote("leave")
    crossing = client.root.callRemote("echo", "too late")
    client.go("has the server go away; the call behind crosses its message")
    assert left.result is None and crossing.result.check(broker.GoingAway)
    crossing.addErrback(lambda failure: None)
    friend.waiting.pop().callback("finished")
    assert client.outcome("answers; what was in flight is finished, then the server closes", waiting) == "finished"


class Leaver(Service):
    async def remote_ask_later(self) -> Any:
        return await self.kept.callRemote("later")


def wrong(client: Client) -> None:
    send = client.root.broker.transport.write
    for title, data in (
        ("sends a hint that nobody knows", "85 030000 010203"),
        ("sends a message of a kind that is reserved", "10 020000 0102"),
        ("sends a call with a flag that is reserved", "02 050000 41 01 00 0178"),
        ("sends the same without wanting an answer", "02 050000 40 01 00 0178"),
        ("sends a call with options", "02 0d0000 21 02 04726f6f74046563686f"),
        ("releases what it does not hold", "05 020000 0701"),
        ("answers what nobody asked", "03 020000 07c0"),
        ("cancels what is not in flight", "08 010000 07"),
        ("sends arguments that are cut short", "02 0e0000 05 03 04726f6f74046563686f b2 01"),
        ("sends bytes behind the arguments", "02 0e0000 05 04 04726f6f74046563686f b0 00"),
    ):
        send(CALLS.get(title, bytes.fromhex(data)))
        client.go(title)
    send(bytes.fromhex("09 090000 010203040506070809"))
    client.go("sends a ping that is too long; the server closes")


def _call(request: int, rest: str, flags: int = 5) -> bytes:
    """Return a call of ``echo`` at the root with bytes of choice behind the method."""
    body = bytes((flags, request)) + b"\x04root\x04echo" + bytes.fromhex(rest)
    return (2 | len(body) << 8).to_bytes(4, "little") + body


#: Calls whose length one had better not count by hand.
CALLS = {
    "sends a call with options": _call(2, "b9 81 74 07 b1 01", flags=5 | 32),
    "sends arguments that are cut short": _call(3, "b2 01"),
    "sends bytes behind the arguments": _call(4, "b0 00"),
}


class Member(broker.Avatar):
    def __init__(self, name: str) -> None:
        self.name = name

    def perspective_name(self) -> str:
        return self.name


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return broker.IPerspective, Member(avatarId.decode() if avatarId else "nobody"), lambda: None


def portal() -> Portal:
    """Return a portal that lets alice in, and anybody as nobody."""
    return Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(alice=b"sesame"), AllowAnonymousAccess()])


def login(client: Client) -> None:
    alice = client.outcome("logs in", client.factory.login(UsernamePassword(b"alice", b"sesame"), Friend()))
    assert client.call("calls its avatar", alice, "name") == "alice"
    del alice
    client.go("logs out")
    client.outcome("gives a wrong password", client.factory.login(UsernamePassword(b"alice", b"guess")))
    client.outcome("comes as anybody", client.factory.login(Anonymous()))


CONVERSATIONS: dict[str, Conversation] = {
    "echo": Conversation("Calls, and what comes back", Service, echo),
    "values": Conversation("Values of all types", Service, values),
    "errors": Conversation("Calls that fail", Service, errors),
    "references": Conversation("Objects by reference", Service, references),
    "callbacks": Conversation("The server calls the client", Service, callbacks),
    "copies": Conversation("Objects by copy", Service, copies, registry=registry),
    "caches": Conversation("A cached object", Market, caches, registry=registry),
    "cancelling": Conversation("Calls that are cancelled", Service, cancelling),
    "deadlines": Conversation("Calls that may take so long", Service, deadlines),
    "large": Conversation("Values too large for a frame", Service, large, broker.Limits(message=400_000)),
    "pings": Conversation("Whether somebody is there", Service, pings),
    "leaving": Conversation("The server goes away", Leaver, leaving),
    "wrong": Conversation("Messages that are wrong", Service, wrong),
    "login": Conversation("Logging in", portal, login),
}


def main(say: Callable[[str], object] = print) -> None:
    """Record all conversations."""
    FOLDER.mkdir(exist_ok=True)
    for name, conversation in CONVERSATIONS.items():
        text = written(conversation, recorded(conversation))
        (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
        say(f"{name}: {len(text)} characters")


if __name__ == "__main__":
    main()
