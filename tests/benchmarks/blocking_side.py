"""What the peers with blocking calls share: both workers, with the server's own threads beside the first one."""

from __future__ import annotations

import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

from tests.benchmarks.driver import check, enough, percentiles, rate
from tests.benchmarks.port import Control
from tests.benchmarks.worker import common
from tests.benchmarks.workloads import WORKLOADS, Sizes, Workload, value_of

__all__ = ["BlockingPeer", "Client", "Flight", "Operation"]

#: Does one operation.
Operation = Callable[[], Any]
#: Keeps so many operations in flight until it is that time (of `perf_counter`), and returns how many were done.
Flight = Callable[[int, float], int]


class Client(Protocol):
    """The connected half of a peer."""

    def operation(self, name: str, value: Any) -> Operation:
        """Return what does one echo, refs, callback or connect, attr, iterate, chain, steps or calls."""

    def flight(self, value: Any) -> Flight:
        """Return what keeps many echoes in flight."""

    def hold(self, what: str, count: int) -> None:
        """Open and keep so many connections or references."""


class BlockingPeer(ABC):
    """A peer whose calls block."""

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
    def listen(self) -> int:
        """Listen on a free port of 127.0.0.1, serve in threads, and return the port."""

    @abstractmethod
    def open(self, port: int) -> Client:
        """Connect, ready for the first operation."""

    def serve(self, control: Control) -> None:
        """Be the server until the harness is gone."""
        control.tell({"port": self.listen(), "name": ""})
        _obey(control, None)

    def drive(self, control: Control, port: int) -> None:
        """Be the client until the harness is gone."""
        client = self.open(port)
        control.tell({"ready": True})
        _obey(control, client)


def _obey(control: Control, client: Client | None) -> None:
    """Do what comes, one after the other, until the harness is gone."""
    while (commands := control.read()) is not None:
        for command in commands:
            answer = common(command)
            control.tell(_answer(client, command) if answer is None else answer)


def _answer(client: Client | None, command: dict[str, Any]) -> dict[str, Any]:
    try:
        assert client is not None, "only a client is asked to do anything"
        if command["do"] == "run":
            workload, sizes = WORKLOADS[command["workload"]], Sizes(**command["sizes"])
            return _run(client, workload, sizes, float(command["seconds"]))
        if command["do"] == "hold":
            client.hold(command["what"], int(command["count"]))
            return {}
        raise ValueError(f"no such command: {command['do']}")
    except Exception as error:  # noqa: BLE001  whatever it is, the harness is told, and puts it into the table
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}


def _run(client: Client, workload: Workload, sizes: Sizes, seconds: float) -> dict[str, Any]:
    """Check the operation once, warm it up, and measure it."""
    value = value_of(workload.value, sizes)
    operation = client.operation(workload.operation, value)
    started = perf_counter()
    got = operation()
    took = perf_counter() - started
    check(workload, value, got)
    if enough(workload, took, seconds):
        return rate(workload, value, 1, took)
    if workload.unit == "us":
        _times(operation, seconds / 5)
        return percentiles(_times(operation, seconds))
    flight = _one_by_one(operation)
    if workload.in_flight > 1:
        flight = client.flight(value)
        flight(workload.in_flight, perf_counter() + seconds / 5)
    started = perf_counter()
    count = flight(workload.in_flight, started + seconds)
    return rate(workload, value, count, perf_counter() - started)


def _one_by_one(operation: Operation) -> Flight:
    def flight(in_flight: int, end: float) -> int:
        count = 1
        operation()
        while perf_counter() < end:
            operation()
            count += 1
        return count

    return flight


def _times(operation: Operation, seconds: float) -> list[float]:
    times: list[float] = []
    end = perf_counter() + seconds
    while not times or perf_counter() < end:
        started = perf_counter()
        operation()
        times.append(perf_counter() - started)
    return times
