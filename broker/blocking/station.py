"""Stations: what a process has to do with one manager: the connection to it, and the proxies that go by it.

Theory of operation. There is one station for each place where a manager is, however many proxies there are; it connects
when a proxy is first used. A proxy that was pickled or forked has a *ticket* in place of a reference, and gets the
reference from the manager when it is used, or is among the arguments of a call: before the call begins, for nothing can
be waited for while it is being sent.

A fork leaves the child with connections that are its parent's. So before it, the manager is told to hold what this
process has, for as long as a grant is good, which nobody waits for; and in the child all proxies have tickets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, ClassVar, Final
from weakref import WeakSet, WeakValueDictionary

from broker._limits import Limits
from broker._objects.reference import RemoteReference
from broker._remote.descriptors import Descriptor
from broker._remote.held import Held, state_of
from broker._remote.live import live, reference
from broker._remote.program import Program
from broker._remote.proxy import new_proxy
from broker._remote.sending import kind_of
from broker._remote.side import Kind, side_of
from broker._values.registry import Registry, globalRegistry
from broker.blocking.connection import Connection, connect
from broker.blocking.keys import family_key, keyring
from broker.blocking.results import async_
from broker.blocking.shared import BaseProxy, SharedState, SharedView, Ticket
from broker.blocking.waiting import WAITING, Waiting, driver_of
from broker.errors import Error
from broker.manager import HELD, enter, exceptions
from broker.manager.gate import gone
from broker.manager.heirs import here
from broker.manager.naming import name_of
from broker.manager.registry import Types
from broker.manager.server import LIMITS

__all__ = ["Entered", "Station"]


class Entered:
    """A connection that a manager has let in.

    :ivar hub: a proxy for what makes the objects.
    :ivar token: what the manager knows the connection by.
    """

    def __init__(self, station: Station, connection: Connection, admitted: Any) -> None:
        self.connection = connection
        # It tells of what type the hub is.
        found = reference(live(admitted, HELD, transport=WAITING))
        self.hub = station.view.present(found, kind_of(found))
        self.token: bytes = self.hub.token()

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.connection.closed

    @property
    def proxies(self) -> Any:
        """The proxies in use, by number and view."""
        return side_of(self.connection.broker).proxies


class Station(Waiting):
    """Has the connection to one manager, and is the transport of its proxies.

    :param where: where the manager is, as an endpoint string.
    :param cls: the class of managers whose types are known here; None if none are.
    :param key: what both have to know; by default what `keyring` says, or `family_key`.
    :param timeout: seconds for connecting.
    :param limits: ceilings of the connection.
    :param registry: which classes stand for which names on the wire.
    :param keepalive: seconds of silence after which the manager is asked whether it is there; None for never.
    """

    #: Those of this process by where they are, and proxies that have a ticket and no reference.
    known: ClassVar[WeakValueDictionary[str, Station]] = WeakValueDictionary()
    unresolved: ClassVar[WeakSet[SharedState]] = WeakSet()
    #: All of this process, also several for one place.
    everyone: ClassVar[WeakSet[Station]] = WeakSet()
    #: What is told when this process has been forked, in the child.
    forked: ClassVar[WeakSet[Any]] = WeakSet()

    def __init__(
        self,
        where: str,
        cls: Any = None,
        key: bytes | None = None,
        *,
        timeout: float | None = 30.0,
        limits: Limits = LIMITS,
        registry: Registry = globalRegistry,
        keepalive: float | None = 60.0,
    ) -> None:
        self.where = where
        self.cls = cls
        self._key = key
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "limits": limits,
            "registry": exceptions(registry),
            "keepalive": keepalive,
        }
        self._lock = Lock()
        self._entered: Entered | None = None
        #: What remains of connections of the process that this one was forked from.
        self._inherited: list[Entered] = []
        self._resolved: WeakSet[SharedState] = WeakSet()
        #: Lives as long as the proxies do.
        self.keeps: Any = None
        self.view = SharedView(self)
        _watch_forks()
        Station.known[where] = self
        Station.everyone.add(self)
        if key is not None:
            keyring()[where] = key

    @classmethod
    def at(cls, where: str, managers: Any = None) -> Station:
        """Return the station for a place."""
        found = cls.known.get(where)
        return cls(where, managers) if found is None else found

    # The connection.

    def entered(self) -> Entered:
        """Return the connection; connect if there is none, or none any more.

        :raises OSError: there is none to be had; so do `PBConnectionLost`, `AuthenticationError` and `TimeoutError`.
        """
        found = self._entered
        if found is not None and not found.lost:
            return found
        with self._lock:
            if self._entered is None or self._entered.lost:
                self._entered = self._enter()
            return self._entered

    def _enter(self) -> Entered:
        key = self._key or keyring().get(self.where) or family_key()
        try:
            connection = connect(self.where, policy=HELD, **self._options)
        except OSError as error:
            if error.errno is not None:
                # As it is, and in one line with what it is about.
                error.strerror, error.filename = f"there is no manager: {error.strerror}", self.where
            raise
        connection.broker.stale = gone(self.where)
        try:
            driver = driver_of(connection.broker)
            admitted = driver.wait(self._options["timeout"], enter, connection.reference, key)
            return Entered(self, connection, admitted)
        except BaseException:
            connection.close()
            raise

    def close(self, shut_down: bool = False) -> None:
        """Close the connection. Proxies are of no use any more.

        :param shut_down: whether the manager has ended: who uses a proxy is told.
        """
        if Station.known.get(self.where) is self:
            del Station.known[self.where]
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.connection.broker.stale = gone(self.where, shut_down)
            entered.connection.close()

    @property
    def types(self) -> Types | None:
        """The types that are known here."""
        return None if self.cls is None else self.cls.types

    def said_of(self, typeid: str) -> tuple[type[BaseProxy] | None, bool]:
        """Return the class of proxies that was registered for a type, and whether it may be one of the usual types."""
        types = self.types
        if types is None or typeid not in types:
            return None, True
        found = types.get(typeid)
        proxytype = found.proxytype
        ours = isinstance(proxytype, type) and issubclass(proxytype, BaseProxy)
        return (proxytype if ours else None), "clock" in found.needs

    # Calls.

    def perform(self, reference: RemoteReference, program: Program) -> Any:
        """Run a program; return its result."""
        if self.unresolved:
            for node in program.nodes:
                _resolve_in(node.operands)
        return super().perform(reference, program)

    def resolve(self, state: SharedState) -> RemoteReference:
        """Return the reference for the ticket of a proxy.

        :raises UnknownName: the object is not there any more.
        """
        assert state.ticket is not None
        found: RemoteReference = reference(self.entered().hub.adopt(*state.ticket))
        state.found = found
        self.unresolved.discard(state)
        self._resolved.add(state)
        return found

    # Pickling.

    def pickled(self, proxy: Held) -> Any:
        """Return what `pickle` makes a proxy of again; the manager keeps the object for that time.

        :raises TypeError: it is a proxy of no shared object.
        """
        state = state_of(proxy)
        number = state.reference.luid
        entered = self.entered()
        ticket = Ticket(entered.token, number, entered.hub.grant(proxy))
        cls = type(proxy) if type(proxy).__module__ != SharedView.__module__ else None
        about = tuple(state.kind.descriptor), tuple(state.kind.names)
        return _unpickled, (self.where, tuple(ticket), cls, about, _named(self.cls))

    # Forks.

    def before_fork(self) -> None:
        """Have the manager hold what the child may ask for."""
        entered = self._entered
        if entered is not None and not entered.lost and len(entered.proxies) > 1:
            async_(entered.hub.hold)()

    def after_fork(self) -> None:
        """This is the child: what is connected is not ours."""
        self._lock = Lock()
        entered, self._entered = self._entered, None
        if entered is None:
            return
        self._inherited.append(entered)
        states = {state_of(proxy) for proxy in entered.proxies.values()}
        for state in {*states, *self._resolved}:
            if isinstance(state, SharedState) and isinstance(state.found, RemoteReference):
                state.ticket = Ticket(entered.token, int(state.found.luid), None)
                state.found = state.buffer = None
                self.unresolved.add(state)

    def __repr__(self) -> str:
        return f"<Station {self.where}>"


def _resolve_in(value: Any) -> None:
    """Have all proxies in a value get their references."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        for item in value:
            _resolve_in(item)
    elif kind is dict:
        for key, item in value.items():
            _resolve_in(key)
            _resolve_in(item)
    elif issubclass(kind, BaseProxy):
        # Asking is enough.
        state_of(value).reference  # noqa: B018


def _named(cls: Any) -> Any:
    """Return a class if it can be found by name, else None."""
    try:
        name_of(cls, "named")
    except ValueError:
        return None
    return cls


def _unpickled(where: str, ticket: tuple[Any, ...], cls: Any, about: tuple[Any, ...], managers: Any) -> Any:
    """Return the proxy for a pickle; in the manager's process, the object itself."""
    owner = here(ticket[0])
    if owner is not None:
        return owner.adopt(*ticket).value
    station = Station.at(where, managers)
    entered = station._entered
    if entered is not None and entered.token == ticket[0]:
        known = entered.proxies.get((ticket[1], id(station.view)))
        if known is not None:
            return known
    descriptor = Descriptor(*about[0])
    state = SharedState(None, station.view, Kind(descriptor, frozenset(about[1])), Ticket(*ticket))
    Station.unresolved.add(state)
    return new_proxy(cls or station.view.class_of(station.view, descriptor), state)


# Forks.

_watching: Final[list[bool]] = []


def _watch_forks() -> None:
    if not _watching and hasattr(os, "register_at_fork"):
        _watching.append(True)
        os.register_at_fork(before=_before, after_in_child=_after)


def _before() -> None:
    for one in list(Station.everyone):
        # What is broken is not a matter for who forks.
        with suppress(Error, OSError, RuntimeError):
            one.before_fork()


def _after() -> None:
    told: list[Callable[[], None]] = [one.after_fork for one in list(Station.everyone)]
    told += [one.after_fork for one in list(Station.forked)]
    for tell in told:
        tell()
