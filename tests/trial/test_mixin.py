"""`BrokerTestMixin` in trial's own runner, in synchronous and asynchronous test cases; see `dev.py`."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.trial.unittest import SynchronousTestCase, TestCase

from broker import pb
from broker._net.connect import connect, serve
from broker.testing import BrokerTestMixin


class Thing(pb.Referenceable):
    pass


class Shop(pb.Root):
    def __init__(self) -> None:
        self.thing = Thing()

    def remote_give(self) -> Thing:
        return self.thing

    def remote_is_yours(self, thing: Any) -> bool:
        return thing is self.thing

    def remote_break(self) -> None:
        raise ZeroDivisionError("broken")


class Synchronous(BrokerTestMixin, SynchronousTestCase):
    def test_call(self) -> None:
        connected = self.connect(Shop())
        thing = connected.call(connected.root, "give")
        self.assertTrue(connected.call(connected.root, "is_yours", thing))

    def test_success_result_of(self) -> None:
        connected = self.connect(Shop(), chunk=1)
        waiting = connected.root.callRemote("give")
        self.assertNoResult(waiting)
        connected.flush()
        self.assertIsInstance(self.successResultOf(waiting), pb.RemoteReference)

    def test_expected_error(self) -> None:
        connected = self.connect(Shop())
        self.assertRaises(ZeroDivisionError, connected.call, connected.root, "break")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_connection_lost(self) -> None:
        connected = self.connect(Shop())
        waiting = connected.root.callRemote("give")
        connected.drop()
        self.failureResultOf(waiting, pb.PBConnectionLost)


class Asynchronous(BrokerTestMixin, TestCase):
    async def test_call(self) -> None:
        connected = self.connect(Shop())
        waiting = connected.root.callRemote("give")
        connected.flush()
        thing = await waiting
        again = connected.root.callRemote("is_yours", thing)
        connected.flush()
        self.assertTrue(await again)


class OverTCP(TestCase):
    """The product itself leaves trial's reactor clean."""

    @defer.inlineCallbacks
    def test_call(self) -> Any:
        from twisted.internet import reactor

        listening: Any = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = yield serve(listening, Shop())
        self.addCleanup(port.stopListening)
        root = yield connect(TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port))
        thing = yield root.callRemote("give")
        self.assertTrue((yield root.callRemote("is_yours", thing)))
        server_side = list(port.factory.connections)[0]
        gone: defer.Deferred[None] = defer.Deferred()
        server_side.notifyOnDisconnect(lambda: gone.callback(None))
        yield root.broker.disconnect()
        yield gone
