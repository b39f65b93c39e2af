"""What peers said before is remembered, and comes to the same as taking it apart."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from broker._limits import Limits
from broker._messages.messages import Call
from broker._session.events import Opened
from broker._session.hello import Agreed, Greetings
from broker._session.session import DIALECTS, Session
from broker._wire import greeting
from broker.errors import ConnectionRefused, ProtocolError

LIMITS = Limits()


def greeted(
    greetings: Greetings,
    *,
    limits: Limits = LIMITS,
    offered: tuple[bytes, ...] = DIALECTS,
    known: tuple[bytes, ...] = DIALECTS,
    prefer: bytes | None = None,
    pieces: int = 1 << 20,
) -> tuple[Session, Session]:
    """Return two sessions after their greeting, whose bytes went in pieces of so many bytes."""
    ends = Session(True, limits, dialects=offered), Session(False, limits, dialects=known, prefer=prefer)
    for end in ends:
        end.greetings = greetings
        end.connected()
    for source, target in (ends, ends[::-1]):
        data = source.data_to_send()
        for begin in range(0, len(data), pieces):
            target.receive_data(data[begin : begin + pieces])
            event = target.next_event()
            if event is not None:
                break
        assert isinstance(event, Opened) and target.dialect is not None and event.dialect == target.dialect.name
        target.receive_data(data[begin + pieces :])
    return ends


def agreement(ends: tuple[Session, Session]) -> list[object]:
    """Return what two sessions know of each other."""
    return [end.dialect and (end.dialect.name, end.native and end.native.settings) for end in ends]


@pytest.mark.parametrize("pieces", [1, 7, 1 << 20])
def test_the_second_greeting_comes_to_the_same_as_the_first(pieces: int) -> None:
    greetings = Greetings()
    fresh = agreement(greeted(Greetings()))
    assert agreement(greeted(greetings, pieces=pieces)) == fresh
    assert agreement(greeted(greetings, pieces=pieces)) == fresh
    assert agreement(greeted(greetings)) == fresh


@pytest.mark.parametrize(
    ("options", "name"),
    [({"known": (b"pb",)}, b"pb"), ({"prefer": b"pb"}, b"pb"), ({"offered": (b"none",)}, b"none")],
)
def test_it_is_remembered_for_what_it_was_said_to_alone(options: dict[str, Any], name: bytes) -> None:
    greetings = Greetings()
    for _ in range(2):
        usual = greeted(greetings)
        assert [end.dialect and end.dialect.name for end in usual] == [b"broker/1"] * 2
        special = greeted(greetings, **options)
        assert [end.dialect and end.dialect.name for end in special] == [name] * 2


def test_each_side_hears_of_the_limits_that_the_other_has_now() -> None:
    greetings = Greetings()
    greeted(greetings)
    for size in (70_000, 80_000):
        for end in greeted(greetings, limits=Limits(message=size)):
            assert end.native is not None and end.native.settings["message"] == size


def test_stricter_limits_refuse_what_others_took() -> None:
    greetings = Greetings()
    # The length of the first takes two bytes.
    said = greeting.offer([b"x" * 200, b"broker/1"])
    for limits, refused in ((LIMITS, False), (Limits(prefix=1), True), (LIMITS, False)):
        session = Session(False, limits)
        session.greetings = greetings
        session.connected()
        session.receive_data(said)
        with pytest.raises(ProtocolError) if refused else nullcontext():
            assert isinstance(session.next_event(), Opened)


def test_a_remembered_dialect_is_refused_where_it_is_not_spoken() -> None:
    greetings = Greetings()
    greeted(greetings)
    listener = Session(True, LIMITS, dialects=(b"pb",))
    listener.greetings = greetings
    listener.connected()
    listener.receive_data(greeting.pick(b"broker/1"))
    with pytest.raises(ConnectionRefused):
        listener.next_event()


@pytest.mark.parametrize("pieces", [3, 1 << 20])
def test_what_comes_behind_a_remembered_greeting_is_read(pieces: int) -> None:
    greetings = Greetings()
    greeted(greetings)
    listener, client = Session(True, LIMITS), Session(False, LIMITS)
    for end in (listener, client):
        end.greetings = greetings
        end.connected()
    client.receive_data(listener.data_to_send())
    assert isinstance(client.next_event(), Opened)
    assert client.call_plain(b"root", b"m", (1,), {}, "waiter")
    data = client.data_to_send()
    events = []
    for begin in range(0, len(data), pieces):
        listener.receive_data(data[begin : begin + pieces])
        while (event := listener.next_event()) is not None:
            events.append(event)
    assert [type(event) for event in events] == [Opened, Call]


def test_an_uncommonly_long_greeting_is_not_remembered() -> None:
    greetings = Greetings()
    long, short = b"x" * 1025, b"x" * 1024
    for said, kept in ((long, False), (short, True)):
        greetings.remember(False, Agreed(said, b"pb", {}, DIALECTS, None, LIMITS))
        assert (greetings.find(False, said, DIALECTS, None, LIMITS) is not None) is kept
        assert greetings.find(True, said, DIALECTS, None, LIMITS) is None, "the sides have one each"
