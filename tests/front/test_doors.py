"""The front door: what it lists is there and is described."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import pytest_twisted
from twisted.internet.error import ConnectionRefusedError

import broker
from broker import PBConnectionLost, RemoteReference, Root

THINGS = [name for name in broker.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", THINGS)
def test_everything_is_described(name: str) -> None:
    thing = getattr(broker, name)
    described = thing if callable(thing) or inspect.isclass(thing) else type(thing)
    text = inspect.getdoc(described)
    assert text and (not inspect.isclass(thing) or "__doc__" in vars(described) or described.__doc__)
    first = text.split("\n\n")[0]
    assert first.rstrip().endswith((".", ":")), first
    if inspect.isfunction(thing) or inspect.ismethod(thing):
        parameters = [name for name in inspect.signature(thing).parameters if name not in ("self", "args", "kw")]
        undescribed = [name for name in parameters if f":param {name}:" not in text]
        assert len(undescribed) <= 1, undescribed


def test_the_list_is_sorted_and_complete() -> None:
    assert sorted(broker.__all__, key=str.lower) == sorted(set(broker.__all__), key=str.lower)
    public = {name for name, value in vars(broker).items() if not name.startswith("_") and not inspect.ismodule(value)}
    assert public - {"annotations"} <= set(broker.__all__)


class Echo(Root):
    def remote_echo(self, value: Any) -> Any:
        return value


@pytest_twisted.ensureDeferred
async def test_over_a_socket() -> None:
    port = await broker.serve("tcp:0", Echo())
    try:
        address = port.getHost()
        # An endpoint that says nothing else is for this machine only.
        assert address.host == "127.0.0.1"  # type: ignore[attr-defined]
        where = f"tcp:127.0.0.1:{address.port}"  # type: ignore[attr-defined]
        root = await broker.connect(where)
        assert isinstance(root, RemoteReference)
        large = bytes(range(256)) * 8192
        assert await root.callRemote("echo", [large, {"text": "\u00e9"}]) == [large, {"text": "\u00e9"}]
        await root.broker.disconnect()
        with pytest.raises(broker.DeadReferenceError):
            await root.callRemote("echo", 1)
    finally:
        await port.stopListening()
    with pytest.raises(ConnectionRefusedError):
        await broker.connect(where)


@pytest_twisted.ensureDeferred
async def test_a_server_that_goes_tells_its_clients() -> None:
    from twisted.internet.defer import Deferred

    class Waits(Root):
        def remote_wait(self) -> Deferred[Any]:
            (connection,) = factory.connections
            connection.transport.abortConnection()
            return Deferred()

    factory = broker.ServerFactory(Waits())
    from twisted.internet import endpoints, reactor

    port = await endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
    try:
        root = await broker.connect(f"tcp:127.0.0.1:{port.getHost().port}")
        with pytest.raises(PBConnectionLost):
            await root.callRemote("wait")
    finally:
        await port.stopListening()
