"""How calls are served: what they may return, when they are answered, and what happens when they cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed

from broker import (
    Avatar,
    Copyable,
    Error,
    InsecureJelly,
    LimitExceeded,
    Limits,
    PBConnectionLost,
    Referenceable,
    Root,
)
from broker._messages.messages import Call
from broker._values.payload import Payload
from broker.testing import tables
from broker.testing.harness import Pairs


class Worker(Root):
    def __init__(self) -> None:
        self.waiting: list[Deferred[Any]] = []
        self.calls: list[Any] = []

    def remote_later(self) -> Deferred[Any]:
        self.waiting.append(Deferred())
        return self.waiting[-1]

    async def remote_patient(self) -> Any:
        value = await self.remote_later()
        self.calls.append(value)
        if isinstance(value, Exception):
            raise value
        return value

    def remote_fire(self, value: Any) -> None:
        self.waiting.pop(0).callback(value)

    def remote_new(self) -> Referenceable:
        return Referenceable()

    async def remote_new_soon(self) -> Referenceable:
        return Referenceable()

    def remote_new_later(self) -> Deferred[Referenceable]:
        return succeed(Referenceable())

    def remote_note(self, value: Any) -> None:
        self.calls.append(value)


@pytest.mark.parametrize("method", ["new", "new_soon", "new_later"])
def test_a_result_that_nobody_wants_leaves_no_reference(pairs: Pairs, method: str) -> None:
    pair = pairs(Worker())
    for _ in range(3):
        pair.root.callRemoteOnly(method)
    pair.flush()
    assert tables(pair.server)["exports"] == 0


def test_a_call_without_answer_may_answer_another(pairs: Pairs) -> None:
    pair = pairs(Worker())
    waiting = pair.root.callRemote("later")
    pair.root.callRemoteOnly("fire", ["now"])
    assert pair.result(waiting) == ["now"]


def test_calls_without_answer_count_as_calls_in_flight(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=3))
    for _ in range(9):
        pair.root.callRemoteOnly("later")
    pair.flush()
    assert len(worker.waiting) == tables(pair.server)["answers"] == 3
    assert isinstance(pair.failure(pair.root.callRemote("later")), LimitExceeded)
    for waiting in worker.waiting:
        waiting.callback(None)
    assert tables(pair.server)["answers"] == 0


def test_calls_of_one_number_count_one_by_one(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker, limits=Limits(calls=3))
    root = pair.root
    answers = []
    for _ in range(5):
        pair.client.session.questions.last = 100
        answers.append(root.callRemote("later"))
    pair.flush()
    assert len(worker.waiting) == 3
    for waiting in worker.waiting:
        waiting.callback("late")
    pair.flush()
    assert tables(pair.server)["answers"] == 0
    # One number, one waiter: the first answer is that of the refused fourth call.
    assert isinstance(pair.failure(answers[-1]), LimitExceeded)


def test_an_object_may_dispatch_in_a_coroutine(pairs: Pairs) -> None:
    class Own(Root):
        async def remoteMessageReceived(self, broker: Any, message: str, args: Any, kw: Any) -> Any:
            return broker.serialize((message, broker.unserialize(args)))

    pair = pairs(Own())
    assert pair.call(pair.root, "anything", 1) == ("anything", (1,))


def test_a_coroutine_goes_on_when_its_caller_is_gone(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker)
    waiting = pair.root.callRemote("patient")
    pair.flush()
    pair.wire.drop()
    assert isinstance(pair.failure(waiting), PBConnectionLost)
    worker.waiting[0].callback("done")
    assert worker.calls == ["done"]


@pytest.mark.parametrize(
    ("error", "logged"),
    [(ValueError("a bug"), 1), (Error("foreseen"), 0), (PBConnectionLost("so"), 0), (CancelledError(), 0)],
    ids=lambda value: type(value).__name__,
)
def test_what_nobody_hears_of_is_logged(pairs: Pairs, error: Exception, logged: int) -> None:
    worker = Worker()
    pair = pairs(worker)
    waiting = pair.root.callRemote("patient")
    pair.flush()
    pair.wire.drop()
    assert isinstance(pair.failure(waiting), PBConnectionLost)
    worker.waiting[0].callback(error)
    assert len(pairs.flush_logged(type(error))) == logged


def test_a_cancelled_call_releases_what_its_late_answer_brings(pairs: Pairs) -> None:
    worker = Worker()
    pair = pairs(worker)
    # Where cancelling is told to the other end, this call is one that it does not reach.
    waiting = pair.root.options(cancel="forget").callRemote("later")
    pair.flush()
    waiting.cancel()
    assert isinstance(pair.failure(waiting), CancelledError)
    # The number stays taken: the answer is on its way and is no mistake of the peer's.
    assert tables(pair.client)["questions"] == 1
    worker.waiting[0].callback([Referenceable()])
    pair.flush()
    assert tables(pair.client)["questions"] == tables(pair.server)["exports"] == 0
    assert pair.client.session.faults == 0


def test_a_cancelled_call_may_lose_its_connection(pairs: Pairs) -> None:
    pair = pairs(Worker())
    waiting = pair.root.callRemote("later")
    other = pair.root.callRemote("later")
    pair.flush()
    waiting.cancel()
    pair.wire.drop()
    assert isinstance(pair.failure(waiting), CancelledError)
    assert isinstance(pair.failure(other), PBConnectionLost)


def test_references_of_an_argument_list_that_is_not_sent_are_taken_back(pairs: Pairs) -> None:
    pair = pairs(Worker())
    inner: list[Deferred[Any]] = []

    class Calls(Copyable):
        def getStateToCopy(self) -> Any:
            # In the middle of another call that will not be sent.
            inner.append(pair.root.callRemote("note", shared))
            return {"no": object()}

    shared = Referenceable()
    assert isinstance(pair.failure(pair.root.callRemote("note", shared, Calls())), InsecureJelly)
    assert pair.result(inner[0]) is None
    (entry,) = [entry for number, entry in pair.client.localObjects.items() if isinstance(number, int)]
    assert entry.refcount == 1
    pair.server.localObjects[b"root"].object.calls.clear()


def test_a_served_method_may_cut_the_connection(pairs: Pairs) -> None:
    class Cuts(Root):
        def remote_cut(self) -> Referenceable:
            pair.wire.drop()
            return Referenceable()

    pair = pairs(Cuts())
    root = pair.root
    first, second = root.callRemote("cut"), root.callRemote("cut")
    assert isinstance(pair.failure(first), PBConnectionLost)
    assert isinstance(pair.failure(second), PBConnectionLost)


def test_an_answer_that_cannot_be_read_keeps_nothing(pairs: Pairs) -> None:
    class Stranger(Copyable):
        pass

    class Gives(Root):
        def remote_give(self) -> Any:
            return [Referenceable(), Stranger()]

    pair = pairs(Gives())
    error = pair.failure(pair.root.callRemote("give"))
    assert isinstance(error, InsecureJelly)
    del error


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, ValueError])
def test_a_hook_that_fails_in_an_answer_fails_the_one_call(pairs: Pairs, stop: type[BaseException]) -> None:
    from broker import Registry, RemoteCopy, globalRegistry

    class Sent(Copyable):
        pass

    class Received(RemoteCopy):
        def setCopyableState(self, state: Any) -> None:
            raise stop("from a hook")

    class Gives(Root):
        def remote_give(self) -> Sent:
            return Sent()

        def remote_ping(self) -> str:
            return "pong"

    registry = Registry(globalRegistry)
    registry.setUnjellyableForClass(Sent, Received)
    pair = pairs(Gives(), registry=registry)
    assert type(pair.failure(pair.root.callRemote("give"))) is stop
    assert pair.call(pair.root, "ping") == "pong"


def test_the_ceiling_of_calls_is_kept_by_call() -> None:
    from broker._session.answers import Answers

    table = Answers(1)
    nothing = Payload(())
    table.admit()
    table.entries[Call(1, b"root", b"x", False, nothing, nothing, False)] = Deferred()
    with pytest.raises(LimitExceeded):
        table.admit()


def test_an_avatar_may_dispatch_by_itself_and_answer_later(pairs: Pairs) -> None:
    from broker._objects.referenceable import AsReferenceable

    class Own(Avatar):
        def perspectiveMessageReceived(self, broker: Any, message: str, args: Any, kw: Any) -> Any:
            return succeed(message.upper())

    class Gives(Root):
        def remote_give(self) -> Any:
            return AsReferenceable(Own(), "perspective")

    pair = pairs(Gives())
    assert pair.call(pair.call(pair.root, "give"), "hello") == "HELLO"
