"""From the text after --root to something that can be served."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.credentials import Anonymous
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import implementer

from broker._objects.perspective import Avatar
from broker._objects.referenceable import Referenceable, Root
from broker.interfaces import IPerspective
from broker.service.roots import find, servable

ANYBODY = [AllowAnonymousAccess()]


class Shop(Root):
    pass


class Customer(Avatar):
    def __init__(self, avatarId: Any, mind: Any) -> None:
        self.avatarId = avatarId
        self.mind = mind
        self.gone = False

    def logout(self) -> None:
        self.gone = True


@implementer(IRealm)
class Realm:
    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return interfaces[0], Customer(avatarId, mind), lambda: None


def log_in(portal: Portal, mind: Any = None) -> Any:
    """Return what a login gives."""
    given: list[Any] = []
    login: Deferred[Any] = portal.login(Anonymous(), mind, IPerspective)
    login.addBoth(given.append)
    return given[0]


def test_a_root_is_served_as_it_is() -> None:
    shop = Shop()
    assert servable(shop) is shop


@pytest.mark.parametrize("maker", [Shop, lambda: Shop()])
def test_a_class_or_function_makes_the_root(maker: Any) -> None:
    assert isinstance(servable(maker), Shop)


def test_with_checkers_everybody_gets_the_root() -> None:
    shop = Shop()
    portal = servable(shop, ANYBODY)
    assert log_in(portal)[:2] == (IPerspective, shop)


def test_with_checkers_a_callable_of_two_makes_avatars() -> None:
    interface, avatar, logout = log_in(servable(Customer, ANYBODY), "mind")
    assert (interface, avatar.avatarId, avatar.mind, avatar.gone) == (IPerspective, (), "mind", False)
    logout()
    assert avatar.gone


@pytest.mark.parametrize("realm", [Realm, Realm()])
def test_a_realm_is_asked_for_avatars(realm: Any) -> None:
    assert isinstance(log_in(servable(realm, ANYBODY))[1], Customer)


def test_a_portal_is_served_and_gets_the_checkers() -> None:
    portal = Portal(Realm())
    assert servable(portal) is portal
    assert servable(portal, ANYBODY) is portal
    assert isinstance(log_in(portal)[1], Customer)


def test_other_interfaces_than_perspectives_are_refused() -> None:
    portal = servable(Shop(), ANYBODY)
    given: list[Any] = []
    portal.login(Anonymous(), None, IRealm).addBoth(given.append)
    assert given[0].check(NotImplementedError)


def broken() -> Any:
    raise KeyError("no\nstock")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Realm(), "an object of class 'Realm' is a realm: say with --auth who may log in"),
        (Realm, "'Realm' is a realm"),
        (Customer, "calling it needs arguments .*--auth"),
        (lambda a, b, c: None, "calling it needs arguments$"),
        (5, "an object of class 'int' cannot be served: it is no broker.Root"),
        (dict, "'dict' cannot be served: it is no broker.Root"),
        (broken, r"'broken' cannot be served: KeyError: 'no\\nstock' \(test_roots.py, line \d+\)"),
    ],
)
def test_what_cannot_be_served(found: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as caught:
        servable(found)
    assert "\n" not in str(caught.value)


def test_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory is searched, and nested names are followed."""
    (tmp_path / "wares_of_test_find.py").write_text("class Shop:\n    class Till: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert find("wares_of_test_find:Shop.Till").__qualname__ == "Shop.Till"
    assert find("wares_of_test_find:Shop") is sys.modules["wares_of_test_find"].Shop


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shop", "expected package.module:Name"),
        (":Shop", "expected package.module:Name"),
        ("shop:", "expected package.module:Name"),
        ("no.such.module:Shop", "cannot import 'no.such.module': ModuleNotFoundError: No module named 'no'$"),
        ("json:Shop", "no 'Shop' in 'json'"),
        ("wares_of_test_wrong:Shop", r"ZeroDivisionError: division by zero \(wares_of_test_wrong.py, line 3\)"),
        ("wares_of_test_syntax:Shop", "SyntaxError"),
    ],
)
def test_find_tells_what_is_wrong(name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wares_of_test_wrong.py").write_text("\n\n1/0\n")
    (tmp_path / "wares_of_test_syntax.py").write_text("def\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match=reason) as caught:
        find(name)
    assert "\n" not in str(caught.value)


def test_a_referenceable_can_be_served() -> None:
    thing = Referenceable()
    assert servable(thing) is thing
