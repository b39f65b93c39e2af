"""The hub: what clients of a manager talk to first; it makes shared objects and knows which there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from twisted.internet.defer import Deferred

from broker._directory.importing import find
from broker._remote.exported import Exported
from broker._remote.expose import Expose
from broker._remote.forms import ref
from broker._remote.holder import Holder
from broker._remote.policy import Policy
from broker._remote.publish import CallContext, publish
from broker._values.path import brief
from broker.manager.grants import LIFETIME, Grants
from broker.manager.heirs import Heirs
from broker.manager.policies import HELD, Policies
from broker.manager.pool import Workers
from broker.manager.registry import Types, UnknownType
from broker.manager.sharing import Marks, SharedOwner

__all__ = ["Hub"]

_OFFERED: Final = Expose(
    names=frozenset(
        (
            *("create", "typeids", "number_of_objects", "debug_info", "shutdown", "dummy"),
            *("grant", "redeem", "withdraw", "token", "hold", "adopt"),
        )
    )
)
#: Most characters of the text of an object in `Hub.debug_info`.
_TEXT: Final = 75


class _Functions(Mapping[str, Callable[..., Any]]):
    """The functions that pools may run; those that are named by where they are are imported when first used."""

    def __init__(self, functions: Mapping[str, Callable[..., Any] | str]) -> None:
        self._functions = dict(functions)

    def __getitem__(self, name: str) -> Callable[..., Any]:
        found = self._functions[name]
        if isinstance(found, str):
            found = self._functions[name] = find(found, "function")
        return found

    def __iter__(self) -> Any:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)


class Hub:
    """Makes shared objects.

    :param types: of which types.
    :param clock: tells the time, an `IReactorTime`.
    :param workers: runs what may take its time.
    :param stop: ends the process; called when a client asks for that. None where no client may.
    :raises ValueError: a type cannot be imported.
    :raises UnknownType: one needs another that there is not.
    """

    def __init__(self, types: Types, clock: Any, workers: Workers, stop: Callable[[], object] | None = None) -> None:
        self._types = types
        # Found once, and before anybody asks.
        self._makes = {one.typeid: one.resolved() for one in types if one.create_method}
        self._policies = Policies(types)
        self._marks = Marks()
        self._grants = Grants(clock)
        #: The objects of connections, for those who come from them.
        self.heirs = Heirs(self._marks, self._grants, clock)
        self._stop = stop
        workers.functions = _Functions(types.functions)
        self._services = {"clock": clock, "workers": workers}
        threaded = frozenset(self._policies.of(one.typeid) for one in types if one.threads)
        policy: Policy = HELD.but(expose=_OFFERED)
        self._owner = SharedOwner.over(policy, Holder(HELD.lent), self._marks, threaded, workers.run)

    def exported(self) -> Exported:
        """Return what a client that may have it gets of the hub."""
        return Exported(self, self._owner)

    # What clients call.

    def create(self, typeid: str, /, *args: Any, **kw: Any) -> Any:
        """Make an object; return a reference to it, or a Deferred of one.

        :param typeid: the name of its type; the others are what the type's callable is called with.
        :raises UnknownType: there is none, or clients may not make such objects.
        """
        found = self._types.get(typeid)
        make = self._makes.get(typeid)
        if make is None:
            raise UnknownType(f"objects of type {typeid!r} are not made at the wish of clients")
        made = make(*args, **kw, **{name: self._services[name] for name in found.needs})
        policy = self._policies.of(typeid)
        if isinstance(made, Deferred):
            return made.addCallback(ref, policy)
        return ref(made, policy)

    def typeids(self) -> list[str]:
        """Return the names of the types that clients may make objects of."""
        return [one.typeid for one in self._types if one.create_method and one.callable is not None]

    def number_of_objects(self) -> int:
        """Return how many shared objects there are."""
        return len(self._marks)

    def debug_info(self) -> str:
        """Return a line about every shared object: its type, and the beginning of its text."""
        lines = []
        for value, policy in self._marks:
            try:
                text = str(value)
            except Exception as error:  # noqa: BLE001  whatever an object of the user's raises
                text = f"<unprintable: {type(error).__name__}>"
            lines.append(f"{self._policies.typeid(policy) or policy.title}: {text[:_TEXT]}")
        return "\n".join(sorted(lines))

    def grant(self, value: Any, seconds: float = LIFETIME) -> bytes:
        """Return a secret for which `redeem` returns an object, and keep the object as long as it is good.

        :param value: a shared object.
        :param seconds: how long it is good for.
        :raises TypeError: it is no shared object.
        """
        policy = self._marks.policy_of(value)
        if policy is None:
            raise TypeError(f"{brief(value)} is no object of this manager")
        # The policy with it, for those that are marked only as long as a client has them.
        return self._grants.give(ref(value, policy), seconds)

    def redeem(self, secret: bytes) -> Any:
        """Return the object for a secret, which remains good.

        :raises UnknownName: it is good for nothing, or not any more.
        """
        return self._grants.take(secret)

    def withdraw(self, secret: bytes) -> None:
        """End a grant before its time."""
        self._grants.withdraw(secret)

    @publish(ctx=True)
    def token(self, *, ctx: CallContext) -> bytes:
        """Return a secret that stands for the connection, for `adopt`."""
        return self.heirs.token(ctx)

    @publish(ctx=True)
    def hold(self, seconds: float = LIFETIME, *, ctx: CallContext) -> None:
        """Keep what the connection has for those who come from it, whatever it releases meanwhile."""
        self.heirs.hold(ctx, seconds)

    def adopt(self, token: bytes, number: int, secret: bytes | None = None) -> Any:
        """Return an object that another connection has, or that is held or granted for those who come from it.

        :param token: of that connection.
        :param number: of the reference to the object on it.
        :param secret: that of a grant, if there is one.
        :raises UnknownName: it is not there any more.
        """
        return self.heirs.adopt(token, number, secret)

    def dummy(self) -> None:
        """Do nothing: whoever gets an answer knows that the manager is there."""

    def shutdown(self) -> None:
        """End the manager's process.

        :raises PermissionError: its starter does that.
        """
        if self._stop is None:
            raise PermissionError("the manager ends when the process that has started it says so, or ends")
        self._stop()

    # The end.

    def close(self) -> None:
        """Let go of everything that is not held by a client."""
        self._grants.clear()
        self.heirs.clear()

    def __repr__(self) -> str:
        return f"<Hub of {len(self._marks)} objects>"
