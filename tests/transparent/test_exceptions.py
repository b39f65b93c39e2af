"""Exceptions: the right class where it is known, and nothing lost on the way that may travel."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from twisted.python.failure import Failure

from broker import Registry, blocking, globalRegistry, names, transparent
from broker._remote.faults import describe_exception, rebuild
from broker.errors import BadValue, RemoteError
from broker.testing.harness import Pairs
from broker.transparent import LIVE, Expose, HiddenVerb, RemoteTraceback, export, expr
from tests.remote.scene import Waiting, proxied


class Custom(Exception):
    """Known to those who register it."""

    made = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        type(self).made += 1


class Derived(KeyError):
    pass


class Raises:
    def plain(self) -> None:
        raise ValueError("bad", 3)

    def chained(self) -> None:
        try:
            {}["missing"]  # type: ignore[index]
        except KeyError as error:
            wrong = ValueError("outer")
            wrong.__notes__ = ["a note", "another one"]  # type: ignore[attr-defined]
            raise wrong from error

    def in_context(self) -> None:
        try:
            raise LookupError("first")
        except LookupError:
            raise TypeError("second")  # noqa: B904

    def without_context(self) -> None:
        try:
            raise LookupError("first")
        except LookupError:
            raise TypeError("second") from None

    def os_error(self) -> None:
        raise FileNotFoundError(2, "No such file", "name")

    def decoding(self) -> None:
        b"\xff".decode()

    def custom(self) -> None:
        error = Custom("x", [1])
        error.code = 7  # type: ignore[attr-defined]
        error._hidden = 8  # type: ignore[attr-defined]
        error.object = object()  # type: ignore[attr-defined]
        raise error

    def derived(self) -> None:
        raise Derived("key")

    def leave(self) -> None:
        sys.exit(3)

    def interrupt(self) -> None:
        raise KeyboardInterrupt

    def stop(self) -> None:
        raise StopIteration(5)

    def unprintable(self) -> None:
        class Unprintable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        raise Unprintable(object())

    def deep(self, depth: int) -> None:
        try:
            raise ValueError(depth) if not depth else self.deep(depth - 1)  # type: ignore[func-returns-value,misc]
        except Exception as error:
            raise RuntimeError(depth) from error

    def group(self) -> None:
        raise ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [OSError(5, "x"), Derived("k")])])  # noqa: F821


def test_the_class_is_kept(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Raises())
    with pytest.raises(ValueError) as caught:
        proxy.plain()
    error = caught.value
    assert isinstance(error, RemoteError) and error.args == ("bad", 3)
    assert str(error) == "('bad', 3)" and repr(error) == "ValueError('bad', 3)"
    failure = Failure(error)
    assert failure.check("builtins.ValueError") and failure.check(ValueError) and failure.check(RemoteError)
    with pytest.raises(RemoteError):
        proxy.plain()
    with pytest.raises(KeyError) as caught_key:
        proxy.derived()
    assert type(caught_key.value).__name__ == "KeyError" and caught_key.value.args == ("key",)
    assert caught_key.value.remoteType.endswith(b"Derived")  # type: ignore[attr-defined]


def test_causes_contexts_and_notes(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Raises())
    with pytest.raises(ValueError, match="outer") as caught:
        proxy.chained()
    cause = caught.value.__cause__
    assert isinstance(cause, KeyError) and cause.args == ("missing",)
    assert caught.value.__notes__ == ["a note", "another one"]
    with pytest.raises(TypeError) as caught_type:
        proxy.in_context()
    context = caught_type.value.__context__
    assert isinstance(context, LookupError) and str(context) == "first"
    assert caught_type.value.__cause__ is None and not caught_type.value.__suppress_context__
    with pytest.raises(TypeError) as caught_type:
        proxy.without_context()
    assert caught_type.value.__suppress_context__


def test_fields_of_builtin_exceptions(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Raises())
    with pytest.raises(FileNotFoundError) as caught:
        proxy.os_error()
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (2, "No such file", "name")
    assert str(caught.value) == "[Errno 2] No such file: 'name'"
    with pytest.raises(UnicodeDecodeError) as caught_decode:
        proxy.decoding()
    assert (caught_decode.value.object, caught_decode.value.start) == (b"\xff", 0)


def test_registered_classes(pairs: Pairs) -> None:
    registry = Registry(globalRegistry)
    registry.registerException(Custom)
    pair = pairs(export(Raises(), LIVE), registry=registry)
    made = Custom.made
    error = pair.failure(expr(pair.root).custom().deferred())
    assert isinstance(error, Custom) and isinstance(error, RemoteError)
    assert error.args == ("x", [1]) and error.code == 7  # type: ignore[attr-defined]
    assert not hasattr(error, "_hidden") and not hasattr(error, "object")
    assert Custom.made == made + 1, "once where it was raised; made here without its __init__"
    other = pairs(export(Raises(), LIVE), registry=Registry())
    unknown = other.failure(expr(other.root).custom().deferred())
    assert type(unknown) is RemoteError and unknown.remoteType.endswith(b"Custom") and unknown.code == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["leave", "interrupt", "stop"])
def test_what_would_end_something_here_does_not(pairs: Pairs, name: str) -> None:
    pair = pairs(export(Raises(), LIVE))
    error = pair.failure(getattr(expr(pair.root), name)().deferred())
    assert type(error) is RemoteError
    assert error.remoteType in (b"builtins.SystemExit", b"builtins.KeyboardInterrupt", b"builtins.StopIteration")


def test_whatever_is_raised_arrives(pairs: Pairs) -> None:
    pair = pairs(export(Raises(), LIVE))
    error = pair.failure(expr(pair.root).unprintable().deferred())
    assert "unprintable" in str(error)
    found: Any = pair.failure(expr(pair.root).deep(50).deferred())
    depth = 0
    while found.__cause__ is not None:
        found, depth = found.__cause__, depth + 1
    assert depth == 8, "a chain has an end"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_groups(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Raises())
    with pytest.raises(RemoteError) as caught:
        proxy.group()
    group: Any = caught.value
    assert isinstance(group, ExceptionGroup) and group.message == "several"  # noqa: F821
    first, inner = group.exceptions
    assert isinstance(first, ValueError) and isinstance(inner, ExceptionGroup)  # noqa: F821
    assert inner.exceptions[0].errno == 5 and isinstance(inner.exceptions[1], KeyError)
    matching, rest = group.split(OSError)
    assert len(matching.exceptions) == 1 and rest.exceptions[0] is first


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="where there are groups they are groups")
def test_groups_where_there_are_none() -> None:
    member = {"type": "builtins.ValueError", "text": "1", "args": [1], "exact": True}
    form = {"type": "builtins.ExceptionGroup", "text": "several", "members": [member]}
    error: Any = rebuild(form, globalRegistry)
    assert type(error) is RemoteError and isinstance(error.exceptions[0], ValueError)


def test_tracebacks_only_where_they_are_allowed(pairs: Pairs) -> None:
    pair, proxy = proxied(pairs, Raises())
    with pytest.raises(ValueError) as caught:
        proxy.plain()
    assert caught.value.remote_traceback == "" and caught.value.__cause__ is None  # type: ignore[attr-defined]
    assert b"test_exceptions" not in b"".join(data for _, data in pair.transcript).replace(
        b"test_exceptions.Raises", b""
    )
    for options in ({"unsafeTracebacks": True}, {}):
        policy = LIVE if options else LIVE.but(traceback=True)
        pair, proxy = proxied(pairs, Raises(), policy, **options)
        with pytest.raises(ValueError) as caught:
            proxy.plain()
        cause = caught.value.__cause__
        assert isinstance(cause, RemoteTraceback) and 'raise ValueError("bad", 3)' in str(cause)
        assert caught.value.remote_traceback == caught.value.remoteTraceback  # type: ignore[attr-defined]
        with pytest.raises(ValueError) as caught:
            proxy.chained()
        assert isinstance(caught.value.__cause__, KeyError), "a cause of its own comes first"
        assert isinstance(caught.value.__cause__.__cause__, RemoteTraceback)


def test_an_exception_of_a_third_process_keeps_its_type() -> None:
    first = rebuild(describe_exception(Derived("x")), globalRegistry)
    second = rebuild(describe_exception(first), globalRegistry)
    assert isinstance(second, KeyError) and second.remoteType == first.remoteType  # type: ignore[attr-defined]


def test_exceptions_go_the_other_way_too(pairs: Pairs) -> None:
    class Catching:
        def catch(self, function: Any) -> Any:
            return function().addErrback(lambda failure: [type(failure.value).__name__, str(failure.value)])

    pair, proxy = proxied(pairs, Catching())
    caught = proxy.catch(lambda: {}["key"])  # type: ignore[index]
    assert list(caught) == ["KeyError", "'key'"]


@pytest.mark.parametrize(
    "form",
    [
        None,
        5,
        [],
        {},
        {"type": 5, "text": "x"},
        {"type": "x"},
        {"type": "x", "text": b"x"},
        {"type": "x", "text": "x", "cause": 5},
        {"type": "x", "text": "x", "members": [5]},
    ],
    ids=repr,
)
def test_wrong_descriptions(form: Any) -> None:
    with pytest.raises(BadValue):
        rebuild(form, globalRegistry)


def test_descriptions_cannot_do_more_than_describe() -> None:
    form = {
        "type": "os.system",
        "text": "x",
        "bases": ["subprocess.Popen", 5, "builtins.OSError"],
        "exact": True,
        "args": ["true"],
        "notes": [5, "n"],
        "traceback": 5,
        "attributes": {"_text": "y", "args": (1,), "__class__": int, "with_traceback": 1, "code": 3, 5: 6},
    }
    error: Any = rebuild(form, globalRegistry)
    assert isinstance(error, OSError) and isinstance(error, RemoteError)
    assert str(error) == "x" and error.args == ("true",) and error.code == 3 and error.__notes__ == ["n"]
    assert callable(error.with_traceback)
    nested: dict[str, Any] = {"type": "x", "text": "x"}
    for _ in range(500):
        nested = {"type": "x", "text": "x", "cause": nested}
    with pytest.raises(BadValue):
        rebuild(nested, globalRegistry)
    wrong = {"type": "builtins.UnicodeDecodeError", "text": "t", "args": ["too few"], "exact": True}
    assert isinstance(rebuild(wrong, globalRegistry), UnicodeDecodeError)


def test_the_waiting_transport_is_a_transport(pairs: Pairs) -> None:
    from broker.transparent import Transport

    transport: Transport = Waiting(pairs(export(Raises(), LIVE)))
    assert transport.blocking


@pytest.mark.parametrize("door", [transparent, blocking, names])
def test_tracebacks_name_errors_as_they_are_imported(door: Any) -> None:
    errors = [getattr(door, name) for name in door.__all__]
    errors = [one for one in errors if isinstance(one, type) and issubclass(one, BaseException)]
    assert errors
    for one in errors:
        assert "._" not in one.__module__ and getattr(sys.modules[one.__module__], one.__qualname__) is one


def test_refusals_arrive_under_their_public_name(pairs: Pairs) -> None:
    pair, _ = proxied(pairs, Raises(), LIVE.but(expose=Expose(names=frozenset(("plain",)))))
    with pytest.raises(HiddenVerb) as caught:
        pair.result(expr(pair.root)[0].deferred())
    assert f"{type(caught.value).__module__}.{type(caught.value).__qualname__}" == "broker.transparent.HiddenVerb"
    assert caught.value.remoteType == b"broker.transparent.HiddenVerb"  # type: ignore[attr-defined]
