"""What every test shares: how hypothesis draws its examples, and a Twisted as it is outside of tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from twisted.python.failure import Failure

from broker import _about

if TYPE_CHECKING:
    from broker.testing.harness import Pairs

#: In which form the core is to run, "pure" or "compiled", where that matters.
_FORM = os.environ.get("BROKER_FORM")

_MAKE_FAILURE = Failure.__init__
#: How many tests are over.
_over = 0

# No deadline: a shared machine may take any time for one example. In CI the examples are the same in every run, so that
# a red run can be repeated; elsewhere they are drawn anew.
settings.register_profile("broker", deadline=None, print_blob=True)
settings.register_profile("broker-ci", settings.get_profile("broker"), derandomize=True, database=None)
settings.load_profile("broker-ci" if os.environ.get("CI") else "broker")

# A shell that starts the tests in the background has them ignore the interrupt, and so would every program that they
# start, also one that is to be ended by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart() -> None:
    """Refuse to test what is not there, or not what it seems."""
    if _about.stale():
        pytest.exit(
            "The core was compiled from other sources: `python3 dev.py build` compiles it again, --pure undoes it", 3
        )
    if _FORM and _about.form() != _FORM:
        pytest.exit(f"These tests are to run with a {_FORM} core, but it is {_about.form()}", 3)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what is there before the first test.

    Many tests see to it that nothing is left, so they collect; most of what would be looked through each time are the
    modules and the twenty thousand tests.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_logfinish() -> None:
    """And what is kept of tests that are over: their reports, and the modules that they were the first to need."""
    global _over
    _over += 1
    if _over % 100 == 0:
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol() -> Iterator[None]:
    """Let failures be made as they are outside of pytest.

    For the test cases of trial, pytest lets every Failure of Twisted 24 carry what ``sys.exc_info()`` says; the stock
    broker sends all attributes of a failure, so that no error of its would arrive.
    """
    patched: Any = Failure.__init__
    Failure.__init__ = _MAKE_FAILURE  # type: ignore[method-assign]
    try:
        return (yield)
    finally:
        Failure.__init__ = patched  # type: ignore[method-assign]


#: The dialects that two of our ends can speak.
DIALECTS = ("broker/1", "pb")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "in_dialects(*names): run in these dialects only, where a folder runs in both")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what uses the fixture `in_dialect`, which in some folders is all there is, once in each dialect."""
    if "in_dialect" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("in_dialects")
        names = DIALECTS if marker is None else marker.args
        metafunc.parametrize("in_dialect", names, indirect=True, scope="module")


@pytest.fixture(scope="module")
def in_dialect(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let connections that ask for nothing speak a dialect, between two ends of ours."""
    from broker._objects.broker import Broker
    from broker._session.hello import DIALECTS as ALL
    from broker.spread import pb

    name: str = request.param
    spoken = ALL if name == "broker/1" else (b"pb", b"none")
    before = Broker.dialects, pb.Broker.knownDialects
    Broker.dialects = pb.Broker.knownDialects = spoken
    yield name
    Broker.dialects, pb.Broker.knownDialects = before


@pytest.fixture
def pairs(request: pytest.FixtureRequest, in_dialect: str) -> Iterator[Pairs]:
    """Makes pairs; when the test is over nothing may be left in a table, logged or escaped that was not expected."""
    # Not before the core was found to be the one to test.
    from broker.testing import harness

    made = harness.Pairs()
    failed = request.session.testsfailed
    made.start()
    try:
        yield made
        if request.session.testsfailed == failed:
            spoken = {pair.client.dialect for pair in made.made}
            assert spoken <= {in_dialect, None}, f"spoken was {spoken}"
            made.check()
    finally:
        made.stop()
