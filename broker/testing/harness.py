"""What the trial mixin and the pytest fixture share: pairs made by one test, and what must hold when it is over."""

from __future__ import annotations

from typing import Any

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from zope.interface import implementer

from broker.testing.leftovers import assert_empty, assert_no_escape
from broker.testing.pairs import Pair, pair

__all__ = ["LoggedFailures", "Pairs", "check"]


def check(subject: Pair) -> None:
    """Check one pair at the end of a test: no exception escaped, the ends come to rest, the tables are empty.

    :raises AssertionError: one of these does not hold.
    """
    assert_no_escape(subject)
    assert_empty(subject)
    assert_no_escape(subject)


@implementer(ILogObserver)
class LoggedFailures:
    """Hears the failures that are logged.

    :ivar events: the events that nobody has expected so far.
    """

    def __init__(self) -> None:
        self.events: list[LogEvent] = []
        self._heard: list[Failure] = []

    def __call__(self, event: LogEvent) -> None:
        """Take one event of the log."""
        failure = event.get("log_failure")
        if failure is not None:
            self.events.append(event)
            self._heard.append(failure)

    def start(self) -> None:
        """Begin to hear."""
        globalLogPublisher.addObserver(self)

    def stop(self) -> None:
        """Hear no more."""
        globalLogPublisher.removeObserver(self)

    def let_go(self) -> None:
        """Take the tracebacks off all that was heard, keeping their text.

        The log may keep failures (until logging has begun, Twisted keeps every event), and their frames would keep
        what the test held: tables that the test has left empty would look full.
        """
        for failure in self._heard:
            # By hand: pytest-twisted makes `cleanFailure` do nothing. Asking for the frames has their text kept.
            _ = failure.frames
            failure.tb = None
            error = failure.value
            while error is not None:
                error.__traceback__ = None
                error = error.__cause__ or error.__context__
        self._heard.clear()


class Pairs:
    """Makes pairs and keeps them until they are checked; also hears what is logged meanwhile.

    :ivar made: the pairs, oldest first.
    """

    def __init__(self) -> None:
        self.made: list[Pair] = []
        self._logged = LoggedFailures()

    def __call__(self, root: Any, **options: Any) -> Pair:
        """Make a pair; see `broker.testing.pair` for the parameters."""
        made = pair(root, **options)
        self.made.append(made)
        return made

    def flush_logged(self, *types: type[BaseException]) -> list[Failure]:
        """Return and forget the failures logged so far, all or those of the given types: they were expected."""
        events = self._logged.events
        expected = [event["log_failure"] for event in events if _is_of(event, types)]
        self._logged.events = [event for event in events if not _is_of(event, types)]
        return expected

    def start(self) -> None:
        """Begin to hear what is logged."""
        self._logged.start()

    def stop(self) -> None:
        """Hear no more."""
        self._logged.stop()

    def check(self) -> None:
        """Check every pair, and that no failure was logged that nobody expected.

        :raises AssertionError: one of these does not hold.
        """
        unexpected = [f"{formatEvent(event)}\n{event['log_failure'].getTraceback()}" for event in self._logged.events]
        self._logged.let_go()
        if unexpected:
            raise AssertionError("failures were logged:\n" + "\n".join(unexpected))
        for made in self.made:
            check(made)


def _is_of(event: LogEvent, types: tuple[type[BaseException], ...]) -> bool:
    return not types or event["log_failure"].check(*types) is not None
