"""Objects named on another connection of the same owner: a holder of both may pass a reference of one over the other.

With the first reference that an owner introduces on a connection it tells what the connection is called and a key. With
them a holder proves, on another connection, that it holds a reference on this one: numbers are small and could be
guessed. What is proven is looked up among what the first connection was given, so nothing is reached that the holder
could not reach there.
"""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from secrets import token_bytes
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from broker._remote.atoms import ELSEWHERE
from broker._remote.exported import Exported
from broker._remote.side import Side
from broker.errors import BadValue

__all__ = ["Family", "Pass", "decode_pass", "name_elsewhere"]

_SIZE: Final = 16


class Pass(NamedTuple):
    """What an owner tells on a connection: who it is, what the connection is called, and the key."""

    family: bytes
    connection: bytes
    key: bytes


def decode_pass(form: Any) -> Pass:
    """Return a pass from the form in which it was sent.

    :raises BadValue: it is none.
    """
    if type(form) is not tuple or len(form) != 3 or any(type(part) is not bytes or len(part) != _SIZE for part in form):
        raise BadValue("a pass is three byte strings")
    return Pass(*form)


def name_elsewhere(held: Pass | None, used: Pass | None, luid: int | bytes) -> tuple[Any, ...] | None:
    """Return what names, on one connection, an object of another one; None where the owners are not the same.

    :param held: the pass of the connection on which the object is held.
    :param used: the pass of the connection on which it is to be named.
    """
    if held is None or used is None or held.family != used.family:
        return None
    return (ELSEWHERE, held.connection, luid, _proof(held.key, used.connection, luid))


def _proof(key: bytes, connection: bytes, luid: int | bytes) -> bytes:
    named = luid if isinstance(luid, bytes) else b"%d" % luid
    return blake2b(connection + named, key=key, digest_size=_SIZE).digest()


class Family:
    """The connections of one owner."""

    def __init__(self) -> None:
        self._name = token_bytes(_SIZE)
        self._sides: WeakValueDictionary[bytes, Side] = WeakValueDictionary()

    def pass_for(self, side: Side) -> Pass:
        """Return the pass of a connection."""
        given = side.passes.get(self._name)
        if given is None:
            given = side.passes[self._name] = Pass(self._name, token_bytes(_SIZE), token_bytes(_SIZE))
            self._sides[given.connection] = side
        return given

    def find(self, side: Side, form: tuple[Any, ...]) -> Exported:
        """Return what a connection names on another one.

        :raises BadValue: it is malformed, the proof is wrong, or the other connection is gone.
        """
        if (
            len(form) != 4
            or type(form[1]) is not bytes
            or type(form[2]) not in (int, bytes)
            or type(form[3]) is not bytes
        ):
            raise BadValue("an object elsewhere is a connection, a number and a proof")
        _, connection, luid, proof = form
        other = self._sides.get(connection)
        here = side.passes.get(self._name)
        if other is not None and here is not None:
            expected = _proof(other.passes[self._name].key, here.connection, luid)
            found = other.broker.localObjectForID(luid) if compare_digest(proof, expected) else None
            if type(found) is Exported:
                return found
        raise BadValue("an object elsewhere that is not, or not any more, held there")
