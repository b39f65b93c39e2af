"""Policies: which names are reached, and that nothing leads around them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from broker._remote.names import clean, denied, is_local
from broker.errors import BadValue
from broker.transparent import (
    EXPOSED,
    HANDLES,
    LENT,
    LIVE,
    NATIVE,
    PB,
    SHARED,
    HiddenName,
    HiddenVerb,
    Policy,
    Refused,
    Verb,
    expose,
)

PRESETS = {
    "PB": PB,
    "LIVE": LIVE,
    "HANDLES": HANDLES,
    "SHARED": SHARED,
    "NATIVE": NATIVE,
    "EXPOSED": EXPOSED,
    "LENT": LENT,
}


class Plain:
    value = 1
    _hidden = 2

    def method(self) -> None: ...

    def remote_method(self) -> None: ...

    def _private(self) -> None: ...


class Marked:
    @expose
    def shown(self) -> None: ...

    def hidden(self) -> None: ...

    @property
    def secret(self) -> int:
        return 1

    @expose
    @property
    def open(self) -> int:
        return 1

    @expose
    @staticmethod
    def static() -> None: ...

    def exposed_prefixed(self) -> None: ...


@expose
class Whole:
    def one(self) -> None: ...

    def _two(self) -> None: ...


def allowed(policy: Policy, value: Any, verb: Verb, name: str) -> bool:
    try:
        policy.check(None, value, verb, name)
    except Refused:
        return False
    return True


CALLS = {
    # policy: what may be called on Plain, Marked and Whole
    "PB": ({"method": "remote_method"}, {}, {}),
    "LIVE": ({"method", "remote_method"}, {"shown", "static", "prefixed", "exposed_prefixed"}, {"one"}),
    "HANDLES": ({"method", "remote_method"}, {"shown", "hidden", "static", "exposed_prefixed"}, {"one"}),
    "SHARED": ({"method", "remote_method"}, {"shown", "hidden", "static", "exposed_prefixed"}, {"one"}),
    "NATIVE": ({"method", "remote_method"}, {"shown", "hidden", "static", "exposed_prefixed"}, {"one"}),
    "EXPOSED": (set(), {"shown", "static"}, {"one"}),
    "LENT": (set(), {"shown", "static", "prefixed", "exposed_prefixed"}, {"one"}),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_may_be_called(preset: str) -> None:
    policy = PRESETS[preset]
    names = {"method", "remote_method", "_private", "shown", "hidden", "static", "prefixed", "exposed_prefixed"}
    names |= {"one", "_two", "__init__", "__class__", "__reduce__"}
    if preset == "PB":
        # Whatever is asked for, what is looked up begins with remote_.
        assert policy.check(None, Plain(), Verb.CALL, "method") == "remote_method"
        assert policy.check(None, Plain(), Verb.CALL, "remote_method") == "remote_remote_method"
        assert not allowed(policy, Plain(), Verb.CALL, "__init__")
        return
    for value, expected in zip((Plain(), Marked(), Whole()), CALLS[preset], strict=True):
        found = {name for name in names if offered(policy, value, name)}
        assert found == set(expected), (preset, type(value).__name__)


def offered(policy: Policy, value: Any, name: str) -> bool:
    return allowed(policy, value, Verb.CALL, name) and hasattr(value, policy.check(None, value, Verb.CALL, name))


def test_the_prefix_is_put_in_front() -> None:
    assert LIVE.check(None, Marked(), Verb.CALL, "prefixed") == "exposed_prefixed"


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("verb", [Verb.GET, Verb.SET, Verb.DEL, Verb.CALL])
@pytest.mark.parametrize(
    "name", ["_hidden", "_private", "__dict__", "__class__", "__init__", "__globals__", "__reduce_ex__"]
)
def test_nothing_private_is_reached(preset: str, verb: Verb, name: str) -> None:
    if preset == "PB" and verb is Verb.CALL and not name.startswith("__"):
        assert PB.check(None, Plain(), verb, name) == "remote_" + name
        return
    with pytest.raises(HiddenName, match="offered"):
        PRESETS[preset].check(None, Plain(), verb, name)


def test_a_private_name_is_reached_where_it_is_named() -> None:
    policy = LIVE.but(expose=LIVE.expose.__class__(names=frozenset(("_hidden",)), attributes=True))
    assert policy.check(None, Plain(), Verb.GET, "_hidden") == "_hidden"
    assert not allowed(policy, Plain(), Verb.GET, "value")


@pytest.mark.parametrize("preset", ["PB", "SHARED"])
def test_attributes_are_not_read_where_only_calls_are_offered(preset: str) -> None:
    assert not allowed(PRESETS[preset], Plain(), Verb.GET, "value")
    assert not allowed(PRESETS[preset], Plain(), Verb.GET, "method")


@pytest.mark.parametrize("preset", PRESETS)
def test_attributes_are_written_only_where_that_is_said(preset: str) -> None:
    for verb in (Verb.SET, Verb.DEL):
        assert allowed(PRESETS[preset], Plain(), verb, "value") == (preset in ("HANDLES", "NATIVE"))


def test_the_default_offers_no_operation_but_calls() -> None:
    for verb in Verb:
        if verb is not Verb.CALL:
            with pytest.raises(Refused):
                PB.check(None, [1], verb, "__getitem__")


async def _coroutine() -> None: ...


def _generator() -> Any:
    yield


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (_generator(), ["gi_frame", "gi_code", "gi_yieldfrom"]),
        (_generator, ["__globals__", "__code__", "func_globals", "__closure__"]),
        (Plain().method, ["__func__", "__self__"]),
        (os, ["system", "path", "environ"]),
        (_generator.__code__, ["co_consts", "replace"]),
        (_generator().gi_frame, ["f_globals", "f_back", "clear"]),
        ("{0.__class__}", ["format", "format_map"]),
        (str, ["format", "mro"]),
        (Plain, ["mro"]),
        (ValueError(), ["with_traceback", "__traceback__"]),
    ],
)
@pytest.mark.parametrize("preset", PRESETS)
def test_nothing_leads_into_the_interpreter(preset: str, value: Any, names: list[str]) -> None:
    for name in names:
        assert denied(value, name) or not allowed(PRESETS[preset], value, Verb.GET, name)
        assert not allowed(PRESETS[preset], value, Verb.CALL, name) or preset == "PB"


def test_a_generator_can_be_resumed_and_closed() -> None:
    for name in ("send", "throw", "close"):
        assert allowed(LIVE, _generator(), Verb.CALL, name)


def test_names_are_spelled_as_python_spells_them() -> None:
    assert clean("\ufb01le") == "file"
    # Looks like something else, and is private once it is spelled right.
    assert clean("\uff3fsecret") == "_secret"
    for wrong in (b"name", 3, None, "x" * 256, ["name"]):
        with pytest.raises(BadValue):
            clean(wrong)


@pytest.mark.parametrize("name", ["_ipython_display_", "_repr_html_", "__array__", "__providedBy__", "addCallbacks"])
def test_libraries_look_in_vain(name: str) -> None:
    assert is_local(name)


def test_only_functions_containers_and_marked_things_are_lent() -> None:
    assert allowed(LENT, _generator, Verb.CALL, "__call__")
    assert allowed(LENT, print, Verb.CALL, "__call__")
    assert allowed(LENT, [], Verb.CALL, "append")
    assert allowed(LENT, {}, Verb.GETITEM, "__getitem__")
    assert not allowed(LENT, Plain(), Verb.CALL, "method")
    assert not allowed(LENT, Plain(), Verb.OP, "__eq__")


def test_a_policy_of_ones_own_is_asked_for_everything() -> None:
    asked: list[tuple[Verb, str]] = []

    class Careful(Policy):
        def check(self, session: Any, value: Any, verb: Verb, name: str) -> str:
            asked.append((verb, name))
            return super().check(session, value, verb, name)

    careful = Careful(expose=LIVE.expose, describe="full")
    assert careful.check(None, Plain(), Verb.GET, "value") == "value"
    with pytest.raises(HiddenVerb):
        careful.check(None, Plain(), Verb.VALUE, "")
    assert asked == [(Verb.GET, "value"), (Verb.VALUE, "")]


def test_what_is_decided_about_one_class_does_not_hold_for_another() -> None:
    class Kind(type): ...

    class Shape(metaclass=Kind):
        format = 1

    class Text(str, metaclass=Kind): ...

    policy = LIVE.but()
    assert allowed(policy, Shape, Verb.GET, "format")
    # Of texts it walks attributes of its arguments, and both are instances of the same class.
    assert not allowed(policy, Text, Verb.GET, "format")
    assert not allowed(policy, Text("{}"), Verb.GET, "format")
    assert allowed(policy, Plain(), Verb.GET, "value") and not allowed(policy, Plain(), Verb.SET, "value")
