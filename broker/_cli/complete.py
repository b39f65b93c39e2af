"""What Tab completes at the prompt of ``broker shell``: nothing that is asked for here sends a message.

What a proxy offers is known from the description of its type, which came with it. What an attribute of one is, or what
a call returns, is not known without asking, so what follows a dot behind these is not completed.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from broker._remote.held import Held, state_of
from broker._remote.program import HasNode, node_of
from broker._remote.proxy import Live
from broker._remote.sending import kind_of
from broker._remote.side import Kind

__all__ = ["Completer"]

_DOTTED: Final = re.compile(r"(\w+(?:\.\w+)*)\.(\w*)")
_NOTHING: Final = object()


class Completer:
    """Completes names, and attributes of what has a name.

    :param names: what there is, by name.
    """

    def __init__(self, names: Mapping[str, Any]) -> None:
        self._names = names
        self._matches: list[str] = []

    def complete(self, text: str, state: int) -> str | None:
        """Return a completion, as `readline` asks for it.

        :param text: what is before the cursor.
        :param state: which one: 0 for the first; None is returned when there are no more.
        """
        if state == 0:
            self._matches = self.matches(text)
        return self._matches[state] if state < len(self._matches) else None

    def matches(self, text: str) -> list[str]:
        """Return all completions of a text."""
        if "." not in text:
            return self._of_names(text)
        dotted = _DOTTED.fullmatch(text)
        if dotted is None:
            return []
        path, start = dotted.groups()
        found = self._found(path.split("."))
        return [] if found is _NOTHING else [f"{path}.{name}" for name in _offered(found, start)]

    def _of_names(self, text: str) -> list[str]:
        known = {**vars(builtins), **self._names}
        found = [name + "(" * callable(value) if not _is_remote(value) else name for name, value in known.items()]
        return sorted(name for name in {*found, *keyword.kwlist} if name.startswith(text) and _is_meant(name, text))

    def _found(self, path: list[str]) -> Any:
        first, *rest = path
        found = self._names.get(first, vars(builtins).get(first, _NOTHING))
        for name in rest:
            if found is _NOTHING or _is_remote(found):
                return _NOTHING
            # Properties are not looked into: they may do anything.
            found = inspect.getattr_static(found, name, _NOTHING)
            if isinstance(found, property) or inspect.isdatadescriptor(found):
                return _NOTHING
        return found


def _is_remote(value: Any) -> bool:
    return issubclass(type(value), (Held, HasNode))


def _is_meant(name: str, start: str) -> bool:
    """Return whether a name is worth showing: private ones to those who have begun one."""
    return start.startswith("_") or not name.startswith("_")


def _offered(value: Any, start: str) -> list[str]:
    if not _is_remote(value):
        names = [name + "(" * callable(inspect.getattr_static(value, name, None)) for name in dir(value)]
        return _beginning(names, start)
    kind = _kind(value)
    if kind is None:
        return []
    descriptor = kind.descriptor
    methods = [f"{name}(" for name in descriptor.methods]
    return _beginning([*methods, *descriptor.attributes, *kind.names, *descriptor.dunders], start)


def _kind(value: Any) -> Kind | None:
    """Return what is known of the object that a proxy, or an expression without any steps, stands for."""
    if issubclass(type(value), Live):
        found: Kind = state_of(value).kind
        return found
    node = node_of(value)
    return None if node is None or node.verb is not None else kind_of(node.reference)


def _beginning(names: Iterable[str], start: str) -> list[str]:
    return sorted(name for name in set(names) if name.startswith(start) and _is_meant(name, start))
