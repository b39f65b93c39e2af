"""Whether two values are the same in every respect that the native dialect promises to keep."""

from __future__ import annotations

import struct
from datetime import datetime, time
from typing import Any

__all__ = ["assert_same"]

CONTAINERS = (list, tuple, dict, set, frozenset)


def assert_same(sent: Any, got: Any) -> None:
    """Compare types, signs of zero, payloads of NaN, folds and zones, order, and what is shared with what."""
    there: dict[int, Any] = {}
    back: dict[int, Any] = {}
    waiting = [(sent, got)]
    while waiting:
        a, b = waiting.pop()
        assert type(a) is type(b), (a, b)
        if type(a) not in CONTAINERS:
            assert _scalar(a) == _scalar(b), (a, b)
            continue
        assert len(a) == len(b), (a, b)
        if type(a) in (tuple, frozenset) and not a:
            continue
        if id(a) in there or id(b) in back:
            assert there.get(id(a)) is b and back.get(id(b)) is a, f"shared here, not there: {a!r}"
            continue
        there[id(a)], back[id(b)] = b, a
        if type(a) is dict:
            waiting += zip(a.values(), b.values(), strict=True)
            waiting += zip(a, b, strict=True)
        elif type(a) in (set, frozenset):
            members = {member: member for member in b}
            waiting += [(member, members[member]) for member in a if member in members]
            # What has a NaN in it equals nothing.
            odd = sorted((member for member in a if member not in members), key=repr)
            waiting += zip(odd, sorted((member for member in b if member not in a), key=repr), strict=True)
        else:
            waiting += zip(a, b, strict=True)


def _scalar(value: Any) -> Any:
    """Return something that is equal for the same scalars only."""
    if type(value) is float:
        return struct.pack("<d", value)
    if type(value) is complex:
        return struct.pack("<dd", value.real, value.imag)
    if type(value) is datetime or type(value) is time:
        return repr(value), value.fold
    if type(value) in (int, str, bytes, bool):
        return value
    return repr(value)
