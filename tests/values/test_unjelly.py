"""Lifting: malformed and forbidden forms, where the text says they are, and what hooks rely on."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import pytest

from broker._values.jelly import Jellyable
from broker._values.lifter import _newInstance
from broker._values.policy import PLAIN_HEADS, SecurityOptions
from broker._values.registry import Registry, globalSecurity
from broker._values.unjelly import Unjellier, Unjellyable, Unpersistable, setInstanceState, unjelly
from broker.errors import BadValue, InsecureJelly, LimitExceeded

U = b"unicode"


class Plain:
    pass


class Copy(Unjellyable):
    def setStateFor(self, unjellier: Any, state: Any) -> None:
        self.__dict__ = state if isinstance(state, dict) else {"state": state}


def lift(form: Any, security: Any = globalSecurity, **options: Any) -> Any:
    return Unjellier(security, **options).unjellyFull(form)


def registry(**entries: Any) -> Registry:
    made = Registry()
    for name, entry in entries.items():
        made.setUnjellyableForClass(name, entry)
    return made


def policy(*classes: type) -> SecurityOptions:
    made = SecurityOptions()
    made.allowInstancesOf(*classes)
    return made


MALFORMED: list[tuple[Any, str]] = [
    ([], "empty form"),
    ([5], "without a head"),
    ([2.5], "without a head"),
    ([[b"list"]], "without a head"),
    ([None], "without a head"),
    ([b"None", 5], "None"),
    ([b"boolean"], "boolean"),
    ([b"boolean", b"maybe"], "boolean"),
    ([b"boolean", 1], "boolean"),
    ([b"boolean", [b"list"]], "boolean"),
    ([b"boolean", b"true", b"true"], "boolean"),
    ([U], "text"),
    ([U, 3], "text"),
    ([U, [b"list"]], "text"),
    ([U, b"a", b"b"], "text"),
    ([U, b"\xff"], "not UTF-8"),
    ([U, b"\xed\xa0\x80"], "not UTF-8"),
    ([b"dictionary", 5], "no pair"),
    ([b"dictionary", []], "no pair"),
    ([b"dictionary", [1]], "no pair"),
    ([b"dictionary", [1, 2, 3]], "no pair"),
    ([b"dictionary", b"ab"], "no pair"),
    ([b"dictionary", [[b"list"], 1]], "dictionary key .* list"),
    ([b"dictionary", [[b"dictionary"], 1]], "dictionary key .* dict"),
    ([b"dictionary", [[b"tuple", [b"list"]], 1]], "dictionary key .* tuple"),
    ([b"dictionary", [[U, b"\xff"], 1]], "not UTF-8"),
    ([b"dictionary", [1, [U, b"\xff"]]], "not UTF-8"),
    ([b"set", [b"list"]], "member of a set"),
    ([b"frozenset", [b"set"]], "member of a set"),
    ([b"set", []], "empty form"),
    ([b"datetime"], "datetime"),
    ([b"datetime", 5], "datetime"),
    ([b"datetime", b""], "datetime"),
    ([b"datetime", b"2024 2 30 0 0 0 0"], "datetime that does not exist"),
    ([b"datetime", b"2024 2 28 0 0 0"], "datetime that is not 7 numbers"),
    ([b"datetime", b"2024 2 28 0 0 0 0 0"], "datetime that is not 7 numbers"),
    ([b"datetime", b"a b c d e f g"], "datetime that does not exist"),
    ([b"datetime", b"9" * 5000], "datetime"),
    ([b"date", b"2024 1 1" + b" " * 100], "short"),
    ([b"date", b"0 1 1"], "date that does not exist"),
    ([b"date", b"99999999999999999999 1 1"], "date that does not exist"),
    ([b"time", b"25 0 0 0"], "time that does not exist"),
    ([b"timedelta", b"1 2"], "timedelta"),
    ([b"timedelta", b"9999999999 0 0"], "timedelta that does not exist"),
    ([b"timedelta", b"9" * 40 + b" 0 0"], "timedelta that does not exist"),
    ([b"decimal", 1], "decimal"),
    ([b"decimal", 1, 2, 3], "decimal"),
    ([b"decimal", 1.0, 2], "decimal"),
    ([b"decimal", b"1", 2], "decimal"),
    ([b"decimal", 1, 99999999999], "decimal out of bounds"),
    ([b"decimal", 1, -99999999999], "decimal out of bounds"),
    ([b"decimal", 1 << 448, 0], "decimal out of bounds"),
    ([b"reference", 1], "reference"),
    ([b"reference", b"1", [b"list"]], "reference"),
    ([b"reference", [b"list"], [b"list"]], "reference"),
    ([b"reference", 1, 2, 3], "reference"),
    ([b"dereference"], "dereference"),
    ([b"dereference", b"1"], "dereference"),
    ([b"dereference", 1, 2], "dereference"),
    ([b"list", [b"reference", 1, [b"list"]], [b"reference", 1, [b"list"]]], "two references with the number 1"),
    ([b"reference", 1, [b"list", [b"reference", 1, [b"list"]]]], "two references with the number 1"),
    ([b"reference", 1, [b"tuple", [b"reference", 1, [b"list"]]]], "two references with the number 1"),
    ([b"list", [b"reference", 1, 5], [b"reference", 1, 6]], "two references with the number 1"),
    ([b"unpersistable"], "unpersistable"),
    ([b"persistent"], "persistent"),
    ([b"persistent", 1, 2], "persistent"),
]


@pytest.mark.parametrize(("form", "text"), MALFORMED, ids=[repr(form)[:60] for form, _ in MALFORMED])
def test_malformed(form: Any, text: str) -> None:
    with pytest.raises(BadValue, match=text):
        lift(form)
    with pytest.raises(BadValue, match=r"^value\[1\]\['k'\].*: .*" + text):
        lift([b"list", 0, [b"dictionary", [[U, b"k"], form]]])
    with pytest.raises(BadValue, match=r"^value\[0\].*: .*" + text):
        lift([b"set", [b"tuple", form]])


NOWHERE: list[Any] = [
    [b"dereference", 1],
    [b"list", [b"dereference", 1]],
    [b"reference", 1, [b"dereference", 1]],
    [b"reference", 1, [b"tuple", [b"dereference", 1]]],
    [b"reference", 1, [b"frozenset", [b"tuple", [b"dereference", 1]]]],
    [b"tuple", [b"reference", 1, [b"tuple", [b"dereference", 2]]], [b"reference", 2, [b"tuple", [b"dereference", 1]]]],
    [b"dictionary", [[b"dereference", 1], 1]],
    [b"set", [b"dereference", 1]],
    [b"list", [b"reference", 1, [b"dereference", 2]], [b"reference", 2, [b"dereference", 1]]],
]


@pytest.mark.parametrize("form", NOWHERE, ids=repr)
def test_references_to_nothing(form: Any) -> None:
    with pytest.raises(BadValue, match="a reference"):
        lift(form)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ([b"complex", 1], "b'complex'"),
        ([b"remote-ish", 1], "b'remote-ish'"),
        ([b"m.C", [b"dictionary"]], r"Module m not allowed \(in type m.C\)."),
        ([b"os.system", [b"tuple"]], r"Module os not allowed \(in type os.system\)."),
        ([b"builtins.complex", [b"None"]], r"Module builtins not allowed"),
        ([b"class", b"os.stat_result"], "b'class'"),
        ([b"instance", [b"class", b"m.C"], [b"dictionary"]], "b'instance'"),
        ([b"module", b"os"], "b'module'"),
        ([b"function", b"os.system"], "b'function'"),
        ([b"method", b"x", 1, 2], "b'method'"),
        ([b"\xff\xfe", 1], "xff"),
        ([b"x" * 10_000], "xxx"),
    ],
)
def test_forbidden(form: Any, text: str) -> None:
    with pytest.raises(InsecureJelly, match=f"^{text}|{text}") as caught:
        lift(form)
    assert type(caught.value) is InsecureJelly and len(str(caught.value)) < 500
    with pytest.raises(InsecureJelly, match=r"^value\[0\]: "):
        lift([b"tuple", form])


@pytest.mark.parametrize("head", sorted(PLAIN_HEADS))
def test_each_head_can_be_forbidden(head: bytes) -> None:
    taster = SecurityOptions()
    taster.allowBasicTypes()
    taster.allowedTypes.pop(head)
    with pytest.raises(InsecureJelly, match=repr(head)):
        lift([head, b"x"], taster)
    with pytest.raises(InsecureJelly):
        lift([b"tuple" if head != b"tuple" else b"list", [head, b"x"]], taster)


def test_text_is_forbidden_as_key_and_item_too() -> None:
    taster = SecurityOptions()
    taster.allowBasicTypes()
    taster.allowedTypes.pop(U)
    for form in ([b"list", [U, b"x"]], [b"dictionary", [[U, b"x"], 1]], [b"dictionary", [1, [U, b"x"]]]):
        with pytest.raises(InsecureJelly, match="b'unicode'"):
            lift(form, taster)


def test_heads_as_text() -> None:
    assert lift(["list", ["unicode", b"x"], ["None"]]) == ["x", None]
    with pytest.raises(InsecureJelly):
        lift(["complex", 1])


def test_atoms_stand_for_themselves() -> None:
    assert [lift(atom) for atom in (5, b"x", 2.5, -(1 << 400))] == [5, b"x", 2.5, -(1 << 400)]


def test_decimals() -> None:
    assert repr(lift([b"decimal", -995, -2])) == "Decimal('-9.95')"
    assert lift([b"decimal", 1, 999_999]) == Decimal("1E+999999")


def test_unpersistable_and_persistent() -> None:
    made = lift([b"list", [b"unpersistable", b"why"], [b"persistent", 5]])
    assert [type(part) for part in made] == [Unpersistable, Unpersistable]
    assert made[0].reason == "Unpersistable data: b'why'"
    assert made[1].reason == "Persistent callback not found"
    loaded = Unjellier(globalSecurity, lambda ident, unjellier: (ident, unjellier.invoker), "invoker")
    assert loaded.unjellyFull([b"persistent", 5]) == (5, "invoker")


# Instances.


def test_allowed_classes_by_name_without_import() -> None:
    name = f"{__name__}.Plain".encode()
    security = policy(Plain)
    made = lift([name, [b"dictionary", [[U, b"x"], 5]]], security)
    assert type(made) is Plain and made.x == 5
    assert lift([b"class", name], security) is Plain
    assert type(lift([b"instance", [b"class", name], [b"None"]], security)) is Plain
    sys.modules.pop("wave", None)
    with pytest.raises(InsecureJelly, match="Module wave not allowed"):
        lift([b"wave.Wave_read", [b"dictionary"]], security)
    assert "wave" not in sys.modules


def test_a_policy_of_ones_own_has_the_last_word_about_classes() -> None:
    class Never(SecurityOptions):
        def isClassAllowed(self, klass: type) -> bool:
            return False

    security = Never()
    security.allowInstancesOf(Plain)
    with pytest.raises(InsecureJelly):
        lift([f"{__name__}.Plain".encode(), [b"dictionary"]], security)


@pytest.mark.parametrize(
    ("tail", "text"),
    [
        ([], "parts"),
        ([[b"dictionary"], 5], "parts"),
        ([5], "cannot have a int as its state"),
        ([[b"list", 1]], "cannot have a list"),
        ([[b"tuple", [b"None"], [b"dictionary", [[U, b"__class__"], 5]]]], "no slot"),
    ],
)
def test_states_that_an_instance_cannot_have(tail: list[Any], text: str) -> None:
    with pytest.raises(BadValue, match=text):
        lift([b"list", [f"{__name__}.Plain".encode(), *tail]], policy(Plain))


def test_instance_of_no_class() -> None:
    with pytest.raises(BadValue, match="no class"):
        lift([b"instance", [b"list"], [b"dictionary"]], policy(Plain))
    with pytest.raises(BadValue, match="name of a class"):
        lift([b"class", [b"list"]], policy(Plain))


def test_slots_and_setstate() -> None:
    class Slotted:
        __slots__ = ("x", "y")

    class Stated:
        def __setstate__(self, state: Any) -> None:
            self.state = state

    slotted = lift(
        [f"{__name__}.Slotted".encode(), [b"tuple", [b"None"], [b"dictionary", [[U, b"x"], 5]]]], policy(Slotted)
    )
    assert slotted.x == 5 and not hasattr(slotted, "y")
    assert lift([f"{__name__}.Stated".encode(), [b"list", 5]], policy(Stated)).state == [5]
    assert _newInstance(Stated, 7).state == 7


def test_class_without_blank_instances() -> None:
    class Needs:
        def __new__(cls, argument: int) -> Needs:
            return super().__new__(cls)

    with pytest.raises(BadValue, match="blank Needs cannot be made"):
        lift([f"{__name__}.Needs".encode(), [b"dictionary"]], policy(Needs))


# Hooks.


def test_class_and_function_and_class_without_hook() -> None:
    class Odd:
        def __init__(self, unjellier: Any, expression: Any) -> None:
            self.got = unjellier.unjelly(expression[1])

    entries = registry(copy=Copy, function=lambda unjellier, expression: (unjellier.invoker, expression), odd=Odd)
    form = [b"list", [b"copy", [b"dictionary", [[U, b"a"], 1]]], [b"function", 5, [b"list"]], [b"odd", [U, b"x"]]]
    copy, function, odd = Unjellier(globalSecurity, None, "invoker", registry=entries).unjellyFull(form)
    assert copy.a == 1 and function == ("invoker", [b"function", 5, [b"list"]]) and odd.got == "x"


def test_hooks_without_contents() -> None:
    entries = registry(copy=Copy, function=lambda unjellier, expression: expression[1], bare=lambda *_: "bare")
    assert lift([b"bare"], registry=entries) == "bare"
    for head in (b"copy", b"function"):
        with pytest.raises(BadValue, match=r"value\[0\]: .*without"):
            lift([b"list", [head]], registry=entries)


def test_factory_without_state() -> None:
    entries = Registry()
    entries.setUnjellyableFactoryForClass("made", list)
    with pytest.raises(BadValue, match=r"value\[0\]: .*without"):
        lift([b"list", [b"made"]], registry=entries)


def test_exceptions_of_hooks_pass_as_they_are() -> None:
    class Broken(Unjellyable):
        def setStateFor(self, unjellier: Any, state: Any) -> None:
            b"\xff".decode()

    def index(unjellier: Any, expression: Any) -> Any:
        return expression[1][7]

    entries = registry(broken=Broken, index=index)
    with pytest.raises(UnicodeDecodeError):
        lift([b"list", [b"broken", [b"dictionary"]]], registry=entries)
    with pytest.raises(IndexError):
        lift([b"dictionary", [1, [b"index", []]]], registry=entries)


def test_path_through_a_hook_is_an_attribute() -> None:
    state = [b"dictionary", [[U, b"attr"], [b"list", [b"boolean", b"no"]]]]
    with pytest.raises(BadValue, match=r"^value\[1\]\.attr\[0\]: a boolean"):
        lift([b"list", 0, [b"copy", state]], registry=registry(copy=Copy))


def test_error_of_a_flavor_gets_its_place() -> None:
    def refuse(unjellier: Any, expression: Any) -> Any:
        raise BadValue("a number is due")

    with pytest.raises(BadValue, match=r"^value\['k'\]: a number is due$"):
        lift([b"dictionary", [[U, b"k"], [b"refuse", 1]]], registry=registry(refuse=refuse))


def test_post_unjelly_when_everything_is_there() -> None:
    seen: list[Any] = []

    class Posted(Copy):
        def postUnjelly(self) -> None:
            seen.append((self.other, list(whole)))  # type: ignore[attr-defined]

    whole: list[Any] = []
    unjellier = Unjellier(globalSecurity, registry=registry(posted=Posted))
    unjellier.references[7] = whole
    unjellier.unjellyInto(whole_box := [None], 0, 5)
    assert whole_box == [5]
    form = [
        b"list",
        [b"posted", [b"dictionary", [[U, b"other"], [b"dereference", 2]]]],
        [b"reference", 2, [b"list", 1]],
    ]
    unjellier.unjellyFull(form)
    assert seen == [([1], [])]


def test_into_is_patched() -> None:
    class Into(Unjellyable):
        def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
            self.parts = [None, None]
            unjellier.unjellyInto(self.parts, 0, expression[1])
            unjellier.unjellyInto(self.parts, 1, 5)
            return self

    form = [b"reference", 1, [b"tuple", [b"into", [b"dereference", 1]]]]
    made = lift(form, registry=registry(into=Into))
    assert type(made) is tuple and made[0].parts == [made, 5]


def test_instance_state() -> None:
    class Own(Jellyable):
        def unjellyFor(self, unjellier: Any, expression: Any) -> Any:
            return setInstanceState(self, unjellier, expression)

    assert lift([b"own", [b"dictionary", [[U, b"a"], 1]]], registry=registry(own=Own)).a == 1
    with pytest.raises(BadValue):
        lift([b"own"], registry=registry(own=Own))


# Depth.


def nested(head: bytes, levels: int, bottom: Any = 5) -> Any:
    form = bottom
    for _ in range(levels):
        form = [head, [1, form]] if head == b"dictionary" else [head, form]
    return form


@pytest.mark.parametrize("head", [b"list", b"tuple", b"frozenset", b"dictionary", b"copy"])
def test_depth(head: bytes) -> None:
    entries = registry(copy=Copy)
    bottom: Any = [b"None"] if head == b"copy" else 5
    lift(nested(head, 20, bottom), depth=20, registry=entries)
    with pytest.raises(LimitExceeded, match="nested deeper than 20"):
        lift(nested(head, 21, bottom), depth=20, registry=entries)


def test_depth_of_references() -> None:
    form: Any = [b"list"]
    for number in range(30):
        form = [b"reference", number, form]
    lift(form, depth=30)
    with pytest.raises(LimitExceeded):
        lift(form, depth=20)


def test_function_of_this_module() -> None:
    assert unjelly([b"list", [U, b"x"]]) == ["x"]
    with pytest.raises(InsecureJelly):
        unjelly([b"os.system", [U, b"x"]])
    with pytest.raises(InsecureJelly):
        unjelly([b"module", b"os"])
