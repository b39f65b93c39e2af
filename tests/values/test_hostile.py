"""Forms made to cost: deep ones, and small ones that stand for something vast."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker._values.registry import Registry, globalSecurity
from broker._values.unjelly import Unjellier, Unjellyable
from broker.errors import BadValue, InsecureJelly, LimitExceeded

U, R, D = b"unicode", b"reference", b"dereference"
LEVELS = 100_000
#: Of forms that are costly to make.
MANY = 30_000


def lift(form: Any, **options: Any) -> Any:
    return Unjellier(globalSecurity, **options).unjellyFull(form)


class Copy(Unjellyable):
    pass


COPIES = Registry()
COPIES.setUnjellyableForClass("copy", Copy)

WRAPS: dict[str, Any] = {
    "list": lambda form: [b"list", form],
    "tuple": lambda form: [b"tuple", form],
    "set": lambda form: [b"set", form],
    "frozenset": lambda form: [b"frozenset", form],
    "value": lambda form: [b"dictionary", [1, form]],
    "key": lambda form: [b"dictionary", [form, 1]],
    "reference": lambda form: [R, 1, form],
    "copy": lambda form: [b"copy", form],
    "head": lambda form: [form],
    "unknown": lambda form: [b"unknown", form],
    "unpersistable": lambda form: [b"unpersistable", form],
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS)
@pytest.mark.parametrize("depth", [300, 10**9])
def test_deep(wrap: Any, depth: int) -> None:
    form: Any = 5
    for _ in range(LEVELS):
        form = wrap(form)
    try:
        made = lift(form, registry=COPIES, depth=depth)
    except (InsecureJelly, LimitExceeded) as error:
        assert len(str(error)) < 600
    else:
        # A note of what could not be sent says what is in it, and no more.
        assert repr(made) == "Unpersistable('Unpersistable data: a list')"
    while isinstance(form, list):
        # Taken apart by hand: neither repr nor comparison of such a thing may be left to a failing test.
        form = next((part for part in reversed(form) if isinstance(part, list)), None)


def tower(head: bytes, levels: int) -> list[Any]:
    """Return forms of which each contains the one before it twice."""
    forms: list[Any] = [[R, 0, [head, 0]]]
    forms += [[R, level, [head, [b"tuple", level, [D, level - 1]], [D, level - 1]]] for level in range(1, levels)]
    return forms


@pytest.mark.parametrize("head", [b"list", b"tuple"])
def test_laughs_keep_identity_and_so_cost_nothing(head: bytes) -> None:
    made = lift([b"list", *tower(head, 3000)])
    assert len(made) == 3000
    assert made[2999][1] is made[2998] and made[2999][0][1] is made[2998]


@pytest.mark.parametrize(
    "use",
    [
        lambda n: [b"dictionary", [[D, n], 1]],
        lambda n: [b"set", [D, n]],
        lambda n: [b"frozenset", [D, n]],
        lambda n: [b"set", [b"tuple", 5, [D, n]]],
    ],
)
def test_hashing_of_laughs_is_bounded(use: Any) -> None:
    # 2**60 parts to hash; as many items as there are levels in the form.
    with pytest.raises(LimitExceeded, match="too large"):
        lift([b"list", *tower(b"tuple", 60), use(59)])


def test_equality_of_laughs_is_bounded() -> None:
    def twin(first: int) -> list[Any]:
        forms: list[Any] = [[R, first, [b"frozenset", 0]]]
        for number in range(first + 1, first + 60):
            below = [D, number - 1]
            forms.append([R, number, [b"frozenset", [b"tuple", 1, below], [b"tuple", 2, below]]])
        return forms

    with pytest.raises(LimitExceeded, match="too large"):
        lift([b"list", *twin(0), *twin(1000), [b"set", [D, 59], [D, 1059]]])


def test_deep_through_references_is_not_hashed() -> None:
    # Python's hash of a tuple recurses in C without looking: this one would end the process.
    forms: list[Any] = [[R, 0, [b"tuple"]]]
    forms += [[R, level, [b"tuple", [D, level - 1]]] for level in range(1, MANY)]
    made = lift([b"list", *forms])
    assert made[-1][0] is made[-2]
    for use in ([b"dictionary", [[D, MANY - 1], 1]], [b"set", [D, MANY - 1]], [b"frozenset", [D, MANY - 1]]):
        with pytest.raises(LimitExceeded, match=f"value\\[{MANY}\\].*: nested deeper than 300"):
            lift([b"list", *forms, use])


def test_many_that_wait_for_one_another_are_settled_in_a_loop() -> None:
    forms: list[Any] = [[R, level, [b"tuple", [D, level + 1]]] for level in range(MANY)]
    made = lift([b"list", *forms, [R, MANY, 5]])
    assert made[MANY - 1] == (5,) and made[0][0] is made[1]
    with pytest.raises(LimitExceeded, match="nested deeper than 300"):
        lift([b"list", [b"set", [D, 0]], *forms, [R, MANY, 5]])


@pytest.mark.parametrize("distinct", [True, False])
def test_attributes_that_wait_are_put_right_in_one_go(distinct: bool) -> None:
    count = 20_000
    names = [[U, b"a%d" % number] for number in range(count)]
    state = [b"dictionary", *([name, [D, number if distinct else 0]] for number, name in enumerate(names))]
    copy, *_ = lift(
        [b"tuple", [b"copy", state], *([R, number, [b"tuple", number]] for number in range(count))], registry=COPIES
    )
    assert copy.a0 == (0,) and copy.a19999 == ((19999,) if distinct else (0,))


def test_shared_keys_of_usual_size_pass() -> None:
    key = [b"tuple", *range(1000)]
    form = [b"list", [R, 1, key], *([b"dictionary", [[D, 1], 1]] for _ in range(1000))]
    assert lift(form)[1000] == {tuple(range(1000)): 1}


def test_hashing_has_one_allowance_for_the_whole_value() -> None:
    key = [b"tuple", *range(10_000)]
    form = [b"list", [R, 1, key], *([b"dictionary", [[D, 1], 1]] for _ in range(500))]
    with pytest.raises(LimitExceeded, match="too large"):
        lift(form)


def test_numbers_that_python_would_take_for_ever() -> None:
    for form in (
        [b"decimal", 1, 10**18],
        [b"decimal", 1 << 100_000, 0],
        [b"datetime", b"9" * 1_000_000],
        [b"timedelta", b"1" * 60 + b" 0 0"],
    ):
        with pytest.raises(BadValue):
            lift(form)
    assert int(lift([b"decimal", 1, 300])) == 10**300
    assert lift([b"decimal", (1 << 448) - 1, 0]) == Decimal((1 << 448) - 1)


def test_text_of_an_error_is_short() -> None:
    for form in (
        [b"x" * 1_000_000],
        [b"m." + b"x" * 1_000_000, 1],
        [b"dictionary", [[U, b"k" * 1_000_000], [b"boolean", 5]]],
        [b"dictionary", [1 << 10_000, [b"boolean", 5]]],
        [b"reference", 1 << 400, 5, 6],
        [b"list", [R, 1 << 400, 5], [R, 1 << 400, 5]],
        [b"list", [D, 1 << 400]],
    ):
        with pytest.raises(InsecureJelly) as caught:
            lift(form)
        assert len(str(caught.value)) < 600
