"""References: identity, typed proxies, notification, and the perspective under which they came."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import pytest

from broker import Avatar, DeadReferenceError, Referenceable, Registry, RemoteReference, Root, globalRegistry
from broker._objects.referenceable import AsReferenceable
from broker.testing import tables
from broker.testing.harness import Pairs


class Group(Referenceable):
    """Sent with its name beside its number, as typed proxies of programs written for PB want it."""

    def jellyFor(self, jellier: Any) -> Any:
        return [b"tests.Group", jellier.invoker.registerReference(self), b"chat"]

    def remote_greet(self) -> str:
        return "hi"


class GroupReference(RemoteReference):
    name: bytes

    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        RemoteReference.unjellyFor(self, unjellier, expression[:2])
        self.name = expression[2]
        return self


class ReturningGroupReference(GroupReference):
    def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
        self.name = expression[2]
        return RemoteReference.unjellyFor(self, unjellier, expression[:2])


class Service(Root):
    def __init__(self) -> None:
        self.group = Group()
        self.kept: list[Any] = []

    def remote_group(self) -> Group:
        return self.group

    def remote_is_group(self, other: Any) -> bool:
        return other is self.group

    def remote_keep(self, *values: Any) -> None:
        self.kept += values

    def remote_me(self) -> Service:
        return self


@pytest.mark.parametrize("cls", [GroupReference, ReturningGroupReference])
def test_a_typed_proxy_is_good_each_time_it_arrives(pairs: Pairs, cls: type) -> None:
    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(b"tests.Group", cls)
    pair = pairs(Service(), registry=registry)
    root = pair.root
    first = pair.call(root, "group")
    second = pair.call(root, "group")
    assert first == second and hash(first) == hash(second) and first.name == second.name == b"chat"
    # Whichever of them goes, the other one still holds the object.
    del first
    gc.collect()
    pair.flush()
    assert pair.call(second, "greet") == "hi"
    third = pair.call(root, "group")
    del second
    gc.collect()
    pair.flush()
    assert pair.call(third, "greet") == "hi" and pair.call(root, "is_group", third)
    del third
    gc.collect()
    pair.flush()
    assert tables(pair.server)["exports"] == 0


def test_one_object_of_the_client_for_two_avatars(pairs: Pairs) -> None:
    class User(Avatar):
        def __init__(self) -> None:
            self.kept: list[Any] = []

        def perspective_keep(self, value: Any) -> None:
            self.kept.append(value)

    users = [User(), User()]

    class Door(Root):
        def remote_enter(self) -> Any:
            return [AsReferenceable(user, "perspective") for user in users]

    pair = pairs(Door())
    mine = Referenceable()
    for seat in pair.call(pair.root, "enter"):
        pair.call(seat, "keep", mine)
        pair.call(seat, "keep", mine)
    first, second = users
    assert first.kept[0] is first.kept[1] and second.kept[0] is second.kept[1]
    assert first.kept[0] == second.kept[0] and first.kept[0] is not second.kept[0]
    assert [user.kept[0].perspective for user in users] == users
    assert tables(pair.server)["imports"] == 2
    first.kept.clear()
    pair.flush()
    assert tables(pair.client)["exports"] == 1
    second.kept.clear()
    pair.flush()
    assert tables(pair.client)["exports"] == 0


def test_references_in_answers_have_no_perspective(pairs: Pairs) -> None:
    class Client(Referenceable):
        def remote_more(self) -> Referenceable:
            return Referenceable()

    class User(Avatar):
        received: list[Any] = []

        def perspective_mind(self, mind: Any) -> Any:
            self.received.append(mind)
            return mind.callRemote("more").addCallback(self.received.append)

    class Door(Root):
        def remote_enter(self) -> Any:
            return AsReferenceable(user, "perspective")

    user = User()
    pair = pairs(Door())
    pair.call(pair.call(pair.root, "enter"), "mind", Client())
    mind, more = user.received
    assert mind.perspective is user and more.perspective is None
    user.received.clear()


def test_a_notification_keeps_the_reference_until_it_is_taken_back(pairs: Pairs) -> None:
    service = Service()
    pair = pairs(service)
    told: list[Any] = []
    pair.call(pair.root, "keep", Referenceable())
    service.kept[0].notifyOnDisconnect(told.append)
    reference = weakref.ref(service.kept.pop())
    gc.collect()
    pair.flush()
    assert reference() is not None and tables(pair.client)["exports"] == 1
    reference().dontNotifyOnDisconnect(told.append)  # type: ignore[union-attr]
    gc.collect()
    pair.flush()
    assert reference() is None and tables(pair.client)["exports"] == 0 and told == []


def test_notifications_come_once_even_if_one_takes_another_back(pairs: Pairs) -> None:
    pair = pairs(Service())
    reference = pair.call(pair.root, "me")
    told: list[str] = []

    def first(gone: Any) -> None:
        told.append("first")
        gone.dontNotifyOnDisconnect(second)
        gone.notifyOnDisconnect(lambda _: told.append("late"))

    def second(gone: Any) -> None:
        told.append("second")

    reference.notifyOnDisconnect(first)
    reference.notifyOnDisconnect(second)
    pair.wire.drop()
    assert told.count("first") == told.count("late") == 1


def test_a_reference_is_neither_copied_nor_pickled(pairs: Pairs) -> None:
    pair = pairs(Service())
    with pytest.raises(TypeError):
        copy.copy(pair.root)


def test_after_the_end_nothing_is_kept() -> None:
    from broker.testing import pair as connect

    service = Service()
    made = connect(service)
    group = made.call(made.root, "me")
    made.call(made.root, "keep", Referenceable())
    group.notifyOnDisconnect(lambda gone: None)
    waiting = made.root.callRemote("nothing_yet")
    waiting.addErrback(lambda failure: None)
    made.wire.drop()
    ends = [weakref.ref(made.client), weakref.ref(made.server)]
    factories = made.client_factory, made.server_factory
    with pytest.raises(DeadReferenceError):
        made.call(group, "me")
    del made, group, waiting
    service.kept.clear()
    gc.collect()
    assert [end() for end in ends] == [None, None]
    assert not factories[1].connections


def test_a_dead_reference_keeps_its_connection_alone(pairs: Pairs) -> None:
    pair = pairs(Service())
    reference = pair.call(pair.root, "me")
    pair.wire.drop()
    assert tables(pair.client)["imports"] == 0
    assert isinstance(pair.failure(reference.callRemote("me")), DeadReferenceError)
    with pytest.raises(DeadReferenceError):
        reference.callRemoteOnly("me")
