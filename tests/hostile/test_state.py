"""The state that a peer sends fills a copy's attributes; it must not become the copy's methods."""

from __future__ import annotations

from typing import Any

from broker._objects.cacheable import Cacheable, RemoteCache
from broker._objects.copyable import Copyable, RemoteCopy
from broker._objects.referenceable import Referenceable, Root
from broker._values.registry import Registry
from broker._wire.banana import encode
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


def attacked(cls: type, stand_in: type, **state: str) -> tuple[Pair, Service]:
    """Send an object whose state has a reference to the server's own trigger under these names."""
    registry = Registry()
    registry.setUnjellyableForClass(cls, stand_in)
    service = Service()
    connected = pair(service, registry=registry)
    trigger = connected.call(connected.root, "trigger")
    thing = cls()
    for name in state:
        setattr(thing, name, trigger)
    connected.call(connected.root, "keep", thing)
    return connected, service


def test_post_unjelly_is_the_class_s_own() -> None:
    _, service = attacked(Copied, Copy, postUnjelly="trigger")
    assert service.kept[0].__dict__["postUnjelly"] is service.trigger
    assert service.trigger.called == []


def test_an_update_reaches_methods_of_the_class_only() -> None:
    connected, service = attacked(Cached, Cache, observe_evil="trigger", observe_price="trigger")
    [number] = connected.server.locallyCachedObjects
    connected.transcript.clear()
    for method in (b"evil", b"price"):
        message = [b"cachemessage", 90, number, method, 1, [b"tuple", 7], [b"dictionary"]]
        connected.server.dataReceived(encode(message, vocabulary=True))
    assert service.trigger.called == []
    assert service.kept[0].price == 7
