"""What the drop-in does as PB does it, although the plain door does not."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred

import broker
import broker.spread.pb as pb
from broker.errors import LimitExceeded
from broker.testing import Pair, pair


class Stock(pb.Cacheable):
    def __init__(self) -> None:
        self.observer: Any = None

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, Any]:
        self.observer = observer
        return {"prices": []}


class StockCopy(pb.RemoteCache):
    prices: list[int]

    def observe_price(self, price: int) -> None:
        self.prices.append(price)


pb.setUnjellyableForClass(Stock, StockCopy)


class Service(pb.Root):
    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.stock = Stock()
        self.order: list[str] = []

    def remote_note(self, *args: Any, **kw: Any) -> Any:
        self.calls.append((args, kw))
        return len(self.calls)

    def remote_fail(self) -> None:
        raise pb.Error("foreseen")

    def remote_stock(self) -> Stock:
        return self.stock

    def remote_give(self) -> Any:
        return [pb.Referenceable() for _ in range(4)]

    def remote_never(self) -> Deferred[None]:
        return Deferred()


def dropin(root: Any = None, **factories: Any) -> Pair:
    options = {"server_factory": pb.PBServerFactory, "client_factory": pb.PBClientFactory, **factories}
    return pair(root or Service(), **options)


def test_a_call_without_answer() -> None:
    made = dropin()
    assert made.root.callRemote("note", 1, pbanswer=False) is None
    made.flush()
    assert made.server.localObjects[b"root"].object.calls == [((1,), {})]
    assert made.client.waitingForAnswers == {}  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        made.root.callRemote("note", pbanswer=False, pbcallback=print)


def test_an_update_without_answer_reaches_the_copy() -> None:
    service = Service()
    made = dropin(service)
    copy = made.call(made.root, "stock")
    assert service.stock.observer.callRemote("price", 5, pbanswer=False) is None
    made.flush()
    assert copy.prices == [5] and made.client.session.faults == made.server.session.faults == 0


def test_callbacks_among_the_keywords() -> None:
    made = dropin()
    results: list[Any] = []
    made.root.callRemote("note", a=1, pbcallback=results.append)
    made.root.callRemote("fail", pberrback=lambda failure: results.append(failure.check(pb.Error)))
    made.flush()
    assert results == [1, pb.Error]
    assert made.server.localObjects[b"root"].object.calls == [((), {"a": 1})]


def test_the_plain_door_takes_no_keyword_away() -> None:
    made = pair(Service())
    assert made.call(made.root, "note", pbanswer=0, pbcallback=1, pberrback=2) == 1
    assert made.server.localObjects[b"root"].object.calls == [((), {"pbanswer": 0, "pbcallback": 1, "pberrback": 2})]


def test_a_dead_reference_raises_at_once() -> None:
    made, plain = dropin(), pair(Service())
    dead, plainly_dead = made.root, plain.root
    for one in (made, plain):
        one.wire.drop()
    with pytest.raises(pb.DeadReferenceError):
        dead.callRemote("note")
    assert isinstance(plain.failure(plainly_dead.callRemote("note")), broker.DeadReferenceError)


def test_the_ceiling_of_references_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = dropin()
    monkeypatch.setattr(pb, "MAX_BROKER_REFS", 3)
    error = made.failure(made.root.callRemote("give"))
    assert isinstance(error, LimitExceeded) and "Maximum PB reference count exceeded" in str(error)
    monkeypatch.setattr(pb, "MAX_BROKER_REFS", 4)
    assert len(made.call(made.root, "give")) == 4


@pytest.mark.in_dialects("broker/1")
def test_the_ceiling_of_the_other_end_holds_too() -> None:
    made = pair(
        Service(),
        server_factory=pb.PBServerFactory,
        client_factory=lambda: pb.PBClientFactory(limits=broker.Limits(references=3)),
    )
    assert pb.MAX_BROKER_REFS > 3
    # The client would refuse the answer, and with it what else is in it.
    error = made.failure(made.root.callRemote("give"))
    assert isinstance(error, LimitExceeded) and isinstance(error, broker.RemoteError)
    assert made.client.session.faults == 0 and made.server.statistics()["exports"] == 0


class Extended(pb.Broker):
    """A protocol with a command of its own."""

    cheers: list[Any]

    def proto_cheer(self, *fields: Any) -> None:
        self.cheers.append(fields)

    def proto_fail(self) -> None:
        raise ValueError("of the subclass")


class ExtendedServer(pb.PBServerFactory):
    protocol = Extended


def test_commands_of_a_subclass() -> None:
    service = Service()
    made = dropin(service, server_factory=ExtendedServer)
    heard = made.server.cheers = []  # type: ignore[attr-defined]
    client: Any = made.client
    client.sendCall(b"cheer", 1, b"two", [3])
    client.sendCall(b"fail")
    client.sendCall(b"unheard")
    made.flush()
    assert heard == [(1, b"two", [3])]
    # A command that nobody knows is a fault, those of the subclass are not.
    assert made.server.session.faults == 1
    assert made.call(made.root, "note") == 1


@pytest.mark.in_dialects("broker/1")
def test_commands_have_a_dialect_that_has_commands() -> None:
    class Named(Extended):
        """Says itself what it speaks."""

        knownDialects = (b"none",)

        def proto_more(self) -> None:
            """One more."""

    assert pb.Broker.knownDialects[0] == b"broker/1"
    assert Extended.knownDialects == (b"pb", b"none") and Named.knownDialects == (b"none",)
    made = dropin()
    client: Any = made.client
    assert client.currentDialect == b"broker/1"
    with pytest.raises(pb.ProtocolError, match="require the dialect pb"):
        client.sendCall(b"cheer", 1)
    assert made.call(made.root, "note") == 1


def test_a_raw_message_keeps_its_place() -> None:
    service = Service()
    made = dropin(service, server_factory=ExtendedServer)
    heard = made.server.cheers = []  # type: ignore[attr-defined]
    client: Any = made.client
    root = made.root
    with client.turn():
        root.callRemote("note", "before")
        client.sendCall(b"cheer", 1)
        assert made.pending("server") == 0
    made.deliver("server", made.pending("server") - 1)
    assert len(service.calls) == 1 and heard == []
    made.flush()
    assert heard == [(1,)]


@pytest.mark.parametrize("known", [(b"none",), (b"pb", b"none")])
def test_a_subclass_may_leave_a_dialect_out(known: tuple[bytes, ...]) -> None:
    class Spare(pb.Broker):
        knownDialects = known

    class Factory(pb.PBClientFactory):
        protocol = Spare

    made = dropin(client_factory=Factory)
    assert made.client.currentDialect == made.server.currentDialect == known[0]  # type: ignore[attr-defined]
    assert made.call(made.root, "note") == 1


def test_classes_that_count_by_themselves() -> None:
    service = Service()
    made = dropin(service)
    client, server = (made.client, made.server)  # type: Any, Any
    mine = pb.Referenceable()
    number = client.registerReference(mine)
    assert client.luids == {mine.processUniqueID(): number}
    assert client.newLocalID() > number and client.newRequestID() == client.currentRequestID
    server.sendDecRef(number)
    made.flush()
    assert client.luids == {}
    copy = made.call(made.root, "stock")
    assert list(server.remotelyCachedLUIDs.values()) == [copy.luid]
    client.decCacheRef(copy.luid)
    made.flush()
    assert server.remotelyCachedLUIDs == {} and client.locallyCachedObjects == {}


def test_waiting_for_answers() -> None:
    made = dropin()
    waiting = made.root.callRemote("never")
    client: Any = made.client
    assert list(client.waitingForAnswers.values()) == [waiting]
    made.wire.drop()
    assert isinstance(made.failure(waiting), pb.PBConnectionLost)
