"""The closed set of operations on a reference, and how a program of them is written.

A program is a list of steps that run in order at the owner, in one turn as long as no step has to wait. Value number 0
is the object that the program was sent to, value number k the result of step k; a step names the value that it works
on by its number, its *subject*, and may have results among its operands. The value of the program is that of its last
step. A step that fails ends it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from enum import IntEnum
from math import ceil, floor, trunc
from typing import Any, Final

from broker._values.path import brief
from broker.errors import BadValue, Consequence

__all__ = [
    "CONVERSIONS",
    "DO",
    "HiddenName",
    "HiddenVerb",
    "INPLACE",
    "OPERATORS",
    "Refused",
    "Result",
    "Step",
    "Verb",
    "Want",
    "dunders",
]

#: The message that carries a program. No method can have this name, so it takes none from the object.
DO: Final = b"broker.do"


class Verb(IntEnum):
    """What a step does; its operands stand behind the arrow."""

    GET = 1  #: → name. The attribute.
    SET = 2  #: → name, value. Sets the attribute.
    DEL = 3  #: → name. Deletes the attribute.
    CALL = 4  #: → name or None, list of arguments, dictionary of arguments. Calls a method, or the subject itself.
    OP = 5  #: → name in `OPERATORS`, whether the subject is the right operand, other operands.
    CONV = 6  #: → name in `CONVERSIONS`, operands. Always by value, rounding excepted.
    GETITEM = 7  #: → key.
    SETITEM = 8  #: → key, value.
    DELITEM = 9  #: → key.
    CONTAINS = 10  #: → value. True or False.
    ITER = 11  #: → most items of the first batch. A stream.
    NEXT = 12  #: → most items. The next items of an iterator.
    SEND = 13  #: → value. Resumes a generator; one item.
    THROW = 14  #: → description of an exception. Raises it in a generator; one item.
    CLOSE = 15  #: Closes a generator, or a stream.
    ENTER = 16  #: Enters a context, which is left with EXIT, or when the connection goes.
    EXIT = 17  #: → description of an exception, or None. Whether the exception was swallowed.
    DESCRIBE = 18  #: What the object is and has, as far as the policy shows it, and a reference to it.
    VALUE = 19  #: A copy.
    PUT = 20  #: → a reference to another object of the same owner, which becomes the value.


class Want(IntEnum):
    """In which form the sender of a program wants its value; the policy of the owner answers."""

    AUTO = 0
    VALUE = 1
    REF = 2
    NONE = 3


class Refused(Consequence, Exception):
    """The policy of an object does not allow what was asked of it; nothing ran."""

    # The name by which users import it, which tracebacks show.
    __module__ = "broker.transparent"
    fault = "remote"


class HiddenName(Refused, AttributeError):
    """The object has no attribute of that name on offer: there is none, or it is not for the one who asks."""

    __module__ = Refused.__module__


class HiddenVerb(Refused, TypeError):
    """The object does not offer that operation."""

    __module__ = Refused.__module__


class Result:
    """Stands among the operands of a step for the result of an earlier one."""

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        self.number = number

    def __repr__(self) -> str:
        return f"${self.number}"


class Step:
    """One operation.

    :param verb: which.
    :param subject: the number of the value that it works on.
    :param operands: as the verb says; `Result` for a result of an earlier step.
    """

    __slots__ = ("operands", "subject", "verb")

    def __init__(self, verb: Verb, subject: int, *operands: Any) -> None:
        self.verb = verb
        self.subject = subject
        self.operands = operands

    def encoded(self) -> list[Any]:
        """Return the step as it is sent; its operands are still to be packed."""
        return [int(self.verb), self.subject, *self.operands]

    @classmethod
    def decode(cls, form: Any, number: int) -> Step:
        """Return a step from its form.

        :param number: the number of the step, counted from 1: it can only work on earlier values.
        :raises BadValue: it is none.
        """
        if type(form) is not list or len(form) < 2 or type(form[0]) is not int or type(form[1]) is not int:
            raise BadValue("a step is a list of a verb, a subject and operands")
        subject, count = form[1], len(form) - 2
        known = _KNOWN.get(form[0])
        if known is None or not known[1] <= count <= known[2]:
            raise BadValue(f"there is no verb {brief(form[0])} with {count} operands")
        if not 0 <= subject < number:
            raise BadValue(f"step {number} works on a value that is not there yet")
        return cls(known[0], subject, *form[2:])


#: Least and most operands of each verb.
_OPERANDS: Final[dict[int, tuple[int, int]]] = {
    Verb.GET: (1, 1),
    Verb.SET: (2, 2),
    Verb.DEL: (1, 1),
    Verb.CALL: (3, 3),
    Verb.OP: (2, 4),
    Verb.CONV: (1, 2),
    Verb.GETITEM: (1, 1),
    Verb.SETITEM: (2, 2),
    Verb.DELITEM: (1, 1),
    Verb.CONTAINS: (1, 1),
    Verb.ITER: (1, 1),
    Verb.NEXT: (1, 1),
    Verb.SEND: (1, 1),
    Verb.THROW: (1, 1),
    Verb.CLOSE: (0, 0),
    Verb.ENTER: (0, 0),
    Verb.EXIT: (1, 1),
    Verb.DESCRIBE: (0, 0),
    Verb.VALUE: (0, 0),
    Verb.PUT: (1, 1),
}
#: For each number the verb, with the least and the most operands.
_KNOWN: Final = {int(verb): (Verb(verb), *bounds) for verb, bounds in _OPERANDS.items()}

_TWO: Final = "add sub mul matmul truediv floordiv mod pow lshift rshift xor lt le gt ge eq ne"
_ASSIGNED: Final = "iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ixor ior"

#: What runs for each operator: Python's own dispatch with the real operands, so that reflected methods, subclasses and
#: NotImplemented are its business and not that of the wire.
OPERATORS: Final[dict[str, Callable[..., Any]]] = {
    **{name: getattr(operator, name) for name in f"{_TWO} {_ASSIGNED} neg pos abs invert".split()},
    "and": operator.and_,
    "or": operator.or_,
    "divmod": divmod,
    "pow": pow,
    "reversed": reversed,
}
#: Operators whose result may be the subject itself, changed.
INPLACE: Final = frozenset(_ASSIGNED.split())

#: What runs for each conversion.
CONVERSIONS: Final[dict[str, Callable[..., Any]]] = {
    "len": len,
    "length_hint": operator.length_hint,
    "bool": bool,
    "int": int,
    "float": float,
    "complex": complex,
    "index": operator.index,
    "bytes": bytes,
    "str": str,
    "repr": repr,
    "hash": hash,
    "format": format,
    "round": round,
    "trunc": trunc,
    "floor": floor,
    "ceil": ceil,
}

_MIRRORED: Final = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}


def dunders(name: str, reflected: bool) -> str:
    """Return the special method by which one operand takes part in an operator, as the right one if `reflected`."""
    if not reflected or name in ("neg", "pos", "abs", "invert", "reversed"):
        return f"__{name}__"
    if name in _MIRRORED:
        return f"__{_MIRRORED[name]}__"
    return f"__r{name[1:] if name in INPLACE else name}__"
