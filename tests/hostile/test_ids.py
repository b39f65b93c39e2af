"""Numbers and names that a peer made up: of objects, of cached objects, of requests."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from broker import Cacheable, RemoteCache, setUnjellyableForClass
from broker._limits import Limits
from broker._objects.reference import RemoteReference
from broker._wire.banana import encode
from broker.errors import LimitExceeded, PBConnectionLost
from tests.hostile.scene import CLOSED, NO_KW, Reverse, Scene, call, message, peak

FORGED: list[Any] = [
    0,
    -1,
    -(2**31),
    2**31,
    2**64,
    2**447,
    -(2**447),
    12345,
    b"nobody",
    b"",
    b"root\x00",
    b"ROOT",
    b"1",
]


class Stock(Cacheable):
    """A cached object of the server."""

    def __init__(self) -> None:
        self.stopped = 0

    def getStateToCacheAndObserveFor(self, perspective: Any, observer: Any) -> Any:
        return {"price": 1}

    def stoppedObserving(self, perspective: Any, observer: Any) -> None:
        self.stopped += 1


class StockCopy(RemoteCache):
    """Its copy, at whoever is sent one."""

    def observe_price(self, price: Any) -> Any:
        self.price = price
        return price


setUnjellyableForClass("hostile.Stock", StockCopy)


@pytest.mark.parametrize("target", FORGED)
@pytest.mark.parametrize("command", [b"message", b"cachemessage"])
@pytest.mark.parametrize("wants", [0, 1])
def test_call_of_nothing(command: bytes, target: Any, wants: int) -> None:
    with Scene() as scene:
        answer = scene.send(command, 1, target, b"echo", wants, [b"tuple"], NO_KW)
        if wants and not (command == b"cachemessage" and isinstance(target, bytes)):
            scene.refused(answer, b"Invalid Object ID")
        elif wants:
            scene.refused(answer)
        else:
            assert answer in ([], [[b"didNotUnderstand", command]])
        scene.logged()
        assert scene.service.calls == 0
        scene.alive()


@pytest.mark.parametrize("command", [b"decref", b"decache", b"uncache"])
@pytest.mark.parametrize("number", [*FORGED, b"root"])
def test_release_of_nothing(command: bytes, number: Any) -> None:
    with Scene() as scene:
        answer = scene.send(command, number)
        assert answer == ([[b"didNotUnderstand", command]] if isinstance(number, bytes) else [])
        scene.logged()
        scene.alive()


@pytest.mark.parametrize("number", [0, -1, 2**447, 12345, b"nobody", [1], 1.5])
@pytest.mark.parametrize("form", [b"local", b"lcache", b"cached"])
def test_objects_of_ours_that_are_none(form: bytes, number: Any) -> None:
    with Scene() as scene:
        answer = scene.call(b"echo", [form, number])
        if form == b"local":
            # As in PB: an object that was released meanwhile comes home as None.
            assert answer == [[b"answer", 1, [b"None"]]]
            assert scene.log.take() == []
        else:
            scene.refused(answer, b"InsecureJelly")
            scene.logged("was refused")
        scene.alive()


@pytest.mark.parametrize("number", [b"name", [1], 1.5, [b"list", *[b"x" * 1000] * 2000], b"\xff" * 100_000])
def test_reference_without_a_number(number: Any) -> None:
    with Scene() as scene:
        scene.refused(scene.call(b"take", [b"remote", number]), b"InsecureJelly")
        scene.logged("was refused")
        assert scene.server.statistics()["imports"] == 0


@pytest.mark.parametrize("form", [[b"remote"], [b"local"], [b"cached"], [b"lcache"], [b"remote", 1, 2, 3]])
def test_form_of_another_length(form: list[Any]) -> None:
    with Scene() as scene:
        answer = scene.call(b"take", form)
        if len(form) == 1:
            scene.refused(answer, b"InsecureJelly")
            scene.logged("was refused")
        scene.alive()


@pytest.mark.parametrize("number", [0, -1, -(2**447), 2**447])
def test_reference_to_any_number_is_released_under_it(number: int) -> None:
    """What an object of theirs is called is up to them."""
    with Scene() as scene:
        assert scene.call(b"take", [b"remote", number]) == [[b"answer", 1, 1], [b"decref", number]]
        assert scene.server.statistics()["imports"] == 0
        assert scene.log.take() == []


def exported(scene: Scene) -> int:
    answer = scene.call(b"stored")
    number: int = answer[0][2][1]
    assert answer == [[b"answer", 1, [b"remote", number]]]
    return number


def test_released_object_is_gone() -> None:
    with Scene() as scene:
        number = exported(scene)
        assert scene.send(b"decref", number) == []
        assert scene.server.statistics()["exports"] == 0
        scene.refused(scene.call(b"echo", target=number), b"Invalid Object ID")
        scene.logged()
        assert scene.send(b"decref", number) == []
        scene.logged()
        assert exported(scene) != number, "a number is never used again"


def test_object_of_another_connection() -> None:
    with Scene() as scene:
        mine = scene.honest.call(scene.honest.root, "stored")
        for target in range(1, 50):
            if target != mine.luid:
                break
        scene.refused(scene.call(b"echo", target=mine.luid), b"Invalid Object ID")
        scene.logged()
        scene.send(b"decref", mine.luid)
        scene.logged()
        assert scene.honest.server.statistics()["exports"] == 1
        assert scene.honest.call(scene.honest.root, "same", mine, mine)


def test_decref_too_often_of_a_living_object() -> None:
    with Scene() as scene:
        number = exported(scene)
        assert exported(scene) == number
        scene.raw(message(b"decref", number) * 2)
        assert scene.log.take() == []
        scene.raw(message(b"decref", number))
        scene.logged("no reference has number")
        scene.alive()


def test_decref_crossing_a_new_sending() -> None:
    """A release that was on its way when the object was sent once more leaves it alive under its number."""
    with Scene() as scene:
        number = exported(scene)
        answer = scene.raw(call(b"stored", request=2) + message(b"decref", number))
        assert answer == [[b"answer", 2, [b"remote", number]]]
        assert scene.server.statistics()["exports"] == 1
        answer = scene.raw(message(b"decref", number) + call(b"stored", request=3))
        assert answer[0][2][1] != number
        assert scene.server.statistics()["exports"] == 1
        assert scene.log.take() == []


@pytest.mark.parametrize("data", [message(b"decref", 5), message(b"decache", 5), message(b"uncache", 5)])
def test_storm_of_releases(data: bytes) -> None:
    limits = Limits()
    with Scene() as scene, peak(8 * 1024 * 1024):
        scene.raw(data * 100_000)
        assert not scene.open
        lines = scene.log.take()
        assert len(lines) == limits.faults + 1
        assert CLOSED in lines[-1]
        assert sum(len(line) for line in lines) < 30_000


@pytest.mark.parametrize(
    "data",
    [
        message(b"answer", 5, [b"None"]),
        message(b"error", 5, [b"None"]),
        message(b"didNotUnderstand", b"message"),
        message(b"odd"),
        message(b"message"),
        message(b"message", 1, b"root", 5, 1, 2, 3),
    ],
    ids=["answer", "error", "didNotUnderstand", "unknown", "short", "field"],
)
def test_storm_of_wrong_messages(data: bytes) -> None:
    limits = Limits()
    with Scene(keep=False) as scene, peak(8 * 1024 * 1024):
        scene.raw(data * 10_000)
        assert not scene.open
        lines = scene.log.take()
        assert limits.faults <= len(lines) <= limits.faults + 2
        assert CLOSED in lines[-1]


@pytest.mark.parametrize(
    "data",
    [
        call(b"echo", target=77),
        call(b"nosuch"),
        call(b"echo", [b"os.system", 1]),
        call(b"echo", [b"remote", b"x"], wants=0),
        call(b"\xff\xff"),
        call(b"echo", kw=[b"list"]),
        message(b"cachemessage", 1, 1, b"x", 1, [b"tuple"], NO_KW),
    ],
    ids=["dead", "method", "type", "one-way", "name", "keywords", "cache"],
)
def test_storm_of_refused_calls(data: bytes) -> None:
    """Calls that are refused are answered each, but a peer cannot fill the log with them."""
    limits = Limits()
    with Scene(keep=False) as scene, peak(30 * 1024 * 1024):
        scene.raw(data * 3_000)
        lines = scene.log.take()
        assert len(lines) <= limits.faults + 2, (len(lines), lines[-1])
        assert scene.log.tracebacks == []
        assert sum(len(line) for line in lines) < 40_000


# Cached objects.


def test_cached_object_is_no_reference_and_the_other_way_round() -> None:
    with Scene() as scene:
        scene.service.result = Stock()
        answer = scene.call(b"give")
        cached = answer[0][2][1]
        reference = exported(scene)
        scene.refused(scene.call(b"echo", target=cached), b"Invalid Object ID")
        scene.logged()
        for command, number in ((b"decref", cached), (b"decache", reference), (b"uncache", cached)):
            scene.send(command, number)
            scene.logged()
        answer = scene.send(b"cachemessage", 1, reference, b"price", 1, [b"tuple"], NO_KW)
        scene.refused(answer, b"Invalid Object ID")
        scene.logged()
        for form in ([b"lcache", reference], [b"cached", cached]):
            scene.refused(scene.call(b"take", form), b"InsecureJelly")
            scene.logged("was refused")
        assert scene.call(b"echo", [b"local", cached]) == [[b"answer", 1, [b"None"]]]
        assert scene.service.result.stopped == 0
        assert scene.send(b"decache", cached) == [[b"uncache", cached]]
        assert scene.service.result.stopped == 1
        scene.send(b"decache", cached)
        scene.logged()
        assert scene.service.result.stopped == 1
        scene.alive()


def cache_form(number: Any, state: Any = NO_KW) -> list[Any]:
    return [b"hostile.Stock", number, state]


def test_forged_updates() -> None:
    with Scene() as scene:
        assert scene.call(b"keep", cache_form(5))[0][0] == b"answer"
        update = [b"tuple", 9], NO_KW
        assert scene.send(b"cachemessage", 2, 5, b"price", 1, *update) == [[b"answer", 2, 9]]
        assert scene.service.kept[0].price == 9
        scene.refused(scene.send(b"cachemessage", 3, 6, b"price", 1, *update), b"Invalid Object ID", 3)
        scene.logged()
        scene.refused(scene.send(b"cachemessage", 4, 5, b"__init__", 1, *update), b"NoSuchMethod", 4)
        scene.logged()
        scene.refused(scene.call(b"keep", cache_form(5)), b"InsecureJelly")
        scene.logged("twice")
        for number in (b"name", [1], 2.5):
            scene.refused(scene.call(b"keep", cache_form(number)), b"InsecureJelly")
            scene.logged("was refused")
        scene.send(b"uncache", 5)
        scene.refused(scene.call(b"keep", [b"cached", 5]), b"InsecureJelly")
        scene.logged("was refused")
        scene.send(b"uncache", 5)
        scene.logged()
        scene.alive()


def test_cached_copies_are_limited() -> None:
    """Their copies are kept until they say that no updates come; so their number has a ceiling."""
    with Scene(limits=Limits(references=50)) as scene:
        for number in range(200):
            scene.call(b"take", cache_form(number))
            if not scene.open:
                break
        assert scene.server.statistics()["cached_in"] <= 51
        scene.log.take()


def test_references_of_one_message_are_limited() -> None:
    with Scene(limits=Limits(references=50)) as scene:
        answer = scene.call(b"take", [b"list", *([b"remote", number] for number in range(5000))])
        # It is told to take back what was not received, once each, so it gets no more than it sent.
        released = [message[1] for message in answer if message[0] == b"decref"]
        assert [message[0] for message in answer if message[0] != b"decref"] == [b"error"]
        assert len(released) == len(set(released)) <= 5000
        scene.logged()
        assert scene.server.statistics()["imports"] <= 51


def test_refused_state_leaves_no_half_made_copy() -> None:
    with Scene() as scene:
        state = [b"dictionary", [[b"unicode", b"bad"], [b"os.system", 1]]]
        answer = scene.call(b"take", cache_form(7, state))
        assert answer[0][:2] == [b"error", 1]
        scene.logged("was refused")
        gc.collect()
        scene.wire.step()
        scene.alive()
        assert [b"decache", 7] in scene.peer.received, "the receipt is owed"
        scene.send(b"uncache", 7)
        assert scene.log.take() == []
        assert scene.server.statistics()["cached_in"] == 0


# The ceiling of references.


def test_ceiling_of_exports_and_what_follows() -> None:
    with Scene(limits=Limits(references=10)) as scene:
        answers = []
        for request in range(30):
            answers += scene.call(b"new", request=request)
            if not scene.open:
                break
        assert not scene.open
        assert sum(answer[0] == b"answer" for answer in answers) == 10
        lines = scene.log.take()
        assert len(lines) <= 6 and sum(CLOSED in line for line in lines) == 1
        scene.healthy()


def test_ceiling_of_exports_in_one_result() -> None:
    from broker._objects.referenceable import Referenceable

    with Scene(limits=Limits(references=10)) as scene:
        scene.service.result = [Referenceable() for _ in range(20)]
        scene.refused(scene.call(b"give"), b"LimitExceeded")
        scene.logged("was refused")
        assert scene.server.statistics()["exports"] == 0
        scene.alive()


def test_our_own_call_at_the_ceiling() -> None:
    from broker._objects.referenceable import Referenceable

    with Reverse(limits=Limits(references=10)) as scene:
        refused = scene.ask([Referenceable() for _ in range(20)])
        assert refused[0].check(LimitExceeded)
        assert scene.client.statistics()["exports"] == 0
        assert scene.ask(*[Referenceable() for _ in range(5)]) == []
        assert scene.client.statistics()["exports"] == 5


# Requests.


def test_request_numbers_in_flight_twice() -> None:
    """Each call is answered, and counts, whatever number the peer gave it."""
    with Scene(limits=Limits(calls=10)) as scene:
        answer = scene.raw(call(b"later", request=7) * 20)
        assert len(scene.service.waiting) == 10
        assert [item[:2] for item in answer] == [[b"error", 7]] * 10
        scene.log.take()
        for number, waiting in enumerate(scene.service.waiting):
            waiting.callback(number)
        scene.wire.flush()
        assert scene.peer.received[-10:] == [[b"answer", 7, number] for number in range(10)]
        assert scene.server.statistics()["answers"] == 0
        scene.alive()


def test_calls_without_answer_count() -> None:
    with Scene(limits=Limits(calls=10)) as scene:
        assert scene.raw(call(b"later", wants=0) * 20) == []
        assert len(scene.service.waiting) == 10
        assert scene.server.statistics()["answers"] == 10
        scene.log.take()
        for waiting in scene.service.waiting:
            waiting.callback(None)
        assert scene.server.statistics()["answers"] == 0
        scene.alive()


@pytest.mark.parametrize("request_number", [0, -1, -(2**31), 2**31, 2**64, 2**447])
@pytest.mark.parametrize("name", [b"echo", b"nosuch", b"later"])
def test_any_request_number_is_answered(request_number: int, name: bytes) -> None:
    with Scene() as scene:
        answer = scene.call(name, request=request_number)
        if name == b"later":
            scene.service.waiting[0].callback(None)
            scene.wire.flush()
            answer = scene.peer.received[-1:]
        assert answer[0][:2] == [b"error" if name == b"nosuch" else b"answer", request_number]
        assert len(scene.log.take()) == (name == b"nosuch")


def test_answer_that_comes_twice_and_late() -> None:
    with Reverse() as scene:
        outcome = scene.ask()
        scene.raw(message(b"answer", 1, 5))
        assert outcome == [5]
        for data in (message(b"answer", 1, 6), message(b"error", 1, [b"None"]), message(b"answer", 2**447, 1)):
            scene.raw(data)
            assert len(scene.log.take()) == 1
        assert outcome == [5]
        assert not scene.client.disconnected


def test_answer_to_a_call_that_wants_none() -> None:
    with Reverse() as scene:
        scene.client.remoteForName(b"root").callRemoteOnly("method")
        scene.wire.flush()
        scene.raw(message(b"answer", 1, 5))
        assert len(scene.log.take()) == 1
        assert not scene.client.disconnected


def test_answer_for_a_call_given_up() -> None:
    with Reverse() as scene:
        outcome: list[Any] = []
        waiting = scene.client.remoteForName(b"root").callRemote("method")
        waiting.addErrback(outcome.append)
        waiting.cancel()
        scene.raw(message(b"answer", 1, 5))
        assert len(outcome) == 1
        assert scene.client.statistics()["questions"] == 0
        assert scene.log.tracebacks == []


def test_calls_in_flight_when_the_hostile_server_goes_wrong() -> None:
    with Reverse() as scene:
        outcomes = [scene.ask() for _ in range(5)]
        scene.raw(b"\xff")
        assert all(outcome[0].check(PBConnectionLost) for outcome in outcomes)
        assert len(scene.log.take()) == 1


def test_hostile_server_sends_references_and_drops_them() -> None:
    with Reverse() as scene:
        value = scene.answer(b"answer", encode([b"remote", 5], vocabulary=True))
        assert isinstance(value, RemoteReference)
        scene.raw(message(b"decref", 5))
        assert len(scene.log.take()) == 1
        del value
