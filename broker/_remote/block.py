"""Program blocks: statements about remote objects, recorded and sent as one message when the block ends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import succeed

from broker._remote.expr import Expr, Tape, base_of
from broker._remote.names import clean, is_dunder, is_local
from broker._remote.program import HasNode, Program, kept_node, more_of
from broker._remote.verbs import INPLACE, Verb

__all__ = ["Block", "Recorded"]


class Recorded(Expr):
    """An expression inside a program block: assignments and in-place operators are recorded as well."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if is_local(name) or is_dunder(name):
            raise AttributeError(f"{name!r} is not forwarded")
        _record(self, Verb.SET, clean(name), value)

    def __delattr__(self, name: str) -> None:
        _record(self, Verb.DEL, clean(name))

    def __setitem__(self, key: Any, value: Any) -> None:
        _record(self, Verb.SETITEM, key, value)

    def __delitem__(self, key: Any) -> None:
        _record(self, Verb.DELITEM, key)


def _record(base: Recorded, *step: Any) -> Recorded:
    made = object.__new__(Recorded)
    node = kept_node(base).then(*step)
    HasNode.__init__(made, node, more_of(base))
    more_of(base)[1].record(node)
    return made


def _inplace(name: str) -> Callable[[Recorded, Any], Recorded]:
    return lambda self, other: _record(self, Verb.OP, name, False, other)


def _add_inplace() -> None:
    for name in INPLACE:
        setattr(Recorded, f"__{name}__", _inplace(name))


_add_inplace()


class Block:
    """A program that is written as a block of statements; made by `broker.transparent.program`.

    The block runs when it ends, in one message and, as long as nothing in it has to wait, in one turn of the owner: so
    ``p.count += 1`` cannot be interrupted. If the block is left by an exception, nothing is sent. Awaiting it gives the
    value of its last statement.
    """

    def __init__(self, target: Any, view_of: Any = None) -> None:
        self._node, self._view = base_of(target, view_of)
        self._tape = Tape()
        self._result: Any = None

    def __enter__(self) -> Any:
        made = object.__new__(Recorded)
        HasNode.__init__(made, self._node, (self._view, self._tape))
        return made

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is not None:
            return
        if self._tape.nodes:
            program = Program(self._tape.nodes, self._view)
            self._result = self._view.transport.perform(program.reference, program)
        elif not self._view.transport.blocking:
            self._result = succeed(None)

    async def __aenter__(self) -> Any:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self.__exit__(kind, error, traceback)
        if error is None:
            self._result = succeed(await self._result)

    @property
    def result(self) -> Any:
        """The value of the last statement, once the block has ended; a Deferred of it, if operations do not wait."""
        return self._result

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._result.__await__()  # type: ignore[no-any-return]
