"""What waits to be written: back-pressure, large messages in pieces, pagers, and every way to end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from broker._net.flow import BURST, PROBE, ROUND, SHARE, Flow
from broker.testing.transport import MemoryTransport
from tests.net.sockets import Link

CEILING = 1_000_000
PIECE = 65_536


class Pieces:
    """A source of pieces that the test puts there."""

    def __init__(self, *pieces: bytes) -> None:
        self.queue = deque(pieces)
        self.taken = 0

    @property
    def pieces(self) -> bool:
        return bool(self.queue)

    def next_piece(self) -> bytes:
        self.taken += 1
        return self.queue.popleft() if self.queue else b""


class Pages:
    """A pager that writes what it is given, one page a time."""

    def __init__(self, flow: Flow, *pages: bytes) -> None:
        self.flow = flow
        self.pages = list(pages)

    def sendNextPage(self) -> None:
        if self.pages:
            self.flow.write(self.pages.pop(0))

    def stillPaging(self) -> bool:
        return bool(self.pages)


class Torn(Pages):
    def sendNextPage(self) -> None:
        raise OSError("the page is torn")


class Side:
    """A flow, and what it told of."""

    def __init__(self, transport: Any, ceiling: int = CEILING) -> None:
        self.overflows = 0
        self.failures: list[BaseException] = []
        self.flow = Flow(transport, ceiling, self.overflow, self.guarded)

    def overflow(self) -> None:
        self.overflows += 1

    def guarded(self, function: Any, *args: Any) -> None:
        try:
            function(*args)
        except OSError as error:
            self.failures.append(error)


@pytest.fixture
def link() -> Iterator[Link]:
    made = Link(room=4096)
    yield made
    made.close()


@pytest.fixture
def flow(link: Link) -> Flow:
    return Side(link.transport).flow


def pieces(count: int, size: int = PIECE) -> list[bytes]:
    return [bytes([65 + number % 26]) * size for number in range(count)]


# At once, and back-pressure.


def test_what_is_written_to_an_idle_socket_has_arrived(link: Link, flow: Flow) -> None:
    flow.write(b"small")
    assert link.arrived() == b"small"
    assert link.reactor.writers == [] and link.transport.producer is None


def test_the_rest_goes_the_usual_way_and_nothing_overtakes_it(link: Link, flow: Flow) -> None:
    flow.write(b"a" * 40_000)
    assert 0 < link.waiting < 40_000
    flow.write(b"b")
    link.arrived()
    flow.write(b"c")
    assert link.waiting, "it waits although there is room again"
    link.reactor.turn()
    assert link.drain().endswith(b"abc")


def test_after_a_burst_writes_are_collected_until_the_reactor_turns(link: Link, flow: Flow) -> None:
    for number in range(100):
        flow.write(b"%d," % number)
    expected = b"".join(b"%d," % number for number in range(100))
    got = link.arrived()
    assert got == expected[: BURST * 2]
    got += link.drain()
    assert got == expected
    flow.write(b"again")
    assert link.arrived() == b"again"


def test_reading_begins_a_new_burst(link: Link, flow: Flow) -> None:
    for _ in range(10 * BURST):
        flow.burst = 0
        flow.write(b"x")
        assert link.arrived() == b"x"


def test_a_transport_that_has_enough_is_given_no_more(link: Link, flow: Flow) -> None:
    for _ in range(10):
        flow.write(b"a" * 50_000)
    assert flow.paused and link.transport.producer is not None
    below = link.waiting
    assert below <= PROBE + 50_000
    flow.write(b"b" * 50_000)
    assert link.waiting == below, "it is kept here"
    assert link.drain() == b"a" * 500_000 + b"b" * 50_000
    assert not flow.paused and link.transport.producer is None


def test_no_producer_is_registered_for_long(link: Link, flow: Flow) -> None:
    for _ in range(50):
        flow.write(b"x" * 10_000)
        link.drain()
        assert link.transport.producer is None


def test_what_is_kept_has_a_ceiling_and_it_is_told_once(link: Link) -> None:
    side = Side(link.transport, ceiling=100_000)
    while not side.overflows:
        side.flow.write(b"x" * 30_000)
        assert link.waiting <= PROBE + 30_000
    for _ in range(10):
        side.flow.write(b"x" * 30_000)
    assert side.overflows == 1 and side.flow.paused
    link.transport.abortConnection()
    link.reactor.turn()
    assert link.protocol.lost is not None


def test_what_was_kept_and_sent_counts_no_more(link: Link) -> None:
    side = Side(link.transport, ceiling=100_000)
    for _ in range(10):
        while not side.flow.paused:
            side.flow.write(b"x" * 30_000)
        side.flow.write(b"x" * 60_000)
        link.drain()
    assert side.overflows == 0


def test_a_transport_that_resumes_for_no_reason() -> None:
    transport = StringTransport()
    flow = Side(transport).flow
    flow.relieved()
    flow.write(b"fine")
    assert transport.value() == b"fine"


def test_what_is_kept_while_the_connection_closes_is_still_sent(link: Link, flow: Flow) -> None:
    for _ in range(6):
        flow.write(b"a" * 50_000)
    flow.write(b"last")
    assert flow.paused
    link.transport.loseConnection()
    assert link.drain() == b"a" * 300_000 + b"last"
    assert link.protocol.lost is not None


def test_nothing_is_kept_after_the_end(link: Link, flow: Flow) -> None:
    for _ in range(6):
        flow.write(b"a" * 50_000)
    assert flow.paused
    flow.close()
    flow.write(b"late")
    assert b"late" not in link.drain()


def test_a_transport_that_never_has_enough_gets_everything() -> None:
    transport = StringTransport()
    flow = Side(transport).flow
    flow.write(b"a" * 100_000)
    flow.fill(Pieces(*pieces(10)))
    flow.write(b"b")
    assert transport.value() == b"a" * 100_000 + b"".join(pieces(10)) + b"b"
    assert transport.producer is None


def test_a_transport_that_does_not_say_whether_it_closes() -> None:
    class Terse:
        def __init__(self) -> None:
            self.got = b""

        def write(self, data: bytes) -> None:
            self.got += data

        def registerProducer(self, producer: Any, streaming: bool) -> None: ...

        def unregisterProducer(self) -> None: ...

    transport = Terse()
    flow = Side(transport).flow
    flow.write(b"a" * 100_000)
    flow.fill(Pieces(b"piece"))
    assert transport.got == b"a" * 100_000 + b"piece"


# Large messages.


def test_pieces_go_as_far_as_there_is_room(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(100))
    flow.fill(source)
    assert 0 < source.taken < 10, "the rest stays where it is"
    assert link.waiting <= PROBE + PIECE
    most = 0
    got = []
    while link.reactor.writers:
        got.append(link.arrived())
        link.reactor.turn()
        most = max(most, link.waiting)
    got.append(link.arrived())
    assert b"".join(got) == b"".join(pieces(100))
    assert most <= PROBE + PIECE
    assert link.transport.producer is None and not flow.paused


def test_an_idle_socket_is_sent_the_first_pieces_at_once() -> None:
    link = Link()
    flow = Side(link.transport).flow
    flow.fill(Pieces(b"a" * 1000, b"b" * 1000))
    assert link.arrived() == b"a" * 1000 + b"b" * 1000
    assert link.reactor.writers == [] and link.transport.producer is None
    flow.fill(Pieces(*pieces(100, 10_000)))
    assert len(link.arrived()) == ROUND * 10_000, "one connection does not keep the others waiting"
    link.close()


def test_a_small_message_waits_for_what_is_below_only(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(100))
    flow.fill(source)
    got = link.arrived()
    for _ in range(20):
        link.reactor.turn()
        got += link.arrived()
    taken = source.taken
    flow.write(b"small")
    flow.fill(source)
    assert source.taken == taken
    got += link.drain()
    assert got.index(b"small") == taken * PIECE, "it is the next one"
    assert got.replace(b"small", b"") == b"".join(pieces(100))


def test_pieces_that_come_later_are_sent_too(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(5))
    flow.fill(source)
    source.queue.extend(pieces(5))
    flow.fill(source)
    assert link.drain() == b"".join(pieces(5) * 2)
    flow.fill(source)
    assert link.transport.producer is None and not link.reactor.writers
    source.queue.append(b"later")
    flow.fill(source)
    assert link.drain() == b"later"


def test_pieces_wait_behind_what_was_written_before(link: Link, flow: Flow) -> None:
    for number in range(8):
        flow.write(bytes([97 + number]) * 30_000)
    assert flow.paused
    source = Pieces(*pieces(3))
    flow.fill(source)
    assert source.taken == 0
    expected = b"".join(bytes([97 + number]) * 30_000 for number in range(8))
    assert link.drain() == expected + b"".join(pieces(3))


def test_a_connection_that_closes_sends_the_pieces_that_wait_first(link: Link, flow: Flow) -> None:
    flow.fill(Pieces(*pieces(30)))
    flow.write(b"small")
    link.transport.loseConnection()
    got = link.drain()
    assert got.replace(b"small", b"") == b"".join(pieces(30)) and b"small" in got
    assert link.protocol.lost is not None


def test_an_aborted_connection_takes_no_more_pieces(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(30))
    flow.fill(source)
    taken = source.taken
    link.transport.abortConnection()
    flow.fill(source)
    flow.write(b"late")
    assert b"late" not in link.drain()
    link.reactor.turn()
    assert link.protocol.lost is not None and source.taken == taken


def test_a_lost_connection_takes_no_more_pieces(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(30))
    flow.fill(source)
    taken = source.taken
    link.far.close()
    link.reactor.turn()
    assert link.protocol.lost is not None
    flow.close()
    flow.fill(source)
    flow.write(b"late")
    assert source.taken == taken


def test_after_the_end_nothing_is_begun() -> None:
    transport = StringTransport()
    flow = Side(transport).flow
    flow.close()
    source = Pieces(*pieces(3))
    flow.fill(source)
    flow.add_pager(Pages(flow, b"page"))
    assert source.taken == 0 and transport.producer is None and transport.value() == b""


def test_new_pieces_are_not_begun_on_a_connection_that_closes(link: Link, flow: Flow) -> None:
    flow.write(b"farewell")
    link.transport.loseConnection()
    source = Pieces(*pieces(3))
    flow.fill(source)
    assert link.drain() == b"farewell" and source.taken == 0
    assert link.protocol.lost is not None


def test_a_ceiling_met_while_pieces_wait(link: Link) -> None:
    side = Side(link.transport, ceiling=100_000)
    source = Pieces(*pieces(100))
    side.flow.fill(source)
    taken = source.taken
    side.flow.write(b"x" * 100_001)
    assert side.overflows == 1
    assert b"x" not in link.drain() and source.taken == taken


# Pagers.


def test_a_page_goes_each_time_there_is_room(link: Link, flow: Flow) -> None:
    pager = Pages(flow, *pieces(10, 10_000))
    flow.add_pager(pager)
    assert len(pager.pages) == 9
    assert link.drain() == b"".join(pieces(10, 10_000))
    assert flow.pagers == [] and link.transport.producer is None


def test_pages_and_pieces_share_the_transport(link: Link, flow: Flow) -> None:
    source = Pieces(*[b"P" * PIECE] * 200)
    flow.fill(source)
    taken = source.taken
    pager = Pages(flow, *[b"g" * 1000] * 10)
    flow.add_pager(pager)
    got = link.drain()
    assert got.index(b"g") <= (taken + ROUND) * PIECE, "the first page waits for nothing else"
    assert got.count(b"P") == 200 * PIECE and got.count(b"g") == 10_000
    assert flow.pagers == [] and link.transport.producer is None
    gaps = [len(gap) // PIECE for gap in got[: got.rindex(b"g")].split(b"g" * 1000)[1:-1]]
    assert len(gaps) == 8 and all(SHARE <= gap <= SHARE + ROUND for gap in gaps), "pages come, but not with each piece"
    assert not got.endswith(b"g"), "the pieces went on without the pager"


def test_pieces_that_come_while_pages_go(link: Link, flow: Flow) -> None:
    flow.add_pager(Pages(flow, *[b"g" * 1000] * 100))
    link.reactor.turn()
    source = Pieces(*[b"P" * PIECE] * 5)
    flow.fill(source)
    assert source.taken == 0, "the transport asks for them"
    got = link.drain()
    assert got.count(b"P") == 5 * PIECE and got.count(b"g") == 100_000
    assert link.transport.producer is None


def test_what_was_kept_goes_before_the_pages(link: Link, flow: Flow) -> None:
    for _ in range(6):
        flow.write(b"a" * 50_000)
    flow.write(b"kept")
    assert flow.paused
    flow.add_pager(Pages(flow, b"page", b"page"))
    flow.write(b"after")
    assert link.drain() == b"a" * 300_000 + b"keptpageafterpage"


def test_a_torn_page_ends_its_pager(link: Link) -> None:
    side = Side(link.transport)
    side.flow.add_pager(Torn(side.flow, b"page"))
    side.flow.add_pager(Pages(side.flow, b"whole", b"pages"))
    assert link.drain() == b"wholepages"
    assert len(side.failures) == 1 and link.transport.producer is None


def test_a_peer_that_reads_no_pages_has_a_ceiling_too(link: Link) -> None:
    side = Side(link.transport, ceiling=300_000)
    side.flow.add_pager(Pages(side.flow, *[b"x" * 50_000] * 100))
    for _ in range(20):
        side.flow.write(b"y" * 50_000)
        link.reactor.turn()
    assert side.overflows == 1
    assert side.flow.paused, "a farewell would not be read either"
    assert link.waiting <= 400_000
    assert side.flow.pagers == []
    link.transport.loseConnection()
    link.transport.abortConnection()
    link.reactor.turn()
    assert link.protocol.lost is not None


def test_a_page_above_the_ceiling_ends_its_pager(link: Link) -> None:
    side = Side(link.transport, ceiling=300_000)
    side.flow.add_pager(Pages(side.flow, b"x" * 500_000, b"more"))
    assert side.overflows == 1 and side.flow.pagers == []
    link.drain()


def test_a_reader_of_pages_may_get_more_than_the_ceiling_in_all(link: Link) -> None:
    side = Side(link.transport, ceiling=300_000)
    side.flow.add_pager(Pages(side.flow, *[b"x" * 50_000] * 100))
    got = b""
    for _ in range(100):
        side.flow.write(b"y" * 10_000)
        got += link.drain()
    assert side.overflows == 0 and got.count(b"x") == 5_000_000 and got.count(b"y") == 1_000_000


def test_a_closing_connection_sends_its_pages_and_pieces_first(link: Link, flow: Flow) -> None:
    flow.add_pager(Pages(flow, *[b"g" * 1000] * 10))
    flow.fill(Pieces(*[b"P" * PIECE] * 40))
    link.transport.loseConnection()
    got = link.drain()
    assert got.count(b"P") == 40 * PIECE and got.count(b"g") == 10_000
    assert link.protocol.lost is not None


def test_pages_and_pieces_end_with_the_connection(link: Link, flow: Flow) -> None:
    source = Pieces(*pieces(40))
    flow.add_pager(Pages(flow, *pieces(40)))
    flow.fill(source)
    link.transport.abortConnection()
    link.reactor.turn()
    flow.close()
    flow.add_pager(Pages(flow, b"late"))
    flow.resumeProducing()
    assert link.protocol.lost is not None and source.taken == 0


# Any order of things.


class Stream:
    """Numbers what is written, so that the order can be seen in what arrives."""

    def __init__(self, sent: list[tuple[bytes, int]]) -> None:
        self.sent = sent
        self.counts: dict[bytes, int] = {}

    def item(self, kind: bytes, size: int) -> bytes:
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        self.sent.append((kind, number))
        head = kind + number.to_bytes(4, "big") + size.to_bytes(4, "big")
        return head + bytes(size)

    @staticmethod
    def read(data: bytes) -> list[tuple[bytes, int]]:
        items = []
        while data:
            items.append((data[:1], int.from_bytes(data[1:5], "big")))
            data = data[9 + int.from_bytes(data[5:9], "big") :]
        return items


STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from([1, 100, 5_000, 70_000, 200_000])),
    st.tuples(st.just("pieces"), st.integers(1, 12)),
    st.tuples(st.just("pager"), st.integers(1, 6)),
    st.tuples(st.just("read"), st.sampled_from([1_000, 50_000, 1 << 30])),
    st.tuples(st.just("turn"), st.just(1)),
    st.tuples(st.just("heard"), st.just(1)),
)


def _run(side: Side, link: Link, steps: list[tuple[str, int]], ending: bool) -> None:
    sent: list[tuple[bytes, int]] = []
    stream = Stream(sent)
    flow, source = side.flow, Pieces()
    got = b""
    for what, count in steps:
        if what == "write":
            flow.write(stream.item(b"w", count))
        elif what == "pieces":
            source.queue.extend(stream.item(b"p", PIECE) for _ in range(count))
            flow.fill(source)
        elif what == "pager":
            kind = b"%d" % len(sent)
            flow.add_pager(Pages(flow, *[stream.item(kind[-1:], 3_000) for _ in range(count)]))
        elif what == "read":
            got += link.arrived(count)
        elif what == "turn":
            link.reactor.turn()
        else:
            flow.burst = 0
    if ending:
        link.transport.loseConnection()
    got += link.drain()
    items = stream.read(got)
    assert sorted(items) == sorted(sent), "nothing is lost, nothing comes twice"
    for kind in (b"w", b"p"):
        assert [item for item in items if item[0] == kind] == [item for item in sent if item[0] == kind]
    assert link.waiting == 0 and not flow.paused and flow.pagers == []
    assert (link.protocol.lost is not None) == ending
    if not ending:
        assert link.transport.producer is None


@settings(max_examples=60)
@given(st.lists(STEPS, max_size=25), st.booleans(), st.sampled_from([4096, 65_536, None]))
def test_whatever_happens_everything_arrives_in_order(
    steps: list[tuple[str, int]], ending: bool, room: int | None
) -> None:
    link = Link(room)
    try:
        _run(Side(link.transport, ceiling=1 << 30), link, steps, ending)
    finally:
        link.close()


def test_in_memory_it_is_the_same() -> None:
    arrived = []
    transport = MemoryTransport(
        "client",
        1,
        high_water=100_000,
        arrival=lambda: 0.0,
        written=lambda to, data: arrived.append(data),
        reactor=None,
    )
    flow = Side(transport).flow
    source = Pieces(*pieces(10))
    flow.fill(source)
    assert source.taken == 2 and flow.paused
    flow.write(b"small")
    while transport.size:
        transport.take(50_000)
        if not transport.size:
            transport.drained()
    assert b"".join(arrived) == b"".join(pieces(10)[:2]) + b"small" + b"".join(pieces(10)[2:])
    assert transport.producer is None
