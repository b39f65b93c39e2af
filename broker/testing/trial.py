"""Help for trial's test cases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from broker.testing.harness import LoggedFailures, check
from broker.testing.pairs import Pair, pair

__all__ = ["BrokerTestMixin"]


class BrokerTestMixin:
    """Mixed into `SynchronousTestCase` or `TestCase`, before it: pairs that are checked when the test is over.

    Errors that are logged fail the test, as trial has it; take expected ones with ``self.flushLoggedErrors(...)``.
    """

    if TYPE_CHECKING:
        addCleanup: Callable[..., Any]

    _result: Any = None
    _logged: LoggedFailures | None = None
    _problems_before = 0

    def run(self, result: Any = None) -> Any:
        """Run the test; see `unittest.TestCase.run`."""
        self._result = result
        self._problems_before = _problems(result)
        self._logged = LoggedFailures()
        self._logged.start()
        try:
            return super().run(result)  # type: ignore[misc]
        finally:
            self._logged.stop()
            self._result = self._logged = None

    def connect(self, root: Any, **options: Any) -> Pair:
        """Make a pair; see `broker.testing.pair` for the parameters.

        When the test is over, before ``tearDown``, no exception may have escaped either end's protocol, and both ends'
        tables must be empty. References that the test keeps in attributes of the test case count as left over.
        """
        made = pair(root, **options)
        self.addCleanup(self._check_pair, made)
        return made

    def _check_pair(self, made: Pair) -> None:
        # The traceback of a test that failed holds its references; to report these too would only mislead.
        if _problems(self._result) == self._problems_before:
            if self._logged is not None:
                self._logged.let_go()
            check(made)


def _problems(result: Any) -> int:
    """Return how many failures a test result holds, expected ones too."""
    return sum(len(getattr(result, kind, ())) for kind in ("failures", "errors", "expectedFailures"))
