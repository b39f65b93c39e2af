"""Every recorded session of stock PB, replayed both ways: our server against the recorded client's bytes, and our
client against the recorded server's.

The recorded bytes of one side are fed in; what our side writes must be the recorded bytes of the other side. Where we
differ on purpose the difference is listed, with its reason, in `SERVER_DIFFERS`.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.testing import StringTransport
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from broker._limits import Limits
from broker._wire.banana import encode
from broker._wire.buffer import Decoder
from broker.spread import pb
from tests.vectors import load_fixtures

pbvec = load_fixtures()

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "pb-vectors.json").read_text())
SESSIONS = {session["name"]: session for session in VECTORS["sessions"]}
CHALLENGE = bytes(range(16))
MESSAGE, ANSWER = b"message", b"answer"

CYCLE = b"pbvec.Node"
NODE = [CYCLE, [b"dictionary", [[b"unicode", b"me"], [b"dereference", 1]]]]


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.minds: list[Any] = []

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        self.minds.append(mind)
        name = avatarId.decode() if avatarId else "anonymous"
        return interfaces[0], pbvec.MyAvatar(name), lambda: self.log.append(f"logout {name}")


class Wire(StringTransport):
    """A transport that gives its pull producer room as long as it wants it, from the start, as a socket does."""

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        super().registerProducer(producer, streaming)
        if not streaming:
            producer.resumeProducing()

    def pull(self) -> None:
        while self.producer is not None and not self.streaming:
            self.producer.resumeProducing()


class Side:
    """One broker of ours, fed with recorded bytes; `written` are the expressions that it wrote."""

    def __init__(self, broker: Any, vocabulary: bool) -> None:
        self.broker = broker
        self.transport = Wire()
        self._decoder = Decoder(Limits(), vocabulary=vocabulary)
        self.written: list[Any] = []
        broker.makeConnection(self.transport)
        self.read()

    def read(self) -> None:
        gc.collect()
        self.transport.pull()
        self._decoder.receive_data(self.transport.value())
        self.transport.clear()
        while (expression := self._decoder.next_expression()) is not None:
            self.written.append(expression)

    def feed(self, data: bytes) -> None:
        self.broker.dataReceived(data)
        self.read()


def recorded(name: str) -> list[tuple[str, bytes, Any]]:
    vocabulary = name != "dialect-none"
    messages = []
    for message in SESSIONS[name]["messages"]:
        data = bytes.fromhex(message["hex"])
        decoder = Decoder(Limits(), vocabulary=vocabulary)
        decoder.receive_data(data)
        messages.append((message["dir"], data, decoder.next_expression()))
    return messages


def settle(expression: Any) -> Any:
    """Take out of a failure what differs from run to run, or by decision: the count, remains of Failure's insides."""
    if isinstance(expression, list):
        if len(expression) == 2 and expression[0] == b"twisted.spread.pb.CopyableFailure":
            noise = {b"count", b"pickled", b"_frames"}
            state = [pair for pair in expression[1][1:] if pair[0][1] not in noise]
            unsafe = [b"boolean", b"true"] in [pair[1] for pair in state]
            return [expression[0], *(pair for pair in state if not (unsafe and pair[0][1] == b"traceback"))]
        return [settle(element) for element in expression]
    return expression


@pytest.fixture
def errors() -> Iterator[list[Any]]:
    """Swallow the errors that sessions log on purpose."""
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


def build_server(name: str) -> Any:
    if name.startswith("login"):
        users = InMemoryUsernamePasswordDatabaseDontUse(alice=b"sekrit")
        root: Any = Portal(Realm(), [users, AllowAnonymousAccess()])
    else:
        root = pbvec.Root()
    return pb.PBServerFactory(root, unsafeTracebacks="unsafe" in name)


def in_any_order(messages: list[Any]) -> list[Any]:
    """Releases may be sent earlier or later than stock sends them; put them at the end, the rest keeps its order."""
    releases = [m for m in messages if m[0] in (b"decref", b"decache")]
    return [m for m in messages if m not in releases] + releases


#: Answers of stock that we give in another way: session -> {request: reason}.
SERVER_DIFFERS = {
    "copyable": {3: "a cycle through a Copyable comes back whole, not with an internal placeholder in it"},
    "unpersistable": {1: "what is not on the whitelist is refused where it is sent, not replaced by a marker"},
}


@pytest.mark.parametrize("name", SESSIONS)
def test_server(name: str, errors: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("broker._cred.portal.challenge", lambda: CHALLENGE)
    factory = build_server(name)
    side = Side(factory.buildProtocol(None), vocabulary=name != "dialect-none")
    stocks = getattr(getattr(factory.root, "root", factory.root), "stock", None)
    for direction, data, expression in recorded(name):
        if direction == "C>S":
            side.feed(data)
        elif expression[0] == b"cachemessage":
            stocks.set(11)
            side.read()
    differs = SERVER_DIFFERS.get(name, {})
    expected = [
        settle(e) for d, _, e in recorded(name) if d == "S>C" and not (e[0] in (ANSWER, b"error") and e[1] in differs)
    ]
    ours = [settle(e) for e in side.written if not (e[0] in (ANSWER, b"error") and e[1] in differs)]
    assert in_any_order(ours[1:]) == in_any_order(expected[1:])
    # Our offer has two more names in front, which stock clients pass over: our own dialect, and what we accept in PB's.
    assert ours[0].pop(0).startswith(b"broker/1;message=")
    assert ours[0] == [b"pb;size=4194304", *expected[0]]
    if name == "copyable":
        [cycle] = [e for e in side.written if e[0] == ANSWER and e[1] == 3]
        assert cycle == [ANSWER, 3, [b"reference", 1, NODE]]
    if name == "unpersistable":
        [error] = [e for e in side.written if e[0] == b"error"]
        assert b"InsecureJelly" in encode(error, vocabulary=False)


class Script:
    """Does as the recorded client did: makes its calls again, with its arguments, and drops what it dropped."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.broker = side.broker
        self.mine: dict[int, Any] = {}
        self.theirs: dict[int, Any] = {}
        self.results: list[Any] = []

    def keep(self, result: Any) -> Any:
        self.results.append(result)
        for item in result if isinstance(result, (list, tuple)) else [result]:
            if isinstance(item, (pb.RemoteReference, pb.RemoteCache)):
                self.theirs[item.luid] = item
        return None

    def value(self, jelly: Any) -> Any:
        """Return the value that the recorded client passed."""
        if not isinstance(jelly, list):
            return jelly
        head, *rest = jelly
        if head == b"remote":
            return self.mine.setdefault(rest[0], self.make(rest[0]))
        if head in (b"local", b"lcache"):
            return self.theirs[rest[0]]
        if head == b"unicode":
            return rest[0].decode()
        if head in (b"list", b"tuple"):
            items = [self.value(item) for item in rest]
            return items if head == b"list" else tuple(items)
        if head == b"reference":
            self.shared = self.value(rest[1])
            if isinstance(self.shared, pbvec.Node):
                self.shared.me = self.shared
            return self.shared
        if head == b"dereference":
            return self.shared
        if head == b"None":
            return None
        if head == b"pbvec.Pond":
            return pbvec.Pond(12)
        if head == CYCLE:
            return pbvec.Node()
        return {b"my-tag": pbvec.Tagged, b"pbvec.ListState": pbvec.ListState}[head]()

    def make(self, number: int) -> Any:
        return self.collector if self.collector is not None else pbvec.Two()

    collector: Any = None

    def act(self, expression: Any) -> None:
        """Do what made the recorded client write this."""
        if expression[0] == MESSAGE:
            _, _, target, method, wants, args, kwargs = expression
            # A number never given out is called through a reference made up for it.
            made_up = pb.RemoteReference(None, self.broker, target, False)
            reference = self.broker.remoteForName("root") if target == b"root" else self.theirs.get(target, made_up)
            named = {key[1].decode(): self.value(value) for key, value in kwargs[1:]}
            if not wants:
                reference.callRemote(method, *self.value(args), pbanswer=False, **named)
            elif target == b"root" and method == b"login":
                from twisted.cred.credentials import UsernamePassword

                from broker._cred.login import login

                password = b"sekrit" if self.password_right else b"wrong"
                mind = pbvec.Two() if self.password_right else None
                login(reference, UsernamePassword(args[1], password), mind).addBoth(self.keep)
            else:
                reference.callRemote(method, *self.value(args), **named).addBoth(self.keep)
        elif expression[0] in (b"decref", b"decache"):
            self.results.clear()
            self.theirs.pop(expression[1], None)
            self.shared = None
        self.side.read()

    shared: Any = None
    password_right = True


@pytest.mark.parametrize("name", SESSIONS)
def test_client(name: str, errors: list[Any]) -> None:
    class Client(pb.Broker):
        knownDialects = (b"none",) if name == "dialect-none" else pb.Broker.knownDialects

    factory = pb.PBClientFactory()
    factory.protocol = Client
    side = Side(factory.buildProtocol(None), vocabulary=name != "dialect-none")
    script = Script(side)
    script.password_right = name != "login-bad-password"
    if name == "pager":
        from broker.spread.util import CallbackPageCollector

        pages: list[Any] = []
        script.collector = CallbackPageCollector(pages.extend)
    expected: list[Any] = []
    for direction, data, expression in recorded(name):
        if direction == "S>C":
            side.feed(data)
            continue
        expected.append(settle(expression))
        already = [settle(e) for e in side.written]
        if already.count(expected[-1]) < expected.count(expected[-1]):
            script.act(expression)
    ours = [settle(e) for e in side.written]
    assert in_any_order(ours) == in_any_order(expected)
    if name == "pager":
        assert pages == [b"abc", b"def", b"gh"]
