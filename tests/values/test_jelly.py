"""Lowering: what is refused, where the text says it is, and what user classes with a `jellyFor` rely on."""

from __future__ import annotations

import datetime
import enum
import math
from collections import OrderedDict, namedtuple
from collections.abc import Generator
from decimal import Decimal
from typing import Any

import pytest

from broker._values.jelly import Jellier, Jellyable, getInstanceState, jelly
from broker._values.policy import SecurityOptions
from broker._values.registry import globalSecurity
from broker.errors import InsecureJelly, LimitExceeded


class Colour(enum.IntEnum):
    RED = 1


Pair = namedtuple("Pair", "a b")


class Text(str):
    pass


class Number(int):
    pass


class Plain:
    def method(self) -> None:
        pass


class Slotted:
    __slots__ = ("x",)


class Pond(Jellyable):
    def __init__(self, **state: Any) -> None:
        self.__dict__.update(state)


def generator() -> Generator[int, None, None]:
    yield 1


def policy(*classes: type) -> SecurityOptions:
    made = SecurityOptions()
    made.allowInstancesOf(*classes)
    return made


def strict(value: Any, taster: Any = globalSecurity, **options: Any) -> Any:
    return Jellier(taster, strict=True, **options).jelly(value)


REFUSED = {
    "Colour": Colour.RED,
    "Pair": Pair(1, 2),
    "Text": Text("x"),
    "Number": Number(5),
    "OrderedDict": OrderedDict(a=1),
    "Plain": Plain(),
    "complex": 1j,
    "range": range(3),
    "bytearray": bytearray(b"x"),
    "ValueError": ValueError("x"),
    "generator": generator(),
    "function": generator,
    "builtin_function_or_method": len,
    "method": Plain().method,
    "module": math,
    "int": int,
    "object": object(),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_strict_refuses_and_says_what_and_where(name: str) -> None:
    value = [0, {"key": Pond(attr=(1, REFUSED[name]))}]
    with pytest.raises(InsecureJelly) as caught:
        strict(value)
    text = str(caught.value)
    assert text.startswith("value[1]['key'].attr[1]: ")
    assert name in text and text.endswith("is not on the whitelist")


@pytest.mark.parametrize("name", sorted(set(REFUSED) - {"function", "method", "module", "int"}))
def test_otherwise_a_note_takes_the_place(name: str) -> None:
    value = REFUSED[name]
    cls = type(value)
    note = f"instance of class {cls.__module__}.{cls.__name__} deemed insecure".encode()
    assert Jellier(globalSecurity).jelly([value]) == [b"list", [b"unpersistable", note]]


def test_notes_in_states_only() -> None:
    lenient = Jellier(globalSecurity, strict=True, strictState=False)
    form = lenient.jelly([Pond(a=1j, b=[int], c=generator)])
    assert [entry[1][0] for entry in form[1][1][1:]] == [b"unpersistable", b"list", b"unpersistable"]
    value = range(2)
    with pytest.raises(InsecureJelly, match=r"value\[1\]: range"):
        Jellier(globalSecurity, strict=True, strictState=False).jelly([Pond(v=value), value])


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (1j, ""),
        ((1j,), "value[0]: "),
        ({1j: 1}, "value[a complex]: "),
        ({b"k": 1j}, "value[b'k']: "),
        ({5: [1j]}, "value[5][0]: "),
        ({"x" * 100: 1j}, f"value['{'x' * 60}']: "),
        ({(1, 2): 1j}, "value[a tuple]: "),
        (Pond(a=1j), "value.a: "),
        (Pond(**{"no name": 1j}), "value['no name']: "),
        (Pond(a=Pond(b={"c": 1j})), "value.a.b['c']: "),
        (frozenset([1j]), "value[0]: "),
    ],
)
def test_paths(value: Any, where: str) -> None:
    with pytest.raises(InsecureJelly) as caught:
        strict(value)
    assert str(caught.value) == f"{where}complex is not on the whitelist"


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        datetime.time(1, tzinfo=datetime.timezone.utc),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("-Infinity"),
        "\ud800",
        {"\ud800": 1},
        ["text \udfff text"],
    ],
)
@pytest.mark.parametrize("strictly", [True, False])
def test_values_without_a_form(value: Any, strictly: bool) -> None:
    with pytest.raises(InsecureJelly, match=r"^value\[1\].*cannot be sent: "):
        Jellier(globalSecurity, strict=strictly).jelly([0, value])


@pytest.mark.parametrize("value", [Decimal("1E1000000"), Decimal("1E-1000000"), Decimal("1" * 136)])
def test_decimals_that_no_receiver_takes(value: Decimal) -> None:
    with pytest.raises(LimitExceeded, match=r"value\[0\]: a Decimal of"):
        strict([value])


def test_negative_zero_loses_its_sign() -> None:
    assert strict(Decimal("-0.0")) == [b"decimal", 0, -1]


def test_depth_is_counted_in_containers() -> None:
    def nest(levels: int, wrap: Any) -> Any:
        value: Any = 5
        for _ in range(levels):
            value = wrap(value)
        return value

    for wrap in (lambda v: [v], lambda v: {"k": v}, lambda v: (v,), lambda v: Pond(k=v), lambda v: frozenset([v])):
        strict(nest(20, wrap), depth=20)
        with pytest.raises(LimitExceeded, match="nested deeper than 20"):
            strict(nest(21, wrap), depth=20)


@pytest.mark.parametrize("wrap", [lambda v: [v], lambda v: {"k": v}, lambda v: Pond(k=v)])
def test_deeper_than_the_stack(wrap: Any) -> None:
    value: Any = 5
    for _ in range(5000):
        value = wrap(value)
    with pytest.raises(LimitExceeded, match="than the stack of this process"):
        strict(value, depth=10**6)


def test_a_hook_that_never_ends_is_too_deep() -> None:
    class Endless(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            return jellier.jelly(Endless())

    with pytest.raises(LimitExceeded, match="nested deeper than 50"):
        strict([Endless()], depth=50)


def test_restricted_policy_refuses_on_the_way_out() -> None:
    taster = SecurityOptions()
    taster.allowBasicTypes()
    taster.allowedTypes.pop(b"unicode")
    assert strict([1, b"x", 2.5], taster) == [b"list", 1, b"x", 2.5]
    for value in (["x"], {"x": 1}, {1: "x"}, [{1: ["x"]}]):
        with pytest.raises(InsecureJelly, match="str is not on the whitelist"):
            strict(value, taster)
    with pytest.raises(InsecureJelly, match=r"value\[0\]: list is not on the whitelist"):
        strict(([],), _without(b"list"))


def _without(*heads: bytes) -> SecurityOptions:
    taster = SecurityOptions()
    taster.allowBasicTypes()
    for head in heads:
        taster.allowedTypes.pop(head)
    return taster


def test_a_taster_of_ones_own_is_asked() -> None:
    class Taster:
        def isTypeAllowed(self, name: bytes) -> bool:
            return name == b"list"

        def isClassAllowed(self, cls: type) -> bool:
            return False

    assert strict([[1]], Taster()) == [b"list", [b"list", 1]]
    with pytest.raises(InsecureJelly, match=r"value\[0\]: str"):
        strict(["x"], Taster())


def test_allowed_instances_travel_by_their_state() -> None:
    thing, slotted = Plain(), Slotted()
    thing.x = [thing]  # type: ignore[attr-defined]
    name = f"{__name__}.Plain".encode()
    form = strict(thing, policy(Plain))
    assert form == [b"reference", 1, [name, [b"dictionary", [[b"unicode", b"x"], [b"list", [b"dereference", 1]]]]]]
    with pytest.raises(InsecureJelly, match="Slotted"):
        strict([slotted], policy(Plain))
    with pytest.raises(InsecureJelly, match=r"value\[0\].y: complex"):
        thing.y = 1j  # type: ignore[attr-defined]
        del thing.x  # type: ignore[attr-defined]
        strict([thing], policy(Plain))


def test_getstate_is_asked() -> None:
    class Stated:
        def __getstate__(self) -> Any:
            return ("state", 5)

    name = f"{__name__}.Stated".encode()
    assert strict(Stated(), policy(Stated)) == [name, [b"tuple", [b"unicode", b"state"], 5]]


def test_classes_need_the_policy() -> None:
    assert strict(Plain, policy(Plain)) == [b"class", f"{__name__}.Plain".encode()]
    with pytest.raises(InsecureJelly, match="the class .*Slotted"):
        strict(Slotted, policy(Plain))


def test_persistent_store_goes_before_the_policy() -> None:
    thing = Plain()
    jellier = Jellier(globalSecurity, lambda obj, _: b"id" if obj is thing else None, strict=True)
    assert jellier.jelly([thing, thing]) == [
        b"list",
        [b"reference", 1, [b"persistent", b"id"]],
        [b"dereference", 1],
    ]
    with pytest.raises(InsecureJelly, match="Plain"):
        jellier.jelly(Plain())


# What user classes with a jellyFor of their own use.


class Custom(Jellyable):
    def __init__(self, parts: Any = None) -> None:
        self.parts = parts

    def jellyFor(self, jellier: Any) -> Any:
        assert jellier.invoker == "the connection"
        form = jellier.prepare(self)
        form.extend([b"custom", jellier.jelly(self.parts)])
        return jellier.preserve(self, form)


def test_prepare_and_preserve_keep_identity() -> None:
    one = Custom()
    one.parts = [one]
    form = Jellier(globalSecurity, None, "the connection", strict=True).jelly((one, one))
    inner = [b"custom", [b"list", [b"dereference", 1]]]
    assert form == [b"tuple", [b"reference", 1, inner], [b"dereference", 1]]


def test_a_tuple_is_as_good_as_a_list() -> None:
    class Short(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            return b"local", 5

    class Kept(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            jellier.prepare(self)
            return jellier.preserve(self, (b"kept", 5))

    short, kept = Short(), Kept()
    assert strict([short, short]) == [b"list", [b"local", 5], [b"local", 5]]
    assert strict([kept, kept]) == [b"list", [b"reference", 1, [b"kept", 5]], [b"dereference", 1]]


def test_what_a_hook_makes_for_the_moment_stays_apart() -> None:
    class Fresh(Jellyable):
        def getStateFor(self, jellier: Any) -> Any:
            return {"list": [1]}

    form = strict([Fresh() for _ in range(50)])
    assert b"dereference" not in repr(form).encode()


def test_exceptions_of_hooks_pass_as_they_are() -> None:
    class Broken(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            raise ZeroDivisionError("of the hook")

    class BadText(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            return [b"x", "\ud800".encode()]

    with pytest.raises(ZeroDivisionError, match="^of the hook$"):
        strict([{"k": Broken()}])
    with pytest.raises(UnicodeEncodeError):
        strict([{"k": BadText()}])


def test_a_hook_may_catch_a_refusal_and_go_on() -> None:
    class Careful(Jellyable):
        def getStateFor(self, jellier: Any) -> Any:
            return None

        def jellyFor(self, jellier: Any) -> Any:
            try:
                return jellier.jelly([[1j]])
            except InsecureJelly:
                return jellier.jelly("nothing")

    assert strict([Careful()]) == [b"list", [b"unicode", b"nothing"]]
    with pytest.raises(InsecureJelly, match=r"^value\[1\]\[0\]: range is"):
        strict([Careful(), [range(2)]])


def test_names_kept_from_pb() -> None:
    jellier = Jellier(globalSecurity, None, "invoker")
    thing = [1]
    assert jellier.invoker == "invoker" and jellier.taster is globalSecurity and jellier.persistentStore is None
    assert jellier._checkMutable(thing) is None
    assert jellier.jelly(thing) == [b"list", 1]
    assert jellier._checkMutable(thing) == [b"dereference", 1]
    assert jellier.unpersistable("why") == [b"unpersistable", b"why"]
    assert jellier.unpersistable(b"why", [1]) == [1, b"unpersistable", b"why"]


def test_instance_state() -> None:
    class Own(Jellyable):
        def jellyFor(self, jellier: Any) -> Any:
            return getInstanceState(self, jellier)

    own = Own()
    own.me = own  # type: ignore[attr-defined]
    name = f"{__name__}.Own".encode()
    state = [b"dictionary", [[b"unicode", b"me"], [b"dereference", 1]]]
    assert jelly(own) == [b"reference", 1, [name, state]]
