"""Drop-in for `twisted.spread.jelly`.

What `unjelly` does here beyond the core is to import: with a policy that names no classes, such as the default one, a
dotted name, a function or a module means whatever can be imported under it. That is PB's behaviour and meant for data
that this process, or one like it, has written. No connection comes this way.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from twisted.python.reflect import namedAny

from broker._values.graph import Slot
from broker._values.jelly import Jellier
from broker._values.jellyable import (
    Jellyable,
    Unjellyable,
    Unpersistable,
    getInstanceState,
    setInstanceState,
)
from broker._values.lifter import UNCLAIMED, _createBlank, _newInstance
from broker._values.policy import DummySecurityOptions, SecurityOptions
from broker._values.registry import globalRegistry, globalSecurity
from broker._values.unjelly import Unjellier
from broker.errors import BadValue, InsecureJelly
from broker.interfaces import IJellyable, IUnjellyable

__all__ = [
    "DictTypes",
    "DummySecurityOptions",
    "IJellyable",
    "IUnjellyable",
    "InsecureJelly",
    "Jellyable",
    "None_atom",
    "SecurityOptions",
    "Unjellyable",
    "Unpersistable",
    "_createBlank",
    "_newInstance",
    "class_atom",
    "dereference_atom",
    "dictionary_atom",
    "frozenset_atom",
    "function_atom",
    "getInstanceState",
    "globalSecurity",
    "jelly",
    "list_atom",
    "module_atom",
    "persistent_atom",
    "reference_atom",
    "setInstanceState",
    "setUnjellyableFactoryForClass",
    "setUnjellyableForClass",
    "setUnjellyableForClassTree",
    "set_atom",
    "tuple_atom",
    "unjelly",
    "unjellyableFactoryRegistry",
    "unjellyableRegistry",
    "unpersistable_atom",
]

DictTypes = (dict,)

None_atom = b"None"
class_atom = b"class"
module_atom = b"module"
function_atom = b"function"
dereference_atom = b"dereference"
persistent_atom = b"persistent"
reference_atom = b"reference"
dictionary_atom = b"dictionary"
list_atom = b"list"
set_atom = b"set"
tuple_atom = b"tuple"
frozenset_atom = b"frozenset"
unpersistable_atom = b"unpersistable"

unjellyableRegistry = globalRegistry.unjellyables
unjellyableFactoryRegistry = globalRegistry.factories
setUnjellyableForClass = globalRegistry.setUnjellyableForClass
setUnjellyableFactoryForClass = globalRegistry.setUnjellyableFactoryForClass
setUnjellyableForClassTree = globalRegistry.setUnjellyableForClassTree

#: What is too deep for the stack is too deep; there is no other limit for trusted data.
_DEPTH = 1_000_000


def __getattr__(name: str) -> Any:
    if name != "instance_atom":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "twisted.spread.jelly.instance_atom was deprecated in Twisted 15.0.0: instance_atom is unused within Twisted.",
        DeprecationWarning,
        stacklevel=2,
    )
    return b"instance"


def _as_text(name: Any) -> str:
    if isinstance(name, bytes):
        return name.decode("utf-8", "replace")
    if not isinstance(name, str):
        raise BadValue(f"a {type(name).__name__} where a name belongs")
    return name


class _Importer:
    """Lifts names to what can be imported under them, as far as the policy goes."""

    def find(self, unjellier: Unjellier, name: str) -> type | None:
        """Return the class of a dotted name; None where the policy itself knows its classes."""
        module = name.rpartition(".")[0]
        if hasattr(unjellier.taster, "allowedClasses") or not unjellier.taster.isModuleAllowed(module):
            return None
        found = self._imported(name)
        return found if isinstance(found, type) else None

    def lift(self, unjellier: Unjellier, head: str, form: list[Any]) -> Any:
        """Lift a module, function or method; the obsolete head ``instance`` is only complained about."""
        if head == "module" and len(form) == 2:
            name = _as_text(form[1])
            if not unjellier.taster.isModuleAllowed(name):
                raise InsecureJelly(f"Attempted to unjelly module named {name!r:.200}")
            return self._imported(name)
        if head == "function" and len(form) == 2:
            name = _as_text(form[1])
            module = name.rpartition(".")[0]
            if not unjellier.taster.isModuleAllowed(module):
                raise InsecureJelly(f"Module not allowed: {module:.200}")
            return self._imported(name)
        if head == "method" and len(form) == 4:
            return self._method(_as_text(form[1]), unjellier.unjelly(form[2]), unjellier.unjelly(form[3]))
        if head == "instance":
            warnings.warn_explicit(
                "Unjelly support for the instance atom is deprecated since "
                "Twisted 15.0.0.  Upgrade peer for modern instance support.",
                category=DeprecationWarning,
                filename="",
                lineno=0,
            )
        return UNCLAIMED

    def _imported(self, name: str) -> Any:
        try:
            return namedAny(name)
        except (AttributeError, ImportError, ValueError) as error:
            raise InsecureJelly(f"{name:.200} cannot be found: {error}") from error

    def _method(self, name: str, owner: Any, cls: Any) -> Any:
        if not isinstance(cls, type):
            raise InsecureJelly("Method found with non-class class.")
        function = cls.__dict__.get(name)
        if not isinstance(function, FunctionType):
            raise TypeError("instance method changed")
        if type(owner) is Slot:
            raise BadValue(f"the method {name:.200} of something that is not complete")
        return function if owner is None else MethodType(function, owner)


def jelly(
    object: Any,
    taster: Any = DummySecurityOptions(),  # noqa: B008  it has no state
    persistentStore: Callable[[Any, Any], Any] | None = None,
    invoker: Any = None,
) -> Any:
    """Lower a value to an s-expression.

    :param taster: the policy; by default everything may pass. An instance that may not becomes
        ``(unpersistable reason)``.
    :param persistentStore: ``(instance, jellier)`` returns an id to put in the place of an instance, or None.
    :param invoker: the connection, for objects that lower themselves.
    :raises InsecureJelly: a part of the value has no form, or the policy refuses a basic type.
    :raises LimitExceeded: it is nested too deeply.
    """
    return Jellier(taster, persistentStore, invoker, depth=_DEPTH).jelly(object)


def unjelly(
    sexp: Any,
    taster: Any = DummySecurityOptions(),  # noqa: B008  it has no state
    persistentLoad: Callable[[Any, Any], Any] | None = None,
    invoker: Any = None,
) -> Any:
    """Lift an s-expression to the value it stands for. Imports modules; see the head of this module.

    :param taster: the policy; by default everything may pass, so only for data that this process could have written.
    :param persistentLoad: ``(id, unjellier)`` returns what `jelly`'s persistentStore gave an id for.
    :param invoker: the connection, for objects that lift themselves.
    :raises InsecureJelly: something in it is not allowed, or is malformed.
    :raises LimitExceeded: it is nested too deeply, or too costly.
    """
    return Unjellier(taster, persistentLoad, invoker, depth=_DEPTH, local=_Importer()).unjellyFull(sexp)
