"""A peer with the names of `twisted.spread.pb`, whoever made it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred

from tests.benchmarks.installed import lacking
from tests.benchmarks.port import Done, Failed, Hold, Operation
from tests.benchmarks.twisted_side import Client, Server, TwistedPeer
from tests.benchmarks.workloads import CALLS

__all__ = ["PB_WORKLOADS", "PBPeer", "session_tables", "stock_tables"]

#: Sizes of the tables of one `Broker`.
Tables = Callable[[Any], dict[str, int]]
#: What fits into PB: no string of more than 640 KiB does.
PB_WORKLOADS = CALLS - {"bytes-16m"}
#: The type name of the cacheable on the wire.
_CACHED = "tests.benchmarks.pb_shape.Cached"


def stock_tables(broker: Any) -> dict[str, int]:
    """Return the sizes of the tables of a stock broker. It has no table of its imports."""
    return {
        "exports": len(broker.luids),
        "questions": len(broker.waitingForAnswers),
        "cached_out": len(broker.remotelyCachedObjects),
        "cached_in": len(broker.locallyCachedObjects),
    }


def session_tables(broker: Any) -> dict[str, int]:
    """Return the sizes of the tables of a broker of ours."""
    statistics: dict[str, int] = broker.session.statistics()
    return statistics


class _Target:
    """What is passed by reference: echoes."""

    def remote_echo(self, value: Any) -> Any:
        """Return the value."""
        return value


class _Root(_Target):
    """The server's root. `make` returns a new referenceable, `cached` one cacheable that lives as long as the root."""

    make: Callable[[], Any]
    offered: Callable[[], Any]
    cached: Any

    def remote_make(self) -> Any:
        """Return a new referenceable."""
        return self.make()

    def remote_back(self, target: Any, value: Any) -> Any:
        """Call the caller's object, and return what it returns."""
        return target.callRemote("echo", value)

    def remote_owned(self, target: Any) -> bool:
        """Tell whether a reference of ours that came back is the object itself."""
        return isinstance(target, _Target)

    def remote_offered(self) -> Any:
        """Return what is served as the object that it is, where the peer can do that."""
        return self.offered()

    def remote_cached(self) -> Any:
        """Return the cacheable."""
        return self.cached


class _Cached:
    """A cacheable without news."""

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> dict[str, int]:
        """Return the state."""
        return {"number": 1}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        """Nobody is told of anything."""


class _Server:
    """The listening half."""

    name = ""

    def __init__(self, pb: Any, tables: Tables, options: dict[str, Any]) -> None:
        from twisted.internet import reactor as installed

        reactor: Any = installed
        self._pb = pb
        self._tables = tables
        target = type("Target", (_Target, pb.Referenceable), {})
        makers = {"make": staticmethod(target), "offered": staticmethod(getattr(pb, "offered", target))}
        root = type("Root", (_Root, pb.Root), makers)()
        root.cached = type("Cached", (_Cached, pb.Cacheable), {"__module__": "tests.benchmarks.pb_shape"})()
        listening: Any = reactor.listenTCP(0, pb.PBServerFactory(root, **options), interface="127.0.0.1")
        self.port: int = listening.getHost().port

    def tables(self) -> dict[str, int]:
        """Return the size of every table, all connections together."""
        total: dict[str, int] = {}
        gc.collect()
        for broker in [object for object in gc.get_objects() if issubclass(type(object), self._pb.Broker)]:
            if not broker.disconnected:
                for name, size in self._tables(broker).items():
                    total[name] = total.get(name, 0) + size
        return total


class _Client:
    """The connected half."""

    def __init__(self, pb: Any, port: int, tables: Tables, returns: bool, options: dict[str, Any]) -> None:
        self._pb = pb
        self._port = port
        self._tables = tables
        self._returns = returns
        self._options = options
        self._root: Any = None
        self._held: list[Any] = []
        self._target = type("Target", (_Target, pb.Referenceable), {})
        pb.setUnjellyableForClass(_CACHED, type("CachedHere", (pb.RemoteCache,), {}))

    def connect(self, made: Done, failed: Failed, lost: Done = lambda _: None) -> Any:
        """Open one more connection; `made` gets the root. Returns its factory."""
        from twisted.internet import reactor as installed

        reactor: Any = installed

        factory = _with_end(self._pb.PBClientFactory, lost)(**self._options)
        reactor.connectTCP("127.0.0.1", self._port, factory)
        factory.getRootObject().addCallbacks(made, failed)
        return factory

    def opened(self, root: Any) -> Client:
        """Use the connection of this root."""
        self._root = root
        return self

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one of it."""
        operations: dict[str, Callable[[Any], Operation]] = {
            "echo": self._echo,
            "refs": self._refs,
            "callback": self._callback,
            "connect": self._connect,
            "soak": self._soak,
        }
        return operations[name](value)

    def _echo(self, value: Any) -> Operation:
        call = self._root.callRemote

        def echo(done: Done, failed: Failed) -> None:
            call("echo", value).addCallbacks(done, failed)

        return echo

    def _refs(self, value: Any) -> Operation:
        call = self._root.callRemote

        def refs(done: Done, failed: Failed) -> None:
            call("make").addCallback(lambda reference: reference.callRemote("echo", value)).addCallbacks(done, failed)

        return refs

    def _callback(self, value: Any) -> Operation:
        call, target = self._root.callRemote, self._target()

        def callback(done: Done, failed: Failed) -> None:
            call("back", target, value).addCallbacks(done, failed)

        return callback

    def _connect(self, value: Any) -> Operation:
        def connect(done: Done, failed: Failed) -> None:
            def made(root: Any) -> None:
                root.callRemote("echo", value).addCallbacks(lambda _: factory.disconnect(), failed)

            factory = self.connect(made, failed, done)

        return connect

    def _soak(self, value: Any) -> Operation:
        """Return the steps of a soak in turn: references both ways, back to their owners, and a cached object."""
        call, target = self._root.callRemote, self._target
        own = target() if self._returns else None
        steps: list[Callable[[], Deferred[Any]]] = [
            lambda: call("echo", value),
            lambda: call("make").addCallback(lambda reference: reference.callRemote("echo", value)),
            lambda: call("back", target(), value),
            lambda: call("make").addCallback(lambda reference: call("owned", reference)).addCallback(_expect, True),
            lambda: call("echo", own).addCallback(_expect_same, own),
            lambda: call("echo", [target(), target()]),
            lambda: call("cached"),
            lambda: call("absent").addErrback(lambda failure: None),
        ]
        turn = count()

        def step(done: Done, failed: Failed) -> None:
            steps[next(turn) % len(steps)]().addCallbacks(done, failed)

        return step

    def hold(self, what: str) -> Hold:
        """Return what opens and keeps connections or references."""

        def hold(number: int, done: Done, failed: Failed) -> None:
            def made(thing: Any) -> None:
                self._held.append(thing)
                hold(number - 1, done, failed)

            if not number:
                done(None)
            elif what == "connections":
                self._held.append(self.connect(made, failed))
            else:
                self._root.callRemote("make").addCallbacks(made, failed)

        return hold

    def tables(self) -> dict[str, int]:
        """Return the size of every table of the first connection."""
        gc.collect()
        return self._tables(self._root.broker)


def _expect(got: Any, wanted: Any) -> None:
    if got != wanted:
        raise AssertionError(f"{got!r} came back, not {wanted!r}")


def _expect_same(got: Any, wanted: Any) -> None:
    if got is not wanted:
        raise AssertionError(f"{got!r} came back, not the object itself")


def _with_end(factory: Any, lost: Done) -> Any:
    """Return a subclass of a client factory that tells `lost` when its connection is over."""

    def clientConnectionLost(self: Any, connector: Any, reason: Any) -> None:
        factory.clientConnectionLost(self, connector, reason)
        lost(None)

    return type("Factory", (factory,), {"clientConnectionLost": clientConnectionLost, "noisy": False})


class PBPeer(TwistedPeer):
    """A peer with PB's names.

    :param module: what must be installed.
    :param names: returns what has the names.
    :param tables: how its table sizes are asked for.
    :param returns: whether an argument comes back as itself in the answer. Stock PB releases the arguments of a call
        before it sends the answer, so that the owner has forgotten an object that nobody else holds, and gets None.
    :param options: what both factories are given.
    """

    def __init__(
        self,
        name: str,
        title: str,
        module: str,
        tables: Tables,
        *,
        names: Callable[[], Any],
        offers: frozenset[str] = PB_WORKLOADS,
        returns: bool = True,
        options: dict[str, Any] | None = None,
    ) -> None:
        self._returns = returns
        self.name = name
        self.title = title
        self.offers = offers
        self._module = module
        self._names = names
        self._tables = tables
        self._options = options or {}

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return lacking(self._module)

    def check(self, root: Any) -> None:
        """See to it that the connection of the root is what is to be measured."""

    def listen(self) -> Server:
        """Listen on a free port of 127.0.0.1."""
        return _Server(self._names(), self._tables, self._options)

    def open(self, port: int, name: str) -> Deferred[Client]:
        """Connect and get the root."""
        client = _Client(self._names(), port, self._tables, self._returns, self._options)
        done: Deferred[Any] = Deferred()

        def opened(root: Any) -> Client:
            self.check(root)
            return client.opened(root)

        client.connect(done.callback, done.errback)
        return done.addCallback(opened)
