"""`connect` and `serve`, over endpoints in memory: what comes back, and what goes wrong."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

import broker
from broker import Avatar, PBConnectionLost, Referenceable, RemoteReference, Root
from broker.testing import memory_endpoints
from broker.testing.endpoints import MemoryClientEndpoint, MemoryServerEndpoint

pytestmark = pytest.mark.usefixtures("in_dialect")

Ends = tuple[MemoryServerEndpoint, MemoryClientEndpoint]


class Echo(Root):
    def remote_echo(self, value: Any) -> Any:
        return value


class User(Avatar):
    def __init__(self, name: Any, mind: Any) -> None:
        self.name = name
        self.mind = mind

    def perspective_name(self) -> Any:
        return self.name

    def perspective_mind(self) -> Any:
        return self.mind.callRemote("who")


@implementer(IRealm)
class Realm:
    def __init__(self) -> None:
        self.out: list[Any] = []

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return interfaces[0], User(avatarId, mind), lambda: self.out.append(avatarId)


class Mind(Referenceable):
    def remote_who(self) -> str:
        return "me"


@pytest.fixture
def ends() -> Ends:
    return memory_endpoints()


def outcome(ends: Ends, waiting: Deferred[Any]) -> Any:
    results: list[Any] = []
    waiting.addBoth(results.append)
    ends[1].flush()
    assert results, "no result"
    return results[0]


def connect(ends: Ends, **options: Any) -> Any:
    return outcome(ends, broker.connect(ends[1], reactor=ends[1].reactor, **options))


def serve(ends: Ends, root: Any, **options: Any) -> Any:
    return outcome(ends, broker.serve(ends[0], root, reactor=ends[1].reactor, **options))


def portal() -> Portal:
    return Portal(Realm(), [InMemoryUsernamePasswordDatabaseDontUse(ann=b"sekrit"), AllowAnonymousAccess()])


class Plain(Referenceable):
    remote_echo = Echo.remote_echo


@pytest.mark.parametrize("root", [Echo(), Plain()], ids=["root", "referenceable"])
def test_the_root_object(ends: Ends, root: Any) -> None:
    port = serve(ends, root)
    reference = connect(ends)
    assert isinstance(reference, RemoteReference)
    assert outcome(ends, reference.callRemote("echo", [1])) == [1]
    assert outcome(ends, reference.broker.disconnect()) is None
    assert isinstance(outcome(ends, reference.callRemote("echo", 1)).value, broker.DeadReferenceError)
    assert not port.factory.connections


@pytest.mark.parametrize(
    ("credentials", "name"), [(UsernamePassword(b"ann", b"sekrit"), b"ann"), (Anonymous(), ())], ids=["ann", "anybody"]
)
def test_a_login(ends: Ends, credentials: Any, name: Any) -> None:
    made = portal()
    serve(ends, made)
    avatar = connect(ends, credentials=credentials, mind=Mind())
    assert outcome(ends, avatar.callRemote("name")) == name
    assert outcome(ends, avatar.callRemote("mind")) == "me"
    outcome(ends, avatar.broker.disconnect())
    assert made.realm.out == [name]  # type: ignore[attr-defined]


def test_a_login_that_is_refused_closes_the_connection(ends: Ends) -> None:
    port = serve(ends, portal())
    refused = connect(ends, credentials=UsernamePassword(b"ann", b"wrong"))
    assert isinstance(refused.value, UnauthorizedLogin) and isinstance(refused.value, broker.RemoteError)
    ends[1].flush()
    assert not ends[1].wires[0].connected and not port.factory.connections


def test_nobody_listens(ends: Ends) -> None:
    assert connect(ends).check(ConnectionRefusedError)


class Says(Protocol):
    """A server of another protocol."""

    text = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.text)


class HangsUp(Protocol):
    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()


@pytest.mark.parametrize("credentials", [None, UsernamePassword(b"ann", b"sekrit")], ids=["root", "login"])
@pytest.mark.parametrize("protocol", [Says, HangsUp])
def test_the_other_end_is_no_server_of_ours(ends: Ends, protocol: Any, credentials: Any) -> None:
    outcome(ends, ends[0].listen(Factory.forProtocol(protocol)))
    lost = connect(ends, credentials=credentials)
    assert lost.check(PBConnectionLost) and str(lost.value)
    assert not ends[1].wires[0].connected


def test_too_slow() -> None:
    clock = Clock()
    ends = memory_endpoints(clock=clock)
    outcome(ends, ends[0].listen(Factory.forProtocol(Protocol)))
    results: list[Any] = []
    broker.connect(ends[1], timeout=3, reactor=ends[1].reactor).addBoth(results.append)
    clock.advance(2.9)
    assert not results
    clock.advance(0.2)
    ends[1].flush()
    assert isinstance(results[0], Failure) and results[0].check(TimeoutError)
    assert not ends[1].wires[0].connected
    # A server that never answers a login is as slow.
    assert clock.getDelayedCalls() == []


def test_a_login_that_is_never_answered_times_out() -> None:
    class Silent(Root):
        def remote_login(self, name: bytes) -> Deferred[Any]:
            return Deferred()

    clock = Clock()
    ends = memory_endpoints(clock=clock)
    serve(ends, Silent())
    results: list[Any] = []
    waiting = broker.connect(ends[1], timeout=3, credentials=UsernamePassword(b"ann", b"x"), reactor=ends[1].reactor)
    waiting.addBoth(results.append)
    ends[1].flush()
    assert not results
    clock.advance(3.1)
    ends[1].flush()
    assert results[0].check(TimeoutError) and not ends[1].wires[0].connected


def test_given_up() -> None:
    ends = memory_endpoints()
    outcome(ends, ends[0].listen(Factory.forProtocol(Protocol)))
    waiting = broker.connect(ends[1], reactor=ends[1].reactor)
    waiting.cancel()
    assert outcome(ends, waiting).check(CancelledError)
    ends[1].flush()
    assert not ends[1].wires[0].connected and ends[1].clock.getDelayedCalls() == []


@pytest.mark.parametrize("root", [None, 5, object(), Echo, {"echo": Echo()}], ids=repr)
def test_what_cannot_be_served(ends: Ends, root: Any) -> None:
    with pytest.raises(TypeError, match="cannot serve"):
        broker.serve(ends[0], root, reactor=ends[1].reactor)
    assert ends[0].port is None


@pytest.mark.parametrize("endpoint", ["", "nonsense", "tcp", "tcp:host", "carrier-pigeon:8787"])
def test_strings_that_are_no_endpoints(endpoint: str) -> None:
    with pytest.raises(ValueError):
        broker.connect(endpoint, reactor=Clock())
    if endpoint != "tcp:host":
        with pytest.raises(ValueError):
            broker.serve(endpoint, Echo(), reactor=Clock())


def test_options_reach_the_connection(ends: Ends) -> None:
    limits = broker.Limits(references=7)
    registry, security = broker.Registry(), broker.SecurityOptions()
    security.allowBasicTypes()
    options: dict[str, Any] = {"limits": limits, "registry": registry, "security": security, "unsafeTracebacks": True}
    port = serve(ends, Echo(), **options)
    reference = connect(ends, **options)
    (served,) = port.factory.connections
    for end in (reference.broker, served):
        assert end.limits is limits and end.registry is registry and end.security is security
        assert end.unsafeTracebacks


def test_a_client_factory_may_be_asked_before_and_after() -> None:
    ends = memory_endpoints()
    serve(ends, Echo())
    factory = broker.ClientFactory(reactor=ends[1].reactor)
    early = factory.getRootObject()
    outcome(ends, ends[1].connect(factory))
    root = outcome(ends, early)
    assert outcome(ends, factory.getRootObject()) is root
    factory.disconnect()
    ends[1].flush()
    # The next connection serves who asks from now on.
    late = factory.getRootObject()
    outcome(ends, ends[1].connect(factory))
    again = outcome(ends, late)
    assert again is not root and outcome(ends, again.callRemote("echo", 2)) == 2
