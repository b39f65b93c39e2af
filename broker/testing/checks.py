"""Conformance checks for flavors of one's own: what each flavor promises, tried over a real connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from broker.testing.leftovers import assert_empty, assert_no_escape
from broker.testing.pairs import Pair, pair

__all__ = ["check_copyable", "check_referenceable"]


def check_copyable(obj: Any, eq: Callable[[Any, Any], object] | None = None, **options: Any) -> Any:
    """Check that an object keeps the promises of what is passed as a copy, over a connection in memory.

    It arrives as an equal and different object, as an argument and as a result, inside containers, and however the
    bytes are cut; sent twice in one message it arrives as one object; nothing is left in the tables.

    :param obj: the object; its class must be registered with what receives it.
    :param eq: called as ``eq(sent, received)``; by default ``==``, or equal ``vars``.
    :param options: for `broker.testing.pair`.
    :returns: what arrived.
    :raises AssertionError: a promise is broken.
    """
    same = eq or _same
    for bytewise in (False, True):
        connected, service = _serve(obj, bytewise, options)
        received = connected.call(connected.root, "give")
        _copied(obj, received, same, "as a result")
        connected.call(connected.root, "take", obj)
        _copied(obj, service.taken, same, "as an argument")
        connected.call(connected.root, "take", [obj, {"again": obj}])
        first, second = service.taken[0], service.taken[1]["again"]
        _copied(obj, first, same, "in a list")
        assert first is second, "sent twice in one message, it arrived as two objects"
        service.clear()
        del first, second
        _finish(connected)
    return received


def check_referenceable(obj: Any, **options: Any) -> None:
    """Check that an object keeps the promises of what is passed by reference, over a connection in memory.

    The other end gets a reference that can be called; sent twice, it is one reference or two equal ones; sent back,
    alone or inside containers, it is the object itself, whichever end owns it; when all references are dropped,
    nothing is left in the tables.

    :param obj: the object.
    :param options: for `broker.testing.pair`.
    :raises AssertionError: a promise is broken.
    """
    for bytewise in (False, True):
        connected, service = _serve(obj, bytewise, options)
        _home_again(connected, service)
        _lent(connected, service, obj)
        service.clear()
        _finish(connected)


def _home_again(connected: Pair, service: Any) -> None:
    """The server's object, in the hands of the client."""
    root = connected.root
    reference = connected.call(root, "give")
    _is_reference(reference, service.object, "as a result")
    assert connected.call(root, "give") == reference, "received twice, it makes two references that differ"
    assert connected.call(root, "is_mine", reference), "sent back, it was not the object itself"
    assert connected.call(root, "is_mine_inside", [{"it": (reference,)}]), (
        "sent back inside containers, it was not the object itself"
    )


def _lent(connected: Pair, service: Any, obj: Any) -> None:
    """The client's object, in the hands of the server."""
    root = connected.root
    connected.call(root, "take", obj)
    _is_reference(service.taken, obj, "as an argument")
    back = connected.call(root, "give_back")
    assert back is obj, f"returned to its owner, it was {back!r} and not the object itself"


def _serve(obj: Any, bytewise: bool, options: dict[str, Any]) -> tuple[Pair, Any]:
    """Connect a client to a service that gives and takes an object."""
    from broker._objects.referenceable import Root

    class Service(Root):
        def __init__(self) -> None:
            self.object = obj
            self.taken: Any = None

        def clear(self) -> None:
            self.object = self.taken = None

        def remote_give(self) -> Any:
            return self.object

        def remote_take(self, value: Any) -> None:
            self.taken = value

        def remote_give_back(self) -> Any:
            return self.taken

        def remote_is_mine(self, value: Any) -> bool:
            return value is self.object

        def remote_is_mine_inside(self, value: Any) -> bool:
            return value[0]["it"][0] is self.object

    service = Service()
    return pair(service, chunk=1 if bytewise else None, **options), service


def _copied(sent: Any, received: Any, same: Callable[[Any, Any], object], how: str) -> None:
    assert received is not sent, f"{how}, it arrived as the object itself and not as a copy"
    assert not hasattr(received, "callRemote"), f"{how}, it arrived as a reference and not as a copy: {received!r}"
    assert same(sent, received), f"{how}, {sent!r} arrived as {received!r}"


def _same(sent: Any, received: Any) -> bool:
    if sent == received:
        return True
    return getattr(sent, "__dict__", None) == getattr(received, "__dict__", ())


def _is_reference(value: Any, obj: Any, how: str) -> None:
    assert value is not obj, f"{how}, it arrived as the object itself and not as a reference"
    assert hasattr(value, "callRemote"), f"{how}, it arrived as {value!r}, which is no reference"


def _finish(connected: Pair) -> None:
    """Check what must hold when nobody holds anything any more."""
    assert_empty(connected)
    assert_no_escape(connected)
