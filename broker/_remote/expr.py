"""Expressions: remote operations written as Python, built without sending and sent as one message."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from twisted.internet.defer import Deferred, succeed

from broker._objects.reference import RemoteReference
from broker._remote.faults import describe_exception
from broker._remote.held import Held, bound_to, reference_of, state_of
from broker._remote.iterators import AsyncRemoteIterator, make_exact
from broker._remote.names import forwarded
from broker._remote.program import HasNode, Node, Program, View, kept_node, more_of, node_of, text_of
from broker._remote.sending import transmit
from broker._remote.verbs import INPLACE, OPERATORS, Verb, Want

__all__ = ["Expr", "Once", "Tape", "base_of", "evaluate", "iterate"]


class Expr(HasNode):
    """Something to be computed at the owner of an object: nothing is sent until it is awaited.

    ``await x.child(0).value + 4`` is one message, however long the chain. Each await sends it anew; `once` keeps the
    result. Apart from `deferred` and `once`, every name belongs to the remote object.

    :param node: the operation.
    :param view: how results are shown.
    """

    __slots__ = ("__weakref__", "entered")

    def __init__(self, node: Node, view: View) -> None:
        HasNode.__init__(self, node, (view,))

    # What resolves it.

    def deferred(self) -> Deferred[Any]:
        """Send the expression; return a Deferred of its value."""
        return transmit(*_program(self))

    def once(self) -> Once:
        """Return this expression so that it is sent once, however often it is awaited."""
        return Once(self)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.deferred().__await__()

    # What builds another one.

    def __getattr__(self, name: str) -> Expr:
        found = forwarded(name)
        if found is None:
            raise AttributeError(f"{name!r} is not forwarded")
        return _then(self, Verb.GET, found)

    def __call__(self, /, *args: Any, **kw: Any) -> Expr:
        node = kept_node(self)
        if node.verb is Verb.GET and node.subject is not None:
            # Reading a method and calling it is one operation, which needs less of a policy.
            return _made(self, node.subject.then(Verb.CALL, node.operands[0], list(args), kw), node)
        return _then(self, Verb.CALL, None, list(args), kw)

    def __getitem__(self, key: Any) -> Expr:
        return _then(self, Verb.GETITEM, key)

    def __pow__(self, exponent: Any, modulus: Any = None) -> Expr:
        return _then(self, Verb.OP, "pow", False, *((exponent,) if modulus is None else (exponent, modulus)))

    def __round__(self, digits: Any = None) -> Expr:
        return _then(self, Verb.CONV, "round", *(() if digits is None else (digits,)))

    def __trunc__(self) -> Expr:
        return _then(self, Verb.CONV, "trunc")

    def __floor__(self) -> Expr:
        return _then(self, Verb.CONV, "floor")

    def __ceil__(self) -> Expr:
        return _then(self, Verb.CONV, "ceil")

    def __eq__(self, other: object) -> Any:
        return _then(self, Verb.OP, "eq", False, other)

    def __ne__(self, other: object) -> Any:
        return _then(self, Verb.OP, "ne", False, other)

    __hash__ = object.__hash__

    if TYPE_CHECKING:
        # What `_add_operators` adds.

        def _operator(self, other: Any) -> Expr: ...

        def _sign(self) -> Expr: ...

        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __matmul__ = __rmatmul__ = _operator
        __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __divmod__ = _operator
        __rdivmod__ = __rpow__ = __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __and__ = __rand__ = _operator
        __xor__ = __rxor__ = __or__ = __ror__ = __lt__ = __le__ = __gt__ = __ge__ = _operator
        __neg__ = __pos__ = __abs__ = __invert__ = __reversed__ = _sign

    # Statements.

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError("an assignment cannot be awaited: use ops.setattr(x, name, value), or a program block")

    def __delattr__(self, name: str) -> None:
        raise TypeError("a deletion cannot be awaited: use ops.delattr(x, name), or a program block")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError("an assignment cannot be awaited: use ops.setitem(x, key, value), or a program block")

    def __delitem__(self, key: Any) -> None:
        raise TypeError("a deletion cannot be awaited: use ops.delitem(x, key), or a program block")

    # Iteration and contexts.

    def __aiter__(self) -> AsyncRemoteIterator:
        iterator: AsyncRemoteIterator = iterate(self)
        return iterator

    async def __aenter__(self) -> Any:
        node, view = base_of(self)
        if node.verb is not None:
            # What is entered is what is left, so it is computed once.
            held = await view.transport.perform(node.reference, Program((node,), view, Want.REF))
            node = base_of(held)[0]
        _ENTERED.__set__(self, (node, _entered(self)))
        return await view.transport.perform(node.reference, Program((node.then(Verb.ENTER),), view))

    async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> Any:
        node, outside = _entered(self)
        _ENTERED.__set__(self, outside)
        view = more_of(self)[0]
        step = node.then(Verb.EXIT, None if error is None else describe_exception(error))
        return await view.transport.perform(node.reference, Program((step,), view, Want.AUTO))

    # What Python wants at once.

    def __bool__(self) -> NoReturn:
        raise TypeError("the truth of an expression is not known here: use await ops.bool(x)")

    def __len__(self) -> NoReturn:
        raise TypeError("the length of an expression is not known here: use await ops.len(x)")

    def __iter__(self) -> NoReturn:
        raise TypeError("an expression cannot be iterated at once: use async for, or ops.iter(x)")

    def __contains__(self, value: object) -> NoReturn:
        raise TypeError("what an expression contains is not known here: use await ops.contains(x, value)")

    def __int__(self) -> NoReturn:
        raise TypeError("the value of an expression is not known here: use await ops.int(x)")

    def __float__(self) -> NoReturn:
        raise TypeError("the value of an expression is not known here: use await ops.float(x)")

    def __complex__(self) -> NoReturn:
        raise TypeError("the value of an expression is not known here: use await ops.complex(x)")

    def __index__(self) -> NoReturn:
        raise TypeError("the value of an expression is not known here: use await ops.index(x)")

    def __bytes__(self) -> NoReturn:
        raise TypeError("the value of an expression is not known here: use await ops.bytes(x)")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("an expression cannot be formatted: use await ops.format(x, spec), or repr(x) for its own text")

    def __dir__(self) -> list[str]:
        return ["deferred", "once"]

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("an expression belongs to its connection and cannot be pickled")

    def __repr__(self) -> str:
        return f"<Expr {text_of(kept_node(self))}>"


_ENTERED: Final[Any] = vars(Expr)["entered"]
# The slot goes on working through its descriptor, as those of `HasNode` do.
del Expr.entered  # type: ignore[attr-defined]


def _entered(expression: Expr) -> Any:
    """Return the context that was entered last, with those around it, as a pair; None if there is none."""
    try:
        return _ENTERED.__get__(expression)
    except AttributeError:
        return None


class Tape:
    """What is recorded in a program block, in order.

    :ivar nodes: the operations.
    """

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def record(self, node: Node, instead: Node | None = None) -> None:
        """Add an operation, which makes another one superfluous."""
        self.nodes = [one for one in self.nodes if one is not instead]
        self.nodes.append(node)


class Once(Expr):
    """An expression that is sent once; every await gets the same value, or the same failure.

    :param expression: the expression.
    """

    __slots__ = ()

    def __init__(self, expression: Expr) -> None:
        HasNode.__init__(self, kept_node(expression), (more_of(expression)[0], []))

    def deferred(self) -> Deferred[Any]:
        """Send the expression, if it has not been sent; return a Deferred of its value."""
        state = more_of(self)[1]
        if not state:
            outcome: list[Any] = []
            waiting: list[Deferred[Any]] = []
            state.extend((outcome, waiting))
            super().deferred().addBoth(_share, outcome, waiting)
        outcome, waiting = state
        if outcome:
            return succeed(None).addCallback(lambda _: outcome[0])
        waiting.append(Deferred())
        return waiting[-1]


def _share(result: Any, outcome: list[Any], waiting: list[Deferred[Any]]) -> None:
    outcome.append(result)
    for one in waiting:
        if not one.called:
            one.callback(result)


def _binary(name: str, reflected: bool) -> Callable[[Expr, Any], Expr]:
    return lambda self, other: _then(self, Verb.OP, name, reflected, other)


def _unary(name: str) -> Callable[[Expr], Expr]:
    return lambda self: _then(self, Verb.OP, name, False)


def _add_operators() -> None:
    unary = ("neg", "pos", "abs", "invert", "reversed")
    for name in OPERATORS:
        if name in unary:
            setattr(Expr, f"__{name}__", _unary(name))
        elif name not in ("pow", "eq", "ne", *INPLACE):
            setattr(Expr, f"__{name}__", _binary(name, False))
        if name not in (*unary, *INPLACE, "lt", "le", "gt", "ge", "eq", "ne"):
            setattr(Expr, f"__r{name}__", _binary(name, True))


_add_operators()


def _made(base: Expr, node: Node, instead: Node | None = None) -> Expr:
    kind, more = type(base), more_of(base)
    if kind is Once:
        kind, more = Expr, more[:1]
    made = object.__new__(kind)
    HasNode.__init__(made, node, more)
    if kind is not Expr:
        # In a program block.
        more[1].record(node, instead)
    return made


def _then(base: Expr, verb: Verb, *operands: Any) -> Expr:
    node = kept_node(base)
    return _made(base, Node(node.reference, verb, node, *operands))


def _program(expression: Expr) -> tuple[RemoteReference, Program]:
    node, view = kept_node(expression), more_of(expression)[0]
    if view.transport.blocking:
        raise TypeError("an expression whose operations wait is not awaited: use run(x)")
    return node.reference, Program((node,), view)


def base_of(value: Any, view_of: Callable[[RemoteReference], View] | None = None) -> tuple[Node, Any]:
    """Return the operation that an expression, proxy or reference stands for, and the view of its results.

    :param view_of: gives the view for a bare reference.
    :raises TypeError: it is none of these.
    """
    kind = type(value)
    if issubclass(kind, Expr):
        return kept_node(value), more_of(value)[0]
    if issubclass(kind, HasNode):
        node = node_of(value)
        assert node is not None
        return node, state_of(more_of(value)[0]).view
    if issubclass(kind, Held):
        state = state_of(value)
        return Node(state.reference), state.view
    bound = bound_to(value)
    if bound is not None:
        # A method of a proxy whose class has functions for them.
        state = state_of(bound[0])
        return Node(state.reference).then(Verb.GET, bound[1]), state.view
    reference = reference_of(value)
    if reference is None:
        raise TypeError(f"{kind.__name__} is no expression, proxy or reference")
    return Node(reference), view_of(reference) if view_of is not None else None


def evaluate(
    value: Any, *steps: Any, want: Want | None = None, view_of: Any = None, notes: dict[str, Any] | None = None
) -> Any:
    """Run an operation on what a value stands for, as its transport does.

    :param steps: the verb and its operands; nothing for the value itself.
    :param notes: what else the owner is told.
    """
    node, view = base_of(value, view_of)
    if steps:
        node = node.then(*steps)
    return view.transport.perform(node.reference, Program((node,), view, want, notes))


def iterate(value: Any, first: int = 0, exact: bool = False, view_of: Any = None) -> Any:
    """Return an iterator over what a value stands for; for ``async for``, it asks when its first item is asked for.

    :param first: how many items the first batch has; by default as the view's policy says.
    :param exact: fetch items one by one, and none ahead.
    """
    transport = base_of(value, view_of)[1].transport

    def opened() -> Any:
        view = base_of(value, view_of)[1]
        count = 0 if exact else first or view.policy.batch.first
        return evaluate(value, Verb.ITER, count, want=Want.AUTO, view_of=view_of)

    if transport.blocking:
        return make_exact(opened()) if exact else opened()
    if exact:
        return AsyncRemoteIterator(lambda: opened().addCallback(make_exact), transport)
    return AsyncRemoteIterator(opened, transport)
