"""Names that lead nowhere: of classes, functions, modules and methods; arguments of the wrong form."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from broker import RemoteCopy, RemoteError, setUnjellyableForClass
from broker._wire.banana import encode
from broker.errors import InsecureJelly
from tests.hostile.scene import NO_KW, Reverse, Scene, call

DUNDER = sorted({name for cls in (object, type, int, dict, type(len), type(lambda: 0)) for name in dir(cls)})
METHODS: list[bytes] = [
    *(name.encode() for name in DUNDER),
    b"",
    b".",
    b"a.b",
    b"echo.__func__",
    b"remote_echo",
    b"rootObject",
    b"service",
    "\N{FULLWIDTH LATIN SMALL LETTER E}cho".encode(),
    "ech\N{CYRILLIC SMALL LETTER O}".encode(),
    b"echo\x00",
    b"\x00",
    b"x" * 100_000,
    b"\xff\xfe",
    b"echo\xc3",
    b"\xed\xa0\x80",
]


@pytest.mark.parametrize("wants", [0, 1])
def test_methods_that_are_none(wants: int) -> None:
    with Scene() as scene:
        for name in METHODS:
            scene.server.refusals = 0
            answer = scene.call(name, wants=wants)
            if wants:
                scene.refused(answer, b"NoSuchMethod")
            scene.logged("was refused")
        assert scene.service.calls == 0
        scene.alive()


HEADS: list[list[Any]] = [
    [b"os.system", b"true"],
    [b"builtins.eval", [b"unicode", b"1"]],
    [b"subprocess.Popen", [b"list", b"true"]],
    [b"function", b"os.system"],
    [b"class", b"os.system"],
    [b"class", b"builtins.object"],
    [b"module", b"this"],
    [b"instance", [b"class", b"antigravity.x"], NO_KW],
    [b"instance", b"os.system", NO_KW],
    [b"method", b"system", [b"None"], [b"class", b"os.system"]],
    [b"instancemethod", b"a", b"b", b"c"],
    [b"this.s", NO_KW],
    [b"collections.OrderedDict", NO_KW],
    [b"twisted.spread.pb.CopyableFailure"],
    [b"persistent", b"key"],
    [b"\xff\xff", 1],
    [b"." * 1000, 1],
    [b"x" * 300_000, 1],
    [b"bytes", 1],
    [],
    [[]],
    [1],
    [1.5, 2],
]


@pytest.mark.parametrize("form", HEADS, ids=lambda form: repr(form)[:40])
def test_heads_that_are_none(form: list[Any]) -> None:
    before = set(sys.modules)
    with Scene() as scene:
        answer = scene.call(b"echo", form)
        if form == [b"persistent", b"key"]:
            assert answer[0][0] in (b"answer", b"error")
        else:
            scene.refused(answer, b"InsecureJelly")
            scene.logged("was refused")
            assert scene.service.calls == 0
        scene.log.take()
        scene.alive()
    assert set(sys.modules) == before


@pytest.mark.parametrize("form", HEADS, ids=lambda form: repr(form)[:40])
def test_the_same_in_an_answer(form: list[Any]) -> None:
    with Reverse() as scene:
        outcome = scene.answer(b"answer", encode(form, vocabulary=True))
        if form != [b"persistent", b"key"]:
            assert outcome.check(InsecureJelly)
        assert scene.log.take() == []


# Arguments.


@pytest.mark.parametrize("args", [NO_KW, [b"None"], 5, b"bytes", [b"unicode", b"ab"], [b"set", 1], [b"remote", 5]])
def test_arguments_of_another_form(args: Any) -> None:
    from tests.hostile.scene import message

    with Scene() as scene:
        answer = scene.raw(message(b"message", 1, b"root", b"take", 1, args, NO_KW))
        scene.refused([item for item in answer if item[0] == b"error"], b"InsecureJelly")
        scene.logged("the arguments of a call")
        scene.alive()


@pytest.mark.parametrize(
    "kw", [[b"list"], [b"None"], 5, b"bytes", [b"dictionary", [1, 2]], [b"dictionary", [b"\xff", 2]], [b"remote", 5]]
)
def test_keywords_of_another_form(kw: Any) -> None:
    with Scene() as scene:
        answer = scene.call(b"take", kw=kw)
        scene.refused([item for item in answer if item[0] == b"error"], b"InsecureJelly")
        scene.logged("the keyword arguments of a call")
        scene.alive()


def test_keywords_of_odd_names() -> None:
    with Scene() as scene:
        for name, count in ((b"", 1), (b"a b", 1), (b"__class__", 1), (b"x" * 1000, 1)):
            answer = scene.call(b"take", kw=[b"dictionary", [[b"unicode", name], 1]])
            assert answer == [[b"answer", 1, count]]
        answer = scene.call(b"take", kw=[b"dictionary", [[b"unicode", b"a"], 1], [[b"unicode", b"a"], 2], [b"a", 3]])
        assert answer == [[b"answer", 1, 1]]
        scene.refused(scene.call(b"take", kw=[b"dictionary", [[b"unicode", b"self"], 1]]), b"TypeError")
        scene.logged(tracebacks=1)
        scene.alive()


# Copies.


class Plain(RemoteCopy):
    """A copy that takes any state the peer sends."""


class Touchy(RemoteCopy):
    """A copy that can neither be compared nor hashed."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    def __hash__(self) -> int:
        raise RuntimeError("not to be hashed")

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


setUnjellyableForClass("hostile.Plain", Plain)
setUnjellyableForClass("hostile.Touchy", Touchy)


@pytest.mark.parametrize("state", [5, [b"list", 1], b"bytes", [b"unicode", b"a"], [b"tuple", 1], [b"remote", 5]])
def test_state_of_another_form(state: Any) -> None:
    with Scene() as scene:
        answer = scene.call(b"take", [b"hostile.Plain", state])
        scene.refused([item for item in answer if item[0] == b"error"], b"InsecureJelly")
        scene.logged("not a dictionary")
        scene.alive()


@pytest.mark.parametrize("key", [1, [b"tuple", 1], [b"None"], [b"unicode", b"__class__"], [b"unicode", b"__dict__"]])
def test_state_with_odd_keys(key: Any) -> None:
    with Scene() as scene:
        assert scene.call(b"take", [b"hostile.Plain", [b"dictionary", [key, 1]]]) == [[b"answer", 1, 1]]
        scene.alive()


def test_copy_that_cannot_be_hashed() -> None:
    touchy = [b"hostile.Touchy", NO_KW]
    with Scene() as scene:
        for form in ([b"dictionary", [touchy, 1]], [b"set", touchy], [b"frozenset", touchy]):
            scene.refused(scene.call(b"take", form))
            scene.logged(tracebacks=1)
        assert scene.call(b"take", touchy) == [[b"answer", 1, 1]]
        scene.alive()
    with Reverse() as reverse:
        assert isinstance(reverse.answer(b"answer", encode(touchy, vocabulary=True)), Touchy)
        assert reverse.answer(b"error", encode(touchy, vocabulary=True)).check(RemoteError)


# Failures.

STATES: list[Any] = [
    NO_KW,
    5,
    [b"list"],
    [b"dictionary", [[b"unicode", b"type"], NO_KW]],
    [b"dictionary", [[b"unicode", b"type"], b"x" * 500_000]],
    [b"dictionary", [[b"unicode", b"value"], 2**440]],
    [b"dictionary", [[b"unicode", b"value"], [b"remote", 5]]],
    [b"dictionary", [[b"unicode", b"parents"], 5]],
    [b"dictionary", [[b"unicode", b"parents"], [b"list", 1, NO_KW, b"\xff"]]],
    [b"dictionary", [[b"unicode", b"parents"], [b"list", [b"unicode", b"builtins.SystemExit"]]]],
    [b"dictionary", [[b"unicode", b"type"], b"builtins.KeyboardInterrupt"]],
    [b"dictionary", [[b"unicode", b"type"], b"builtins.UnicodeDecodeError"], [[b"unicode", b"args"], [b"list", 1]]],
    [b"dictionary", [[b"unicode", b"type"], b"builtins.OSError"], [[b"unicode", b"args"], [b"list", 1, 2, 3, 4, 5]]],
    [b"dictionary", [[b"unicode", b"traceback"], 5]],
    [b"dictionary", [[b"unicode", b"tb"], 5], [[b"unicode", b"frames"], 5], [[b"unicode", b"check"], 5]],
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: repr(state)[:60])
def test_failures_of_another_form(state: Any) -> None:
    with Reverse() as scene:
        failure = scene.answer(b"error", encode([b"twisted.spread.pb.CopyableFailure", state], vocabulary=True))
        assert failure.check(RemoteError)
        assert not isinstance(failure.value, (SystemExit, KeyboardInterrupt))
        for text in (failure.getErrorMessage(), repr(failure.value), str(failure.type), failure.getTraceback()):
            assert isinstance(text, str)
        assert scene.log.take() == []


@pytest.mark.parametrize("payload", [5, b"bytes", [b"list"], [b"hostile.Plain", NO_KW], [b"None"], [b"remote", 7]])
def test_errors_that_are_no_failures(payload: Any) -> None:
    with Reverse() as scene:
        failure = scene.answer(b"error", encode(payload, vocabulary=True))
        assert failure.check(RemoteError)
        assert scene.log.take() == []


def test_failure_as_argument_and_as_answer() -> None:
    form = [b"twisted.spread.pb.CopyableFailure", NO_KW]
    with Scene() as scene:
        assert scene.call(b"take", form) == [[b"answer", 1, 1]]
        scene.alive()
    with Reverse() as reverse:
        assert reverse.answer(b"answer", encode(form, vocabulary=True)).check(RemoteError)
        assert reverse.log.take() == []


def test_unknown_command_of_any_length() -> None:
    with Scene() as scene:
        for command in (b"x" * 1000, b"x" * 700_000, b"\xff", b""):
            assert scene.send(command) == [[b"didNotUnderstand", command[:80]]]
            scene.logged()
        scene.raw(call(b"echo", 1))
