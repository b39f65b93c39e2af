"""Two sessions that speak broker/1: what is said in the greeting holds, and calls, cancels and farewells arrive.

There are no objects and no transport here: bytes go from one session to the other, and the test is both programs.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._limits import Limits
from broker._messages.messages import Call, NotUnderstood, Unknown
from broker._session.events import Answered, Cancelled, Event, Fault, Leaving, Opened, Quiet, Released
from broker._session.session import Session
from broker._session.states import State
from broker._values.payload import Broken, Payload
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, PIECE, frame
from broker.errors import GoingAway, InsecureJelly, LimitExceeded, ProtocolError


class Plain:
    """Sends plain values only."""

    plain = True
    taster: Any = None

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        raise InsecureJelly("only plain values here")

    def unjelly(self, expression: Any) -> Any:
        raise InsecureJelly("only plain values here")


PLAIN = Plain()


class End:
    """One session, and what happened to it."""

    def __init__(self, listener: bool, limits: Limits) -> None:
        self.session = Session(listener, limits, dialects=(b"broker/1",))
        self.events: list[Event] = []
        #: Calls of the other end that are being served, and how many there were at the most.
        self.serving: list[Call] = []
        self.most = 0

    def take(self, data: bytes) -> None:
        """Read bytes, and serve calls: none ends by itself."""
        self.session.receive_data(data)
        while (event := self.session.next_event()) is not None:
            if isinstance(event, Quiet):
                continue
            self.events.append(event)
            if isinstance(event, Call):
                self.session.answers.admit()
                self.session.answers.add(event, None)
                self.serving.append(event)
                self.most = max(self.most, len(self.serving))

    def call(self, *args: Any, wants: bool = True, target: int | bytes = b"root", waiter: Any = None) -> int:
        """Send a call; its waiter is its first argument if there is no other."""
        if waiter is None:
            waiter = args[0] if args else "waiter"
        return self.session.call(target, b"m", args, {}, waiter if wants else None, PLAIN)

    def answer(self, call: Call, value: Any = None) -> None:
        """End a call of the other end."""
        assert self.session.native is not None
        self.serving.remove(call)
        self.session.answers.remove(call)
        self.session.answer(call.request, self.session.native.lower(value, PLAIN))

    def of(self, kind: type) -> list[Any]:
        """Return, and forget, the events of a kind."""
        found = [event for event in self.events if isinstance(event, kind)]
        self.events = [event for event in self.events if not isinstance(event, kind)]
        return found

    def outgoing(self) -> bytes:
        """Return what waits to be written: small messages, and all pieces."""
        data = self.session.data_to_send()
        while self.session.pieces:
            data += self.session.next_piece() + self.session.data_to_send()
        return data


class Link:
    """Two ends.

    :param ours: the ceilings of the connecting end.
    :param theirs: the ceilings of the listening end.
    """

    def __init__(self, ours: Limits | None = None, theirs: Limits | None = None) -> None:
        self.near = End(False, ours or Limits())
        self.far = End(True, theirs or Limits())
        for end in (self.far, self.near):
            end.session.connected()
        self.pump()
        assert [type(event) for event in self.near.events + self.far.events] == [Opened, Opened]
        self.near.events.clear()
        self.far.events.clear()

    def pump(self) -> None:
        """Move bytes both ways until nothing moves any more."""
        while True:
            there, back = self.near.outgoing(), self.far.outgoing()
            if not there and not back:
                return
            self.far.take(there)
            self.near.take(back)


def arguments(calls: list[Any]) -> list[Any]:
    return [call.args.value[0] for call in calls]


# What is said in the greeting.


def test_each_end_knows_what_the_other_accepts() -> None:
    ours = Limits(message=9000, elements=800, depth=70, references=60, calls=5, streams=4, buffer=3000)
    theirs = Limits(message=1000, elements=200, depth=30, references=40, calls=50, streams=6)
    link = Link(ours, theirs)
    for end, other in ((link.near, theirs), (link.far, ours)):
        native = end.session.native
        assert native is not None
        names = ("message", "elements", "depth", "references", "calls", "streams", "buffer")
        assert native.settings == {name: getattr(other, name) for name in names}
    # Of two ceilings of references the lower one holds.
    assert link.near.session.exports.limit == link.far.session.exports.limit == 40
    assert link.near.session.caches.ours.limit == 40


@pytest.mark.parametrize("way", ["call", "answer", "failure"])
def test_messages_are_as_large_as_the_other_end_takes_and_no_larger(way: str) -> None:
    for most in (2000, FRAME + 1000):
        link = Link(Limits(message=most), Limits(message=most))
        sent = refused = 0
        for size in range(most - 30, most + 5):
            if way == "call":
                try:
                    link.near.call(b"x" * size)
                    sent += 1
                except LimitExceeded as error:
                    assert f"the peer accepts {most}" in str(error)
                    refused += 1
                link.pump()
                continue
            link.near.call()
            link.pump()
            (call,) = link.far.serving
            native = link.far.session.native
            assert native is not None
            respond = link.far.session.answer if way == "answer" else link.far.session.fail
            try:
                respond(call.request, native.lower(b"x" * size, PLAIN))
                sent += 1
            except LimitExceeded:
                refused += 1
                respond(call.request, native.lower(None, PLAIN))
            link.far.serving.clear()
            link.far.session.answers.remove(call)
            link.pump()
        assert sent > 5 and refused > 5
        assert link.near.session.faults == link.far.session.faults == 0
        assert link.near.session.questions.entries == {} or way == "call"
        if way == "call":
            assert len(link.far.of(Call)) == sent == len(link.near.session.questions.entries)


def test_a_call_that_is_refused_here_leaves_nothing() -> None:
    link = Link(theirs=Limits(message=500, elements=10, depth=3))
    for args in ((b"x" * 600,), (list("abcdefghijk"),), ([[[[1]]]],)):
        with pytest.raises(LimitExceeded):
            link.near.call(*args)
        assert link.near.session.call_plain(b"root", b"m", (), {}, "plain") > 0
    assert link.near.outgoing().count(b"\x04root\x01m") == 3
    assert list(link.near.session.questions.entries.values()) == ["plain"] * 3


def traffic(most: int) -> st.SearchStrategy[Any]:
    """Return plain values, some of them too much for one end."""
    sized = st.integers(0, most).map(lambda n: b"x" * n) | st.integers(0, 60).map(lambda n: list(range(n)))
    nested = st.integers(0, 12).map(lambda n: [[]] if not n else _nested(n))
    return sized | nested | st.lists(st.integers() | st.text(max_size=5), max_size=5)


def _nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


CEILINGS = st.builds(
    Limits,
    message=st.integers(60, 400) | st.integers(FRAME, 2 * FRAME),
    elements=st.integers(3, 50),
    depth=st.integers(3, 10),
    calls=st.integers(1, 4),
    streams=st.integers(1, 2),
)


@settings(max_examples=150)
@given(CEILINGS, CEILINGS, st.data())
def test_an_honest_end_never_meets_the_ceilings_of_the_other(ours: Limits, theirs: Limits, data: st.DataObject) -> None:
    link = Link(ours, theirs)
    ends = (link.near, link.far)
    made = {link.near: 0, link.far: 0}
    refused = 0
    for _ in range(data.draw(st.integers(1, 15))):
        end = data.draw(st.sampled_from(ends))
        what = data.draw(st.sampled_from(["call", "call", "call", "answer", "cancel", "move"]))
        value = data.draw(traffic(500) | st.just(b"x" * FRAME) | st.just(b"x" * (3 * PIECE)))
        try:
            if what == "call":
                end.call(value, target=data.draw(st.sampled_from([b"root", 1])))
                made[end] += 1
            elif what == "answer" and end.serving:
                call = data.draw(st.sampled_from(end.serving))
                try:
                    end.answer(call, value)
                except LimitExceeded:
                    refused += 1
                    native = end.session.native
                    assert native is not None
                    end.session.fail(call.request, native.lower(None, PLAIN))
            elif what == "cancel" and end.session.questions.entries:
                request = data.draw(st.sampled_from(list(end.session.questions.entries)))
                made[end] -= end.session.cancel(request)
        except LimitExceeded:
            refused += 1
        if what == "move":
            link.pump()
    link.pump()
    while link.near.serving or link.far.serving:
        for end in ends:
            for call in end.serving[:]:
                end.answer(call)
        link.pump()
    for end, other, limits in ((link.near, link.far, ours), (link.far, link.near, theirs)):
        assert end.session.faults == 0 and end.session.state is State.OPEN
        assert end.most <= limits.calls
        calls = end.of(Call)
        assert len(calls) == made[other]
        payloads = [call.args for call in calls] + [event.payload for event in other.of(Answered)]
        assert not [payload for payload in payloads if type(payload.value) is Broken]
        assert end.session.questions.entries == {}


# More calls than the other end takes.


def test_calls_above_what_the_other_end_takes_are_held_back_and_let_go_in_order() -> None:
    link = Link(theirs=Limits(calls=3))
    for number in range(10):
        link.near.call(number)
    link.pump()
    assert arguments(link.far.serving) == [0, 1, 2]
    link.far.answer(link.far.serving[1], "b")
    link.pump()
    assert arguments(link.far.serving) == [0, 2, 3]
    while link.far.serving:
        link.far.answer(link.far.serving[0])
        link.pump()
    assert arguments(link.far.of(Call)) == list(range(10))
    assert [event.waiter for event in link.near.of(Answered)][:2] == [1, 0]
    assert link.far.most == 3


def test_calls_that_want_no_answer_keep_their_place_and_do_not_hold_up_others() -> None:
    link = Link(theirs=Limits(calls=1))
    link.near.call("first")
    for number in range(4):
        link.near.call(number, wants=False)
    link.near.call("last")
    link.pump()
    assert arguments(link.far.serving) == ["first"]
    link.far.session.answers.limit = 100
    link.far.answer(link.far.serving[0])
    link.pump()
    assert arguments(link.far.of(Call)) == ["first", 0, 1, 2, 3, "last"]


def test_a_plain_call_does_not_pass_one_that_is_held_back() -> None:
    link = Link(theirs=Limits(calls=2))
    for number in range(5):
        link.near.call(number)
        assert link.near.session.call_plain(b"root", b"m", (number,), {}, number) == 0 or number < 1
    link.far.session.answers.limit = 100
    link.pump()
    while link.far.serving:
        link.far.answer(link.far.serving[0])
        link.pump()
    numbers = arguments(link.far.of(Call))
    assert numbers == sorted(numbers)


def test_releases_stay_behind_the_calls_that_are_held_back() -> None:
    link = Link(theirs=Limits(calls=1))
    far = link.far.session.exports
    numbers = [far.add(object(), name) for name in ("one", "two", "three")]
    link.near.call("first")
    link.near.call("on one", target=numbers[0])
    link.near.session.release(numbers[0])
    link.near.call("on two", target=numbers[1])
    link.near.session.release(numbers[1])
    link.pump()
    assert link.far.of(Released) == [] and arguments(link.far.serving) == ["first"]
    # One that was never held, of something that no call is about, waits as well: order is simple.
    link.near.session.release(numbers[2])
    for expected in ("on one", "on two"):
        link.far.answer(link.far.serving[0])
        link.pump()
        assert arguments(link.far.serving) == [expected]
    events = [event.number if isinstance(event, Released) else arguments([event])[0] for event in link.far.events]
    assert events == ["first", "on one", 1, "on two", 2, 3]


def test_a_call_that_is_held_back_can_be_withdrawn() -> None:
    link = Link(theirs=Limits(calls=1))
    link.near.call("first")
    second, third = link.near.call("second"), link.near.call("third")
    assert link.near.session.holds(second) and link.near.session.cancel(second)
    assert not link.near.session.holds(second) and link.near.session.holds(third)
    link.near.session.release(5)
    assert link.near.session.cancel(third)
    link.pump()
    # What was to follow it follows at once.
    assert [type(event) for event in link.far.events] == [Call, Fault]
    assert list(link.near.session.questions.entries.values()) == ["first"]
    link.far.answer(link.far.serving[0])
    link.pump()
    assert arguments(link.far.of(Call)) == ["first"]


def test_a_call_that_must_not_be_withdrawn_is_cancelled_once_it_was_sent() -> None:
    link = Link(theirs=Limits(calls=1))
    link.near.call("first")
    second = link.near.call("second")
    assert not link.near.session.cancel(second, withdraw=False)
    link.pump()
    link.far.answer(link.far.serving[0])
    link.pump()
    (cancelled,) = link.far.of(Cancelled)
    assert arguments([cancelled.call]) == ["second"]


def test_an_answer_to_a_call_that_was_not_sent_is_a_mistake() -> None:
    link = Link(theirs=Limits(calls=1))
    link.near.call("first")
    held = link.near.call("second")
    link.pump()
    native = link.far.session.native
    assert native is not None
    link.far.session.answer(held, native.lower("forged", PLAIN))
    link.pump()
    assert link.near.of(Answered) == [] and len(link.near.of(Fault)) == 1
    assert link.near.session.holds(held)


def test_what_is_held_back_is_bounded() -> None:
    link = Link(Limits(buffer=1000), Limits(calls=1))
    link.near.call("first")
    with pytest.raises(LimitExceeded, match="more than 1000 bytes wait"):
        for _ in range(20):
            link.near.call(b"x" * 100)
    assert 5 < len(link.near.session.questions.entries) < 1 + 10
    link.pump()
    while link.far.serving:
        link.far.answer(link.far.serving[0])
        link.pump()
    link.near.call(b"x" * 100)


# Large messages.


def test_large_messages_go_in_as_many_streams_as_the_other_end_takes() -> None:
    link = Link(theirs=Limits(streams=2))
    for number in range(5):
        link.near.call(b"%d" % number * FRAME * 2, target=number)
    assert link.near.session.pieces
    link.pump()
    assert sorted(call.target for call in link.far.serving) == [0, 1, 2, 3, 4]
    assert link.far.session.faults == 0


def test_one_large_message_may_have_more_than_the_other_end_keeps() -> None:
    link = Link(theirs=Limits(buffer=FRAME))
    for number in range(3):
        link.near.call(b"%d" % number * FRAME * 3, target=number)
    link.pump()
    assert [call.target for call in link.far.serving] == [0, 1, 2]
    assert link.far.session.faults == 0


def test_small_calls_pass_large_ones_and_calls_on_one_object_do_not() -> None:
    link = Link()
    link.near.call(b"x" * FRAME * 3, target=1)
    link.near.call("same", target=1)
    link.near.call("other", target=2)
    link.far.take(link.near.session.data_to_send())
    assert arguments(link.far.serving) == ["other"]
    link.pump()
    assert [call.target for call in link.far.serving] == [2, 1, 1]
    assert arguments(link.far.serving[2:]) == ["same"]


def test_more_than_may_wait_is_refused() -> None:
    link = Link(Limits(buffer=5 * FRAME))
    link.near.call(b"x" * FRAME * 4, target=1)
    with pytest.raises(LimitExceeded, match="bytes wait to be sent"):
        link.near.call(b"x" * FRAME * 2, target=2)
    link.near.call("small", target=3)
    link.pump()
    link.near.call(b"x" * FRAME * 2, target=2)
    link.pump()
    assert [call.target for call in link.far.serving] == [3, 1, 2]


# Cancelling.


def test_a_cancel_finds_the_call_that_is_served() -> None:
    link = Link()
    first, second = link.near.call("first"), link.near.call("second")
    link.pump()
    assert not link.near.session.cancel(first)
    link.pump()
    (cancelled,) = link.far.of(Cancelled)
    assert cancelled.call is link.far.serving[0] and cancelled.call.request == first
    # It counts until it has ended.
    assert len(link.far.session.answers.entries) == 2 and len(link.near.session.questions.entries) == 2
    link.far.answer(link.far.serving[0], "ended")
    link.pump()
    assert [event.waiter for event in link.near.of(Answered)] == ["first"]
    assert list(link.near.session.questions.entries) == [second]


def test_a_cancel_that_crosses_the_answer_is_nothing() -> None:
    link = Link()
    request = link.near.call("first")
    link.pump()
    link.far.answer(link.far.serving[0], "in time")
    link.near.session.cancel(request)
    link.pump()
    assert link.far.of(Cancelled) == [] and link.far.session.faults == 0
    assert [event.payload.value for event in link.near.of(Answered)] == ["in time"]
    link.near.session.cancel(request)
    link.near.session.cancel(99)
    link.pump()
    assert link.far.events == [] or arguments(link.far.of(Call)) == ["first"]
    assert link.far.session.faults == 0


def test_a_cancel_does_not_overtake_its_call() -> None:
    link = Link()
    request = link.near.call(b"x" * FRAME * 3)
    link.near.session.cancel(request)
    link.pump()
    assert [type(event) for event in link.far.events] == [Call, Cancelled]


def test_calls_without_answer_can_be_cancelled_too() -> None:
    link = Link()
    request = link.near.call("no answer", wants=False)
    link.near.session.cancel(request)
    link.pump()
    assert [type(event) for event in link.far.events] == [Call, Cancelled]


# Pings.


@pytest.mark.parametrize("token", [b"", b"1", b"12345678"])
def test_a_ping_is_answered_with_the_same_bytes(token: bytes) -> None:
    link = Link()
    link.near.session.ping(token)
    there = link.near.outgoing()
    assert there == frame(frames.PING, token)
    link.far.take(there)
    back = link.far.outgoing()
    assert back == frame(frames.PONG, token)
    link.near.take(back)
    assert (link.near.events, link.far.events) == ([], [])
    assert link.near.session.controls == link.far.session.controls == 1


def test_what_asks_for_nothing_is_counted() -> None:
    link = Link()
    ignored = frame(0x80, b"x") + frame(frames.RELEASE, b"") + frame(frames.PONG, b"") + frame(frames.PING, b"")
    link.far.take(ignored * 5)
    assert link.far.session.controls == 20
    assert link.far.session.faults == 0 and link.far.events == []


# Going away.


def test_going_away() -> None:
    link = Link()
    link.near.call("in flight")
    link.pump()
    link.far.session.go_away("for today")
    # These two cross.
    link.near.call("crossing")
    link.pump()
    (leaving,) = link.near.of(Leaving)
    assert leaving.reason == link.near.session.peer_leaves == "for today"
    assert arguments(link.far.of(Call)) == ["in flight", "crossing"], "those above refuse it"
    before = list(link.near.session.questions.entries)
    for attempt in (lambda: link.near.call("late"), lambda: link.near.call("late", wants=False)):
        with pytest.raises(GoingAway, match="for today"):
            attempt()
    assert link.near.session.call_plain(b"root", b"m", (), {}, "late") == 0
    assert list(link.near.session.questions.entries) == before and link.near.outgoing() == b""
    # The other way calls go on, and answers both ways.
    link.far.call("from there")
    for call in link.far.serving[:]:
        link.far.answer(call)
    link.pump()
    assert len(link.near.of(Answered)) == 2 and arguments(link.near.of(Call)) == ["from there"]
    # Once is enough.
    link.far.session.go_away("again")
    link.pump()
    assert link.near.of(Leaving) == [] and link.near.session.peer_leaves == "for today"


# The end.


def test_an_abort_tells_the_other_end_why() -> None:
    link = Link()
    link.near.session.abort("the reason")
    with pytest.raises(ProtocolError, match="the peer closes the connection: the reason"):
        link.far.take(link.near.outgoing())
    assert link.far.session.aborted
    link.far.session.abort("an echo")
    assert link.far.outgoing() == b"", "whoever closed the connection is not told why it was closed"


def test_nothing_waits_any_more_when_it_is_over() -> None:
    link = Link(theirs=Limits(calls=1))
    for number in range(3):
        link.near.call(b"x" * FRAME * 2, target=number, waiter=number)
    link.near.session.release(7)
    link.near.session.closed()
    assert not link.near.session.pieces and link.near.outgoing() == b""
    assert link.near.session.clear()[0] == [0, 1, 2]
    link.near.session.cancel(1)
    link.near.session.release(8)
    link.near.session.answer(1, Payload(None, b"\xc0"))
    assert link.near.outgoing() == b""


def test_wrong_messages_are_forgiven_up_to_the_ceiling() -> None:
    link = Link(theirs=Limits(faults=3))
    wrong = [
        frame(frames.ANSWER, b"\x63\xc0"),
        frame(frames.RELEASE, b"\x63\x01"),
        frame(frames.CACHE_RELEASED, b"\x63"),
        frame(frames.RELEASE_CACHE, b"\x63\x01"),
    ]
    for data in wrong[:3]:
        link.far.take(data)
    assert [type(event) for event in link.far.of(Fault)] == [Fault] * 3
    with pytest.raises(ProtocolError, match="too many wrong messages"):
        link.far.take(wrong[3])


def test_what_was_not_understood_is_told_and_noted() -> None:
    link = Link()
    link.near.session.send_encoded(frame(0x12, b"of another time"))
    link.pump()
    (unknown,) = link.far.of(Unknown)
    link.far.session.not_understood(unknown)
    told = link.far.outgoing()
    assert told[0] == frames.NOT_UNDERSTOOD and told[HEAD] == 0x12
    link.near.take(told)
    (fault,) = link.near.of(Fault)
    assert "did not understand" in fault.problem and not link.near.of(NotUnderstood)
