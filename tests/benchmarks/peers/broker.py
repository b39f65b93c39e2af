"""broker: its own dialect through its own door, and the PB dialect through the door for programs written for PB.

Each comes in two forms: as it is installed here, so compiled where it has been, and from a copy of its sources.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tests.benchmarks.pb_shape import PB_WORKLOADS, PBPeer, session_tables
from tests.benchmarks.sources import ROOT, form, form_of
from tests.benchmarks.things import Store
from tests.benchmarks.workloads import CALLS

__all__ = ["GLANCING", "NATIVE", "NATIVE_PURE", "PB", "PB_PURE"]


def _front_door() -> Any:
    """Return the names of PB as the front door has them."""
    import broker
    from broker._net.protocol import BrokerProtocol
    from broker.transparent import LIVE, export

    return SimpleNamespace(
        Broker=BrokerProtocol,
        Cacheable=broker.Cacheable,
        PBClientFactory=broker.ClientFactory,
        PBServerFactory=broker.ServerFactory,
        Referenceable=broker.Referenceable,
        RemoteCache=broker.RemoteCache,
        offered=lambda: export(Store(), LIVE),
        Root=broker.Root,
        setUnjellyableForClass=broker.setUnjellyableForClass,
    )


def _drop_in() -> Any:
    """Return the door for programs written for PB."""
    from broker.spread import pb

    return pb


class BrokerPeer(PBPeer):
    """broker in one dialect and one form."""

    kind = "ours"

    def __init__(self, name: str, title: str, names: Any, dialect: str, pure: bool, reactor: str | None = None) -> None:
        super().__init__(
            name,
            title,
            "broker",
            session_tables,
            names=names,
            offers=PB_WORKLOADS if dialect == "pb" else CALLS,
            options={"require": dialect},
        )
        self._dialect = dialect
        self.pure = pure
        self.reactor = reactor

    def missing(self) -> str | None:
        """Return why this peer cannot be measured here, or None when it can."""
        if self.pure and form_of(ROOT) == "pure":
            return f"nothing of broker is compiled here, so it would be {self.name.removesuffix('-pure')} again"
        return super().missing()

    def check(self, root: Any) -> None:
        """See to it that what is measured is what the name says."""
        spoken = root.broker.session.dialect.name.decode()
        if spoken != self._dialect:
            raise AssertionError(f"the connection speaks {spoken}, not {self._dialect}")
        if self.pure and form() != "pure":
            raise AssertionError("broker is compiled, in a worker that is to run its sources")


NATIVE = BrokerPeer("broker-native", "broker/1", _front_door, "broker/1", False)
GLANCING = BrokerPeer(
    "broker-native-glancing", "broker/1, reactors that glance", _front_door, "broker/1", False, "glancing"
)
NATIVE_PURE = BrokerPeer("broker-native-pure", "broker/1, interpreted", _front_door, "broker/1", True)
PB = BrokerPeer("broker-pb", "broker.spread.pb", _drop_in, "pb", False)
PB_PURE = BrokerPeer("broker-pb-pure", "broker.spread.pb, interpreted", _drop_in, "pb", True)
