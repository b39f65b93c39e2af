"""Managers, for code that waits: start a process for shared objects, or connect to one, and make objects in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from multiprocessing import ProcessError
from multiprocessing.connection import wait
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar
from weakref import finalize

from broker._limits import Limits
from broker._values.registry import Registry, globalRegistry
from broker.blocking.keys import family_key
from broker.blocking.shared import BaseProxy
from broker.blocking.station import Station
from broker.blocking.waiting import driver_of
from broker.errors import Error
from broker.manager import Types, base_types, exceptions, standard_types
from broker.manager.gate import check
from broker.manager.letter import Incoming, told
from broker.manager.manager import ended_early, own_types, place, register_in
from broker.manager.process import Plan, Process
from broker.manager.server import LIMITS

__all__ = ["BaseManager", "Manager"]

#: Seconds that the process has to end, once it was told to and once more.
_ENDING: Final = 2.0
_M = TypeVar("_M", bound="BaseManager")


def _creating(typeid: str) -> Callable[..., Any]:
    def method(self: BaseManager, /, *args: Any, **kw: Any) -> Any:
        return self.create(typeid, *args, **kw)

    method.__name__ = typeid
    method.__doc__ = f"Make a {typeid}; return its proxy."
    return method


class BaseManager:
    """A manager without types. As a context manager it starts, unless it was, and shuts down.

    :param address: where its process listens, or where to connect to, as an endpoint string; by default a Unix socket
        in a folder of its own, which only this user can enter.
    :param key: what both have to know; by default one that all processes of this family know, see
        `broker.blocking.keys`.
    :param setup: functions that are called with the types in the manager's process, to register those that cannot be
        named from here; or where they are: ``package.module:name``.
    :param stay: whether the process goes on when this one ends.
    :param client: where clients connect to, where that does not follow from the address, as with TLS:
        ``tls:localhost:{port}:trustRoots=...``, with the port in the place of the word if the process chooses it.
    :param timeout: seconds that starting and connecting may take.
    :param limits: ceilings of the connection.
    :param registry: which classes stand for which names on the wire.
    :param keepalive: seconds of silence after which the other end is asked whether it is there; None for never.
    :cvar types: the types, see `register`.
    :ivar address: as given, or where the process listens.
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
    ) -> None:
        check(address, key)
        self.address = address
        self.key = key
        self._setup = tuple(setup)
        self._stay = stay
        self._client = client
        self._timeout = timeout
        self._options: dict[str, Any] = {"limits": limits, "registry": registry, "keepalive": keepalive}
        self._state = "new"
        self._process: Process | None = None
        self._station: Station | None = None
        self._starting = Lock()

    @classmethod
    def register(cls, typeid: str, *args: Any, **options: Any) -> None:
        """Register a type; see `broker.manager.Types.register`. Managers of this class, and of those derived later,
        have it."""
        register_in(cls, _creating, typeid, *args, **options)

    @classmethod
    def register_function(cls, name: str, function: Callable[..., Any] | str) -> None:
        """Let pools run a function; see `broker.manager.Types.register_function`."""
        own_types(cls).register_function(name, function)

    # Beginning.

    def start(self: _M, initializer: Callable[..., object] | str | None = None, initargs: Iterable[Any] = ()) -> _M:
        """Start a process, and connect to it.

        :param initializer: a function that is called in it first; or where it is.
        :param initargs: its arguments, plain values.
        :returns: the manager.
        :raises Exception: what went wrong in the process.
        :raises CannotStart: the process does not say what.
        :raises TimeoutError: it took too long.
        :raises multiprocessing.ProcessError: that was done already.
        :raises ValueError: a function or class cannot be found by name, or an argument is no plain value.
        """
        self._begin()
        plan = Plan(
            type(self).types,
            self.key or family_key(),
            endpoint=self.address,
            setup=self._setup,
            initializer=initializer,
            initargs=initargs,
            stay=self._stay,
            options={"keepalive": self._options["keepalive"]},
        )
        self._process = Process(plan)
        self._state = "started"
        Station.forked.add(self)
        end = None if self._timeout is None else monotonic() + self._timeout
        try:
            self.address = told(self._report(self._process, end), exceptions(self._options["registry"]))
            self._join(end)
            assert self._station is not None
            broker = self._station.entered().connection.broker
            driver_of(broker).run(broker.notifyOnDisconnect, self._process.lost)
        except BaseException:
            self.shutdown()
            raise
        # The process ends when neither this manager nor a proxy is left.
        self._station.keeps = finalize(self._station, Process.forget, self._process)
        return self

    def _report(self, process: Process, end: float | None) -> Any:
        incoming = Incoming()
        while not incoming.done:
            if not wait([process.report], None if end is None else max(0.0, end - monotonic())):
                raise TimeoutError(f"the manager's process was not ready within {self._timeout:g} seconds")
            data = os.read(process.report, 1 << 16)
            if not data:
                raise ended_early(self._gone(process))
            incoming.feed(data)
        return incoming.value

    def connect(self: _M) -> _M:
        """Connect to a process that another one has started.

        :returns: the manager.
        :raises OSError: there is no connection to be had.
        :raises multiprocessing.AuthenticationError: the key is another one.
        :raises multiprocessing.ProcessError: the manager has been started or connected already.
        :raises ValueError: there is no address.
        """
        if self.address is None:
            raise ValueError("a manager to connect to has an address")
        self._begin()
        self._state = "connected"
        try:
            self._join(None if self._timeout is None else monotonic() + self._timeout)
        except BaseException:
            self._state = "new"
            raise
        return self

    def _begin(self) -> None:
        if self._state != "new":
            raise ProcessError(f"the manager is {self._state} already")

    def _join(self, end: float | None) -> None:
        assert self.address is not None
        where = place(self.address, self._client)
        left = None if end is None else max(0.001, end - monotonic())
        station = Station(where, type(self), self.key, timeout=left, **self._options)
        try:
            station.entered()
        except BaseException:
            station.close()
            raise
        self._station = station

    # The end.

    def shutdown(self) -> None:
        """End the process that `start` has started, or only the connection to one that another has."""
        state, self._state = self._state, "shut down"
        station, self._station = self._station, None
        process, self._process = self._process, None
        if process is not None and state == "started":
            if station is not None and self._stay:
                self._ask_to_end(station)
            process.let_go()
            for more in (process.terminate, process.kill):
                if self._ended(process, _ENDING):
                    break
                more()
            # Also if somebody has forked this process meanwhile, and holds what would tell of the end.
            self._gone(process)
        if station is not None:
            station.close(process is not None)

    def _ask_to_end(self, station: Station) -> None:
        try:
            station.entered().hub.shutdown()
        except (Error, OSError):
            # It ends while it answers, or has ended already.
            pass

    def _ended(self, process: Process, seconds: float | None) -> bool:
        end = None if seconds is None else monotonic() + seconds
        while wait([process.report], None if end is None else max(0.0, end - monotonic())):
            if not os.read(process.report, 1 << 16):
                return True
        return False

    def _gone(self, process: Process) -> int:
        self._process = None
        return process.ended()

    def leave(self) -> None:
        """Disconnect, and leave a process that was told to stay to itself.

        :raises multiprocessing.ProcessError: this manager has started none, or it would end.
        """
        if self._process is None or self._state != "started" or not self._stay:
            raise ProcessError("only a process that was started and told to stay can be left")
        self._process.leave()
        self._process = None
        self.shutdown()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the process that was started has ended; it is not told to."""
        if self._process is not None:
            self._ended(self._process, timeout)

    def after_fork(self) -> None:
        """This is a child of the process that has started the manager's: it is none of its."""
        process, self._process = self._process, None
        if process is not None:
            self._state = "connected"
            process.leave()

    def __enter__(self: _M) -> _M:
        return self.start() if self._state == "new" else self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    # Objects.

    @property
    def pid(self) -> int | None:
        """The number of the process that was started."""
        return None if self._process is None else self._process.pid

    @property
    def hub(self) -> Any:
        """A proxy for what makes the objects, see `broker.manager.hub.Hub`.

        :raises multiprocessing.ProcessError: the manager has not been started, or has been shut down.
        """
        if self._station is None:
            raise ProcessError(f"the manager is {self._state}: there is no connection")
        return self._station.entered().hub

    def create(self, typeid: str, /, *args: Any, **kw: Any) -> Any:
        """Make a shared object.

        :param typeid: the name of its type; the others are what the type is called with.
        :returns: its proxy, or what the type's `proxytype` makes of that.
        """
        made = self.hub.create(typeid, *args, **kw)
        known = type(self).types
        proxytype = known.get(typeid).proxytype if typeid in known else None
        if proxytype is None or (isinstance(proxytype, type) and issubclass(proxytype, BaseProxy)):
            return made
        return proxytype(made)

    def number_of_objects(self) -> int:
        """Return how many shared objects there are."""
        found: int = self.hub.number_of_objects()
        return found

    def debug_info(self) -> str:
        """Return a text with a line about each of them."""
        found: str = self.hub.debug_info()
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._state} at {self.address}>"

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The methods that make objects."""


class Manager(BaseManager):
    """A manager with the types that everybody knows: list, dict, Queue, Lock and so on.

    One that has no address starts when it is first used, if it was not started.
    """

    types: ClassVar[Types] = standard_types()

    @property
    def hub(self) -> Any:
        """A proxy for what makes the objects, see `broker.manager.hub.Hub`; starts the manager if need be.

        :raises multiprocessing.ProcessError: the manager has been shut down, or was to be connected.
        """
        if self._station is None:
            with self._starting:
                if self._state == "new" and self.address is None:
                    self.start()
        return super().hub


for _one in Manager.types:
    if _one.create_method:
        setattr(Manager, _one.typeid, _creating(_one.typeid))
