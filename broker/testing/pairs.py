"""Two connected brokers in memory, delivery in the test's hands."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from broker.testing.leftovers import tables
from broker.testing.transport import HIGH_WATER, End, MemoryAddress
from broker.testing.wire import Wire, Written

if TYPE_CHECKING:
    from broker._net.protocol import BrokerProtocol
    from broker._objects.reference import RemoteReference

__all__ = ["NoResult", "Pair", "pair", "T"]

T = TypeVar("T")


class NoResult(AssertionError):
    """A Deferred had no result although both ends were quiet."""


def pair(
    root: Any,
    *,
    server_factory: Callable[..., Any] | None = None,
    client_factory: Callable[..., Any] | None = None,
    clock: Clock | None = None,
    latency: float = 0.0,
    chunk: int | None = None,
    high_water: int = HIGH_WATER,
    negotiate: bool = True,
    **options: Any,
) -> Pair:
    """Connect a server that serves `root` and a client, in memory.

    :param root: what the server serves: a Root, any Referenceable, or a Portal for a login.
    :param server_factory: makes the server's factory, called as ``server_factory(root, **options)``.
    :param client_factory: makes the client's factory, called as ``client_factory(**options)``.
    :param clock: gives both ends timers; by default they get none, or a clock of their own if there is a latency.
    :param latency: seconds of the clock that each write needs to arrive.
    :param chunk: most bytes that arrive at once; see `Pair.byte_by_byte`.
    :param high_water: bytes waiting in one transport above which it pauses its producer.
    :param negotiate: false for a pair that has not exchanged a byte yet.
    :param options: for both factories: ``registry``, ``security``, ``limits``, ``unsafeTracebacks``.
    """
    if server_factory is None or client_factory is None:
        from broker._net.factory import ClientFactory, ServerFactory

        server_factory = server_factory or ServerFactory
        client_factory = client_factory or ClientFactory
    if latency and clock is None:
        clock = Clock()
    made = Pair(
        server_factory(root, **options),
        client_factory(**options),
        make_client=lambda: client_factory(**options),
        clock=clock,
        latency=latency,
        chunk=chunk,
        high_water=high_water,
    )
    if negotiate:
        made.flush()
    return made


class Pair:
    """A client and a server, connected in memory; made by `pair`.

    :ivar client: the client's end of the connection, a `Broker`.
    :ivar server: the server's end, a `Broker`.
    :ivar client_factory: what made `client`.
    :ivar server_factory: what made `server`.
    :ivar wire: what connects them.
    :ivar clock: drives their timers, or None.
    """

    def __init__(
        self,
        server_factory: Any,
        client_factory: Any,
        *,
        make_client: Callable[[], Any],
        number: int = 1,
        **wire_options: Any,
    ) -> None:
        self.server_factory = server_factory
        self.client_factory = client_factory
        self.clock: Clock | None = wire_options.get("clock")
        self._make_client = make_client
        self._number = number
        self._wire_options = wire_options
        self.server: BrokerProtocol = server_factory.buildProtocol(MemoryAddress("client", number))
        self.client: BrokerProtocol = client_factory.buildProtocol(MemoryAddress("server", number))
        self.wire = Wire(self.client, self.server, number=number, **wire_options)

    @property
    def root(self) -> RemoteReference:
        """The client's reference to the server's root object."""
        root: RemoteReference = self.result(self.client_factory.getRootObject())
        return root

    def another(self) -> Pair:
        """Connect one more client to the same server, and return the pair that it makes with its own connection."""
        options = {**self._wire_options, "chunk": self.wire.chunk}
        made = Pair(
            self.server_factory,
            self._make_client(),
            make_client=self._make_client,
            number=self._number + 1,
            **options,
        )
        made.flush()
        return made

    def broker(self, end: End) -> BrokerProtocol:
        """Return one end's broker.

        :raises ValueError: there is no such end.
        """
        self.wire.end(end)
        return self.server if end == "server" else self.client

    # Delivery.

    @property
    def byte_by_byte(self) -> bool:
        """Whether each end is given its bytes one at a time."""
        return self.wire.chunk == 1

    @byte_by_byte.setter
    def byte_by_byte(self, value: bool) -> None:
        self.wire.chunk = 1 if value else None

    @property
    def transcript(self) -> list[Written]:
        """Every write so far, as ``(to, data)`` with the end it was for; clear it to begin anew."""
        return self.wire.transcript

    def pending(self, to: End | None = None) -> int:
        """Return how many bytes wait to be delivered to one end, or to both together."""
        return self.wire.pending(to)

    def deliver(self, to: End, count: int | None = None) -> int:
        """Deliver bytes to one end only, exactly `count` or all that arrived; see `Wire.deliver`."""
        return self.wire.deliver(to, count)

    def step(self) -> bool:
        """Do one round and return whether anything happened; see `Wire.step`."""
        return self.wire.step()

    def flush(self, rounds: int = 10_000) -> None:
        """Deliver until both ends are quiet.

        :param rounds: how many rounds that may take.
        :raises NotQuiet: it took more.
        """
        self.wire.flush(rounds)

    def advance(self, seconds: float) -> None:
        """Let time pass for both ends; the pair must have a clock."""
        self.wire.advance(seconds)

    # Calls.

    def call(self, ref: Any, name: str, /, *args: Any, **kw: Any) -> Any:
        """Call a method of a remote object and return its result.

        :raises Exception: whatever the call failed with.
        :raises NoResult: it was not answered.
        """
        return self.result(ref.callRemote(name, *args, **kw))

    def result(self, waiting: Deferred[T] | Coroutine[Any, Any, T]) -> T:
        """Deliver until both ends are quiet and return what a Deferred or coroutine came to.

        :raises Exception: what it failed with.
        :raises NoResult: it has no result yet.
        """
        outcome = self._outcome(waiting)
        if isinstance(outcome, Failure):
            outcome.raiseException()
        return outcome

    def failure(self, waiting: Deferred[Any] | Coroutine[Any, Any, Any]) -> BaseException:
        """Deliver until both ends are quiet and return the exception that a Deferred or coroutine failed with.

        :raises AssertionError: it did not fail.
        :raises NoResult: it has no result yet.
        """
        outcome = self._outcome(waiting)
        if not isinstance(outcome, Failure):
            raise AssertionError(f"did not fail; the result is {outcome!r}")
        assert outcome.value is not None
        return outcome.value

    def _outcome(self, waiting: Deferred[T] | Coroutine[Any, Any, T]) -> T | Failure:
        outcome: list[T | Failure] = []
        # Through a coroutine, so that a failure is here the exception that a coroutine would see.
        ensureDeferred(_awaited(waiting)).addBoth(outcome.append)
        self.flush()
        if not outcome:
            raise NoResult(f"no result, and both ends are quiet: {waiting!r}")
        return outcome[0]

    # The end.

    def drop(self, reason: Failure | BaseException | None = None, *, only: End | None = None) -> None:
        """Cut the connection: what was not delivered is lost.

        :param reason: why, `ConnectionLost` by default; pass ``ConnectionDone()`` for a clean end.
        :param only: the one end that notices.
        """
        self.wire.drop(reason, only=only)

    def close(self) -> None:
        """Have the client close the connection, after what was written."""
        self.wire.client.loseConnection()
        self.flush()

    def tables(self) -> dict[End, dict[str, int]]:
        """Return the sizes of both ends' tables."""
        return {"client": tables(self.client), "server": tables(self.server)}


async def _awaited(waiting: Deferred[T] | Coroutine[Any, Any, T]) -> T:
    return await waiting
