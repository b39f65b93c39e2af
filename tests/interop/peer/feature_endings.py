"""Connections: made, refused, lost; over other transports than plain TCP."""

# mypy: disable-error-code="misc"

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import SSL4ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError

from peer.net import net
from peer.site import Listener, Site, alive, caught, equal, holds, until
from peer.spread import pb

__all__: list[str] = []


async def feature_root_object(site: Site) -> None:
    """Asked for before and after connecting, any number of times."""
    factory = site.connect()
    first, second = factory.getRootObject(), factory.getRootObject()
    holds(not first.called, "it waits for the connection")
    root = await first
    holds(await second is root, "both get the same")
    holds(await factory.getRootObject() is root, "and so does a third, at once")
    equal(await root.callRemote("echo", 1), 1)


async def feature_connection_refused(site: Site) -> None:
    port = site.listen(pb.Root())
    await site.close()
    factory = pb.PBClientFactory()
    net.connectTCP("127.0.0.1", port, factory)
    failure = await caught(factory.getRootObject)
    holds(failure.check(ConnectionRefusedError), "the reason is given")


async def feature_disconnect(site: Site) -> None:
    """The client hangs up: open calls fail, callbacks run, later calls fail."""
    factory = site.connect()
    root = await factory.getRootObject()
    lost: Deferred[Any] = Deferred()
    unwanted: list[Any] = []
    root.notifyOnDisconnect(lost.callback)
    root.notifyOnDisconnect(unwanted.append)
    root.dontNotifyOnDisconnect(unwanted.append)
    open_call = root.callRemote("never")
    factory.disconnect()
    failure = await caught(lambda: open_call)
    holds(failure.check(pb.PBConnectionLost), "PBConnectionLost")
    holds(await lost is root, "the callback gets the reference")
    equal(unwanted, [])
    await _dead(root)


async def _dead(reference: Any) -> None:
    """A call on a lost connection: raised at once or later, it is one error."""
    failure = await caught(maybeDeferred, reference.callRemote, "echo", 1)
    holds(failure.check(pb.DeadReferenceError), "DeadReferenceError")
    holds(failure.check(pb.ProtocolError), "which is a ProtocolError")


async def feature_server_hangs_up(site: Site) -> None:
    root = await site.root()
    open_call = root.callRemote("never")
    root.callRemote("hang_up", Listener(), pbanswer=False)
    failure = await caught(lambda: open_call)
    holds(failure.check(pb.PBConnectionLost), "PBConnectionLost")
    await _dead(root)


async def feature_server_learns_of_loss(site: Site) -> None:
    """The server's open call to the client fails, and its callback runs."""
    root = await site.root()
    factory = site.connect()
    listener = Listener()
    other = await factory.getRootObject()
    await root.callRemote("notes")
    other.callRemote("call_and_tell", listener, "loss").addErrback(lambda _: None)
    await until(lambda: root.callRemote("kept", "loss").addErrback(lambda _: None), "pending")
    factory.disconnect()
    await until(lambda: root.callRemote("kept", "loss"), "PBConnectionLost")
    await until(lambda: root.callRemote("notes"), [True])


async def feature_server_killed(site: Site) -> None:
    """The server's process is killed: nothing hangs."""
    process, root = await site.victim()
    two = await root.callRemote("two")
    lost: list[Deferred[Any]] = [Deferred(), Deferred()]
    root.notifyOnDisconnect(lost[0].callback)
    two.notifyOnDisconnect(lost[1].callback)
    calls = [root.callRemote("never"), two.callRemote("hello"), root.callRemote("never")]
    equal(await calls[1], "hello")
    process.kill()
    for call in (calls[0], calls[2]):
        failure = await caught(lambda call=call: call)
        holds(failure.check(pb.PBConnectionLost), "PBConnectionLost")
    await _dead(root)
    await _dead(two)
    holds(await lost[0] is root and await lost[1] is two, "both references are told")


async def feature_server_exits_within_call(site: Site) -> None:
    """The very call that ends the server fails."""
    _, root = await site.victim()
    failure = await caught(root.callRemote, "vanish")
    holds(failure.check(pb.PBConnectionLost), "PBConnectionLost")
    await _dead(root)


class Returning(pb.PBClientFactory):
    """Keeps what was asked for until the next connection, as programs do that reconnect."""

    def clientConnectionLost(self, connector: Any, reason: Any, reconnecting: int = 1) -> None:
        holds(reason.check(ConnectionDone, ConnectionLost), f"the reason of the loss is {reason.type}")
        super().clientConnectionLost(connector, reason, reconnecting=reconnecting)
        self.asked = self.getRootObject()
        connector.connect()


async def feature_reconnecting(site: Site) -> None:
    factory = Returning()
    site.connect(factory=factory)
    old = await factory.getRootObject()
    lost: Deferred[Any] = Deferred()
    old.notifyOnDisconnect(lost.callback)
    factory.disconnect()
    await lost
    for _ in range(50):
        if hasattr(factory, "asked"):
            break
        await alive(await site.root())
    root = await factory.asked
    equal(await root.callRemote("echo", 2), 2)
    await _dead(old)
    Returning.clientConnectionLost = pb.PBClientFactory.clientConnectionLost  # type: ignore[method-assign]


async def feature_transport_unix(site: Site) -> None:
    factory = site.adopt(pb.PBClientFactory())
    await UNIXClientEndpoint(net, site.places["unix"]).connect(factory)
    await _much(await factory.getRootObject())


async def feature_transport_tls(site: Site) -> None:
    from twisted.internet.ssl import Certificate, optionsForClientTLS

    trusted = Certificate.loadPEM(site.places["certificate"].encode())
    options = optionsForClientTLS("localhost", trustRoot=trusted)
    factory = site.adopt(pb.PBClientFactory())
    await SSL4ClientEndpoint(net, "127.0.0.1", site.places["tls"], options).connect(factory)
    await _much(await factory.getRootObject())


async def _much(root: Any) -> None:
    """More than one read and one write of the transport."""
    equal(await root.callRemote("echo", [b"x" * 100_000, "y" * 100_000]), [b"x" * 100_000, "y" * 100_000])
    equal(await root.callRemote("call", Listener("ear"), "hear", 1), "ear heard 1")


class PlainBroker(pb.Broker):
    """Knows the dialect without vocabulary only."""

    knownDialects = [b"none"]


async def feature_dialect_none(site: Site) -> None:
    factory = pb.PBClientFactory()
    factory.protocol = PlainBroker
    site.connect(factory=factory)
    root = await factory.getRootObject()
    equal(root.broker.currentDialect, b"none")
    equal(
        await root.callRemote("echo", [b"list", "list", None, {"reference": 1}]),
        [b"list", "list", None, {"reference": 1}],
    )
    equal(await (await root.callRemote("two")).callRemote("times", 3), 6)


async def feature_own_commands(site: Site) -> None:
    """The tables and hooks of a Broker that programs touch."""
    root = await site.root()
    broker = root.broker
    equal(broker.version, 6)
    holds(broker.transport.getPeer().port == site.places["tcp"], "the transport is at hand")
    holds(not broker.disconnected, "connected")
    connected: list[int] = []
    broker.notifyOnConnect(lambda: connected.append(1))
    equal(connected, [1])
    lost: Deferred[Any] = Deferred()
    broker.notifyOnDisconnect(lambda: lost.callback("lost"))
    broker.transport.loseConnection()
    equal(await lost, "lost")
    holds(broker.disconnected, "not connected any more")
