"""BrokerService: listens, says where, ends cleanly."""

from __future__ import annotations

import gc
import stat
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime, IStreamServerEndpoint
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from broker._net.connect import connect
from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Root
from broker.errors import DeadReferenceError, GoingAway, PBConnectionLost
from broker.service import BrokerService, BuiltinRoot, CannotStart, Options, makeService

LOOPBACK = "tcp:0:interface=127.0.0.1"


def turn() -> Deferred[None]:
    """Return a Deferred that fires in the next turn of the reactor."""
    from twisted.internet import reactor

    return deferLater(IReactorTime(reactor), 0)


def gone(reference: RemoteReference) -> Deferred[None]:
    """Return a Deferred that fires when the connection of a reference is gone."""
    result: Deferred[None] = Deferred()
    reference.notifyOnDisconnect(lambda _: result.callback(None))
    from twisted.internet import reactor

    return result.addTimeout(20, IReactorTime(reactor))


@pytest_twisted.ensureDeferred
async def test_serves_at_every_endpoint(tmp_path: Path) -> None:
    service = BrokerService(BuiltinRoot(), [LOOPBACK, "tcp:0", f"unix:{tmp_path}/socket"])
    service.startService()
    assert len(service.addresses) == len(service.ports) == 3
    assert [address.host for address in service.addresses[:2]] == ["127.0.0.1", "127.0.0.1"]  # type: ignore[attr-defined]
    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o600
    for endpoint in service.clientEndpoints:
        root = await connect(endpoint)
        assert await root.callRemote("echo", endpoint) == endpoint
        await root.broker.disconnect()
    await service.stopService()
    assert service.ports == service.clientEndpoints == []


@pytest_twisted.ensureDeferred
async def test_stopping_closes_the_connections() -> None:
    service = BrokerService(BuiltinRoot(), [LOOPBACK])
    service.privilegedStartService()
    service.startService()
    root = await connect(service.clientEndpoints[0])
    closed = gone(root)
    await service.stopService()
    assert not service.factory.connections
    await closed
    with pytest.raises(DeadReferenceError):
        await root.callRemote("ping")


class Patient(Root):
    def __init__(self) -> None:
        self.waiting: list[Deferred[str]] = []

    def remote_later(self) -> Deferred[str]:
        self.waiting.append(Deferred())
        return self.waiting[-1]


@pytest.mark.parametrize("dialect", ["broker/1", "pb"])
@pytest_twisted.ensureDeferred
async def test_stopping_finishes_calls_in_flight(dialect: str) -> None:
    patient = Patient()
    service = BrokerService(patient, [LOOPBACK], require=dialect)
    service.startService()
    root = await connect(service.clientEndpoints[0])
    assert root.broker.dialect == dialect
    first = root.callRemote("later")
    while not patient.waiting:
        await turn()
    (connection,) = service.factory.connections
    over: list[bool] = []
    stopped = service.stopService().addCallback(lambda _: over.append(True))
    while connection.leaving is None:
        await turn()
    with pytest.raises(GoingAway, match="the server is shutting down"):
        await root.callRemote("later")
    assert not over and len(patient.waiting) == 1
    patient.waiting[0].callback("done")
    assert await first == "done"
    await stopped
    assert not service.factory.connections


@pytest_twisted.ensureDeferred
async def test_stopping_does_not_wait_for_ever() -> None:
    patient = Patient()
    service = BrokerService(patient, [LOOPBACK], grace=0.05)
    service.startService()
    root = await connect(service.clientEndpoints[0])
    call = root.callRemote("later")
    while not patient.waiting:
        await turn()
    await service.stopService()
    with pytest.raises(PBConnectionLost):
        await call


@pytest_twisted.ensureDeferred
async def test_it_can_be_started_again() -> None:
    service = BrokerService(BuiltinRoot(), [LOOPBACK])
    for _ in range(2):
        service.startService()
        root = await connect(service.clientEndpoints[0])
        assert await root.callRemote("ping") == "pong"
        await root.broker.disconnect()
        await service.stopService()


# Before 26, Twisted left the socket open that could not be bound.
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
@pytest_twisted.ensureDeferred
async def test_a_taken_port_gives_back_the_others() -> None:
    first = BrokerService(BuiltinRoot(), [LOOPBACK])
    first.startService()
    taken = f"tcp:{first.addresses[0].port}:interface=127.0.0.1"  # type: ignore[attr-defined]
    for start in ("startService", "privilegedStartService"):
        second = BrokerService(BuiltinRoot(), [LOOPBACK, taken])
        with pytest.raises(CannotListenError):
            getattr(second, start)()
        assert second.ports == []
        assert not second.running
    options = Options()
    options.parseOptions(["--listen", taken])
    with pytest.raises(CannotStart, match=r"^broker: cannot listen at 127.0.0.1:\d+: Address already in use$"):
        makeService(options).startService()
    await first.stopService()
    gc.collect()  # such a socket is reported here, not in a later test


@implementer(IStreamServerEndpoint)
class SlowEndpoint:
    """An endpoint that is told when it listens, as those that have to ask somebody else are."""

    def __init__(self) -> None:
        self.listening: Deferred[Any] = Deferred()

    def listen(self, factory: Any) -> Deferred[Any]:
        return self.listening


def test_an_endpoint_that_fails_late_is_logged_in_one_line() -> None:
    endpoint = SlowEndpoint()
    service = BrokerService(BuiltinRoot(), [endpoint])
    service.startService()
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        endpoint.listening.errback(CannotListenError("::", 1, OSError("no route")))
    finally:
        globalLogPublisher.removeObserver(events.append)
    (event,) = (event for event in events if event["log_level"].name == "critical")
    assert "no route" in str(event["reason"])


def test_stopping_gives_up_an_endpoint_that_does_not_listen_yet() -> None:
    endpoint = SlowEndpoint()
    service = BrokerService(BuiltinRoot(), [endpoint])
    service.startService()
    stopped: list[Any] = []
    service.stopService().addCallback(stopped.append)
    assert stopped == [None]
    assert endpoint.listening.called
