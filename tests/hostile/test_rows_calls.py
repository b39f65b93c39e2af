"""Calls in ``broker/1``: cancelled, forged, without end, and never read; each with its defined outcome."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

import broker
from broker._limits import Limits
from broker._messages.messages import Answer, Failed
from broker._objects.referenceable import Referenceable
from broker._wire import frames
from broker._wire.frames import frame, varint
from tests.hostile.native_scene import NativeScene, call, value
from tests.hostile.scene import CLOSED, Service, peak
from tests.hostile.test_rows import MIB, ONE

LARGEST = 2**63 - 1
FORGED = [0, 12345, 2**31, 2**32, LARGEST]


def cancel(request: int) -> bytes:
    """Return the bytes of a message that gives up a call."""
    return frame(frames.CANCEL, varint(request))


def remote(number: int) -> bytes:
    """Return the bytes of arguments with a reference to an object of theirs in them."""
    return b"\xdf\xa2" + value(b"tuple") + b"\xa2" + value(b"remote") + value(number)


# Calls that are cancelled.


class Steps(Service):
    """Moves money in steps, between any two of which it may be cancelled.

    The sum of both accounts is the same after each transfer that is not, or must not be, cancelled.
    """

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = 100, 0
        self.entered = self.most = self.running = 0
        self.gates: list[Deferred[None]] = []
        self.ends: list[str] = []

    async def _gate(self) -> None:
        gate: Deferred[None] = Deferred()
        self.gates.append(gate)
        await gate

    async def _transfer(self) -> str:
        try:
            await self._gate()
            self.left -= 10
            await self._gate()
            self.right += 10
            await self._gate()
        except CancelledError:
            self.ends.append(f"cancelled at {len(self.gates)}")
            raise
        self.ends.append("done")
        return "done"

    async def remote_open(self) -> str:
        return await self._transfer()

    @broker.shielded
    async def remote_shielded(self) -> str:
        return await self._transfer()

    async def remote_stubborn(self) -> str:
        """Takes its time, cancelled or not."""
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered += 1
        try:
            await Deferred()
        except CancelledError:
            try:
                await self._gate()
            finally:
                self.running -= 1
            return "late"
        raise AssertionError("never fired")

    async def remote_prompt(self) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        self.entered += 1
        try:
            await Deferred()
        finally:
            self.running -= 1


@pytest.mark.parametrize("at", [1, 2, 3])
def test_cancelled_at_each_await(at: int) -> None:
    """Without a shield the method hears of it where it waits, and nowhere else."""
    service = Steps()
    with NativeScene(service) as scene:
        assert scene.raw(call(b"open")) == []
        for gate in range(at - 1):
            service.gates[gate].callback(None)
        scene.wire.flush()
        scene.refused(scene.raw(cancel(1)), b"CancelledError")
        assert service.ends == [f"cancelled at {at}"]
        assert (service.left, service.right) == {1: (100, 0), 2: (90, 0), 3: (90, 10)}[at]
        assert scene.server.statistics()["answers"] == 0
        assert scene.raw(cancel(1) * 10) == [] and scene.log.take() == []
        scene.alive()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_cancelled_under_a_shield(at: int) -> None:
    service = Steps()
    with NativeScene(service) as scene:
        assert scene.raw(call(b"shielded")) == []
        for gate in range(3):
            if gate == at - 1:
                assert scene.raw(cancel(1) * 3) == []
                assert scene.server.statistics()["answers"] == 1
            service.gates[gate].callback(None)
        scene.wire.flush()
        scene.answered(scene.peer.received, "done")
        assert service.ends == ["done"] and (service.left, service.right) == (90, 10)
        assert scene.log.take() == []


def test_a_shield_outlasts_the_connection() -> None:
    service = Steps()
    with NativeScene(service) as scene:
        scene.raw(call(b"shielded") + call(b"open", request=2))
        scene.wire.drop()
        assert service.ends == []
        for number in (0, 2, 3):
            service.gates[number].callback(None)
        assert "done" in service.ends
        assert scene.log.tracebacks == []
        scene.log.take()


def test_cancelled_call_keeps_its_place_until_it_has_ended() -> None:
    """Open and give up, again and again: no more of it runs at a time than calls are taken."""
    service = Steps()
    limits = Limits(calls=10)
    with NativeScene(service, limits=limits) as scene:
        for request in range(1, 201):
            scene.raw(call(b"stubborn", request=request) + cancel(request))
            assert service.running == min(request, 10) == scene.server.statistics()["answers"]
        assert service.most == service.entered == 10
        refused = [message for message in scene.peer.received if isinstance(message, Failed)]
        assert len(refused) == 190
        # Each one that ends makes room for one.
        service.gates[0].callback(None)
        scene.wire.flush()
        assert isinstance(scene.peer.received[-1], Answer)
        scene.raw(call(b"stubborn", request=201) + call(b"stubborn", request=202))
        assert service.entered == 11 and service.running == 10
        for gate in service.gates[1:]:
            gate.callback(None)
        assert len(scene.log.take()) <= 101


def test_calls_and_cancels_without_end() -> None:
    """The last thousands take as long as the first, and nothing of any is left."""
    service = Steps()
    with NativeScene(service, keep=False) as scene:
        times = []
        for block in range(5):
            requests = range(block * 2_000 + 1, block * 2_000 + 2_001)
            data = b"".join(call(b"prompt", request=request) + cancel(request) for request in requests)
            started = process_time()
            with peak(2 * MIB):
                scene.raw(data)
            times.append(process_time() - started)
            assert service.running == 0 and scene.server.statistics()["answers"] == 0
        assert service.entered == 10_000 and service.most == 1
        assert min(times[1:]) < times[0] * 5, times
        assert scene.log.take() == []


@pytest.mark.parametrize("request_number", FORGED)
def test_cancel_of_nothing(request_number: int) -> None:
    with NativeScene() as scene:
        assert scene.raw(call(b"later", request=77) + cancel(request_number)) == []
        assert not scene.service.waiting[0].called
        assert scene.log.take() == []
        # Nor does it reach the call of another connection.
        waiting = scene.honest.root.callRemote("later")
        scene.honest.flush()
        for number in range(1, 20):
            if number != 77:
                scene.raw(cancel(number))
        assert not scene.service.waiting[1].called
        scene.service.waiting[1].callback("mine")
        assert scene.honest.result(waiting) == "mine"
        scene.alive()


def test_requests_with_one_number() -> None:
    """They count as many, each is answered, and a cancel means the last one."""
    with NativeScene(limits=Limits(calls=10)) as scene:
        scene.raw(call(b"later", request=5) * 15)
        assert len(scene.service.waiting) == 10 and len(scene.peer.received) == 5
        scene.raw(cancel(5) * 10)
        assert [waiting.called for waiting in scene.service.waiting] == [False] * 9 + [True]
        for waiting in scene.service.waiting[:-1]:
            waiting.callback(None)
        scene.wire.flush()
        assert len(scene.peer.received) == 15
        scene.log.take()


# Numbers that were made up.


@pytest.mark.parametrize("target", [*FORGED, b"", b"nobody", b"ROOT", b"root\x00", b"\xff" * 255])
@pytest.mark.parametrize("flags", [0, frames.WANTS_ANSWER])
@pytest.mark.parametrize("cached", [0, frames.CACHED])
def test_call_of_nothing(target: Any, flags: int, cached: int) -> None:
    with NativeScene() as scene:
        answer = scene.raw(call(b"echo", ONE + b"\x01", target=target, flags=flags | cached))
        if flags:
            scene.refused(answer)
        else:
            assert answer == []
        scene.logged()
        assert scene.service.calls == 0
        scene.alive()


def test_objects_of_another_connection() -> None:
    """The honest client holds objects 1 to 3; the other one can neither call, nor release, nor send home, any."""
    with NativeScene() as scene:
        held = [scene.honest.call(scene.honest.root, "new") for _ in range(3)]
        for number in (1, 2, 3):
            scene.refused(scene.raw(call(b"anything", target=number)), b"Invalid Object ID")
            assert scene.raw(frame(frames.RELEASE, varint(number) + b"\x01")) == []
            # An object of ours that is not there comes home as None.
            answer = scene.raw(call(b"echo", b"\xdf\xa2" + value(b"tuple") + b"\xa2" + value(b"local") + value(number)))
            assert len(answer) == 1
        assert len(scene.log.take()) == 6
        assert scene.honest.server.statistics()["exports"] == 3
        assert len(held) == 3
        scene.alive()


@pytest.mark.parametrize("kind", [frames.ANSWER, frames.FAILED])
@pytest.mark.parametrize("request_number", FORGED)
def test_answer_to_nothing(kind: int, request_number: int) -> None:
    with NativeScene() as scene:
        for payload in (b"\x01", b"\xdf\x01", b"\xff\xff", b""):
            assert scene.raw(frame(kind, varint(request_number) + payload)) == []
            scene.logged("which is not open")
        scene.alive()


@pytest.mark.parametrize("kind", [frames.RELEASE, frames.RELEASE_CACHE])
@pytest.mark.parametrize("count", [0, 1, 2, LARGEST])
@pytest.mark.parametrize("target", [1, *FORGED])
def test_release_of_what_they_do_not_hold(kind: int, count: int, target: int) -> None:
    """Object 1 is theirs, once. What is right in a batch is done whatever else is wrong in it."""
    with NativeScene() as scene:
        scene.raw(call(b"stored"))
        right = kind == frames.RELEASE and target == 1 and count == 1
        pair = varint(target) + varint(count)
        assert scene.raw(frame(kind, pair + varint(1) + b"\x05")) == []
        assert len(scene.log.take()) == (1 if right else 2)
        assert scene.server.statistics()["exports"] == (0 if right else 1)
        assert scene.raw(frame(frames.CACHE_RELEASED, varint(target))) == []
        scene.logged("which is not held")
        scene.alive()


def test_releases_of_nothing_without_end() -> None:
    with NativeScene(limits=Limits(faults=100)) as scene:
        scene.raw(frame(frames.RELEASE, b"\x07\x01" * 30_000))
        assert not scene.open
        lines = scene.log.take()
        assert len(lines) == 101 and CLOSED in lines[-1]


def test_number_without_an_end() -> None:
    with NativeScene() as scene:
        scene.raw(frame(frames.CANCEL, b"\xff" * 60_000))
        assert not scene.open
        scene.logged("a number without an end")


# Names.


def test_a_new_method_each_time() -> None:
    """Names are looked up and forgotten."""
    with NativeScene(keep=False) as scene:
        scene.raw(b"".join(call(b"%0100d" % number) for number in range(1_000)))
        with peak(4 * MIB):
            for block in range(1, 6):
                scene.raw(b"".join(call(b"%0100d" % (number + block * 2_000)) for number in range(2_000)))
        assert len(scene.log.take()) == 101
        assert scene.open


# Peers that send and never read.


@pytest.mark.parametrize(
    ("size", "ceiling"), [(10, 200_000), (1_000, 2_000_000), (100_000, 8_000_000), (3_000_000, 8_000_000)]
)
def test_answers_are_never_read(size: int, ceiling: int) -> None:
    """What waits for the peer is bounded, whatever pieces it is in."""
    with NativeScene(limits=Limits(buffer=ceiling), keep=False) as scene:
        scene.service.result = "x" * size
        scene.wire.client.pauseProducing()
        with peak(40 * MIB):
            for _ in range(200):
                if scene.open:
                    scene.wire.client.write(call(b"give") * max(1, 20_000 // size))
                    scene.wire.transcript.clear()
                    scene.wire.flush()
        assert not scene.open
        scene.logged(f"does not read: more than {ceiling} bytes")


def test_releases_are_never_read() -> None:
    """The peer sends references that are dropped at once, while a large answer waits in front of their releases."""
    with NativeScene(limits=Limits(buffer=1_000_000, references=10**6), keep=False) as scene:
        scene.service.result = "x" * 500_000
        scene.wire.client.pauseProducing()
        scene.raw(call(b"give"))
        with peak(20 * MIB):
            for number in range(1, 20_000):
                if scene.open:
                    scene.raw(call(b"take", remote(number), flags=0))
        assert not scene.open
        scene.logged("does not read")


def test_releases_behind_calls_that_are_held_back() -> None:
    """A peer that takes one call at a time, answers none, and sends references that are dropped at once."""
    with NativeScene(limits=Limits(buffer=1_000_000), settings={"calls": 1}, keep=False) as scene:
        scene.service.action = lambda ref: [ref.callRemote("one").addErrback(str) for _ in range(3)] and None
        scene.raw(call(b"act", remote(1), flags=0))
        with peak(20 * MIB):
            for number in range(2, 20_000):
                if scene.open:
                    scene.raw(call(b"take", remote(number), flags=0))
        assert not scene.open
        scene.logged("does not read")


def test_objects_that_are_theirs_are_let_go() -> None:
    with NativeScene() as scene:
        scene.service.action = lambda *args: Referenceable()
        for number in range(1, 50):
            scene.raw(call(b"keep", remote(number)))
        scene.service.kept.clear()
        scene.wire.flush()
        scene.server.flush()
        assert scene.server.statistics()["imports"] == 0
