"""Operations that Python wants the result of at once, and others that have no syntax, as functions.

Each takes an expression, a proxy or a reference, sends one message, and returns the result where operations wait, else
a Deferred of it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from broker._remote.expr import base_of, evaluate, iterate
from broker._remote.live import value, view_of
from broker._remote.names import clean
from broker._remote.program import HasNode, Node, Program
from broker._remote.sending import kind_of
from broker._remote.verbs import INPLACE, Verb, Want

__all__ = [
    "bool",
    "bytes",
    "complex",
    "contains",
    "delattr",
    "delitem",
    "float",
    "format",
    "getattr",
    "hash",
    "iadd_attr",
    "iadd_item",
    "index",
    "int",
    "isinstance",
    "iter",
    "len",
    "length_hint",
    "ref",
    "repr",
    "setattr",
    "setitem",
    "str",
    "test",
    "update_attr",
    "update_item",
    "value",
]


def _convert(x: Any, name: Any, *operands: Any) -> Any:
    return evaluate(x, Verb.CONV, name, *operands, want=Want.AUTO, view_of=view_of)


def len(x: Any) -> Any:
    """Return the length."""
    return _convert(x, "len")


def length_hint(x: Any) -> Any:
    """Return the length, or a guess at it."""
    return _convert(x, "length_hint")


def bool(x: Any) -> Any:
    """Return the truth."""
    return _convert(x, "bool")


def test(x: Any) -> Any:
    """Return the truth of an expression, a comparison most often, in the message that computes it."""
    return _convert(x, "bool")


def int(x: Any) -> Any:
    """Return the value as an integer."""
    return _convert(x, "int")


def float(x: Any) -> Any:
    """Return the value as a float."""
    return _convert(x, "float")


def complex(x: Any) -> Any:
    """Return the value as a complex number."""
    return _convert(x, "complex")


def index(x: Any) -> Any:
    """Return the value as an index."""
    return _convert(x, "index")


def bytes(x: Any) -> Any:
    """Return the value as bytes."""
    return _convert(x, "bytes")


def str(x: Any) -> Any:
    """Return the text of the remote object."""
    return _convert(x, "str")


def repr(x: Any) -> Any:
    """Return the ``repr`` of the remote object."""
    return _convert(x, "repr")


def hash(x: Any) -> Any:
    """Return the hash that the remote object has at its owner."""
    return _convert(x, "hash")


def format(x: Any, spec: Any = "") -> Any:
    """Return the formatted text of the remote object.

    :param spec: as for Python's own ``format``.
    """
    return _convert(x, "format", spec)


def contains(x: Any, item: Any) -> Any:
    """Return whether the remote object contains something."""
    return evaluate(x, Verb.CONTAINS, item, want=Want.AUTO, view_of=view_of)


def iter(x: Any, *, exact: Any = False, first: Any = 0) -> Any:
    """Return an iterator over the remote object, an asynchronous one where operations do not wait.

    :param exact: fetch items one by one, and none ahead; a generator that is sent values wants that.
    :param first: how many items to fetch at first.
    """
    return iterate(x, first, exact, view_of)


def ref(x: Any) -> Any:
    """Return a reference to what an expression comes to, whatever the owner would send otherwise."""
    return evaluate(x, want=Want.REF, view_of=view_of)


def getattr(x: Any, name: Any) -> Any:
    """Return an attribute; also one whose name an expression keeps for itself."""
    return evaluate(x, Verb.GET, clean(name), view_of=view_of)


def setattr(x: Any, name: Any, value: Any) -> Any:
    """Set an attribute."""
    return evaluate(x, Verb.SET, clean(name), value, want=Want.AUTO, view_of=view_of)


def delattr(x: Any, name: Any) -> Any:
    """Delete an attribute."""
    return evaluate(x, Verb.DEL, clean(name), want=Want.AUTO, view_of=view_of)


def setitem(x: Any, key: Any, value: Any) -> Any:
    """Set an item."""
    return evaluate(x, Verb.SETITEM, key, value, want=Want.AUTO, view_of=view_of)


def delitem(x: Any, key: Any) -> Any:
    """Delete an item."""
    return evaluate(x, Verb.DELITEM, key, want=Want.AUTO, view_of=view_of)


def update_attr(x: Any, name: Any, operator: Any, operand: Any) -> Any:
    """Change an attribute with an in-place operator, at one go: nothing comes between reading and writing.

    :param operator: the name of the operator, as in `operator`: ``"iadd"`` for ``+=``.
    :raises ValueError: there is no such operator.
    """
    name = clean(name)
    return _update(x, operator, operand, (Verb.GET, name), lambda changed: (Verb.SET, name, changed))


def update_item(x: Any, key: Any, operator: Any, operand: Any) -> Any:
    """Change an item with an in-place operator, at one go.

    :param operator: as for `update_attr`.
    :raises ValueError: there is no such operator.
    """
    return _update(x, operator, operand, (Verb.GETITEM, key), lambda changed: (Verb.SETITEM, key, changed))


def iadd_attr(x: Any, name: Any, operand: Any) -> Any:
    """Do ``x.name += operand`` at one go."""
    return update_attr(x, name, "iadd", operand)


def iadd_item(x: Any, key: Any, operand: Any) -> Any:
    """Do ``x[key] += operand`` at one go."""
    return update_item(x, key, "iadd", operand)


def _update(x: Any, operator: Any, operand: Any, read: Any, write: Any) -> Any:
    if operator not in INPLACE:
        raise ValueError(f"{operator!r} is no in-place operator")
    node, view = base_of(x, view_of)
    changed: Node = node.then(*read).then(Verb.OP, operator, False, operand)
    done = node.then(*write(HasNode(changed)))
    return view.transport.perform(node.reference, Program((done,), view, Want.AUTO))


def isinstance(x: Any, cls: Any) -> Any:
    """Return whether a proxied object is an instance of a class, by the names that its owner tells.

    :param cls: a class, or its name with the module in front.
    """
    name = f"{cls.__module__}.{cls.__qualname__}" if type(cls) is type or hasattr(cls, "__mro__") else cls
    node, view = base_of(x, view_of)
    kind = kind_of(node.reference) if node.verb is None else None
    if kind is not None:
        answer = _is(kind, name)
        return answer if view.transport.blocking else succeed(answer)
    described = evaluate(x, Verb.DESCRIBE, want=Want.AUTO, view_of=view_of)
    if type(described) is Deferred:
        return described.addCallback(_of_described, name)
    return _of_described(described, name)


def _of_described(described: Any, name: Any) -> Any:
    return _is(kind_of(base_of(described[0])[0].reference), name)


def _is(kind: Any, name: Any) -> Any:
    return kind is not None and (name in kind.descriptor.mro or name.removeprefix("builtins.") in kind.descriptor.mro)
