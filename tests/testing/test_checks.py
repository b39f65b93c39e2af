"""The conformance checks pass what keeps its promises and catch what does not."""

from __future__ import annotations

from typing import Any

import pytest

from broker import InsecureJelly, pb
from broker._values.registry import Registry
from broker.testing import check_copyable, check_referenceable


class Point(pb.Copyable, pb.RemoteCopy):
    def __init__(self, x: int, tags: list[str]) -> None:
        self.x = x
        self.tags = tags


class Forgetful(pb.Copyable, pb.RemoteCopy):
    def __init__(self) -> None:
        self.x = 1

    def getStateToCopy(self) -> dict[str, Any]:
        return {}


class Unregistered(pb.Copyable):
    pass


class Plain:
    pass


@pytest.fixture
def registry() -> Registry:
    known = Registry()
    known.setUnjellyableForClass(Point, Point)
    known.setUnjellyableForClass(Forgetful, Forgetful)
    return known


def test_copyable(registry: Registry) -> None:
    received = check_copyable(Point(3, ["a"]), registry=registry)
    assert type(received) is Point and received.tags == ["a"]


def test_own_equality(registry: Registry) -> None:
    asked: list[tuple[Any, Any]] = []

    def eq(sent: Point, received: Point) -> bool:
        asked.append((sent, received))
        return sent.x == received.x

    check_copyable(Point(3, []), eq, registry=registry)
    assert asked
    with pytest.raises(AssertionError, match="as a result"):
        check_copyable(Point(3, []), lambda sent, received: False, registry=registry)


def test_state_that_does_not_cross(registry: Registry) -> None:
    with pytest.raises(AssertionError, match="as a result"):
        check_copyable(Forgetful(), registry=registry)


def test_unregistered_copy(registry: Registry) -> None:
    with pytest.raises(InsecureJelly, match="Unregistered"):
        check_copyable(Unregistered(), registry=registry)


def test_referenceable_is_no_copy() -> None:
    with pytest.raises(AssertionError, match="as a result"):
        check_copyable(pb.Referenceable())


def test_referenceable() -> None:
    check_referenceable(pb.Referenceable())
    check_referenceable(pb.Root())


def test_copy_is_no_reference(registry: Registry) -> None:
    with pytest.raises(AssertionError, match="no reference"):
        check_referenceable(Point(1, []), registry=registry)


def test_object_of_no_flavor() -> None:
    with pytest.raises(InsecureJelly, match="Plain"):
        check_referenceable(Plain())


def test_referenceable_that_is_never_the_same() -> None:
    class Restless(pb.Referenceable):
        count = 0

        def processUniqueID(self) -> int:
            self.count += 1
            return self.count

    with pytest.raises(AssertionError, match="references that differ"):
        check_referenceable(Restless())


def test_copy_that_forgets_it_was_sent() -> None:
    class Twice(pb.Copyable, pb.RemoteCopy):
        def jellyFor(self, jellier: Any) -> Any:
            return [b"test_checks.Twice", jellier.jelly({"x": 1})]

    known = Registry()
    known.setUnjellyableForClass(b"test_checks.Twice", Twice)
    twice = Twice()
    twice.x = 1  # type: ignore[attr-defined]
    with pytest.raises(AssertionError, match="arrived as two objects"):
        check_copyable(twice, registry=known)


def test_referenceable_that_sends_another_in_its_place() -> None:
    class Shy(pb.Referenceable):
        """Sends a stand-in from the client's end."""

        def __init__(self) -> None:
            self.other = pb.Referenceable()

        def jellyFor(self, jellier: Any) -> Any:
            return self.other.jellyFor(jellier) if jellier.invoker.isClient else super().jellyFor(jellier)

    with pytest.raises(AssertionError, match="returned to its owner"):
        check_referenceable(Shy())
