"""What broker.spread.jelly has beyond the core: Twisted's names, and imports for trusted data."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import pytest
from twisted.spread import jelly as stock

from broker import errors
from broker.spread import interfaces
from broker.spread import jelly as door


class Thing:
    def method(self) -> int:
        return 5


def test_all_of_stocks_names() -> None:
    ignored = {"annotations", "TYPE_CHECKING", "Callable", "Version", "NotKnown", "implementer"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        names = [name for name, value in vars(stock).items() if not name.startswith("_") and name not in ignored]
        own = [name for name in names if getattr(getattr(stock, name), "__module__", stock.__name__) == stock.__name__]
        constants = [name for name in own if isinstance(getattr(stock, name), (bytes, tuple))]
        assert "jelly" in own and "instance_atom" in constants
        assert not [name for name in own if not hasattr(door, name) and type(getattr(stock, name)).__name__ != "module"]
        assert {name: getattr(door, name) for name in constants} == {name: getattr(stock, name) for name in constants}
    assert door.InsecureJelly is errors.InsecureJelly
    assert interfaces.IJellyable is door.IJellyable and interfaces.IUnjellyable is door.IUnjellyable


def test_instance_atom_is_deprecated() -> None:
    with pytest.warns(DeprecationWarning, match=r"^twisted.spread.jelly.instance_atom was deprecated in Twisted 15"):
        assert door.instance_atom == b"instance"
    with pytest.raises(AttributeError, match="no_such_name"):
        door.no_such_name  # noqa: B018


def test_code_there_and_back() -> None:
    thing = Thing()
    made = door.unjelly(door.jelly([Thing, door.jelly, sys, thing.method, int, Thing.method]))
    assert made[:3] == [Thing, door.jelly, sys] and made[4:] == [int, Thing.method]
    assert made[3].__func__ is Thing.method and type(made[3].__self__) is Thing


def test_method_of_something_shared() -> None:
    thing = Thing()
    thing.again = thing.method  # type: ignore[attr-defined]
    made = door.unjelly(door.jelly(thing))
    assert made.again.__self__ is made and made.again() == 5


def test_method_that_is_gone() -> None:
    form = door.jelly(Thing().method)
    with pytest.raises(TypeError, match="instance method changed"):
        door.unjelly([form[0], "other", *form[2:]])
    with pytest.raises(errors.InsecureJelly, match="non-class class"):
        door.unjelly([*form[:3], 5])
    with pytest.raises(errors.BadValue, match="not complete"):
        door.unjelly([b"reference", 1, [b"tuple", [*form[:2], [b"dereference", 1], form[3]]]])


@pytest.mark.parametrize(
    "form",
    [
        [b"function", b"no.such.module"],
        [b"function", b"os.no_such_function"],
        [b"function", b""],
        [b"no_such_module_at_all.Thing", [b"dictionary"]],
        [b"module", 5],
        [b"module", b"no_such_module_at_all"],
        [b"function", [b"list"]],
        [b"os.path", [b"dictionary"]],
        [b"method", b"x"],
    ],
    ids=repr,
)
def test_names_of_nothing(form: Any) -> None:
    with pytest.raises(errors.InsecureJelly):
        door.unjelly(form)


def test_a_policy_stops_imports() -> None:
    policy = door.SecurityOptions()
    policy.allowInstancesOf(Thing)
    policy.allowTypes("function", "module", "method")
    sys.modules.pop("wave", None)
    for form in ([b"module", b"wave"], [b"function", b"wave.open"], [b"wave.Wave_read", [b"dictionary"]]):
        with pytest.raises(errors.InsecureJelly):
            door.unjelly(form, policy)
    assert "wave" not in sys.modules
    assert type(door.unjelly(door.jelly(Thing(), policy), policy)) is Thing
    assert door.unjelly([b"module", __name__.encode()], policy) is sys.modules[__name__]


def test_a_taster_of_ones_own_decides_about_imports() -> None:
    class Taster(door.DummySecurityOptions):
        def isClassAllowed(self, klass: type) -> bool:
            return klass is Thing

    name = f"{__name__}.Thing".encode()
    assert type(door.unjelly([name, [b"dictionary"]], Taster())) is Thing
    with pytest.raises(errors.InsecureJelly):
        door.unjelly([b"datetime.date", [b"dictionary"]], Taster())


def test_obsolete_instance() -> None:
    form = ["instance", ["class", f"{__name__}.Thing"], ["dictionary"]]
    with pytest.warns(DeprecationWarning, match="Unjelly support for the instance atom is deprecated"):
        assert type(door.unjelly(form)) is Thing


def test_deeper_than_a_connection_allows() -> None:
    value: Any = []
    for _ in range(400):
        value = [value]
    assert door.jelly(value)[0] == b"list"
    assert type(door.unjelly(door.jelly(value))) is list
    for _ in range(3000):
        value = [value]
    with pytest.raises(errors.LimitExceeded):
        door.jelly(value)


def test_restricted_policy_refuses_on_the_way_out() -> None:
    with pytest.raises(errors.InsecureJelly, match="list"):
        door.jelly([], door.SecurityOptions())
