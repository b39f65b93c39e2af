"""What two ends of ours speak in a scenario: as its sides say."""

from __future__ import annotations

import pytest

from broker.spread import pb


@pytest.fixture(autouse=True)
def _spoken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    callspec = getattr(request.node, "callspec", None)
    sides = None if callspec is None else callspec.params.get("sides")
    if sides is not None and sides.dialect == "pb":
        monkeypatch.setattr(pb.Broker, "knownDialects", (b"pb", b"none"))
