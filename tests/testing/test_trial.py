"""The mixin for trial fails tests that leave something behind, and only these."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol
from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from broker import pb
from broker.testing import BrokerTestMixin, Wire


class Shop(pb.Root):
    def remote_give(self) -> pb.Referenceable:
        return pb.Referenceable()

    def remote_break(self) -> None:
        raise ZeroDivisionError("broken")


class Faulty(Protocol):
    def dataReceived(self, data: bytes) -> None:
        raise ZeroDivisionError("oops")


class Cases(BrokerTestMixin, SynchronousTestCase):
    kept: Any = None

    def clean(self) -> None:
        connected = self.connect(Shop())
        thing = connected.call(connected.root, "give")
        self.assertIsNotNone(thing)

    def leftover(self) -> None:
        connected = self.connect(Shop())
        self.kept = connected.call(connected.root, "give")

    def logged(self) -> None:
        connected = self.connect(Shop())
        self.assertRaises(ZeroDivisionError, connected.call, connected.root, "break")

    def logged_while_something_is_held(self) -> None:
        connected = self.connect(Shop())
        thing = connected.call(connected.root, "give")
        self.assertRaises(ZeroDivisionError, connected.call, connected.root, "break")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIsNotNone(thing)

    def escape(self) -> None:
        connected = self.connect(Shop())
        connected.wire = Wire(Protocol(), Faulty())
        connected.wire.client.write(b"x")
        connected.flush()
        self.flushLoggedErrors(ZeroDivisionError)

    def fails(self) -> None:
        connected = self.connect(Shop())
        thing = connected.call(connected.root, "give")
        self.assertIsNone(thing)


def _text(failure: Any) -> str:
    return str(failure.value)


def problems(name: str) -> tuple[list[str], list[str]]:
    result = reporter.TestResult()
    Cases(name).run(result)
    assert result.testsRun == 1
    return [_text(f) for _, f in result.failures], [_text(f) for _, f in result.errors]


def test_clean() -> None:
    assert problems("clean") == ([], [])


def test_leftover() -> None:
    failures, errors = problems("leftover")
    assert failures == []
    assert len(errors) == 1 and "the client has 1 in imports" in errors[0]


def test_logged() -> None:
    assert problems("logged") == ([], ["broken"])


def test_the_log_keeps_nothing_alive() -> None:
    # Twisted's own buffer of events before logging begins is one that does.
    kept: list[LogEvent] = []
    observer: Any = kept.append
    globalLogPublisher.addObserver(observer)
    try:
        assert problems("logged_while_something_is_held") == ([], [])
    finally:
        globalLogPublisher.removeObserver(observer)
    assert kept


def test_escape() -> None:
    failures, errors = problems("escape")
    assert failures == []
    assert errors == ["ZeroDivisionError escaped the server's protocol: oops"]


def test_a_failed_test_is_reported_once() -> None:
    failures, errors = problems("fails")
    assert len(failures) == 1 and errors == []
