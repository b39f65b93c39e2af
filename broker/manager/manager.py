"""Managers, with Deferreds: start a process for shared objects, or connect to one, and make objects in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from multiprocessing import ProcessError
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from zope.interface import implementer

from broker._limits import Limits
from broker._net.connect import connect
from broker._net.factory import running_reactor
from broker._remote.live import live
from broker._values.registry import Registry, globalRegistry
from broker.manager.gate import check, enter, gone, new_key
from broker.manager.letter import CannotStart, Incoming, told
from broker.manager.policies import HELD
from broker.manager.process import Plan, Process
from broker.manager.registry import Types
from broker.manager.server import LIMITS
from broker.manager.standard import base_types, exceptions, standard_types

__all__ = ["BaseManager", "Manager", "ended_early", "own_types", "place", "register_in"]

#: Seconds that the process has to end, once it was told to and once more.
_ENDING: Final = 2.0
_M = TypeVar("_M", bound="BaseManager")


@implementer(IReadDescriptor)
class _Report:
    """Hears of a manager's process.

    :ivar process: the process.
    :ivar ready: fires with what it reports; fails with `CannotStart` if it ends before.
    :ivar ended: fires when it has ended.
    """

    def __init__(self, process: Process, reactor: Any) -> None:
        self.process = process
        self._reactor = reactor
        self._incoming = Incoming()
        self.ready: Deferred[Mapping[str, Any]] = Deferred()
        self.ended: Deferred[None] = Deferred()
        os.set_blocking(process.report, False)
        reactor.addReader(self)

    def leave(self) -> None:
        """Hear no more of it."""
        self._reactor.removeReader(self)
        self.process.leave()

    def fileno(self) -> int:
        return self.process.report

    def logPrefix(self) -> str:
        return "manager"

    def doRead(self) -> Any:
        try:
            data = os.read(self.process.report, 1 << 16)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EINTR):
                return None
            data = b""
        if not data:
            return CONNECTION_DONE
        self._incoming.feed(data)
        if self._incoming.done and not self.ready.called:
            self.ready.callback(self._incoming.value)
        return None

    def connectionLost(self, reason: Failure) -> None:
        code = self.process.ended()
        if not self.ready.called:
            self.ready.errback(ended_early(code))
        self.ended.callback(None)


def own_types(cls: Any) -> Types:
    """Return the types of a class of managers: its own from now on, and not those of the classes it inherits from."""
    if "types" not in vars(cls):
        cls.types = Types(cls.types)
    types: Types = cls.types
    return types


def ended_early(code: int) -> CannotStart:
    """Return the error for a manager's process that has ended before it was ready.

    :param code: how, as `subprocess.Popen.returncode` says it.
    """
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return CannotStart(f"the manager's process has ended {how} before it was ready")


def place(address: str, client: str | None) -> str:
    """Return where clients connect to.

    :param address: where the process listens.
    :param client: what was said about it, perhaps with ``{port}`` in it, or None.
    """
    return (client or address).replace("{port}", address.rpartition(":")[2])


def register_in(cls: Any, creating: Callable[[str], Any], typeid: str, *args: Any, **options: Any) -> None:
    """Register a type with a class of managers, and give the class the method that makes one.

    :param creating: returns such a method.
    """
    made = own_types(cls).register(typeid, *args, **options)
    if made.create_method:
        setattr(cls, typeid, creating(typeid))


def _creating(typeid: str) -> Any:
    def method(self: BaseManager, /, *args: Any, **kw: Any) -> Deferred[Any]:
        return self.create(typeid, *args, **kw)

    method.__name__ = typeid
    method.__doc__ = f"Make a {typeid}; return a Deferred of its proxy."
    return method


class BaseManager:
    """A manager without types.

    :param address: where its process listens, or where to connect to, as an endpoint string; by default a Unix socket
        in a folder of its own, which only this user can enter.
    :param key: what both have to know; by default a random one.
    :param setup: functions that are called with the types in the manager's process, to register those that cannot be
        named from here; or where they are: ``package.module:name``.
    :param stay: whether the process goes on when this one ends.
    :param client: where clients connect to, where that does not follow from the address, as with TLS:
        ``tls:localhost:{port}:trustRoots=...``, with the port in the place of the word if the process chooses it.
    :param timeout: seconds that starting and connecting may take.
    :param limits: ceilings of the connection.
    :param registry: which classes stand for which names on the wire.
    :param keepalive: seconds of silence after which the other end is asked whether it is there; None for never.
    :param reactor: by default the one that runs.
    :cvar types: the types, see `register`.
    :ivar address: as given, or where the process listens.
    :ivar key: as given, or the random one.
    """

    types: ClassVar[Types] = base_types()

    def __init__(
        self,
        address: str | None = None,
        key: bytes | None = None,
        *,
        setup: Iterable[Callable[[Types], object] | str] = (),
        stay: bool = False,
        client: str | None = None,
        timeout: float | None = 30.0,
        limits: Limits = LIMITS,
        registry: Registry = globalRegistry,
        keepalive: float | None = 60.0,
        reactor: Any = None,
    ) -> None:
        check(address, key)
        self.address = address
        self.key = new_key() if key is None else key
        self._setup = tuple(setup)
        self._stay = stay
        self._client = client
        self._timeout = timeout
        self._options: dict[str, Any] = {"limits": limits, "registry": exceptions(registry), "keepalive": keepalive}
        self._reactor = running_reactor(reactor)
        self._state = "new"
        self._report: _Report | None = None
        self._hub: Any = None

    @classmethod
    def register(cls, typeid: str, *args: Any, **options: Any) -> None:
        """Register a type; see `Types.register`. Managers of this class, and of those derived later, have it."""
        register_in(cls, _creating, typeid, *args, **options)

    @classmethod
    def register_function(cls, name: str, function: Callable[..., Any] | str) -> None:
        """Let pools run a function; see `Types.register_function`."""
        own_types(cls).register_function(name, function)

    # Beginning.

    def start(
        self: _M, initializer: Callable[..., object] | str | None = None, initargs: Iterable[Any] = ()
    ) -> Deferred[_M]:
        """Start a process, and connect to it.

        :param initializer: a function that is called in it first; or where it is.
        :param initargs: its arguments, plain values.
        :returns: a Deferred of the manager. It fails with what went wrong in the process; with `CannotStart` when the
            process does not say what; with `TimeoutError`.
        :raises multiprocessing.ProcessError: that was done already.
        :raises ValueError: a function or class cannot be found by name, or an argument is no plain value.
        """
        self._begin()
        plan = Plan(
            type(self).types,
            self.key,
            endpoint=self.address,
            setup=self._setup,
            initializer=initializer,
            initargs=initargs,
            stay=self._stay,
            options={"keepalive": self._options["keepalive"]},
        )
        report = self._report = _Report(Process(plan), self._reactor)
        self._state = "started"
        return self._bounded(self._starting(report))

    async def _starting(self: _M, report: _Report) -> _M:
        try:
            address = told(await report.ready, self._options["registry"])
            self.address = address
            await self._join()
        except BaseException:
            await self._finish()
            raise
        return self

    def connect(self: _M) -> Deferred[_M]:
        """Connect to a process that another one has started.

        :returns: a Deferred of the manager. It fails with what the connection fails with, and with
            `multiprocessing.AuthenticationError` when the key is another one.
        :raises multiprocessing.ProcessError: the manager has been started or connected already.
        :raises ValueError: there is no address.
        """
        if self.address is None:
            raise ValueError("a manager to connect to has an address")
        self._begin()
        self._state = "connected"
        return self._bounded(self._connecting())

    async def _connecting(self: _M) -> _M:
        try:
            await self._join()
        except BaseException:
            self._state = "new"
            raise
        return self

    def _begin(self) -> None:
        if self._state != "new":
            raise ProcessError(f"the manager is {self._state} already")

    def _bounded(self, work: Any) -> Deferred[Any]:
        done: Deferred[Any] = ensureDeferred(work)
        return done if self._timeout is None else done.addTimeout(self._timeout, self._reactor)

    async def _join(self) -> None:
        assert self.address is not None
        where = place(self.address, self._client)
        root = await connect(where, timeout=None, reactor=self._reactor, **self._options)
        try:
            root.broker.stale = gone(self.address)
            self._hub = await live(await enter(root, self.key), HELD)
            self._connection = root.broker
        except BaseException:
            root.broker.disconnect()
            raise

    # The end.

    def shutdown(self) -> Deferred[None]:
        """End the process that `start` has started, or only the connection to one that another has.

        :returns: a Deferred that fires when it has ended, whatever that took.
        """
        return ensureDeferred(self._finish())

    def leave(self) -> Deferred[None]:
        """Disconnect, and leave a process that was told to stay to itself.

        :returns: a Deferred that fires when that is done.
        :raises multiprocessing.ProcessError: this manager has started none, or it would end.
        """
        if self._report is None or self._state != "started" or not self._stay:
            raise ProcessError("only a process that was started and told to stay can be left")
        self._report.leave()
        self._report = None
        return self.shutdown()

    async def _finish(self) -> None:
        state, self._state = self._state, "shut down"
        hub, self._hub = self._hub, None
        report, self._report = self._report, None
        if report is not None and state == "started":
            if self._stay and hub is not None:
                hub.shutdown().addErrback(lambda _: None)
            report.process.let_go()
            for more in (report.process.terminate, report.process.kill):
                if await self._ended(report):
                    break
                more()
            else:
                await report.ended
        if hub is not None:
            self._connection.stale = gone(self.address, report is not None)
            await self._connection.disconnect()

    async def _ended(self, report: _Report) -> bool:
        if report.ended.called:
            return True
        waiting: Deferred[bool] = Deferred()
        timer = self._reactor.callLater(_ENDING, waiting.callback, False)
        report.ended.addCallback(lambda _: None if waiting.called else waiting.callback(True))
        over = await waiting
        if over:
            timer.cancel()
        return over

    async def __aenter__(self: _M) -> _M:
        return await self.start() if self._state == "new" else self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await self.shutdown()

    # Objects.

    @property
    def pid(self) -> int | None:
        """The number of the process that was started, as long as it is there."""
        return None if self._report is None or self._report.ended.called else self._report.process.pid

    @property
    def hub(self) -> Any:
        """A live proxy for what makes the objects, see `broker.manager.hub.Hub`.

        :raises multiprocessing.ProcessError: the manager has not been started, or has been shut down.
        """
        if self._hub is None:
            raise ProcessError(f"the manager is {self._state}: there is no connection")
        return self._hub

    def create(self, typeid: str, /, *args: Any, **kw: Any) -> Deferred[Any]:
        """Make a shared object.

        :param typeid: the name of its type; the others are what the type is called with.
        :returns: a Deferred of its proxy, or of what the type's `proxytype` makes of that.
        """
        made = self._ask("create", typeid, *args, **kw)
        known = type(self).types
        proxytype = known.get(typeid).proxytype if typeid in known else None
        return made if proxytype is None else made.addCallback(proxytype)

    def number_of_objects(self) -> Deferred[int]:
        """Return a Deferred of how many shared objects there are."""
        return self._ask("number_of_objects")

    def debug_info(self) -> Deferred[str]:
        """Return a Deferred of a text with a line about each of them."""
        return self._ask("debug_info")

    def _ask(self, name: str, /, *args: Any, **kw: Any) -> Deferred[Any]:
        try:
            asked: Deferred[Any] = getattr(self.hub, name)(*args, **kw)
        except ProcessError:
            return fail()
        return asked

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The methods that make objects."""


class Manager(BaseManager):
    """A manager with the types that everybody knows: list, dict, Queue, Lock and so on."""

    types: ClassVar[Types] = standard_types()


for _one in Manager.types:
    if _one.create_method:
        setattr(Manager, _one.typeid, _creating(_one.typeid))
