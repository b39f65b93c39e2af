"""Connection life: what hears of a loss, and how."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.defects.defect import defect
from tests.defects.wire import ADDRESS, Sides, Transport, Wire, collect, failure_of, logged, value_of

TAG = b"tests.defects.Watched"

ASK = {
    "root": lambda factory: factory.getRootObject(),
    "login": lambda factory: factory.login(UsernamePassword(b"alice", b"sekrit")),
    "anonymous": lambda factory: factory.login(Anonymous()),
}
ASKING = pytest.mark.parametrize("ask", sorted(ASK))


class Connector(BaseConnector):
    """A reactor's connector, without the reactor's sockets."""

    def __init__(self, factory: Any, reactor: Any) -> None:
        untimed: Any = None
        super().__init__(factory, untimed, reactor)

    def _makeTransport(self) -> Any:
        return Transport(None)

    def getDestination(self) -> Any:
        return ADDRESS


class Network:
    """As much of a reactor as a client endpoint needs; what it was asked to connect is in `connectors`."""

    def __init__(self) -> None:
        self.connectors: list[Connector] = []

    def connectTCP(self, _host: str, _port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        connector = Connector(factory, self)
        self.connectors.append(connector)
        connector.connect()
        return connector


def endpoint(network: Network) -> TCP4ClientEndpoint:
    return TCP4ClientEndpoint(network, "127.0.0.1", 8787)


def root_of(sides: Sides, **methods: Any) -> Any:
    class Served(sides.server.pb.Root):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.things: dict[str, Any] = {}

        def remote_ping(self) -> str:
            return "pong"

        def remote_give(self, name: str = "thing") -> Any:
            return self.things.setdefault(name, sides.server.pb.Referenceable())

        def remote_never(self) -> Any:
            return Deferred()

    for name, method in methods.items():
        setattr(Served, f"remote_{name}", method)
    return Served()


# ------------------------------------------------------------------------------------------------- pending root, login


@ASKING
@defect("ours", stock="never fired")
def test_4976_failed_connection_behind_an_endpoint(sides: Sides, ask: str) -> None:
    """A connection that fails behind an endpoint leaves the pending root object or login waiting for ever."""
    network = Network()
    factory = sides.client.pb.PBClientFactory()
    clock = factory.reactor = Clock()
    asked = ASK[ask](factory)
    connecting = endpoint(network).connect(factory)
    network.connectors[0].connectionFailed(Failure(ConnectionRefusedError()))
    assert failure_of(connecting).check(ConnectionRefusedError)
    # Endpoints with several addresses are given a moment to try the next one.
    clock.advance(1.0)
    failure_of(asked)


@ASKING
@defect("ours", stock="never fired")
def test_4976_connection_lost_before_negotiation(sides: Sides, ask: str) -> None:
    """A connection lost before the dialect is agreed leaves the pending root object or login waiting for ever."""
    network = Network()
    factory = sides.client.pb.PBClientFactory()
    asked = ASK[ask](factory)
    connecting = endpoint(network).connect(factory)
    protocol: Any = network.connectors[0].buildProtocol(ADDRESS)
    protocol.makeConnection(Transport(protocol))
    value_of(connecting)
    protocol.connectionLost(Failure(ConnectionLost("cable cut")))
    assert "cable cut" in failure_of(asked).getErrorMessage()


@defect("ours", stock="never fired")
def test_4976_protocol_of_a_factory(sides: Sides) -> None:
    """The same with ``connectProtocol``, which never tells the broker's own factory anything."""
    network = Network()
    factory = sides.client.pb.PBClientFactory()
    asked = factory.getRootObject()
    connectProtocol(endpoint(network), factory.buildProtocol(None))
    protocol: Any = network.connectors[0].buildProtocol(ADDRESS)
    protocol.makeConnection(Transport(protocol))
    protocol.connectionLost(Failure(ConnectionLost("cable cut")))
    failure_of(asked)


@defect("ours", "our-client", stock="never fired")
def test_4976_no_dialect_in_common(sides: Sides) -> None:
    """A server that offers nothing the client knows leaves the pending root object waiting, behind an endpoint."""
    factory = sides.server.pb.PBServerFactory(root_of(sides))

    class Strange(factory.protocol):  # type: ignore[misc,name-defined]
        knownDialects = [b"klingon"]

    factory.protocol = Strange
    wire = Wire(sides, None, server_factory=factory)
    asked = wire.client_factory.getRootObject()
    if not sides.server.stock:
        # Whatever our server calls its list of dialects, the client is shown one that it cannot know.
        wire.server_end.sent[:] = b"\x01\x80\x07\x82klingon"
    wire.pump()
    assert not wire.connected()
    failure_of(asked)


# -------------------------------------------------------------------------------------------------------- the loss told


@defect("ours", "our-client", stock="a dump of the failure")
def test_connection_lost_is_readable(sides: Sides) -> None:
    """PBConnectionLost shows a dump of the failure it was made of instead of the reason."""
    wire = Wire(sides, root_of(sides))
    waiting = wire.call("never")
    wire.lose(ConnectionLost("cable cut"))
    failure = failure_of(waiting)
    assert failure.check(sides.client.pb.PBConnectionLost)
    text = str(failure.value)
    assert "cable cut" in text
    assert "Failure instance" not in text and "Traceback" not in text, f"a dump of the failure: {text}"
    assert "cable cut" in failure.getErrorMessage()


@defect("ours", "our-client", stock="silenced")
def test_disconnect_callback_that_raises(sides: Sides) -> None:
    """The first disconnect callback of a reference that raises silences all behind it."""
    wire = Wire(sides, root_of(sides))
    thing = value_of(wire.call("give"))
    heard: list[str] = []

    def bad(_reference: Any) -> None:
        heard.append("bad")
        raise RuntimeError("callback of the application")

    thing.notifyOnDisconnect(bad)
    thing.notifyOnDisconnect(lambda _reference: heard.append("good"))
    wire.root().notifyOnDisconnect(lambda _reference: heard.append("root"))
    wire.client.notifyOnDisconnect(lambda: heard.append("broker"))
    with logged() as log:
        wire.lose()
    assert sorted(heard) == ["bad", "broker", "good", "root"], f"silenced: {heard}"
    assert len(log.errors()) == 1 and "callback of the application" in log.errors()[0]


@defect("ours", "our-client", stock="skipped")
def test_disconnect_callback_that_unregisters_itself(sides: Sides) -> None:
    """A disconnect callback of a reference that unregisters itself makes its neighbour be skipped."""
    wire = Wire(sides, root_of(sides))
    thing = value_of(wire.call("give"))
    heard: list[str] = []

    def once(reference: Any) -> None:
        heard.append("once")
        reference.dontNotifyOnDisconnect(once)

    thing.notifyOnDisconnect(once)
    thing.notifyOnDisconnect(lambda _reference: heard.append("neighbour"))
    thing.notifyOnDisconnect(lambda _reference: heard.append("last"))
    with logged() as log:
        wire.lose()
    assert heard == ["once", "neighbour", "last"], f"skipped: {heard}"
    assert log.errors() == []


@defect("ours", "our-client", stock="NoneType", raises=AttributeError)
def test_disconnect_callback_registered_after_the_loss(sides: Sides) -> None:
    """Registering a disconnect callback after the loss raises an AttributeError."""
    wire = Wire(sides, root_of(sides))
    thing = value_of(wire.call("give"))
    watched = value_of(wire.call("give", "other"))
    heard: list[Any] = []
    watched.notifyOnDisconnect(heard.append)
    wire.lose()
    assert heard == [watched]
    late: list[Any] = []
    for reference in (watched, thing):
        reference.notifyOnDisconnect(late.append)
    assert late in ([], [watched, thing]), "fires at once for each, or for none"
    watched.broker.notifyOnDisconnect(lambda: late.append("broker"))


@defect("ours", "our-client", stock="NoneType|remove", raises=Exception)
def test_disconnect_callback_withdrawn_after_the_loss(sides: Sides) -> None:
    """Withdrawing a disconnect callback after the loss raises an AttributeError."""
    wire = Wire(sides, root_of(sides))
    thing = value_of(wire.call("give"))
    heard: list[Any] = []
    thing.notifyOnDisconnect(heard.append)
    wire.lose()
    thing.dontNotifyOnDisconnect(heard.append)
    wire.client.dontNotifyOnDisconnect(heard.append)
    assert heard == [thing]


# --------------------------------------------------------------------------------------------------------- after it all


def watched_root(sides: Sides) -> Any:
    class Watched(sides.server.pb.Cacheable):  # type: ignore[misc,name-defined]
        observer: Any = None

        def getTypeToCopy(self) -> bytes:
            return TAG

        def getStateToCacheAndObserveFor(self, _perspective: Any, observer: Any) -> Any:
            self.observer = observer
            return {}

    class RemoteWatched(sides.client.pb.RemoteCache):  # type: ignore[misc,name-defined]
        pass

    sides.client.pb.setUnjellyableForClass(TAG, RemoteWatched)
    watched = Watched()
    root = root_of(sides, watch=lambda _self: watched)
    root.watched = watched
    return root


@defect("ours", "our-server", stock="AttributeError")
def test_observer_called_after_the_loss(sides: Sides) -> None:
    """Calling a cache observer after the loss raises an AttributeError instead of DeadReferenceError."""
    root = watched_root(sides)
    wire = Wire(sides, root)
    cache = value_of(wire.call("watch"))
    observer = root.watched.observer
    assert cache is not None
    wire.lose()
    failure = failure_of(maybeDeferred(observer.callRemote, "changed", 1))
    assert failure.check(sides.server.pb.DeadReferenceError), f"{failure.type.__name__}: {failure.value}"
    method = observer.remoteMethod("changed")
    failure = failure_of(maybeDeferred(method, 1))
    assert failure.check(sides.server.pb.DeadReferenceError), f"{failure.type.__name__}: {failure.value}"


@defect("ours", "our-server", stock="logged")
def test_deferred_result_after_the_loss(sides: Sides) -> None:
    """A method's Deferred that fires with a Referenceable after the loss logs two errors."""
    fires: Deferred[Any] = Deferred()
    wire = Wire(sides, root_of(sides, later=lambda _self: fires))
    wire.call("later").addErrback(lambda _failure: None)
    with logged() as log:
        wire.lose()
        fires.callback(sides.server.pb.Referenceable())
        fires.addErrback(lambda _failure: None)
        collect()
    assert log.lines() == [], f"logged: {log.lines()}"
    assert wire.server_end.written_after_loss == 0


@defect("ours", "our-client", stock="written to a dead transport")
def test_reference_dropped_after_the_loss(sides: Sides) -> None:
    """A reference or cache dropped after the loss still writes its release to the dead transport."""
    wire = Wire(sides, watched_root(sides))
    held = [value_of(wire.call("give")), value_of(wire.call("watch"))]
    wire.lose()
    with logged() as log:
        del held
        collect()
    assert log.lines() == []
    assert wire.client_end.written_after_loss == 0, "written to a dead transport"


@defect("ours", "our-server", "our-client", stock="NoneType|not iterable|items", raises=Exception)
def test_tables_after_the_loss(sides: Sides) -> None:
    """The tables of a lost connection are None, so that whoever looks into them fails."""
    wire = Wire(sides, watched_root(sides))
    held = [value_of(wire.call("give")), value_of(wire.call("watch"))]
    wire.lose(ConnectionDone())
    assert len(held) == 2
    for broker, side in ((wire.server, sides.server), (wire.client, sides.client)):
        if side.stock and not (sides.server.stock and sides.client.stock):
            continue
        for table in ("localObjects", "luids", "remotelyCachedObjects", "locallyCachedObjects", "waitingForAnswers"):
            assert len(list(getattr(broker, table))) == 0, table
        assert len(list(broker.disconnects)) == 0
