"""What the peers on Twisted share: both workers, run by a reactor."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from time import perf_counter
from typing import Any, Protocol

from twisted.application.reactors import installReactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.benchmarks.driver import Loop, Timed, check, enough, percentiles, rate
from tests.benchmarks.port import Control, Hold, Operation
from tests.benchmarks.worker import common
from tests.benchmarks.workloads import WORKLOADS, Sizes, Workload, value_of

__all__ = ["Client", "Server", "TwistedPeer"]

#: Seconds from one ping of a polite client to the next.
PING_INTERVAL = 0.005


class Server(Protocol):
    """The listening half of a peer."""

    port: int
    #: What a client must know beside the port, if anything.
    name: str

    def tables(self) -> dict[str, int]:
        """Return the size of every table of its connections, all connections together."""


class Client(Protocol):
    """The connected half of a peer."""

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one echo, refs, callback or connect, or one step of a soak."""

    def hold(self, what: str) -> Hold:
        """Return what opens and keeps connections or references."""

    def tables(self) -> dict[str, int]:
        """Return the size of every table of its connection."""


class TwistedPeer(ABC):
    """A peer whose two halves run on a reactor."""

    name: str
    title: str
    offers: frozenset[str]
    kind = "peer"
    pure = False
    batched: frozenset[str] = frozenset()
    #: The name of the reactor that both halves run on; None for the one that Twisted chooses.
    reactor: str | None = None

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        return None

    @abstractmethod
    def listen(self) -> Server:
        """Listen on a free port of 127.0.0.1."""

    @abstractmethod
    def open(self, port: int, name: str) -> Deferred[Client]:
        """Connect, ready for the first operation; `name` is what the server told with its port, if anything."""

    def serve(self, control: Control) -> None:
        """Be the server until the harness is gone."""
        reactor = self._installed()
        server = self.listen()
        worker = _Worker(control, reactor)
        worker.tables = server.tables
        control.tell({"port": server.port, "name": server.name})
        reactor.run()

    def drive(self, control: Control, port: int) -> None:
        """Be the client until the harness is gone."""
        reactor = self._installed()
        worker = _Worker(control, reactor)

        def opened(client: Client) -> None:
            worker.client = client
            worker.tables = client.tables
            control.tell({"ready": True})

        self.open(port, control.name).addCallback(opened).addErrback(worker.tell_failure)
        reactor.run()

    def _installed(self) -> Any:
        if self.reactor is not None:
            installReactor(self.reactor)
        from twisted.internet import reactor

        return reactor


class _Worker:
    """Takes the commands of the harness in a reactor."""

    def __init__(self, control: Control, reactor: Any) -> None:
        self._control = control
        self._reactor = reactor
        self.client: Client | None = None
        self.tables: Any = None
        reactor.addReader(self)

    def fileno(self) -> int:
        """Return the descriptor that the reactor watches."""
        return self._control.fileno()

    def logPrefix(self) -> str:
        """Return the name under which the reactor logs trouble."""
        return "benchmark worker"

    def connectionLost(self, reason: Failure) -> None:
        """The harness is gone: end with it. An epoll reactor tells that so when nothing is left to be read."""
        if self._reactor.running:
            self._reactor.stop()

    def doRead(self) -> None:
        """Take what came; end with the harness."""
        commands = self._control.read()
        if commands is None:
            self._reactor.removeReader(self)
            self.connectionLost(Failure(ConnectionDone()))
            return
        for command in commands:
            answer = common(command)
            if answer is not None:
                self._control.tell(answer)
            elif command["do"] == "tables":
                self._control.tell(self.tables())
            else:
                Deferred.fromCoroutine(self._own(command)).addCallbacks(self._control.tell, self.tell_failure)

    def tell_failure(self, failure: Failure) -> None:
        """Answer a command with what went wrong."""
        self._control.tell({"error": failure.getErrorMessage() or repr(failure.value)})
        traceback.print_exception(failure.value)

    async def _own(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do a command of a client."""
        assert self.client is not None, "only a client is asked to do anything"
        what = command["do"]
        if what == "run":
            workload, sizes = WORKLOADS[command["workload"]], Sizes(**command["sizes"])
            return await _run(self.client, workload, sizes, float(command["seconds"]))
        if what == "hold":
            return await _hold(self.client.hold(command["what"]), int(command["count"]))
        if what == "ping":
            return await _ping(self.client.operation("echo", 1), self._reactor, float(command["seconds"]))
        if what == "many":
            operation = self.client.operation(command["operation"], 1)
            if command.get("batches"):
                return await _batches(operation, int(command["in_flight"]), float(command["seconds"]))
            return await _many(operation, int(command["in_flight"]), float(command["seconds"]), command["most"])
        raise ValueError(f"no such command: {what}")


async def _run(client: Client, workload: Workload, sizes: Sizes, seconds: float) -> dict[str, Any]:
    """Check the operation once, warm it up, and measure it."""
    value = value_of(workload.value, sizes)
    operation = client.operation(workload.operation, value)
    started = perf_counter()
    got = await _once(operation)
    took = perf_counter() - started
    check(workload, value, got)
    if enough(workload, took, seconds):
        return rate(workload, value, 1, took)
    if workload.in_flight > 1 or workload.unit == "us":
        await _looped(operation, workload.in_flight, seconds / 5)
    if workload.unit == "us":
        return await _latency(client, operation, workload, sizes, seconds)
    loop = await _looped(operation, workload.in_flight, seconds)
    return rate(workload, value, loop.count, loop.elapsed)


async def _latency(
    client: Client, operation: Operation, workload: Workload, sizes: Sizes, seconds: float
) -> dict[str, Any]:
    """Measure percentiles, with or without large echoes on the same connection."""
    timed = Timed(operation)
    if workload.busy:
        load: Deferred[Loop] = Deferred()
        echo = client.operation("echo", value_of("octets", sizes))
        other = Loop(echo, 1, float("inf"), lambda problem: _settle(load, other, problem))
        other.start()
    await _looped(timed, 1, seconds)
    if workload.busy:
        other.stop()
        await load
    return percentiles(timed.times)


async def _hold(hold: Hold, count: int) -> dict[str, Any]:
    done: Deferred[Any] = Deferred()
    hold(count, done.callback, done.errback)
    await done
    return {}


async def _many(operation: Operation, in_flight: int, seconds: float, most: float | None) -> dict[str, Any]:
    """Keep many in flight, for fairness and soak."""
    loop = await _looped(operation, in_flight, seconds, float("inf") if most is None else most)
    return {"count": loop.count, "elapsed": loop.elapsed}


async def _batches(operation: Operation, size: int, seconds: float) -> dict[str, Any]:
    """Start many in one turn of the reactor, wait for all of them, and again."""
    count, elapsed = 0, 0.0
    while elapsed < seconds:
        loop = await _looped(operation, size, float("inf"), size)
        count, elapsed = count + loop.count, elapsed + loop.elapsed
    return {"count": count, "elapsed": elapsed}


async def _ping(operation: Operation, clock: Any, seconds: float) -> dict[str, Any]:
    """Start one at fixed times, answered or not, and measure from when each was due: waiting hides nothing then."""
    start, total = clock.seconds(), max(1, int(seconds / PING_INTERVAL))
    times: list[float] = []
    done: Deferred[Any] = Deferred()

    def answered(due: float) -> None:
        times.append(clock.seconds() - due)
        if len(times) == total:
            done.callback(None)

    def failed(problem: Any) -> None:
        if not done.called:
            done.errback(problem)

    def begin(number: int) -> None:
        due = start + number * PING_INTERVAL
        if number + 1 < total:
            clock.callLater(max(0.0, due + PING_INTERVAL - clock.seconds()), begin, number + 1)
        operation(lambda _: answered(due), failed)

    begin(0)
    await done
    return percentiles(times)


def _once(operation: Operation) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()
    operation(done.callback, done.errback)
    return done


def _looped(operation: Operation, in_flight: int, seconds: float, most: float = float("inf")) -> Deferred[Loop]:
    done: Deferred[Loop] = Deferred()
    loop = Loop(operation, in_flight, seconds, lambda problem: _settle(done, loop, problem), most)
    loop.start()
    return done


def _settle(done: Deferred[Loop], loop: Loop, problem: Any) -> None:
    if problem is None:
        done.callback(loop)
    else:
        done.errback(problem)
