"""The outgoing side of a connection where something is large: whatever the schedule, nothing is lost, doubled or out of
the order that is promised."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker._session.outbox import ENTRY, SMALL, Outbox
from broker._wire import frames
from broker._wire.frames import FRAME, HEAD, PIECE, frame, take_number

LARGE = SMALL + 1


class Put(NamedTuple):
    """A message that is put in; or a release."""

    number: int
    size: int
    lane: int | bytes | None = None
    in_order: bool = False
    release: bool = False

    def data(self) -> bytes:
        """Return its bytes, which tell its number. Of a large one, the length in its head says nothing."""
        body = self.number.to_bytes(4, "little") + bytes(self.size - HEAD - 4)
        if self.release:
            return frame(frames.RELEASE, body)
        return frame(frames.CALL, body) if self.size <= SMALL else bytes((frames.CALL, 0, 0, 0)) + body


class Line:
    """An outbox, and what a reader at the other end makes of what it gives out."""

    def __init__(self, streams: int = 2, buffer: int = 2**30) -> None:
        self.now: list[bytes] = []
        self.outbox = Outbox(streams, buffer, self.now)
        self.put_in: list[Put] = []
        #: The numbers of the messages that are there whole, and those of the releases among them.
        self.arrived: list[int] = []
        self.open: dict[int, bytes] = {}
        self.most_open = 0
        #: Most bytes that were there of several large messages together.
        self.most_kept = 0

    def put(self, size: int, lane: int | bytes | None = None, in_order: bool = False) -> int:
        """Put a message in; return its number."""
        message = Put(len(self.put_in), size, lane, in_order)
        self.put_in.append(message)
        self.outbox.put(message.data(), lane, in_order)
        return message.number

    def release(self) -> int:
        """Put a release in; return its number."""
        message = Put(len(self.put_in), HEAD + 4, release=True)
        self.put_in.append(message)
        self.outbox.put_release(message.data())
        return message.number

    def flush(self) -> None:
        """Write what goes at once."""
        self._read(b"".join(self.now))
        self.now.clear()

    def piece(self) -> bool:
        """Write a piece, if there is one."""
        assert self.outbox.pieces is bool(data := self.outbox.next_piece())
        self._read(data)
        return bool(data)

    def drain(self) -> None:
        """Write everything."""
        self.flush()
        while self.piece():
            pass
        self.flush()

    def _read(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            kind = data[position]
            length = int.from_bytes(data[position + 1 : position + HEAD], "little")
            assert length <= FRAME, "no frame is longer"
            body = data[position + HEAD : position + HEAD + length]
            assert len(body) == length, "what is given out is whole frames"
            position += HEAD + length
            if kind in (frames.PART, frames.LAST):
                stream, start = take_number(body, 0, length)
                so_far = self.open.get(stream, b"") + body[start:]
                if kind == frames.PART:
                    self.open[stream] = so_far
                    self.most_open = max(self.most_open, len(self.open))
                    if len(self.open) > 1:
                        self.most_kept = max(self.most_kept, sum(map(len, self.open.values())))
                    continue
                self.open.pop(stream, None)
                kind, body = so_far[0], so_far[1:]
            number = int.from_bytes(body[:4], "little")
            message = self.put_in[number]
            assert (kind, len(body)) == (frames.RELEASE if message.release else frames.CALL, message.size - HEAD)
            self.arrived.append(number)


SIZES = st.sampled_from([HEAD + 4, HEAD + 4, 100, SMALL, LARGE, FRAME + PIECE, 3 * PIECE])
LANES = st.sampled_from([None, None, 1, 2, b"root"])
STEPS = st.one_of(
    st.tuples(st.just("put"), SIZES, LANES, st.booleans()),
    st.tuples(st.just("put"), st.sampled_from([LARGE, 2 * PIECE]), LANES, st.just(False)),
    st.tuples(st.just("release")),
    st.tuples(st.just("piece")),
    st.tuples(st.just("flush")),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=30), st.integers(1, 3), st.sampled_from([1, LARGE * 2, 5 * PIECE, 2**30]))
def test_any_schedule(steps: list[tuple[Any, ...]], streams: int, buffer: int) -> None:
    line = Line(streams, buffer)
    for name, *arguments in steps:
        getattr(line, name)(*arguments)
        waiting = [message for message in line.put_in if message.number not in line.arrived]
        assert line.outbox.size <= sum(message.size for message in waiting)
    line.drain()
    check(line, streams)
    assert line.most_kept <= buffer
    assert line.outbox._under_way == 0
    # And nothing of it stays behind.
    assert (line.outbox.size, line.outbox.owed, line.outbox.pieces, line.open) == (0, 0, False, {})
    assert not (line.outbox._gone or line.outbox._lanes or line.outbox._ages)
    number = line.put(100)
    assert line.now == [line.put_in[number].data()]


def check(line: Line, streams: int) -> None:
    """Everything arrived, once, in the order that is promised."""
    assert sorted(line.arrived) == list(range(len(line.put_in)))
    assert line.most_open <= streams
    place = {number: index for index, number in enumerate(line.arrived)}
    lanes: dict[Any, int] = {}
    for message in line.put_in:
        before = [place[other.number] for other in line.put_in[: message.number]]
        if message.release or message.in_order:
            passed = [other for other in before if other > place[message.number]]
            releases = {place[other.number] for other in line.put_in if other.release}
            # A release waits for large messages; what comes after it may pass it, and need not be told of it.
            assert not (set(passed) - (releases if message.in_order else set())), (message, line.arrived)
        if message.lane is not None:
            assert lanes.get(message.lane, -1) < place[message.number], (message, line.arrived)
            lanes[message.lane] = place[message.number]


# The rules, one by one.


def test_small_messages_go_at_once_while_nothing_is_large() -> None:
    line = Line()
    for size in (HEAD + 4, SMALL):
        for lane in (None, 1, b"root"):
            line.put(size, lane, in_order=True)
    line.release()
    assert len(line.now) == 7 and not line.outbox.pieces and line.outbox.size == 0
    line.flush()
    assert line.arrived == list(range(7))


def test_small_messages_pass_between_the_pieces_of_large_ones() -> None:
    line = Line()
    large = line.put(4 * PIECE, 1)
    assert line.piece()
    small = [line.put(100), line.put(100, 2), line.put(SMALL, b"root")]
    line.flush()
    assert line.arrived == small
    line.drain()
    assert line.arrived == [*small, large]


def test_large_messages_begin_when_there_is_room_for_all_of_them() -> None:
    line = Line(streams=4, buffer=5 * PIECE)
    alone = line.put(9 * PIECE)
    first, second = line.put(3 * PIECE), line.put(3 * PIECE)
    small = line.put(100)
    line.flush()
    for _ in range(8):
        assert line.piece()
    assert line.most_open == len(line.open) == 1 and line.arrived == [small]
    # One that would fit waits behind one that does not: else this might wait for ever.
    behind = line.put(PIECE + HEAD + 50)
    for _ in range(3):
        assert line.piece()
    assert line.arrived == [small, alone] and len(line.open) == 1
    line.drain()
    # It has room beside the second one, and is shorter.
    assert line.arrived == [small, alone, first, behind, second]
    assert line.most_kept <= 5 * PIECE


def test_large_messages_take_turns() -> None:
    line = Line(streams=2)
    long, short = line.put(10 * PIECE), line.put(LARGE)
    line.drain()
    assert line.arrived == [short, long]


def test_no_more_streams_than_the_peer_takes() -> None:
    line = Line(streams=2)
    numbers = [line.put(2 * PIECE) for _ in range(5)]
    for _ in range(2):
        line.piece()
    assert len(line.open) == 2
    line.drain()
    assert line.most_open == 2 and sorted(line.arrived) == numbers
    assert line.arrived[:2] == numbers[:2], "first come, first served"


def test_calls_on_one_object_keep_their_order() -> None:
    line = Line()
    first = line.put(2 * PIECE, 1)
    rest = [line.put(100, 1), line.put(LARGE, 1), line.put(100, 1), line.put(LARGE, 1), line.put(100, 1)]
    other = line.put(100, 2)
    assert len(line.now) == 1, "calls on others go at once"
    line.drain()
    assert line.arrived == [other, first, *rest]


def test_a_release_stays_behind_what_was_there_before_it() -> None:
    line = Line()
    first, second = line.put(2 * PIECE), line.put(6 * PIECE)
    one = line.release()
    third = line.put(8 * PIECE)
    two = line.release()
    line.drain()
    place = line.arrived.index
    assert place(first) < place(second) < place(one) < place(third) < place(two)
    assert line.arrived.index(one) == line.arrived.index(second) + 1, "and no longer than that"


def test_a_release_does_not_wait_for_what_comes_after_it() -> None:
    line = Line()
    line.release()
    line.put(LARGE)
    line.flush()
    assert line.arrived == [0]


def test_a_release_behind_a_call_that_waits_in_its_lane() -> None:
    line = Line()
    large, waiting = line.put(LARGE, 1), line.put(100, 1)
    release = line.release()
    line.flush()
    assert line.arrived == []
    line.drain()
    assert line.arrived == [large, waiting, release]


def test_what_refers_to_cached_objects_stays_behind_everything_before_it() -> None:
    line = Line()
    large = line.put(3 * PIECE, 1)
    small = line.put(100)
    state = line.put(100, None, in_order=True)
    update = line.put(100, 5, in_order=True)
    behind = line.put(100)
    assert len(line.now) == 1
    line.flush()
    assert line.arrived == [small]
    line.drain()
    assert line.arrived == [small, large, state, update, behind]


def test_a_large_message_that_refers_to_cached_objects_holds_up_those_that_do_too() -> None:
    line = Line()
    state = line.put(3 * PIECE, None, in_order=True)
    updates = [line.put(100, 5, in_order=True), line.put(LARGE, 6, in_order=True), line.put(100, 7, in_order=True)]
    line.flush()
    assert line.arrived == []
    line.drain()
    assert line.arrived == [state, *updates]


def test_how_much_waits_is_counted() -> None:
    line = Line()
    line.put(3 * PIECE, 1)
    line.put(100, 1)
    assert (line.outbox.size, line.outbox.owed) == (3 * PIECE + 100, 0)
    line.put(LARGE)
    line.release()
    owed = LARGE + HEAD + 4 + ENTRY
    assert (line.outbox.size, line.outbox.owed) == (3 * PIECE + 100 + LARGE, owed)
    line.drain()
    assert (line.outbox.size, line.outbox.owed) == (0, 0)


def test_nothing_is_left_when_nothing_more_will_be_sent() -> None:
    line = Line(streams=1)
    line.put(LARGE, 1)
    line.put(LARGE, 2)
    line.put(100, 1)
    line.put(100, None, in_order=True)
    line.release()
    line.piece()
    line.outbox.clear()
    assert (line.outbox.size, line.outbox.owed, line.outbox.pieces) == (0, 0, False)
    assert line.outbox.next_piece() == b""
    line.put(100)
    assert len(line.now) == 1


@pytest.mark.parametrize("size", [LARGE, SMALL + 7, FRAME + PIECE, 2 * PIECE, 2 * PIECE + HEAD, 2 * PIECE + HEAD + 1])
def test_a_message_of_any_size_is_whole(size: int) -> None:
    line = Line()
    line.put(size)
    line.drain()
    assert line.arrived == [0]
