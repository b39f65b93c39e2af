"""Failures: what crosses, what arrives, and how they are passed on by a process in the middle."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from broker import (
    CopiedFailure,
    CopyableFailure,
    DeadlineExceeded,
    Error,
    GoingAway,
    LimitExceeded,
    Limits,
    PeerSilent,
    Registry,
    RemoteError,
    Root,
)
from broker._objects.failures import WITHHELD
from broker.testing import Pair
from broker.testing.harness import Pairs


class OddError(Exception):
    pass


class Foreseen(Error):
    pass


class Quota(Exception):
    """Registered; its arguments cross."""


class Hostile(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class Origin(Root):
    def remote_odd(self) -> None:
        raise OddError("odd")

    def remote_bug(self) -> None:
        raise KeyError("k")

    def remote_foreseen(self) -> None:
        raise Foreseen("foreseen")

    def remote_quota(self, *args: Any) -> None:
        raise Quota(*args, *([object()] if not args else []))

    def remote_hostile(self) -> None:
        raise Hostile

    def remote_surrogate(self) -> None:
        raise OddError("\ud800")

    def remote_large(self) -> bytes:
        return bytes(1000)

    def remote_returned(self) -> Failure:
        return CopyableFailure(OddError("returned"))

    def remote_check(self, failure: Any) -> list[Any]:
        return [type(failure) is CopiedFailure, failure.check("builtins.ZeroDivisionError"), str(failure.value)]


def failure_of(pair: Pair, waiting: Deferred[Any]) -> Failure:
    caught: list[Failure] = []
    waiting.addErrback(caught.append)
    pair.flush()
    return caught[0]


ODD = f"{__name__}.OddError"
FORESEEN = f"{__name__}.Foreseen"


def test_a_failure_is_known_by_class_and_by_name(pairs: Pairs) -> None:
    pair = pairs(Origin())
    failure = failure_of(pair, pair.root.callRemote("bug"))
    assert failure.check(ValueError, KeyError) is KeyError
    assert failure.check("builtins.LookupError") == "builtins.LookupError"
    assert failure.trap(RemoteError) is RemoteError
    assert failure.check(OSError) is None
    with pytest.raises(KeyError) as raised:
        failure.trap(OSError)
    assert isinstance(raised.value, RemoteError) and raised.value.remoteType == b"builtins.KeyError"
    assert raised.value.remoteTraceback == WITHHELD
    assert len(pairs.flush_logged(KeyError)) == 1


@pytest.mark.parametrize("text", ["hostile", "surrogate"])
def test_every_text_of_an_exception_crosses(pairs: Pairs, text: str) -> None:
    pair = pairs(Origin(), unsafeTracebacks=True)
    error = pair.failure(pair.root.callRemote(text))
    assert isinstance(error, RemoteError) and error.remoteType.startswith(__name__.encode())
    assert str(error) and "Traceback" in error.remoteTraceback
    pairs.flush_logged(Hostile, OddError)


def test_a_limit_met_by_the_peer_has_its_class(pairs: Pairs, in_dialect: str) -> None:
    # The ceiling of one string is PB's; in our own dialect a message is bounded as a whole.
    limits = Limits(string=500) if in_dialect == "pb" else Limits(message=900)
    pair = pairs(Origin(), limits=limits)
    error = pair.failure(pair.root.callRemote("large"))
    assert isinstance(error, LimitExceeded) and isinstance(error, RemoteError)


@pytest.mark.parametrize("cls", [DeadlineExceeded, GoingAway, PeerSilent, CancelledError])
def test_what_became_of_a_call_has_its_class(pairs: Pairs, cls: type[Exception]) -> None:
    class Middle(Root):
        def remote_pass_on(self) -> None:
            raise cls("of a call of its own")

    pair = pairs(Middle())
    error = pair.failure(pair.root.callRemote("pass_on"))
    assert isinstance(error, cls) and isinstance(error, RemoteError)
    assert str(error) == "of a call of its own"
    pairs.flush_logged(cls)


@pytest.mark.parametrize("crosses", [True, False])
def test_a_registered_exception_has_its_arguments_or_its_text(pairs: Pairs, crosses: bool) -> None:
    registry = Registry()
    registry.registerException(Quota)
    pair = pairs(Origin(), registry=registry)
    error = pair.failure(pair.root.callRemote("quota", *(("disk", 3) if crosses else ())))
    assert isinstance(error, Quota)
    if crosses:
        assert error.args == ("disk", 3)
    else:
        assert error.args == (str(error),) and "object object" in str(error)
    pairs.flush_logged(Quota)


def test_arguments_whose_hook_fails_give_way_to_the_text(pairs: Pairs) -> None:
    from broker import Copyable

    class Fails(Copyable):
        def getStateToCopy(self) -> Any:
            raise RuntimeError("no state")

    class Raises(Root):
        def remote_quota(self) -> None:
            raise Quota("disk", Fails())

    registry = Registry()
    registry.registerException(Quota)
    pair = pairs(Raises(), registry=registry)
    error = pair.failure(pair.root.callRemote("quota"))
    assert isinstance(error, Quota) and str(error).startswith("('disk', ")
    assert pairs.flush_logged(Quota) and not pairs.flush_logged(RuntimeError)


def test_a_class_derived_from_remote_error_may_be_registered(pairs: Pairs) -> None:
    class Ours(RemoteError):
        pass

    registry = Registry()
    registry.registerException(Ours, ODD)
    pair = pairs(Origin(), registry=registry)
    error = pair.failure(pair.root.callRemote("odd"))
    assert type(error) is Ours and str(error) == "odd" and error.remoteType == ODD.encode()
    pairs.flush_logged(OddError)


def test_a_failure_as_an_argument_and_as_a_result(pairs: Pairs) -> None:
    pair = pairs(Origin())
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        mine = Failure()
    sent = pair.call(pair.root, "check", CopyableFailure(mine))
    assert sent == [True, "builtins.ZeroDivisionError", "division by zero"]
    # A failure that is returned fails the call; whoever returned it has dealt with it, so nothing is logged.
    assert failure_of(pair, pair.root.callRemote("returned")).check(ODD) == ODD


@pytest.mark.parametrize("unsafe", [False, True], ids=["withheld", "tracebacks"])
@pytest.mark.parametrize("way", ["deferred", "awaited"])
@pytest.mark.parametrize(
    ("method", "name", "text", "logged"),
    [("odd", ODD, "odd", 2), ("bug", "builtins.KeyError", "'k'", 2), ("foreseen", FORESEEN, "foreseen", 0)],
)
def test_failures_passed_on(
    pairs: Pairs, unsafe: bool, way: str, method: str, name: str, text: str, logged: int
) -> None:
    origin = pairs(Origin(), unsafeTracebacks=unsafe)
    behind = origin.root

    class Middle(Root):
        def remote_deferred(self) -> Deferred[Any]:
            return behind.callRemote(method)

        async def remote_awaited(self) -> Any:
            return await behind.callRemote(method)

    middle = pairs(Middle(), unsafeTracebacks=unsafe)
    direct = failure_of(origin, behind.callRemote(method))
    pairs.flush_logged()
    waiting = middle.root.callRemote(way)
    middle.flush()
    origin.flush()
    passed = failure_of(middle, waiting)
    assert passed.type == direct.type == name.encode()  # type: ignore[comparison-overlap]
    assert passed.parents == direct.parents
    assert str(passed.value) == str(direct.value) == text
    assert type(passed.value) is type(direct.value)
    assert passed.check(Error) is (Error if method == "foreseen" else None)
    # At the origin and in the middle, where nobody has said that it is foreseen.
    assert len(pairs.flush_logged()) == logged
    if unsafe:
        # Where it was raised is what one wants to know.
        assert f"remote_{method}" in passed.traceback  # type: ignore[attr-defined]
        assert f"remote_{method}" in passed.value.remoteTraceback  # type: ignore[union-attr]
    else:
        assert passed.value.remoteTraceback == WITHHELD  # type: ignore[union-attr]
