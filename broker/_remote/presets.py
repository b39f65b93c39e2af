"""The policies of the systems that people come from, as presets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from broker._remote.expose import Expose
from broker._remote.forms import CONTAINERS, IMMUTABLES, SCALARS, Form, Rules, ref
from broker._remote.names import SAFE
from broker._remote.policy import Policy
from broker._remote.verbs import Want
from broker._values.jellyable import Jellyable

__all__ = ["EXPOSED", "HANDLES", "LENT", "LIVE", "NATIVE", "PB", "SHARED", "native"]

#: Objects with a flavor of their own (Referenceable, Copyable, Cacheable) cross in that.
_FLAVORED: Final = (Jellyable, Form.COPY)
_ITERATORS: Final = ((Iterator, Form.STREAM), (AsyncIterator, Form.STREAM))
_VIEWS: Final[tuple[type, ...]] = tuple(map(type, ({}.keys(), {}.values(), {}.items())))
_COPIES: Final = SCALARS | CONTAINERS

#: Perspective Broker: ``remote_*`` methods can be called, and nothing else. What has no flavor and is not plain stays.
PB: Final = Policy(
    expose=Expose(prefixes=("remote_",)),
    results=Rules(_COPIES, [_FLAVORED]),
    arguments=Rules(_COPIES, [_FLAVORED]),
    plain=True,
)

#: For objects that a holder passes along, most often callbacks: functions can be called, containers and iterators used
#: as such, and other objects offer what they mark.
LENT: Final = Policy(
    expose=Expose(prefixes=("exposed_",), marks=True, builtin=True, attributes=True),
    results=Rules(IMMUTABLES, [_FLAVORED], Form.REF),
    arguments=Rules(_COPIES, [_FLAVORED], Form.REF),
    values=True,
    describe="names",
    foreign="relay",
    compare="remote",
)

#: RPyC: objects read like local ones. What cannot change is copied, everything else stays with its owner.
LIVE: Final = LENT.but(
    expose=Expose(prefixes=("exposed_",), marks=True, public=True, builtin=True, dunders=SAFE, attributes=True),
    describe="full",
    lend=LENT,
)

#: remoteable: every result is a handle; a conversion fetches the value.
HANDLES: Final = LIVE.but(
    expose=Expose(public=True, builtin=True, dunders=SAFE, attributes=True, writable=True, deletable=True),
    results=Rules(default=Form.REF),
    arguments=Rules(_COPIES),
    foreign="refuse",
    want=Want.REF,
    compare="handle",
)

#: Managers of `multiprocessing`: methods are called on shared objects, results are copies, unless they are shared too.
SHARED: Final = LIVE.but(
    expose=Expose(public=True, builtin=True, dunders=SAFE),
    results=Rules(_COPIES | frozenset(_VIEWS), [_FLAVORED, *_ITERATORS]),
    arguments=Rules(_COPIES, [_FLAVORED], Form.REF),
    shared=True,
    describe="names",
    text="str",
)

#: Versile: all of a wrapped object, by references that do nothing until they are activated.
NATIVE: Final = LIVE.but(
    expose=Expose(public=True, builtin=True, dunders=SAFE, attributes=True, writable=True, deletable=True),
    arguments=Rules(IMMUTABLES, [_FLAVORED], Form.REF),
    inert=True,
)

#: Pyro: what is decorated with `expose` is offered; results are copies, and objects that are registered are proxies.
EXPOSED: Final = Policy(
    expose=Expose(marks=True, attributes=True),
    results=Rules(_COPIES, [_FLAVORED, *_ITERATORS]),
    arguments=Rules(_COPIES, [_FLAVORED]),
    shared=True,
    describe="full",
    compare="identity",
    lend=LENT,
)


def native(value: Any) -> Any:
    """Return an object from a served method, or pass it as an argument, by a reference with which all may be done.

    That is, what `NATIVE` says, whatever the rules and the policy are; for objects that were made for peers.
    """
    return ref(value, NATIVE)
