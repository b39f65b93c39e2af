"""What may be done with shared objects, and in which form values cross: a policy for each type."""

from __future__ import annotations

import array
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from broker._remote.forms import CONTAINERS, SCALARS, Form, Rules
from broker._remote.policy import Batch, Policy
from broker._remote.presets import LENT, SHARED
from broker._values.jellyable import Jellyable
from broker.manager.registry import Types, UnknownType

__all__ = ["HELD", "Policies"]

_COPIED: Final = SCALARS | CONTAINERS | {bytearray, *map(type, ({}.keys(), {}.values(), {}.items()))}
_FLAVORED: Final = ((Jellyable, Form.COPY),)
#: What is a container or a scalar by descent is copied as one of those.
_DERIVED: Final = tuple(
    (kind, Form.COPY) for kind in (Mapping, list, tuple, set, frozenset, deque, array.array, int, float, str, bytes)
)
#: Who waits for results waits for exceptions, too, which others put into a queue or hand to a callback.
_ERRORS: Final = ((BaseException, Form.COPY),)
_ITERATORS: Final = ((Iterator, Form.STREAM), (AsyncIterator, Form.STREAM))

#: How holders look at shared objects, and what goes with their calls: copies, and references to everything else.
HELD: Final = SHARED.but(
    results=Rules(_COPIED, (*_FLAVORED, *_ERRORS, *_ITERATORS, *_DERIVED)),
    arguments=Rules(_COPIED, (*_FLAVORED, *_ERRORS, *_DERIVED), Form.REF),
    # Shared objects are marked, see `broker.manager.sharing`.
    shared=False,
    traceback=True,
    lend=LENT.but(arguments=Rules(SCALARS | CONTAINERS, (*_FLAVORED, *_ERRORS), Form.REF)),
    # As with the builtin types, an iteration tells what is there when an item is asked for.
    batch=Batch(early=False),
)


class Policies:
    """The policies of a manager's types.

    :param types: the types.
    :raises ValueError: one of them cannot be imported.
    :raises UnknownType: a method's result is to be of a type that there is not.
    """

    def __init__(self, types: Types) -> None:
        self._of: dict[str, Policy] = {}
        self._types: dict[Policy, str] = {}
        methods: dict[str, dict[str, Any]] = {}
        for one in types:
            methods[one.typeid] = {}
            policy = HELD.but(expose=one.exposing(), methods=methods[one.typeid], title=one.typeid)
            self._of[one.typeid] = policy
            self._types[policy] = one.typeid
        for one in types:
            for name, typeid in one.method_to_typeid.items():
                if typeid not in self._of:
                    raise UnknownType(f"{one.typeid}.{name} is to return a {typeid!r}, which is not registered")
                # Iterators arrive as such anyway.
                if name != "__iter__":
                    methods[one.typeid][name] = self._of[typeid]

    def of(self, typeid: str) -> Policy:
        """Return the policy of a type."""
        return self._of[typeid]

    def typeid(self, policy: Policy) -> str | None:
        """Return of which type a policy is, or None."""
        return self._types.get(policy)
