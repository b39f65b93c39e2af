"""The recorded forms of stock jelly, both ways."""

from __future__ import annotations

import datetime
import sys
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from broker._values.jelly import Jellier
from broker._values.policy import DummySecurityOptions
from broker._values.registry import globalSecurity
from broker._wire.banana import encode
from broker.errors import InsecureJelly
from broker.spread import jelly as door
from tests.vectors.load import VECTORS, expression


class Pond:
    """In place of the recording's class."""


class Opaque:
    """In place of the recording's class."""

    def method(self) -> None:
        """A method to lower."""


class Root:
    def remote_note(self) -> None:
        """A function to lower."""


for cls in (Pond, Opaque, Root):
    cls.__module__ = "pbvec"
Root.remote_note.__module__ = "pbvec"
Opaque.method.__name__ = "remote_note"

SHARED_LIST: list[Any] = [1]
SHARED_TUPLE = (1,)
CYCLIC_LIST: list[Any] = []
CYCLIC_LIST.append(CYCLIC_LIST)
CYCLIC_DICT: dict[str, Any] = {}
CYCLIC_DICT["self"] = CYCLIC_DICT
CYCLIC_TUPLE: tuple[list[Any]] = ([],)
CYCLIC_TUPLE[0].append(CYCLIC_TUPLE)

#: Names of vectors whose value is not what their ``python`` says when it is evaluated.
SPECIAL: dict[str, Any] = {
    "same list twice": [SHARED_LIST, SHARED_LIST],
    "same tuple twice": [SHARED_TUPLE, SHARED_TUPLE],
    "cyclic list": CYCLIC_LIST,
    "cyclic dict": CYCLIC_DICT,
    "cyclic tuple/list": CYCLIC_TUPLE,
    "class": Pond,
    "builtin type": int,
    "function": Root.remote_note,
    "module": ModuleType("pbvec"),
    "bound method": Opaque().method,
    "plain instance, no security": Opaque(),
}
NAMESPACE = {"datetime": datetime, "Decimal": Decimal}
#: Forms that stock cannot send either: they have texts in them.
CODE = {"function", "module", "bound method"}
LOCAL = {"class", "builtin type", "plain instance, no security"}


def value_of(vector: dict[str, Any]) -> Any:
    return SPECIAL[vector["name"]] if vector["name"] in SPECIAL else eval(vector["python"], NAMESPACE)


def name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def alike(one: Any, two: Any, seen: set[tuple[int, int]]) -> bool:
    """Return whether two values are of the same types, contents and shape."""
    if (id(one), id(two)) in seen:
        return True
    seen.add((id(one), id(two)))
    if type(one) is not type(two):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(alike(a, b, seen) for a, b in zip(one, two, strict=True))
    if isinstance(one, dict):
        return alike(list(one.items()), list(two.items()), seen)
    return bool(one == two) or isinstance(one, Opaque)


def test_there_are_all() -> None:
    assert len(VECTORS["jelly"]) == 41


@pytest.mark.parametrize("vector", VECTORS["jelly"], ids=name)
def test_lower(vector: dict[str, Any]) -> None:
    form = Jellier(DummySecurityOptions()).jelly(value_of(vector))
    if vector["name"] in CODE:
        assert repr(form) == vector["sexp_repr"]
        return
    assert form == expression(vector["sexp"])
    assert encode(form, vocabulary=True).hex() == vector["hex_pb"]


@pytest.mark.parametrize("vector", VECTORS["jelly"], ids=name)
def test_lower_for_a_connection(vector: dict[str, Any]) -> None:
    jellier = Jellier(globalSecurity, strict=True)
    if vector["name"] in CODE | LOCAL:
        with pytest.raises(InsecureJelly, match="is not on the whitelist"):
            jellier.jelly(value_of(vector))
    else:
        assert jellier.jelly(value_of(vector)) == expression(vector["sexp"])


@pytest.mark.parametrize("vector", VECTORS["jelly"], ids=name)
def test_lift(vector: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("pbvec")
    module.Pond, module.Opaque, module.Root = Pond, Opaque, Root
    monkeypatch.setitem(sys.modules, "pbvec", module)
    SPECIAL["module"] = module
    if vector["name"] == "bound method":
        monkeypatch.setattr(Opaque, "remote_note", Opaque.method, raising=False)
    form = eval(vector["sexp_repr"]) if vector["name"] in CODE else expression(vector["sexp"])
    made = door.unjelly(form)
    value = value_of(vector)
    if vector["name"] == "bound method":
        assert made.__func__ is Opaque.method and type(made.__self__) is Opaque
    else:
        assert alike(made, value, set())
    if "same " in vector["name"] and "no reference" not in vector["name"]:
        assert made[0] is made[1]
    if vector["name"] == "cyclic list":
        assert made[0] is made
    if vector["name"] == "cyclic tuple/list":
        assert made[0][0] is made
