"""Errors: how they look at the other end, and through several."""

from __future__ import annotations

import io
from typing import Any

from twisted.python.failure import Failure

from peer import shapes
from peer.site import Listener, Site, alive, caught, equal, holds
from peer.spread import pb

__all__: list[str] = []

NO_SUCH_METHOD = "twisted.spread.flavors.NoSuchMethod"
PB_ERROR = "twisted.spread.pb.Error"


async def feature_error_expected(site: Site) -> None:
    """A subclass of pb.Error: found by class and by name, and not logged at the server."""
    root = await site.root()
    await root.callRemote("logged")
    for method, text in (("expected", "expected"), ("expected_later", "expected later")):
        failure = await caught(root.callRemote, method)
        holds(failure.check(shapes.ExpectedError) is shapes.ExpectedError, "found by its class")
        holds(failure.check(pb.Error) is pb.Error, "found by its base class")
        equal(failure.check("peer.shapes.ExpectedError"), "peer.shapes.ExpectedError")
        equal(failure.check(PB_ERROR), PB_ERROR)
        equal(failure.check(ValueError), None)
        equal(failure.type, b"peer.shapes.ExpectedError")
        equal(failure.getErrorMessage(), text)
    equal(await root.callRemote("logged"), [])


async def feature_error_bare(site: Site) -> None:
    root = await site.root()
    failure = await caught(root.callRemote, "bare")
    holds(failure.check(pb.Error), "a pb.Error")
    equal(failure.type, PB_ERROR.encode())
    equal(str(failure.value), "bare")


async def feature_error_unexpected(site: Site) -> None:
    """Any other exception: the same for the caller, logged at the server once."""
    root = await site.root()
    await root.callRemote("logged")
    failure = await caught(root.callRemote, "unexpected")
    holds(failure.check(shapes.UnexpectedError), "found by its class")
    equal(failure.getErrorMessage(), "unexpected: Grüße")
    equal(await root.callRemote("logged"), ["UnexpectedError"])
    failure = await caught(root.callRemote, "unexpected_later")
    equal(failure.getErrorMessage(), "unexpected later")
    equal(await root.callRemote("logged"), ["UnexpectedError"])
    await alive(root)


async def feature_error_builtin(site: Site) -> None:
    root = await site.root()
    failure = await caught(root.callRemote, "value_error")
    equal(failure.type, b"builtins.ValueError")
    holds(failure.check(KeyError, ValueError) is ValueError, "check finds the right one of several")
    holds(failure.trap(ValueError) is ValueError, "trap finds it")
    equal(failure.trap("builtins.ValueError"), "builtins.ValueError")
    holds("builtins.Exception" in failure.parents, "its bases are known")


async def feature_error_bases(site: Site) -> None:
    """Every class that the exception derives from can be asked for."""
    failure = await caught((await site.root()).callRemote, "found_error")
    for kind in (shapes.FoundError, LookupError, shapes.UnexpectedError, Exception):
        holds(failure.check(kind) is kind, f"it is a {kind}")
    equal(failure.check(KeyError), None)


async def feature_error_trap_mismatch(site: Site) -> None:
    """A trap for something else lets the failure pass on."""
    root = await site.root()
    passed = root.callRemote("value_error").addErrback(lambda failure: failure.trap(KeyError))
    failure = await caught(lambda: passed)
    holds(failure.check(ValueError), f"the ValueError passes on, and not {failure.type}: {failure.getErrorMessage()}")


async def feature_error_in_coroutine(site: Site) -> None:
    """Who awaits gets a RemoteError."""
    root = await site.root()
    try:
        await root.callRemote("value_error")
    except pb.RemoteError as error:
        equal(error.remoteType, b"builtins.ValueError")
        equal(str(error), "no such value")
        equal(error.remoteTraceback, "Traceback unavailable\n")
    else:
        raise AssertionError("nothing was raised")


async def feature_error_printed(site: Site) -> None:
    failure = await caught((await site.root()).callRemote, "value_error")
    stream = io.StringIO()
    failure.printTraceback(stream)
    equal(stream.getvalue(), "Traceback from remote host -- builtins.ValueError: no such value\n")
    holds("no such value" in str(failure), f"the text is in {failure!s}")


async def feature_error_with_traceback(site: Site) -> None:
    """A server that has unsafeTracebacks on."""
    root = await site.root("unsafe")
    failure = await caught(root.callRemote, "unexpected")
    holds('raise shapes.UnexpectedError("unexpected' in failure.traceback, f"a line of source in {failure.traceback}")
    failure = await caught((await site.root()).callRemote, "unexpected")
    equal(failure.traceback, "Traceback unavailable\n")


async def feature_error_travelling_as_itself(site: Site) -> None:
    """An exception that is a Copyable arrives as an exception of that class."""
    root = await site.root()
    for method, code in (("special", 7), ("special_later", 8)):
        failure = await caught(root.callRemote, method)
        holds(failure.check(shapes.SpecialError), "found by class")
        holds(isinstance(failure.value, shapes.SpecialError), "and it is an object of the class")
        equal(failure.value.code, code)


async def feature_no_such_method(site: Site) -> None:
    root = await site.root()
    failure = await caught(root.callRemote, "nothing_such")
    holds(failure.check(pb.NoSuchMethod) is pb.NoSuchMethod, "found by its class")
    equal(failure.check(NO_SUCH_METHOD), NO_SUCH_METHOD)
    equal(failure.type, NO_SUCH_METHOD.encode())
    holds(failure.check(AttributeError), "an AttributeError too")
    equal(failure.getErrorMessage(), "No such method: remote_nothing_such")
    await alive(root)


async def feature_wrong_arguments(site: Site) -> None:
    root = await site.root()
    for arguments, keywords in (((), {}), ((1, 2), {}), ((), {"nothing_such": 1})):
        failure = await caught(root.callRemote, "big", *arguments, **keywords)
        holds(failure.check(TypeError), "a TypeError")
    await alive(root)


async def feature_no_such_method_at_client(site: Site) -> None:
    """The server's calls fail in the same way."""
    root = await site.root()
    failure = await caught(root.callRemote, "call", Listener(), "nothing_such")
    equal(failure.check(NO_SUCH_METHOD), NO_SUCH_METHOD)
    failure = await caught(root.callRemote, "call", Listener(), "hear")
    holds(failure.check(TypeError), "a TypeError")


async def feature_relay_to_origin(site: Site) -> None:
    """Client, server, client: an error of the client's comes back as it was."""
    root = await site.root()
    failure = await caught(root.callRemote, "relay", Listener(), "value_error")
    holds(failure.check(ValueError), "a ValueError")
    equal(failure.type, b"builtins.ValueError")
    equal(failure.getErrorMessage(), "a value of the client")
    failure = await caught(root.callRemote, "relay", Listener(), "expected")
    holds(failure.check(pb.Error), "a pb.Error")
    equal(failure.type, PB_ERROR.encode())
    equal(failure.getErrorMessage(), "expected by the client")


class Origin(pb.Root):  # type: ignore[misc]
    """The far end of a chain."""

    def remote_expected(self) -> None:
        raise shapes.ExpectedError("far away")

    def remote_found_error(self) -> None:
        raise shapes.FoundError("far, with bases")


async def feature_relay_through_server(site: Site) -> None:
    """Three nodes: the server is the client of a third, and passes on its failures."""
    root = await site.root()
    port = site.listen(Origin())
    failure = await caught(root.callRemote, "relay_to", port, "expected")
    holds(failure.check(shapes.ExpectedError), "found by class")
    holds(failure.check(pb.Error), "and by its base")
    equal((failure.type, failure.getErrorMessage()), (b"peer.shapes.ExpectedError", "far away"))
    failure = await caught(root.callRemote, "relay_to", port, "found_error")
    for kind in (shapes.FoundError, LookupError, shapes.UnexpectedError):
        holds(failure.check(kind), f"it is a {kind}")
    equal(failure.getErrorMessage(), "far, with bases")
    failure = await caught(root.callRemote, "relay_to", port, "nothing_such")
    equal(failure.check(NO_SUCH_METHOD), NO_SUCH_METHOD)
    await alive(root)


async def feature_failure_as_argument(site: Site) -> None:
    """Buildbot sends CopyableFailures as arguments."""
    root = await site.root()
    try:
        raise ValueError("an argument")
    except ValueError:
        failure = Failure()
    for copyable in (pb.CopyableFailure(failure.value), pb.failure2Copyable(failure)):
        answer = await root.callRemote("failure_of", copyable)
        equal(answer, [b"builtins.ValueError", "an argument", "an argument", True])


async def feature_failure_as_answer(site: Site) -> None:
    """A failure that is the result of a method: the call fails with it."""
    root = await site.root()
    failure: Any = await caught(root.callRemote, "copyable_failure")
    holds(isinstance(failure, pb.CopiedFailure), "a CopiedFailure")
    equal((failure.type, str(failure.value)), (b"builtins.ValueError", "kept for later"))
