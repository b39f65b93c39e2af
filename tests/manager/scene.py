"""What the tests of the manager play with: a hub whose clients are in memory, and one that waits for answers."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker._limits import Limits
from broker._remote.program import Program
from broker.manager.hub import Hub
from broker.manager.policies import HELD
from broker.manager.registry import Types
from broker.manager.standard import exceptions, standard_types
from broker.testing import Pair
from broker.testing.harness import Pairs
from broker.transparent import live, transmit

__all__ = ["Client", "Noting", "Server", "Waiting", "Work", "Workers", "came", "clients", "failed"]


class Workers:
    """Runs functions at once, or when it is told to.

    :ivar held: those that wait to be run, if they are to.
    """

    def __init__(self) -> None:
        self.functions: Mapping[str, Callable[..., Any]] = {}
        self.held: list[Work] | None = None

    def run(self, function: Callable[..., Any], *args: Any, **kw: Any) -> Deferred[Any]:
        if self.held is None:
            return maybeDeferred(function, *args, **kw)
        work = Work(lambda: function(*args, **kw))
        self.held.append(work)
        return work.done


class Work:
    """A call that waits to be made."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call
        self.done: Deferred[Any] = Deferred()

    def __call__(self) -> None:
        maybeDeferred(self.call).chainDeferred(self.done)


class Waiting:
    """A transport that waits for answers by delivering what there is to deliver."""

    blocking = True

    def __init__(self, pair: Pair) -> None:
        self.pair = pair

    def perform(self, reference: Any, program: Program) -> Any:
        return self.pair.result(transmit(reference, program))


class Noting:
    """A transport that notes for whom the calls are, and does not wait."""

    blocking = False

    def __init__(self, owner: int | str) -> None:
        self.owner = owner

    def perform(self, reference: Any, program: Program) -> Any:
        program.notes = {"owner": self.owner}
        return transmit(reference, program)


class Client:
    """One client of a hub.

    :ivar pair: its connection.
    :ivar hub: a proxy for the hub that waits.
    :ivar later: one that gives Deferreds.
    """

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.hub = live(pair.root, HELD, transport=Waiting(pair))
        self.later = pair.result(live(pair.root, HELD))

    def make(self, typeid: str, *args: Any, **kw: Any) -> Any:
        """Return a proxy that waits for a new object."""
        return self.hub.create(typeid, *args, **kw)

    def late(self, proxy: Any) -> Any:
        """Return the proxy that gives Deferreds for one of this client's."""
        return self.pair.result(live(proxy, HELD))

    def as_owner(self, proxy: Any, owner: int | str) -> Any:
        """Return a proxy that gives Deferreds and notes for whom each call is."""
        return self.pair.result(live(proxy, HELD, transport=Noting(owner)))

    def take(self, other: Client, proxy: Any) -> Any:
        """Return a proxy of this client's for an object of another one's."""
        secret = other.hub.grant(proxy)
        taken = self.hub.redeem(secret)
        other.hub.withdraw(secret)
        return taken


class Server:
    """A hub, and its clients.

    :param types: the types it makes.
    """

    def __init__(self, pairs: Pairs, types: Types | None = None, **options: Any) -> None:
        self.clock = Clock()
        self.workers = Workers()
        self.hub = Hub(types or standard_types(), self.clock, self.workers, **options)
        self._pairs = pairs
        self._limits = Limits(references=1_000_000)
        self._first: Pair | None = None

    def settle(self) -> int:
        """Have everything released that was dropped; return how many objects there are."""
        for _ in range(2):
            # What a cycle keeps on one side may be all that keeps something on the other one.
            gc.collect()
            for pair in self._pairs.made:
                pair.flush()
        gc.collect()
        return self.hub.number_of_objects()

    def client(self) -> Client:
        """Connect one more client."""
        if self._first is None:
            self._first = made = self._pairs(self.hub.exported(), registry=exceptions(), limits=self._limits)
        else:
            made = self._first.another()
            self._pairs.made.append(made)
        return Client(made)


def clients(pairs: Pairs, count: int = 1, types: Types | None = None) -> tuple[Any, ...]:
    """Return a server, and so many clients."""
    server = Server(pairs, types)
    return (server, *(server.client() for _ in range(count)))


def came(waiting: Deferred[Any]) -> list[Any]:
    """Return a list that gets what a Deferred comes to, a Failure too."""
    found: list[Any] = []
    waiting.addBoth(found.append)
    return found


def failed(found: list[Any]) -> type[BaseException]:
    """Return the class of what a Deferred failed with."""
    (failure,) = found
    assert isinstance(failure, Failure)
    assert failure.value is not None
    return type(failure.value)
