"""The registry: names, parents, isolation."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from broker._values.jelly import Jellyable
from broker._values.policy import SecurityOptions, dotted_name
from broker._values.registry import Registry, globalRegistry, globalSecurity
from broker._values.unjelly import Unjellier, Unjellyable
from broker.errors import InsecureJelly
from broker.spread import jelly as door


class Frog(Jellyable, Unjellyable):
    """Something to register."""


class Toad(Frog):
    """A Frog by derivation."""


def lift(form: Any, registry: Registry, security: SecurityOptions = globalSecurity) -> Any:
    return Unjellier(security, registry=registry).unjellyFull(form)


def test_names() -> None:
    registry = Registry()
    registry.setUnjellyableForClass("text", Frog)
    registry.setUnjellyableForClass(b"bytes", Frog)
    registry.setUnjellyableForClass(Frog, Frog)
    assert set(registry.unjellyables) == {b"text", b"bytes", dotted_name(Frog).encode()}


def test_own_entry_counts_as_allowed_and_as_nothing_elsewhere() -> None:
    ours, theirs = Registry(), Registry()
    ours.setUnjellyableForClass("frog", Frog)
    form = [b"frog", [b"dictionary", [[b"unicode", b"colour"], [b"unicode", b"green"]]]]
    assert lift(form, ours).colour == "green"
    for other in (theirs, globalRegistry):
        with pytest.raises(InsecureJelly, match="frog"):
            lift(form, other)
    assert b"frog" not in globalSecurity.allowedTypes


def test_what_the_process_registers_does_not_reach_a_registry_of_its_own() -> None:
    name = b"test_registry.Isolated"
    globalRegistry.setUnjellyableForClass(name, Frog)
    try:
        form = [name, [b"dictionary"]]
        assert type(lift(form, globalRegistry)) is Frog
        assert type(lift(form, Registry(globalRegistry))) is Frog
        with pytest.raises(InsecureJelly, match="Module test_registry not allowed"):
            lift(form, Registry())
    finally:
        del globalRegistry.unjellyables[name], globalSecurity.allowedTypes[name]


def test_child_before_parent() -> None:
    parent = Registry()
    child = Registry(parent)
    parent.setUnjellyableForClass("a", Frog)
    parent.setUnjellyableForClass("b", Frog)
    child.setUnjellyableForClass("a", Toad)
    assert type(lift([b"a", [b"dictionary"]], child)) is Toad
    assert type(lift([b"b", [b"dictionary"]], child)) is Frog
    assert type(lift([b"a", [b"dictionary"]], parent)) is Frog


def test_names_without_dot_of_the_process_need_the_policy() -> None:
    # As in PB: a policy of one's own says whether references, for example, may cross.
    globalRegistry.setUnjellyableForClass("tag-of-the-process", Frog)
    own = SecurityOptions()
    own.allowBasicTypes()
    try:
        form = [b"tag-of-the-process", [b"dictionary"]]
        assert type(lift(form, globalRegistry)) is Frog
        with pytest.raises(InsecureJelly):
            lift(form, globalRegistry, own)
        own.allowTypes("tag-of-the-process")
        assert type(lift(form, globalRegistry, own)) is Frog
    finally:
        del globalRegistry.unjellyables[b"tag-of-the-process"]
        del globalSecurity.allowedTypes[b"tag-of-the-process"]


def test_the_protocol_itself_is_in_every_registry() -> None:
    for name in (b"remote", b"local", b"cached", b"lcache", b"twisted.spread.pb.CopyableFailure"):
        entry = globalRegistry.unjellyables[name]
        assert Registry().unjellyable_for(name) is entry
        assert Registry(Registry()).unjellyable_for(name) is entry


def test_factory() -> None:
    registry = Registry()
    registry.setUnjellyableFactoryForClass("pair", lambda state: ("made", state))
    assert lift([b"list", [b"pair", [b"tuple", 1, 2]]], registry) == [("made", (1, 2))]


def test_class_goes_before_factory_and_both_before_basic_types() -> None:
    registry = Registry()
    registry.setUnjellyableFactoryForClass("list", lambda state: ("list", state))
    assert not registry.plain and not Registry(registry).plain
    assert lift([b"tuple", [b"list", 5]], registry) == (("list", 5),)
    registry.setUnjellyableForClass("list", lambda unjellier, expression: expression[1:])
    assert lift([b"tuple", [b"list", 5]], registry) == ([5],)
    assert Registry().plain and globalRegistry.plain


def test_tree() -> None:
    module = ModuleType("some.module")
    module.Frog, module.Toad, module.other = Frog, Toad, 5  # type: ignore[attr-defined]
    module.Alien = SecurityOptions  # type: ignore[attr-defined]
    registry = Registry()
    registry.setUnjellyableForClassTree(module, Frog)
    assert registry.unjellyables == {b"some.module.Frog": Frog, b"some.module.Toad": Toad}
    registry = Registry()
    registry.setUnjellyableForClassTree(module, Toad, "pre")
    registry.setUnjellyableForClassTree(module, Toad, "")
    assert registry.unjellyables == {b"pre.Toad": Toad, b"Toad": Toad}


def test_exceptions() -> None:
    class Mine(Exception):
        pass

    parent = Registry()
    parent.registerException(Mine)
    parent.registerException(KeyError, b"their.KeyError")
    child = Registry(parent)
    child.registerException(ValueError, "their.KeyError")
    assert child.exception_for(dotted_name(Mine)) is Mine
    assert parent.exception_for(b"their.KeyError") is KeyError
    assert child.exception_for("their.KeyError") is ValueError
    assert child.exception_for("builtins.OSError") is None


def test_the_door_writes_into_the_registry_of_the_process() -> None:
    assert door.unjellyableRegistry is globalRegistry.unjellyables
    assert door.unjellyableFactoryRegistry is globalRegistry.factories
    door.setUnjellyableFactoryForClass("door-factory", list)
    try:
        assert door.unjellyableFactoryRegistry[b"door-factory"] is list
        assert door.globalSecurity.isTypeAllowed("door-factory")
    finally:
        del globalRegistry.factories[b"door-factory"], globalSecurity.allowedTypes[b"door-factory"]
