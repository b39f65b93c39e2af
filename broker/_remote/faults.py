"""Exceptions across a connection: described with cause, notes and members, and made again where they are caught.

A description is a dictionary of plain values. Nothing is imported for a name in one, and no ``__init__`` runs but those
of a few builtin classes that keep their data where nothing else can put it.
"""

from __future__ import annotations

import builtins
import traceback
from functools import lru_cache
from typing import Any, Final

from twisted.python.failure import Failure

from broker._objects.failures import remote_exception, wire_name
from broker._remote.atoms import PLAIN
from broker._remote.verbs import HiddenName, HiddenVerb, Refused
from broker._values.registry import Registry
from broker.errors import BadValue, RemoteError

__all__ = ["RemoteTraceback", "add_notes", "describe_exception", "let_go", "rebuild", "repr_of"]

#: Longest chain of causes, contexts and members that is described, and most exceptions in all.
_DEPTH: Final = 8
_MOST: Final = 64
#: Most characters of one text in a description.
_TEXT: Final = 16_384
_GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())
_WORDS: Final = PLAIN | {int}
#: Builtin exceptions with fields that can be set.
_WITH_FIELDS: Final = (OSError, ImportError, AttributeError, NameError)
#: Their fields, and those of others that keep something outside of `args`.
_FIELDS: Final = ("code", "value", "errno", "strerror", "filename", "filename2", "name", "path")

_OURS: Final[dict[str, type[BaseException]]] = {wire_name(cls): cls for cls in (HiddenName, HiddenVerb, Refused)}


class RemoteTraceback(Exception):
    """The traceback of the process where an exception was raised, as the last cause of what was made of it here."""

    # The name by which users import it, which tracebacks show.
    __module__ = "broker.transparent"

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0] if self.args else ""}"""'


# Describing.


class _Count:
    """How many exceptions may still be described."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = _MOST


def describe_exception(error: BaseException, tracebacks: bool = False) -> dict[str, Any]:
    """Return the description of an exception.

    :param tracebacks: whether the text of its traceback goes with it.
    """
    return _describe(error, tracebacks, _DEPTH, _Count())


def _describe(error: BaseException, tracebacks: bool, depth: int, count: _Count) -> dict[str, Any]:
    count.left -= 1
    form: dict[str, Any] = {"text": _text(error)}
    if isinstance(error, RemoteError):
        form["type"] = error.remoteType.decode("utf-8", "replace")
        form["bases"] = list(error.remoteParents)
    else:
        form["type"] = wire_name(type(error))
        form["bases"] = [wire_name(cls) for cls in type(error).__mro__ if issubclass(cls, BaseException)][:32]
    args = tuple(error.args) if not isinstance(error, _GROUP) else tuple(error.args[:1])
    plain = [_plain(arg) for arg in args[:16]]
    form["args"] = [item if ok else _cut(repr_of(item)) for ok, item in plain]
    form["exact"] = all(ok for ok, _ in plain)
    attributes = _attributes(error)
    if attributes:
        form["attributes"] = attributes
    notes = getattr(error, "__notes__", None)
    if isinstance(notes, (list, tuple)):
        form["notes"] = [_cut(note) for note in notes[:16] if isinstance(note, str)]
    if tracebacks:
        form["traceback"] = _traceback(error)
    if depth and count.left > 0:
        _chain(form, error, tracebacks, depth - 1, count)
    return form


def _chain(form: dict[str, Any], error: BaseException, tracebacks: bool, depth: int, count: _Count) -> None:
    cause = error.__cause__
    if cause is not None and not isinstance(cause, RemoteTraceback):
        form["cause"] = _describe(cause, tracebacks, depth, count)
    elif error.__context__ is not None and not error.__suppress_context__:
        form["context"] = _describe(error.__context__, tracebacks, depth, count)
    if isinstance(error, _GROUP):
        members = []
        for member in error.exceptions:
            if count.left <= 0:
                break
            members.append(_describe(member, tracebacks, depth, count))
        form["members"] = members


def _text(error: BaseException) -> str:
    if isinstance(error, _GROUP):
        return _cut(str(error.args[0]) if error.args else "")
    try:
        return _cut(str(error))
    except Exception as problem:  # noqa: BLE001  the receiver waits for some text, whatever ``__str__`` raises
        return f"<unprintable {type(error).__name__}: {type(problem).__name__}>"


def repr_of(value: Any) -> str:
    """Return the ``repr`` of a value, even of one whose ``__repr__`` fails."""
    try:
        return repr(value)
    except Exception as problem:  # noqa: BLE001  as above
        return f"<unprintable {type(value).__name__}: {type(problem).__name__}>"


def _cut(text: str) -> str:
    return text[:_TEXT].encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any, depth: int = 3) -> tuple[bool, Any]:
    """Return whether a value is plain and may go as it is, and the value."""
    kind = type(value)
    if kind is str:
        return True, _cut(value)
    if kind is int:
        return value.bit_length() <= 440, value
    if kind in _WORDS:
        return kind is not bytes or len(value) <= _TEXT, value
    if kind in (list, tuple) and depth and len(value) <= 64:
        items = [_plain(item, depth - 1) for item in value]
        if all(ok for ok, _ in items):
            return True, kind(item for _, item in items)
    return False, value


def _attributes(error: BaseException) -> dict[str, Any]:
    """Return the public attributes that an exception has been given, and those that builtin ones keep elsewhere."""
    found = dict(getattr(error, "__dict__", {}))
    for name in _FIELDS:
        if name not in found:
            found[name] = getattr(error, name, None)
    plain = {}
    for name, value in list(found.items())[:64]:
        if type(name) is str and not name.startswith(("_", "remote")) and value is not None:
            ok, item = _plain(value)
            if ok:
                plain[name] = item
    return plain


def _traceback(error: BaseException) -> str:
    before = error.remoteTraceback if isinstance(error, RemoteError) else ""
    lines = traceback.format_exception(type(error), error, error.__traceback__, chain=False)
    return _cut("\n".join(text for text in (before, "".join(lines)) if text))


# Making them again.


def rebuild(form: Any, registry: Registry, depth: int = _DEPTH + 1) -> BaseException:
    """Return an exception for a description.

    :param registry: says for which names classes of ours may stand; nothing is imported.
    :raises BadValue: the description is malformed.
    """
    if type(form) is not dict or type(form.get("type")) is not str or type(form.get("text")) is not str or depth < 0:
        raise BadValue("the description of an exception is a dictionary with its type and text")
    error = _make(form, registry, depth)
    _decorate(error, form)
    cause, context = form.get("cause"), form.get("context")
    error.remote_traceback = error.remoteTraceback  # type: ignore[attr-defined]
    if cause is not None:
        error.__cause__ = rebuild(cause, registry, depth - 1)
    elif error.remoteTraceback:
        error.__cause__ = RemoteTraceback(error.remoteTraceback)
    if context is not None:
        error.__context__ = rebuild(context, registry, depth - 1)
    error.__suppress_context__ = context is None
    return error


def _make(form: dict[str, Any], registry: Registry, depth: int) -> RemoteError:
    name, text = form["type"], form["text"]
    bases = [base for base in _list(form, "bases") if type(base) is str]
    trace = form.get("traceback")
    members = [rebuild(member, registry, depth - 1) for member in _list(form, "members")[:_MOST]]
    args = tuple(_list(form, "args"))
    if members and _GROUP:
        error: Any = _group_class().__new__(_group_class(), text, members)
    else:
        parents = [base for base in [name, *bases] if base not in _OURS]
        ours: Any = next((_OURS[base] for base in [name, *bases] if base in _OURS), None)
        if ours is not None:
            error = _both(ours).__new__(_both(ours), text)
        else:
            known = name.encode("utf-8", "backslashreplace")
            error = remote_exception(known, text, "", parents, registry, args if form.get("exact") else None)
            _initialise(error, args)
    error.remoteType = name.encode("utf-8", "backslashreplace")
    error.remoteParents = tuple(bases)
    error.remoteTraceback = trace if type(trace) is str else ""
    error._text = text
    if not isinstance(error, _GROUP):
        error.args = args or (text,) if type(error) is not RemoteError else (text,)
        if members:
            error.exceptions = tuple(members)
    return error  # type: ignore[no-any-return]


def _initialise(error: BaseException, args: tuple[Any, ...]) -> None:
    """Fill the fields of builtin exceptions that only their own ``__init__`` can fill."""
    keeping: tuple[Any, ...] = (OSError, UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)
    for cls in keeping:
        if isinstance(error, cls):
            try:
                cls.__init__(error, *args)
            except TypeError:
                # Arguments that do not fit; the exception keeps them in `args` nevertheless.
                pass


def _decorate(error: BaseException, form: dict[str, Any]) -> None:
    attributes = form.get("attributes")
    if type(attributes) is dict:
        for name, value in attributes.items():
            if type(name) is str and not name.startswith(("_", "remote")) and name not in ("args", "exceptions"):
                if not hasattr(type(error), name) or (name in _FIELDS and isinstance(error, _WITH_FIELDS)):
                    _set(error, name, value)
    notes = [note for note in _list(form, "notes") if type(note) is str]
    if notes:
        add_notes(error, notes)


def add_notes(error: Any, notes: list[str]) -> None:
    """Give an exception more notes, also where Python has no method for it yet."""
    error.__notes__ = [*getattr(error, "__notes__", ()), *notes]


def _set(error: BaseException, name: str, value: Any) -> None:
    try:
        setattr(error, name, value)
    except (AttributeError, TypeError):
        # A property of a registered class, or a field of another type: it stays as the class has it.
        pass


def _list(form: dict[str, Any], key: str) -> list[Any]:
    value = form.get(key)
    return value if type(value) is list else []


@lru_cache(maxsize=8)
def _both(known: Any) -> Any:
    """Return a class that is both a `RemoteError` and one of ours."""
    return type(known.__name__, (RemoteError, known), {"__module__": known.__module__, "__str__": _said})


@lru_cache(maxsize=1)
def _group_class() -> Any:
    group: Any = builtins.ExceptionGroup  # type: ignore[attr-defined,unused-ignore]
    return type("ExceptionGroup", (RemoteError, group), {"__module__": "builtins"})


def _said(self: RemoteError) -> str:
    return self._text or ""


def let_go(failure: Failure) -> None:
    """Have an exception let go of where it came from."""
    assert failure.value is not None
    # In a circle with the frames of the coroutine that it came through, it would keep all that waited there until the
    # collector comes.
    failure.value.__traceback__ = failure.tb = None
