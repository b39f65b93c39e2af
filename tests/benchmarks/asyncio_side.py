"""What the peers on asyncio share: both workers, run by an event loop."""

from __future__ import annotations

import asyncio
import traceback
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from time import perf_counter
from typing import Any, Protocol

from tests.benchmarks.driver import check, enough, percentiles, rate
from tests.benchmarks.port import Control
from tests.benchmarks.worker import common
from tests.benchmarks.workloads import WORKLOADS, Sizes, Workload, value_of

__all__ = ["AsyncioPeer", "Client", "Operation"]

#: Does one operation.
Operation = Callable[[], Awaitable[Any]]


class Client(Protocol):
    """The connected half of a peer."""

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one echo, refs, callback or connect."""

    async def hold(self, what: str, count: int) -> None:
        """Open and keep so many connections or references."""


class AsyncioPeer(ABC):
    """A peer whose two halves run in an event loop."""

    name: str
    title: str
    offers: frozenset[str]
    kind = "peer"
    pure = False
    batched: frozenset[str] = frozenset()

    @abstractmethod
    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""

    @abstractmethod
    async def listen(self) -> int:
        """Listen on a free port of 127.0.0.1, and return it."""

    @abstractmethod
    async def open(self, port: int) -> Client:
        """Connect, ready for the first operation."""

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end in the event loop of this peer."""
        asyncio.run(main)

    def serve(self, control: Control) -> None:
        """Be the server until the harness is gone."""

        async def main() -> None:
            port = await self.listen()
            control.tell({"port": port, "name": ""})
            await _obey(control, None)

        self.run(main())

    def drive(self, control: Control, port: int) -> None:
        """Be the client until the harness is gone."""

        async def main() -> None:
            client = await self.open(port)
            control.tell({"ready": True})
            await _obey(control, client)

        self.run(main())


async def _obey(control: Control, client: Client | None) -> None:
    """Do what comes, one after the other, until the harness is gone."""
    queue: asyncio.Queue[list[dict[str, Any]] | None] = asyncio.Queue()
    # Read where the loop says that there is something: a moment later it may be gone, and reading would block.
    asyncio.get_running_loop().add_reader(control.fileno(), lambda: queue.put_nowait(control.read()))
    while (commands := await queue.get()) is not None:
        for command in commands:
            answer = common(command)
            control.tell(await _answer(client, command) if answer is None else answer)


async def _answer(client: Client | None, command: dict[str, Any]) -> dict[str, Any]:
    try:
        assert client is not None, "only a client is asked to do anything"
        if command["do"] == "run":
            workload, sizes = WORKLOADS[command["workload"]], Sizes(**command["sizes"])
            return await _run(client, workload, sizes, float(command["seconds"]))
        if command["do"] == "hold":
            await client.hold(command["what"], int(command["count"]))
            return {}
        raise ValueError(f"no such command: {command['do']}")
    except Exception as error:  # noqa: BLE001  whatever it is, the harness is told, and puts it into the table
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


async def _run(client: Client, workload: Workload, sizes: Sizes, seconds: float) -> dict[str, Any]:
    """Check the operation once, warm it up, and measure it."""
    value = value_of(workload.value, sizes)
    operation = client.operation(workload.operation, value)
    started = perf_counter()
    got = await operation()
    took = perf_counter() - started
    check(workload, value, got)
    if enough(workload, took, seconds):
        return rate(workload, value, 1, took)
    if workload.in_flight > 1 or workload.unit == "us":
        await _flight(operation, workload.in_flight, seconds / 5)
    if workload.unit == "us":
        return await _latency(client, operation, workload, sizes, seconds)
    started = perf_counter()
    count = await _flight(operation, workload.in_flight, seconds)
    return rate(workload, value, count, perf_counter() - started)


async def _flight(operation: Operation, in_flight: int, seconds: float) -> int:
    """Keep so many in flight for so long, and return how many were done."""
    end = perf_counter() + seconds

    async def one() -> int:
        count = 1
        await operation()
        while perf_counter() < end:
            await operation()
            count += 1
        return count

    # Without gather a single one needs no task.
    return await one() if in_flight == 1 else sum(await asyncio.gather(*[one() for _ in range(in_flight)]))


async def _latency(
    client: Client, operation: Operation, workload: Workload, sizes: Sizes, seconds: float
) -> dict[str, Any]:
    """Measure percentiles, with or without large echoes on the same connection."""
    stopping = False

    async def load() -> None:
        echo = client.operation("echo", value_of("octets", sizes))
        while not stopping:
            await echo()

    other = asyncio.ensure_future(load()) if workload.busy else None
    times: list[float] = []
    end = perf_counter() + seconds
    while not times or perf_counter() < end:
        started = perf_counter()
        await operation()
        times.append(perf_counter() - started)
    stopping = True
    if other is not None:
        await other
    return percentiles(times)
