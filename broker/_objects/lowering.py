"""Values that are not plain, lowered and lifted for one connection.

What most calls with references have, nothing but these and values without parts, goes a short way. What comes of that
is the same as by `Jellier` and `Unjellier`, which do everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from broker._objects.reference import RemoteReference
from broker._objects.referenceable import Referenceable, unjelly_local
from broker._values.jelly import Jellier
from broker._values.unjelly import Unjellier

if TYPE_CHECKING:
    from broker._objects.broker import Broker

__all__ = ["NOT_SHORT", "lift", "lift_shortly", "lower", "lower_shortly"]

#: Comes back where the long way must be taken.
NOT_SHORT: Final[Any] = object()
#: Most items of a tuple that are looked at twice.
_FEW: Final = 16
_NUMBERS: Final = frozenset((int, float, bytes))
#: What `broker/1` has as it is, besides texts.
_ATOMS: Final = _NUMBERS | {bool, type(None)}
_OURS: Final = Referenceable.jellyFor
_THEIRS: Final = RemoteReference.jellyFor


def lower(broker: Broker, value: Any, atoms: bool) -> Any:
    """Lower a value.

    :param atoms: leave what has no parts as it is.
    :raises InsecureJelly: something in it may not cross.
    :raises LimitExceeded: it is nested too deeply, or the peer holds too many references already.
    """
    form = lower_shortly(broker, value, atoms)
    if form is not NOT_SHORT:
        return form
    security, registry, depth = broker.security, broker.registry, broker.limits.depth
    return Jellier(security, None, broker, registry=registry, strict=True, depth=depth, atoms=atoms).jelly(value)


def lift(broker: Broker, expression: Any) -> Any:
    """Lift a value.

    :raises InsecureJelly: something in it may not cross, or is malformed.
    :raises LimitExceeded: it is nested too deeply, or too many references are held already.
    """
    value = lift_shortly(broker, expression)
    if value is not NOT_SHORT:
        return value
    unjellier = Unjellier(broker.security, None, broker, registry=broker.registry, depth=broker.limits.depth)
    return unjellier.unjellyFull(expression)


def lower_shortly(broker: Broker, value: Any, atoms: bool) -> Any:
    """Lower an object of ours, a reference, or a short tuple of such and of values without parts."""
    if not broker.plain:
        return NOT_SHORT
    items = value if type(value) is tuple else (value,)
    if len(items) > _FEW:
        return NOT_SHORT
    kinds = _ATOMS if atoms else _NUMBERS
    for item in items:
        kind = type(item)
        if kind in kinds or (atoms and kind is str and item.isascii()):
            continue
        hook = getattr(getattr(item, "jellyFor", None), "__func__", None)
        usual = hook is _OURS or (hook is _THEIRS and item.broker is broker)
        if not usual or kind in broker.registry.classes():
            return NOT_SHORT
    form = [_lower(broker, item) if isinstance(item, (Referenceable, RemoteReference)) else item for item in items]
    return [b"tuple", *form] if items is value else form[0]


def _lower(broker: Broker, item: Any) -> list[Any]:
    if isinstance(item, Referenceable):
        return [b"remote", broker.registerReference(item)]
    return [b"local", item.luid]


def lift_shortly(broker: Broker, expression: Any) -> Any:
    """Lift what `lower_shortly` makes."""
    registry = broker.registry
    if not (broker.plain and registry.plain and type(expression) is list and 0 < len(expression) <= _FEW):
        return NOT_SHORT
    several = expression[0] == b"tuple"
    parts = expression[1:] if several else [expression]
    for part in parts:
        if type(part) is list and not (len(part) == 2 and type(part[1]) is int and _is_usual(broker, part[0])):
            return NOT_SHORT
    items = [_lift(broker, part) if type(part) is list else part for part in parts]
    return tuple(items) if several else items[0]


def _is_usual(broker: Broker, head: Any) -> bool:
    """Return whether a head stands for a reference here, as it mostly does."""
    if head == b"remote":
        usual = broker.registry.unjellyable_for(b"remote") is RemoteReference
    else:
        usual = head == b"local" and broker.registry.unjellyable_for(b"local") is unjelly_local
    return usual and (broker.security.isTypeAllowed(head) or broker.registry.allows(head))


def _lift(broker: Broker, part: list[Any]) -> Any:
    number = part[1]
    if part[0] == b"local":
        return broker.localObjectForID(number)
    perspective = broker.unserializingPerspective
    known = broker.importedReference(perspective, number, RemoteReference)
    if known is None:
        known = RemoteReference(perspective, broker, number, True)
        broker.importReference(known)
    return known
