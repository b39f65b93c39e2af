"""The state that a peer sends fills a copy's attributes; it must not become the copy's methods."""

from __future__ import annotations

from typing import Any

import pytest

from broker._objects.cacheable import Cacheable, RemoteCache
from broker._objects.copyable import Copyable, RemoteCopy
from broker._objects.referenceable import Referenceable, Root
from broker._values.registry import Registry
from broker._wire import frames
from broker._wire.banana import encode
from broker._wire.frames import frame
from broker.testing.pairs import Pair, pair


class Copied(Copyable):
    pass


class Copy(RemoteCopy):
    pass


class Cached(Cacheable):
    pass


class Cache(RemoteCache):
    def observe_price(self, price: int) -> None:
        self.price = price


class Trigger(Referenceable):
    """An object of ours that is also callable; a peer must not get it called by naming it."""

    def __init__(self) -> None:
        self.called: list[Any] = []

    def __call__(self, *args: Any, **kw: Any) -> None:
        self.called.append(args)


class Service(Root):
    def __init__(self) -> None:
        self.trigger = Trigger()
        self.kept: list[Any] = []

    def remote_trigger(self) -> Trigger:
        return self.trigger

    def remote_keep(self, value: Any) -> None:
        self.kept.append(value)


def in_pb(number: int, method: bytes) -> bytes:
    """Return the bytes of an update of a copy, with the argument 7."""
    return encode([b"cachemessage", 90, number, method, 1, [b"tuple", 7], [b"dictionary"]], vocabulary=True)


def in_broker_1(number: int, method: bytes) -> bytes:
    """Return the same in our own dialect."""
    head = bytes((frames.WANTS_ANSWER | frames.CACHED, 90, number, len(method)))
    return frame(frames.CALL, head + method + b"\xb1\x07")


DIALECTS = {"pb": in_pb, "broker/1": in_broker_1}
in_both = pytest.mark.parametrize("dialect", DIALECTS)


def attacked(dialect: str, cls: type, stand_in: type, **state: str) -> tuple[Pair, Service]:
    """Send an object whose state has a reference to the server's own trigger under these names."""
    registry = Registry()
    registry.setUnjellyableForClass(cls, stand_in)
    service = Service()
    connected = pair(service, registry=registry, require=dialect)
    trigger = connected.call(connected.root, "trigger")
    thing = cls()
    for name in state:
        setattr(thing, name, trigger)
    connected.call(connected.root, "keep", thing)
    return connected, service


@in_both
def test_post_unjelly_is_the_class_s_own(dialect: str) -> None:
    _, service = attacked(dialect, Copied, Copy, postUnjelly="trigger")
    assert service.kept[0].__dict__["postUnjelly"] is service.trigger
    assert service.trigger.called == []


@in_both
def test_an_update_reaches_methods_of_the_class_only(dialect: str) -> None:
    connected, service = attacked(dialect, Cached, Cache, observe_evil="trigger", observe_price="trigger")
    [number] = connected.server.locallyCachedObjects
    connected.transcript.clear()
    for method in (b"evil", b"price"):
        connected.server.dataReceived(DIALECTS[dialect](number, method))
    assert service.trigger.called == []
    assert service.kept[0].price == 7
