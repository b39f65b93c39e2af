"""What to serve: from the text after ``--root`` to something a server factory takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.portal import IRealm, Portal
from zope.interface import implementer

from broker._directory.importing import blame, find
from broker._objects.referenceable import Referenceable
from broker.interfaces import IPBRoot, IPerspective

__all__ = ["find", "servable"]


def servable(found: Any, checkers: Sequence[ICredentialsChecker] = ()) -> Any:
    """Return what a server factory takes: a root, or a portal if there are checkers.

    :param found: a root object, a realm or a portal; or a class or a function that makes one when called without
        arguments; or, with checkers, one that makes an avatar when called with an avatar's id and a mind.
    :param checkers: who may log in. Without any, everybody is given the root.
    :raises ValueError: it is none of these, or it needs a login and nobody may log in; in one line.
    """
    if checkers and _takes(found, 2) and not _takes(found, 0):
        return _portal(_PerUser(found), checkers)
    made = _make(found)
    if isinstance(made, Portal):
        for checker in checkers:
            made.registerChecker(checker)
        return made
    if IRealm.providedBy(made):
        if not checkers:
            raise ValueError(f"{_name(found)} is a realm: say with --auth who may log in")
        return _portal(made, checkers)
    if not _is_root(made) and not (checkers and IPerspective.providedBy(made)):
        raise ValueError(f"{_name(found)} cannot be served: it is no broker.Root, no realm and no portal")
    return _portal(_Shared(made), checkers) if checkers else made


def _make(found: Any) -> Any:
    """Return the object itself, or what the class or function makes."""
    finished = not isinstance(found, type) and (IRealm.providedBy(found) or _is_root(found))
    if finished or not callable(found):
        return found
    if not _takes(found, 0):
        wants = " (two, an avatar's id and a mind, work with --auth)" if _takes(found, 2) else ""
        raise ValueError(f"{_name(found)} cannot be served: calling it needs arguments{wants}")
    try:
        return found()
    except Exception as error:  # the user's code may raise anything; all of it is reported
        raise ValueError(f"{_name(found)} cannot be served: {blame(error)}") from error


def _takes(found: Any, count: int) -> bool:
    """Tell whether something can be called with so many positional arguments."""
    try:
        inspect.signature(found).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        # Some classes written in C do not say what they take.
        return count == 0
    return True


def _is_root(made: Any) -> bool:
    return isinstance(made, Referenceable) or IPBRoot(made, None) is not None


def _name(found: Any) -> str:
    name = getattr(found, "__qualname__", None)
    return repr(name) if name else f"an object of class {type(found).__name__!r}"


def _portal(realm: Any, checkers: Sequence[ICredentialsChecker]) -> Portal:
    return Portal(realm, checkers)


def _nothing() -> None:
    """There is nothing to do when somebody logs out."""


@implementer(IRealm)
class _Shared:
    """Gives one object to everybody who logged in."""

    def __init__(self, avatar: Any) -> None:
        self._avatar = avatar

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, Any, Callable[[], None]]:
        return (_asked_for(interfaces), self._avatar, _nothing)


@implementer(IRealm)
class _PerUser:
    """Makes an avatar for each login; its ``logout()``, if it has one, is called when the user goes."""

    def __init__(self, make: Callable[[Any, Any], Any]) -> None:
        self._make = make

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> tuple[Any, Any, Callable[[], None]]:
        avatar = self._make(avatarId, mind)
        return (_asked_for(interfaces), avatar, getattr(avatar, "logout", _nothing))


def _asked_for(interfaces: tuple[Any, ...]) -> Any:
    if IPerspective not in interfaces:
        raise NotImplementedError("only perspectives are served here")
    return IPerspective
