"""How full the tables of a connection are, and whether anything was left in them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from broker.testing.pairs import Pair

__all__ = ["assert_empty", "assert_no_escape", "tables"]

#: Each table, and where a Perspective Broker of another make keeps it.
_TABLES: Mapping[str, str | None] = {
    "exports": "localObjects",
    "imports": None,
    "questions": "waitingForAnswers",
    "answers": None,
    "cached_out": "remotelyCachedObjects",
    "cached_in": "locallyCachedObjects",
}

_MEANING: Mapping[str, str] = {
    "exports": "objects of its own that the other end still holds",
    "imports": "references to the other end's objects that somebody still holds",
    "questions": "calls of its own that were not answered",
    "answers": "calls of the other end that it has not answered",
    "cached_out": "cached objects of its own that the other end still holds",
    "cached_in": "copies of the other end's cached objects that were not released",
}


def tables(broker: Any) -> dict[str, int]:
    """Return the size of every table of one end of a connection.

    The keys are ``exports``, ``imports``, ``questions``, ``answers``, ``cached_out`` and ``cached_in``. Objects
    served under a name, as the root is, are not counted. Tables that a foreign broker does not have are 0.
    """
    statistics = getattr(broker, "statistics", None)
    if statistics is not None:
        known: dict[str, int] = statistics()
        return {table: known[table] for table in _TABLES}
    return {table: len(list(_numbered(broker, attribute))) for table, attribute in _TABLES.items()}


def _numbered(broker: Any, attribute: str | None) -> Iterator[tuple[int, Any]]:
    """Give the numbered entries of one table of a broker."""
    entries = getattr(broker, attribute, None) if attribute is not None else None
    for key, entry in (entries or {}).items():
        if isinstance(key, int):
            yield key, getattr(entry, "object", entry)


def assert_empty(subject: Pair | Any) -> None:
    """Assert that nothing is left in any table, once garbage is collected and everything is delivered.

    :param subject: a `Pair`, or one end of a connection.
    :raises AssertionError: something is left; the message names it.
    """
    _settle(subject)
    left: list[str] = []
    for name, broker in _brokers(subject):
        left += [f"the {name} has {line}" for line in _left(broker)]
    if left:
        raise AssertionError("; ".join(left))


def _brokers(subject: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(subject, "wire"):
        yield "client", subject.client
        yield "server", subject.server
    else:
        yield "broker", subject


def _settle(subject: Any) -> None:
    """Let dropped references be released, however long the chain: a release may free what held the next."""
    wire = getattr(subject, "wire", None)
    while True:
        before = [tables(broker) for _, broker in _brokers(subject)]
        gc.collect()
        if wire is not None:
            wire.flush()
        if before == [tables(broker) for _, broker in _brokers(subject)]:
            return


def _left(broker: Any) -> Iterator[str]:
    for table, count in tables(broker).items():
        if count:
            names = [f"{key}: {entry!r:.100}" for key, entry in _numbered(broker, _TABLES[table])][:5]
            detail = f" ({', '.join(names)})" if names else ""
            yield f"{count} in {table}, {_MEANING[table]}{detail}"


def assert_no_escape(pair: Pair) -> None:
    """Assert that no exception escaped from either end's ``dataReceived`` or ``connectionLost``.

    :raises AssertionError: one did; it is the cause of this one.
    """
    for end, failure in pair.wire.escaped:
        raise AssertionError(
            f"{type(failure.value).__name__} escaped the {end}'s protocol: {failure.value}"
        ) from failure.value
