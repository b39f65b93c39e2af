"""The golden conversations in ``broker/1``: recorded anew, replayed with either end, and read by somebody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from twisted.logger import globalLogPublisher

import broker
from tests.golden.conversations import CONVERSATIONS
from tests.golden.reader import Reader
from tests.golden.transcript import ENDS, FOLDER, Replay, Write, read, recorded, written

NAMES = sorted(CONVERSATIONS)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Swallow what conversations log on purpose."""
    events: list[object] = []
    globalLogPublisher.addObserver(events.append)
    yield
    globalLogPublisher.removeObserver(events.append)


def text_of(name: str) -> str:
    return (FOLDER / f"{name}.txt").read_text(encoding="utf-8")


def test_every_conversation_is_there() -> None:
    assert NAMES == sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_recorded_anew_it_is_the_same(name: str) -> None:
    """``python -m tests.golden.conversations`` records them, where a change is meant."""
    conversation = CONVERSATIONS[name]
    assert written(conversation, recorded(conversation)) == text_of(name)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_is_what_was_written(name: str) -> None:
    assert written(CONVERSATIONS[name], read(text_of(name))) == text_of(name)


@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("name", NAMES)
def test_replayed(name: str, role: str) -> None:
    conversation = CONVERSATIONS[name]
    if role == "server":
        factory = broker.ServerFactory(conversation.root(), **conversation.options())
    else:
        factory = broker.ClientFactory(**conversation.options())
    Replay(role, factory, read(text_of(name))).run(conversation)


@pytest.mark.parametrize("role", ["server", "client"])
def test_a_difference_is_found(role: str) -> None:
    conversation = CONVERSATIONS["echo"]
    steps = read(text_of("echo"))
    mine = "S>C" if role == "server" else "C>S"
    write = next(write for write in steps[1].writes if write.way == mine)
    data, said = write.frames[0]
    write.frames[0] = data[:-1] + bytes((data[-1] ^ 1,)), said
    if role == "server":
        factory = broker.ServerFactory(conversation.root(), **conversation.options())
    else:
        factory = broker.ClientFactory(**conversation.options())
    with pytest.raises(AssertionError):
        Replay(role, factory, steps).run(conversation)


def writes_of(name: str) -> list[Write]:
    return [write for step in read(text_of(name)) for write in step.writes]


@pytest.mark.parametrize("name", NAMES)
def test_somebody_else_reads_the_same(name: str) -> None:
    """A reader that knows the page on the protocol, and nothing of this package."""
    readers = {way: Reader(listener=way == "S>C") for way in ENDS}
    for write in writes_of(name):
        for data, said in write.frames:
            assert readers[write.way].tell(data) == said


@pytest.mark.parametrize("name", NAMES)
def test_somebody_else_reads_it_however_it_is_cut(name: str) -> None:
    for way in ENDS:
        frames = [frame for write in writes_of(name) if write.way == way for frame in write.frames]
        if any(said.startswith("wrong") for _, said in frames):
            continue
        reader = Reader(listener=way == "S>C")
        stream = b"".join(data for data, _ in frames)
        size = max(3, len(stream) // 1000)
        cuts = range(0, len(stream), size)
        found = [said for start in cuts for said in reader.feed(stream[start : start + size])]
        assert found == [said for _, said in frames]
