"""Sharing: who serves shared objects, and remembers which they are, so that they are references wherever they are met.

Theory of operation. Nothing here keeps a shared object alive: what does is the table of a connection that has a
reference to it, a grant, or another object that has it. A *mark* is a weak reference that knows under which policy the
object is served. An object without room for weak references is marked by a keeper, which lives as long as a connection
has the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from weakref import ref

from twisted.internet.defer import Deferred

from broker._remote.adapter import Owner
from broker._remote.exported import Exported
from broker._remote.policy import Override, Policy
from broker._remote.runner import Run
from broker._remote.side import Side
from broker._remote.unpacking import Presenter

__all__ = ["Marks", "SharedOwner"]


#: A dictionary of so many is not worth a thought.
_FEW: Final = 1024


class _Keeper:
    """Stands for an object without room for weak references."""

    __slots__ = ("__weakref__", "value")

    def __init__(self, value: Any) -> None:
        self.value = value


class _Mark(ref):  # type: ignore[type-arg]
    """Marks an object as shared."""

    __slots__ = ("key", "policy")

    key: int
    policy: Policy


class Marks:
    """Which objects are shared, and under which policies."""

    def __init__(self) -> None:
        self._cell: list[dict[int, _Mark]] = [{}]
        self._most = 0
        cell = self._cell

        def gone(mark: _Mark) -> None:
            # In whatever thread the object dies. The place may be another one's already.
            marks = cell[0]
            if marks.get(mark.key) is mark:
                del marks[mark.key]

        self._gone: Callable[[Any], None] = gone

    def __len__(self) -> int:
        self._shrink()
        return len(self._cell[0])

    def _shrink(self) -> None:
        """Give back the room of many that are gone: a dictionary keeps what it had at its largest."""
        marks = self._cell[0]
        self._most = max(self._most, len(marks))
        if self._most > _FEW and 8 * len(marks) < self._most:
            fresh = self._cell[0] = marks.copy()
            self._most = len(fresh)
            # Some may have gone between the copy and its taking the place.
            for mark in list(fresh.values()):
                if mark() is None:
                    fresh.pop(mark.key, None)

    def __iter__(self) -> Iterator[tuple[Any, Policy]]:
        for mark in list(self._cell[0].values()):
            value = mark()
            if value is not None:
                yield (value.value if type(value) is _Keeper else value), mark.policy

    def policy_of(self, value: Any) -> Policy | None:
        """Return the policy of an object, or None if it is not shared."""
        mark = self._cell[0].get(id(value))
        if mark is None:
            return None
        found = mark()
        if found is not value and not (type(found) is _Keeper and found.value is value):
            return None
        return mark.policy

    def mark(self, value: Any, policy: Policy) -> Any:
        """Mark an object as shared, or as served under another policy.

        :returns: what is to be kept by those who have a reference to it, so that it remains marked; or None.
        """
        if self.policy_of(value) is not None:
            known = self._cell[0][id(value)]
            known.policy = policy
            found = known()
            return found if type(found) is _Keeper else None
        keeper = None
        try:
            mark = _Mark(value, self._gone)
        except TypeError:
            keeper = _Keeper(value)
            mark = _Mark(keeper, self._gone)
        mark.key, mark.policy = id(value), policy
        self._shrink()
        self._cell[0][id(value)] = mark
        return keeper


class SharedOwner(Owner):
    """Serves shared objects, each under the policy of its type, whichever object leads to it.

    :param policy: that of the objects it serves.
    :param presenter: how served code sees the objects of peers.
    """

    marks: Marks
    #: The policies of types whose methods run in threads.
    threaded: frozenset[Policy] = frozenset()
    #: Runs a function in a thread.
    run_in_thread: Callable[..., Deferred[Any]]

    @classmethod
    def over(
        cls,
        policy: Policy,
        presenter: Presenter,
        marks: Marks,
        threaded: frozenset[Policy],
        run_in_thread: Callable[..., Deferred[Any]],
    ) -> SharedOwner:
        """Return an owner."""
        made = cls(policy, presenter)
        made._knows(marks, threaded, run_in_thread)
        return made

    def _knows(self, marks: Marks, threaded: frozenset[Policy], run_in_thread: Callable[..., Deferred[Any]]) -> None:
        self.marks, self.threaded, self.run_in_thread = marks, threaded, run_in_thread
        # All that `invoke` does is to look for these.
        self._quick = self.policy not in threaded

    def under(self, policy: Policy) -> Owner:
        """Return the owner that serves under another policy what is reached through this one."""
        other = super().under(policy)
        if other is not self and isinstance(other, SharedOwner):
            other._knows(self.marks, self.threaded, self.run_in_thread)
        return other

    def adapter(self, side: Side, value: Any, override: Override | None = None) -> Exported:
        """Return the adapter by which a peer gets a reference to an object."""
        policy = override if isinstance(override, Policy) else self.marks.policy_of(value) or self.policy
        made = super().adapter(side, value, policy)
        if policy.title is not None:
            keeper = self.marks.mark(value, policy)
            if keeper is not None:
                made.keeper = keeper  # type: ignore[attr-defined]
        return made

    def was_shared(self, value: Any) -> bool:
        """Return whether an object is shared, and goes by reference therefore."""
        return self.marks.policy_of(value) is not None

    def invoke(self, run: Run, value: Any, name: str, function: Any, args: list[Any], kw: dict[str, Any]) -> Any:
        """Call a method of a shared object, in a thread if its type says so."""
        if self.threaded and run.policies[run.steps[run.index - 1].subject] in self.threaded:
            return self.run_in_thread(function, *args, **kw)
        return function(*args, **kw)
