"""Frames of ``broker/1`` that make no sense, or sense too often: each with its defined outcome."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from broker._limits import Limits
from broker._messages.messages import NotUnderstood, Pong
from broker._net import protocol
from broker._wire import frames
from broker._wire.frames import HEAD, frame
from tests.hostile.native_scene import NativeScene, call, value
from tests.hostile.scene import CLOSED, peak
from tests.hostile.test_rows import MIB, ONE, pieces

#: A call in pieces, of a text, up to the text's bytes.
BEGIN = call(b"take", ONE + b"\xca" + (60_000_000).to_bytes(4, "little"), head=False)
#: One message of each kind, as it should be.
SOUND = {
    "call": call(b"take", ONE + b"\x01"),
    "call with everything": frame(frames.CALL, b"\x3d\x01\x04root\x04take\x7f\xb8" + ONE + b"\x01\xb9\x81a\x01"),
    "answer": frame(frames.ANSWER, b"\x01\xa1\x81a"),
    "failed": frame(frames.FAILED, b"\x01\xc0"),
    "release": frame(frames.RELEASE, b"\x01\x01\x82\x01\x03"),
    "release of copies": frame(frames.RELEASE_CACHE, b"\x01\x01\x82\x01\x03"),
    "copies released": frame(frames.CACHE_RELEASED, b"\x85\x01"),
    "cancel": frame(frames.CANCEL, b"\x85\x01"),
    "ping": frame(frames.PING, b"12345678"),
    "pong": frame(frames.PONG, b"12345678"),
    "going away": frame(frames.GO_AWAY, b"soon"),
    "not understood": frame(frames.NOT_UNDERSTOOD, b"\x77abc"),
    "piece": frame(frames.PART, b"\x85\x01" + call(b"take", ONE + b"\x01", head=False)),
    "last piece": frame(frames.LAST, b"\x85\x01" + call(b"take", ONE + b"\x01", head=False)),
    "abort": frame(frames.ABORT, b"why"),
}


# What is not known, and what is cut short.


@pytest.mark.parametrize("kind", [kind for kind in range(0x80) if not frames.CALL <= kind <= frames.ABORT])
def test_unknown_kind(kind: int) -> None:
    with NativeScene() as scene:
        answer = scene.raw(frame(kind, b"\x01\x02\x03"))
        assert len(answer) == 1 and isinstance(answer[0], NotUnderstood) and answer[0].command == bytes((kind,))
        scene.logged(f"messages of kind {kind} are not known")
        scene.alive()


def test_unknown_kinds_without_end() -> None:
    with NativeScene(limits=Limits(faults=10)) as scene:
        scene.raw(frame(0x10, b"") * 10)
        assert scene.open and len(scene.log.take()) == 10
        scene.raw(frame(0x11, b""))
        assert not scene.open
        scene.logged(CLOSED)


@pytest.mark.parametrize("kind", range(0x80, 0x100, 9))
def test_hint_is_passed_over(kind: int) -> None:
    with NativeScene() as scene:
        assert scene.raw(frame(kind, b"x" * 60_000) + frame(kind, b"")) == []
        assert scene.log.take() == []
        scene.alive()


@pytest.mark.parametrize("flags", range(0, 256, 5))
def test_flags(flags: int) -> None:
    """Known ones ask for what is not there; of unknown ones it is not known what they ask for."""
    with NativeScene() as scene:
        answer = scene.raw(call(b"take", ONE + b"\x01", flags=flags))
        scene.log.take()
        if not scene.open:
            assert not flags & (frames.PIPELINED | 128)
            return
        if flags & frames.WANTS_ANSWER:
            assert len(answer) == 1 and answer[0].request == 1
        if flags & (frames.PIPELINED | 128):
            assert scene.service.calls == 0
        scene.alive()


@pytest.mark.parametrize("tag", range(256))
def test_tag_with_nothing_behind_it(tag: int) -> None:
    """Each tag as the last byte of a message; and with bytes that it does not expect."""
    with NativeScene() as scene:
        for rest in (b"", b"\xff" * 3, b"\x00" * 40, b"\xff" * 40):
            for data in (ONE + bytes((tag,)) + rest, bytes((tag,)) + rest):
                answer = scene.raw(call(b"take", data))
                assert len(answer) == 1 and answer[0].request == 1
                again = scene.raw(pieces(call(b"take", data, head=False), size=20))
                assert len(again) == 1 and type(again[0]) is type(answer[0])
        scene.log.take()
        scene.alive()


@pytest.mark.parametrize("name", SOUND)
def test_cut_short_at_every_byte(name: str) -> None:
    """The frame ends where it says, and what is in it ends too early."""
    sound = SOUND[name]
    for end in range(HEAD, len(sound)):
        with NativeScene() as scene:
            scene.raw(frame(sound[0], sound[HEAD:end]))
            lines = scene.log.take()
            assert len(lines) <= (2 if name in ("release", "release of copies") else 1), lines
            if scene.open:
                scene.alive()
            else:
                assert CLOSED in lines[-1]


@pytest.mark.parametrize("name", SOUND)
def test_silence_at_every_byte(name: str) -> None:
    sound = SOUND[name]
    for end in range(len(sound)):
        with NativeScene() as scene:
            scene.raw(sound[:end])
            assert scene.open and scene.log.take() == []
            assert scene.service.calls == 0


# Too often.

FLOODS = {
    "pings": frame(frames.PING, b"12345678"),
    "empty pings": frame(frames.PING, b""),
    "pongs": frame(frames.PONG, b""),
    "releases of nothing": frame(frames.RELEASE, b""),
    "releases of no copies": frame(frames.RELEASE_CACHE, b""),
    "hints": frame(0x80, b""),
    "farewells": frame(frames.GO_AWAY, b"\x1b[31mI am\nleaving"),
}


@pytest.mark.parametrize("name", FLOODS)
def test_ten_thousand_a_second(name: str) -> None:
    clock = Clock()
    with NativeScene(clock=clock, keepalive=None) as scene:
        with peak(MIB):
            for _ in range(100):
                if scene.open:
                    scene.wire.client.write(FLOODS[name] * 100)
                    scene.wire.advance(0.01)
        assert not scene.open
        lines = [line for line in scene.log.take() if "is going away" not in line]
        assert len(lines) == 1 and CLOSED in lines[0] and "more than 200 pings" in lines[0], lines
        # What came before is answered, and not what came after.
        assert len([message for message in scene.peer.received if isinstance(message, Pong)]) <= 300


@pytest.mark.parametrize("name", FLOODS)
def test_as_often_as_allowed(name: str) -> None:
    clock = Clock()
    limits = Limits(controls=50)
    with NativeScene(clock=clock, keepalive=None, limits=limits) as scene:
        for _ in range(20):
            scene.wire.client.write(FLOODS[name] * (limits.controls // 10))
            scene.wire.advance(0.1)
        assert scene.open
        assert len(scene.log.take()) == (name == "farewells")


def test_words_for_the_log_are_words() -> None:
    """Nothing that a peer says starts a line, or commands a terminal."""
    with NativeScene() as scene:
        scene.raw(frame(frames.GO_AWAY, b"\x1b[31mnow\nof" + "ä€".encode() + b"\xff" * 5000))
        [line] = scene.log.take()
        assert line.isprintable() and len(line) < 12_000
        scene.alive()
        scene.raw(frame(frames.ABORT, b"\x1b[31mnow\n" + b"x" * 60_000) * 100)
        assert not scene.open
        [line] = scene.log.take()
        assert CLOSED in line and line.isprintable() and len(line) < 2000


@pytest.mark.parametrize(
    "data",
    [
        frame(frames.CANCEL, b"\x01"),
        frame(0x80, b""),
        frame(frames.RELEASE, b""),
        frame(frames.PART, b"\x01x"),
        frame(frames.PING, b""),
        call(b"take", ONE + b"\x01"),
    ],
    ids=["cancel", "hint", "release", "piece", "ping", "call"],
)
def test_whatever_fills_a_reading_is_handled_in_slices(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message takes a little time, also one without effect: nobody waits for the thousands of one reading."""
    clock = Clock()
    count = 65_536 // len(data)
    with NativeScene(clock=clock, keepalive=None, keep=False, limits=Limits(controls=10**6)) as scene:
        scene.raw(frame(frames.PART, b"\x01" + BEGIN))
        monkeypatch.setattr(protocol, "SLICE", -1.0)
        turns: list[None] = []
        resume = scene.server._resume

        def counted() -> None:
            turns.append(None)
            resume()

        monkeypatch.setattr(scene.server, "_resume", counted)
        scene.raw(data * count)
        assert len(turns) > count / 100
        assert scene.open and scene.log.take() == []


# Pieces.


def test_pieces_never_finished_up_to_the_ceiling() -> None:
    with NativeScene(limits=Limits(streams=3)) as scene:
        with peak(MIB):
            for stream in range(1, 4):
                scene.raw(frame(frames.PART, bytes((stream,)) + BEGIN))
        assert scene.open
        scene.alive()
        # Going on with one of them is no new one, and one that ends makes room.
        scene.raw(frame(frames.PART, b"\x02" + b"x" * 100) + frame(frames.LAST, b"\x03x"))
        scene.logged("was refused")
        scene.raw(frame(frames.PART, b"\x04" + BEGIN))
        assert scene.open and scene.log.take() == []
        scene.raw(frame(frames.PART, b"\x05" + BEGIN))
        assert not scene.open
        scene.logged("more than 3 large messages")


def test_unfinished_pieces_count_together() -> None:
    with NativeScene(limits=Limits(buffer=500_000)) as scene:
        for stream in range(1, 5):
            scene.raw(
                frame(frames.PART, bytes((stream,)) + BEGIN) + frame(frames.PART, bytes((stream,)) + b"x" * 60_000)
            )
        with peak(MIB):
            for _ in range(20):
                scene.raw(frame(frames.PART, b"\x01" + b"x" * 60_000))
        assert not scene.open
        scene.logged("unfinished messages of more than 500000 bytes")


def test_large_message_beyond_the_ceiling() -> None:
    with NativeScene(limits=Limits(message=200_000)) as scene:
        scene.raw(frame(frames.PART, b"\x01" + BEGIN))
        with peak(MIB):
            for _ in range(3):
                scene.raw(frame(frames.PART, b"\x01" + b"x" * 60_000))
            assert scene.open
            scene.raw(frame(frames.PART, b"\x01" + b"x" * 60_000))
        assert not scene.open
        scene.logged("a message of more than 200000 bytes")


def test_stream_of_one_byte_pieces() -> None:
    data = call(b"echo", ONE + value(["text", 1.5, {"a": (1, b"x" * 20_000)}]), head=False)
    first = call(b"echo", ONE, head=False)
    with NativeScene() as scene:
        number = b"\x07"
        rest = data[len(first) :]
        tiny = [frame(frames.PART, number + bytes((byte,))) for byte in rest[:-1]]
        answer = scene.raw(frame(frames.PART, number + first) + b"".join(tiny) + frame(frames.LAST, number + rest[-1:]))
        scene.answered(answer, ["text", 1.5, {"a": (1, b"x" * 20_000)}])
        scene.alive()


@pytest.mark.parametrize("kind", [frames.PART, frames.LAST])
@pytest.mark.parametrize(
    "body", [b"", b"\x01", b"\x01\x00", b"\x01\x0d", b"\x01\x05\x01\x01", b"\x01\x02", b"\xff" * 9]
)
def test_piece_of_nothing_known(kind: int, body: bytes) -> None:
    """The first piece says of what it is one; only calls and their answers are large."""
    with NativeScene() as scene:
        scene.raw(frame(kind, body))
        assert not scene.open
        scene.logged(CLOSED)


def test_pieces_with_nothing_in_them() -> None:
    """They could go on for ever. The last one may be empty: a sender need not know that it is the last."""
    with NativeScene() as scene:
        scene.raw(frame(frames.PART, b"\x01" + call(b"take", ONE + b"\x01", head=False)))
        scene.answered(scene.raw(frame(frames.LAST, b"\x01")), 1)
        scene.raw(frame(frames.PART, b"\x01" + BEGIN))
        scene.raw(frame(frames.PART, b"\x01") * 10_000)
        assert not scene.open
        scene.logged("a piece with nothing in it")


def test_pieces_of_a_call_that_is_not_known_are_counted_only() -> None:
    with NativeScene() as scene:
        head = call(b"take", flags=frames.PIPELINED | frames.WANTS_ANSWER, head=False)
        scene.raw(frame(frames.PART, b"\x01" + head))
        with peak(MIB):
            for _ in range(20):
                scene.raw(frame(frames.PART, b"\x01" + b"\xa1" * 60_000))
        scene.refused(scene.raw(frame(frames.LAST, b"\x01x")), b"flags")
        scene.logged("was refused")
        scene.alive()


def test_many_greedy_connections_share_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    with NativeScene(clock=clock, keepalive=None) as scene:
        alone = scene.server._slice()
        assert alone == protocol.SLICE
        with monkeypatch.context() as patched:
            patched.setattr(protocol, "SLICE", -1.0)
            scene.server.dataReceived(call(b"take", ONE + b"\x01") * 100)
            scene.honest.server.dataReceived(call(b"take", ONE + b"\x01", flags=0) * 100)
            assert scene.service.calls == 2
        assert scene.server._slice() == alone / 3
        scene.factory._busy += 1_000
        assert scene.server._slice() == protocol.SHORTEST
        scene.factory._busy -= 1_000
        # One ends what it put off, the other one goes away with it.
        scene.wire.drop()
        assert scene.honest.server._slice() == alone / 2
        scene.honest.wire.advance(1)
        assert scene.service.calls == 101
        assert scene.honest.server._slice() == alone
