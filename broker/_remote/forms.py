"""In which form a value crosses, and the wrappers by which a server says so for one value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from broker._remote.names import INTERPRETER

__all__ = ["CONTAINERS", "Form", "IMMUTABLES", "Rules", "SCALARS", "Said", "copy", "ref", "stream"]


class Form(Enum):
    """What the receiver gets for a value."""

    COPY = "copy"  #: The value; of a container, its items each in a form of their own.
    REF = "ref"  #: A reference to it.
    STREAM = "stream"  #: Its items, batch by batch.
    SELF = "self"  #: Word that it is the very object that was asked.
    VOID = "void"  #: Nothing: no answer was wanted.
    REFUSE = "refuse"  #: An error.


#: What is the same everywhere and cannot change; `complex`, `slice`, `range` and ``...`` travel as values too.
SCALARS: Final[frozenset[type]] = frozenset(
    (
        *(type(None), bool, int, float, complex, str, bytes, slice, range, type(...), type(NotImplemented)),
        *(Decimal, date, datetime, time, timedelta),
    )
)
#: Containers that a copy is made of.
CONTAINERS: Final[frozenset[type]] = frozenset((list, tuple, dict, set, frozenset))
#: Scalars, and the containers that cannot change; the items of these are looked at one by one.
IMMUTABLES: Final[frozenset[type]] = SCALARS | {tuple, frozenset}
#: How many types rules remember.
_OFFERED: Final = 1024


class Rules:
    """Which form a value crosses in: by its exact type, else by the first class that fits, else the default.

    :param exact: forms by type.
    :param classes: pairs of a class and a form, in the order in which they are tried; abstract classes too.
    :param default: for everything else.
    """

    __slots__ = ("_classes", "_default", "_exact", "_offered")

    def __init__(
        self,
        exact: Mapping[type, Form] | Iterable[type] = (),
        classes: Iterable[tuple[type, Form]] = (),
        default: Form = Form.REFUSE,
    ) -> None:
        self._exact = dict(exact) if isinstance(exact, Mapping) else dict.fromkeys(exact, Form.COPY)
        self._classes = tuple(classes)
        self._default = default
        #: The types for which `offers` has said yes.
        self._offered: set[type] = set()

    def with_containers(self) -> Rules:
        """Return these rules, but with containers copied: so operators find in them what they look for."""
        return Rules({**self._exact, **dict.fromkeys(CONTAINERS, Form.COPY)}, self._classes, self._default)

    def form(self, value: Any) -> Form:
        """Return the form for a value."""
        return self._of(type(value))

    def _of(self, kind: type) -> Form:
        found = self._exact.get(kind)
        if found is not None:
            return found
        for cls, form in self._classes:
            # By its real type: an instance may say anything about its class.
            if issubclass(kind, cls):
                return form
        return self._default

    def offers(self, kind: type) -> bool:
        """Say whether values of a type may cross in one form or another."""
        if kind in self._offered:
            return True
        if issubclass(kind, INTERPRETER) or self._of(kind) is Form.REFUSE:
            return False
        if len(self._offered) >= _OFFERED:
            # Classes may be made by the thousand.
            self._offered.clear()
        self._offered.add(kind)
        return True


class Said:
    """A value with the form in which it is to cross; made by `ref`, `copy`, `stream` and `native`.

    :ivar policy: for a reference, the policy of what it leads to, or None for that of the object that gives it.
    """

    __slots__ = ("form", "policy", "value")

    def __init__(self, value: Any, form: Form, policy: Any = None) -> None:
        self.value = value
        self.form = form
        self.policy = policy


def ref(value: Any, policy: Any = None) -> Any:
    """Return a value from a served method, or pass it as an argument, by reference, whatever the rules say.

    :param policy: a `Policy`, what may be done with the object; by default what may be done with the one that gives it.
    """
    return Said(value, Form.REF, policy)


def copy(value: Any) -> Any:
    """Return a value from a served method, or pass it as an argument, as a copy, whatever the rules say."""
    return Said(value, Form.COPY)


def stream(items: Any) -> Any:
    """Return an iterable from a served method as a stream: its items go over in batches, as they are asked for."""
    return Said(items, Form.STREAM)
