"""What the trial mixin and the pytest fixture share: pairs made by one test, and what must hold when it is over."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.testing.leftovers import assert_empty, assert_no_escape
from broker.testing.pairs import Pair, pair

__all__ = ["Pairs", "check"]


def check(subject: Pair) -> None:
    """Check one pair at the end of a test: no exception escaped, the ends come to rest, the tables are empty.

    :raises AssertionError: one of these does not hold.
    """
    assert_no_escape(subject)
    assert_empty(subject)
    assert_no_escape(subject)


@implementer(ILogObserver)
class _Errors:
    """Keeps the events that were logged with a failure."""

    def __init__(self) -> None:
        self.events: list[LogEvent] = []

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_failure") is not None:
            self.events.append(event)


class Pairs:
    """Makes pairs and keeps them until they are checked; also hears what is logged meanwhile.

    :ivar made: the pairs, oldest first.
    """

    def __init__(self) -> None:
        self.made: list[Pair] = []
        self._errors = _Errors()

    def __call__(self, root: Any, **options: Any) -> Pair:
        """Make a pair; see `broker.testing.pair` for the parameters."""
        made = pair(root, **options)
        self.made.append(made)
        return made

    def flush_logged(self, *types: type[BaseException]) -> list[Failure]:
        """Return and forget the failures logged so far, all or those of the given types: they were expected."""
        failures = [event["log_failure"] for event in self._errors.events if _is_of(event, types)]
        self._errors.events = [event for event in self._errors.events if not _is_of(event, types)]
        return failures

    def start(self) -> None:
        """Begin to hear what is logged."""
        globalLogPublisher.addObserver(self._errors)

    def stop(self) -> None:
        """Hear no more."""
        globalLogPublisher.removeObserver(self._errors)

    def check(self) -> None:
        """Check every pair, and that no failure was logged that nobody expected.

        :raises AssertionError: one of these does not hold.
        """
        for made in self.made:
            check(made)
        if self._errors.events:
            lines = [f"{formatEvent(event)} {event['log_failure'].value!r}" for event in self._errors.events]
            raise AssertionError("failures were logged: " + "; ".join(lines))


def _is_of(event: LogEvent, types: tuple[type[BaseException], ...]) -> bool:
    return not types or event["log_failure"].check(*types) is not None
