"""The policy: what passes, what does not, and whether the fused codec may be used."""

from __future__ import annotations

import datetime

import pytest

from broker._values.policy import PLAIN_HEADS, DummySecurityOptions, SecurityOptions, dotted_name
from broker._values.registry import globalSecurity


class Thing:
    """A class to allow."""


def test_fresh_policy_allows_texts_and_numbers_only() -> None:
    policy = SecurityOptions()
    assert policy.isTypeAllowed(b"unicode") and policy.isTypeAllowed("set")
    assert not policy.isTypeAllowed(b"list") and not policy.isTypeAllowed(b"dictionary")
    assert not policy.allows_plain


def test_basic_types() -> None:
    policy = SecurityOptions()
    policy.allowBasicTypes()
    assert all(policy.isTypeAllowed(head) for head in PLAIN_HEADS)
    assert policy.allows_plain
    assert not policy.isTypeAllowed(b"remote") and not policy.isTypeAllowed(b"class")


@pytest.mark.parametrize("name", [b"builtins.complex", "os.system", b".", b"a.b", "..."])
def test_a_dot_is_no_permission(name: str | bytes) -> None:
    assert not globalSecurity.isTypeAllowed(name)


def test_names_as_bytes_text_and_class() -> None:
    policy = SecurityOptions()
    policy.allowTypes(b"a", "b", Thing)
    assert {b"a", b"b", dotted_name(Thing).encode()} <= policy.allowedTypes.keys()
    with pytest.raises(AttributeError):
        policy.allowTypes(5)


def test_instances() -> None:
    policy = SecurityOptions()
    policy.allowInstancesOf(Thing)
    assert policy.isClassAllowed(Thing) and not policy.isClassAllowed(SecurityOptions)
    assert policy.isModuleAllowed(__name__) and not policy.isModuleAllowed("os")
    assert policy.isTypeAllowed(dotted_name(Thing)) and policy.isTypeAllowed("class")
    assert not policy.isClassAllowed(type("Thing", (Thing,), {}))


def test_modules_by_name_and_as_they_are() -> None:
    policy = SecurityOptions()
    policy.allowModules("os", datetime)
    assert policy.isModuleAllowed(b"os") and policy.isModuleAllowed("datetime")


@pytest.mark.parametrize("head", sorted(PLAIN_HEADS | {b"complex", b"uuid"}))
def test_plain_only_with_every_plain_head(head: bytes) -> None:
    policy = SecurityOptions()
    policy.allowBasicTypes()
    assert policy.allows_plain
    policy.allowedTypes.pop(head)
    assert not policy.allows_plain
    policy.allowTypes(head)
    assert policy.allows_plain


def test_plain_asks_a_subclass() -> None:
    class NoSets(SecurityOptions):
        def isTypeAllowed(self, typeName: str | bytes) -> bool:
            return typeName != b"set" and super().isTypeAllowed(typeName)

    policy = NoSets()
    policy.allowBasicTypes()
    assert not policy.allows_plain


def test_dummy_allows_everything() -> None:
    policy = DummySecurityOptions()
    assert policy.allows_plain
    assert policy.isTypeAllowed("x") and policy.isModuleAllowed("x") and policy.isClassAllowed(Thing)
