"""Rules: who may do what with the names of a directory, and how much of everything there may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from broker._objects.broker import Broker

__all__ = ["NameLimits", "READ", "Rule", "VERBS", "Visitor", "WRITE", "allow", "writers"]

#: What peers can ask of a directory, if they may: to list names; to get what has a name; to name an object or a value;
#: to have a value kept, for a handle; to name what there is a handle or reference for; to take a name away.
VERBS: Final = ("browse", "fetch", "export", "store", "attach", "withdraw")


@dataclass(frozen=True)
class Visitor:
    """Who asks.

    :param broker: the connection.
    :param user: the avatar's id of who has logged in, or None where the directory is reached without.
    """

    broker: Broker
    user: Any = None


#: Says whether somebody may do something: called with the `Visitor`, one of `VERBS`, and the name it is about, which is
#: ``""`` for `browse` and `store`.
Rule = Callable[[Visitor, str, str], bool]


def allow(*verbs: str) -> Rule:
    """Return the rule by which everybody may do certain things, and nobody anything else.

    :param verbs: some of `VERBS`.
    :raises ValueError: there is no such verb.
    """
    unknown = sorted(set(verbs).difference(VERBS))
    if unknown:
        raise ValueError(f"there is no verb {unknown[0]!r}; there are {', '.join(VERBS)}")
    allowed = frozenset(verbs)
    return lambda visitor, verb, name: verb in allowed


#: Everybody may browse and fetch.
READ: Final = allow("browse", "fetch")
#: Everybody may do everything.
WRITE: Final = allow(*VERBS)


def writers(*users: str | bytes) -> Rule:
    """Return the rule by which everybody may browse and fetch, and certain users may do everything.

    :param users: their names, which are the ids of their avatars. Who has not logged in is none of them.
    """
    named = frozenset(user.encode("utf-8") if isinstance(user, str) else user for user in users)

    def rule(visitor: Visitor, verb: str, name: str) -> bool:
        user = visitor.user.encode("utf-8") if isinstance(visitor.user, str) else visitor.user
        return READ(visitor, verb, name) or (isinstance(user, bytes) and user in named)

    return rule


@dataclass(frozen=True)
class NameLimits:
    """Ceilings of a directory; what would go beyond one is refused with `LimitExceeded`, and all stays as it was.

    :param length: most bytes of a name, in UTF-8. 255: as many as a file's name may have.
    :param names: most names. 10,000: a listing of so many is still one message of a few hundred KiB.
    :param value: most bytes of one value, encoded. 1 MiB: larger ones are files, and belong into a pager.
    :param total: most bytes of all values together, those included that peers hold handles to. Each is counted with 256
        more than it has. 64 MiB.
    :param published: most names that one client may have given to objects of its own. 1,000.
    """

    length: int = 255
    names: int = 10_000
    value: int = 1024 * 1024
    total: int = 64 * 1024 * 1024
    published: int = 1_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if type(value) is not int or value <= 0:
                raise ValueError(f"NameLimits.{name} must be a positive whole number, not {value!r}")
