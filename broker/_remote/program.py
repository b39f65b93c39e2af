"""Programs as holders write them: nodes that stand for operations, and their translation into steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Protocol

from broker._objects.reference import RemoteReference
from broker._remote.held import Pending, state_of
from broker._remote.policy import Policy
from broker._remote.side import side_of
from broker._remote.verbs import INPLACE, Verb, Want
from broker._values.path import brief

if TYPE_CHECKING:
    from broker._remote.adapter import Owner
    from broker._remote.forms import Rules
    from broker._remote.packing import Packer
    from broker._remote.side import Side
    from broker._remote.unpacking import Batch, Presenter

__all__ = ["Compiler", "HasNode", "Node", "Program", "View", "kept_node", "more_of", "node_of", "text_of"]


class View(Protocol):
    """How one side looks at objects of the other, see `broker._remote.holder.Holder`."""

    policy: Policy
    copies: bool
    arguments: Rules
    operands: Rules
    owner: Owner

    def present(self, reference: RemoteReference, kind: Any) -> Any:
        """Return what stands for an object of the peer."""

    def present_stream(self, reference: RemoteReference | None, batch: Batch) -> Any:
        """Return what stands for a stream of the peer."""

    def served(self, side: Side) -> Presenter:
        """Return what shows objects of the peer to code that is served over a connection."""


class Node:
    """One operation that may be part of a program, or the object that a program begins with.

    :param reference: the object that the program begins with.
    :param verb: the operation; None for the object itself.
    :param subject: what it works on.
    :param operands: as the verb says; anything that has a node may be among them, at any depth.
    """

    __slots__ = ("operands", "reference", "subject", "verb")

    def __init__(
        self, reference: RemoteReference, verb: Verb | None = None, subject: Node | None = None, *operands: Any
    ) -> None:
        self.reference = reference
        self.verb = verb
        self.subject = subject
        self.operands = operands

    def then(self, verb: Verb, *operands: Any) -> Node:
        """Return the node of an operation on the result of this one."""
        return Node(self.reference, verb, self, *operands)


class HasNode(Pending):
    """The base of what stands for an operation that has not been sent: expressions, methods of proxies.

    :param node: the operation; None for a method, whose proxy and name are in `more`: it is seldom needed.
    :param more: whatever a subclass keeps besides. No name leads to either of them.
    """

    __slots__ = ("more", "node")

    def __init__(self, node: Node | None, more: Any = None) -> None:
        _NODE.__set__(self, node)
        _MORE.__set__(self, more)


_NODE: Final[Any] = vars(HasNode)["node"]
_MORE: Final[Any] = vars(HasNode)["more"]
# The slots go on working through their descriptors; as attributes they would hide attributes of remote objects.
del HasNode.node, HasNode.more  # type: ignore[attr-defined]


def node_of(value: Any) -> Node | None:
    """Return the operation that a value stands for, or None."""
    if not issubclass(type(value), HasNode):
        return None
    node: Node | None = _NODE.__get__(value)
    if node is None:
        proxy, name = _MORE.__get__(value)
        node = Node(state_of(proxy).reference).then(Verb.GET, name)
        _NODE.__set__(value, node)
    return node


#: Return the operation that is kept with a value: with an expression, always.
kept_node: Final[Callable[[HasNode], Node]] = _NODE.__get__
#: Return what else is kept with the operation.
more_of: Final[Callable[[HasNode], Any]] = _MORE.__get__


class Program:
    """What is to be done in one message.

    :param nodes: the operations, in order; what they work on comes before them by itself. The value of the program is
        that of the last.
    :param view: how the result is shown, and how arguments go.
    :param want: in which form the result is wanted; by default as the view's policy says.
    :param notes: what else the owner is told about the call.
    :param whole: what stands for the object asked, where the answer is that very object.
    """

    __slots__ = ("nodes", "notes", "view", "want", "whole")

    def __init__(
        self,
        nodes: Iterable[Node],
        view: View,
        want: Want | None = None,
        notes: dict[str, Any] | None = None,
        whole: Any = None,
    ) -> None:
        self.nodes = list(nodes)
        self.view = view
        self.want = view.policy.want if want is None else want
        self.notes = notes
        self.whole = whole

    @property
    def reference(self) -> RemoteReference:
        """The object that the program is sent to."""
        return self.nodes[0].reference

    @property
    def text(self) -> str:
        """The program as one would write it."""
        return "; ".join(map(text_of, self.nodes))


class Compiler:
    """Translates nodes into steps.

    :param reference: the object that the program is sent to.
    """

    __slots__ = ("_numbers", "_operands", "_packer", "reference", "steps")

    def __init__(self, reference: RemoteReference) -> None:
        self.reference = reference
        self.steps: list[list[Any]] = []
        self._numbers: dict[int, tuple[int, Node]] = {}
        self._packer: Any = None
        self._operands: Any = None

    def packing(self, packer: Packer, operands: Packer) -> None:
        """Set what packs the arguments of calls, and the operands of operators."""
        self._packer, self._operands = packer, operands

    def finished(self) -> None:
        """Let go of what packs: it knows this, and both would keep the operands until the collector comes."""
        self._packer = self._operands = None

    def number(self, value: Any) -> int | None:
        """Return the number of the step that a value among the operands has become, or None if it is no operation."""
        node = node_of(value)
        return None if node is None else self.emit(node)

    def emit(self, node: Node) -> int:
        """Add what a node needs and the node itself; return its number.

        :raises TypeError: it begins with an object of another connection.
        """
        known = self._numbers.get(id(node))
        if known is not None:
            return known[0]
        number = self._emit(node)
        self._numbers[id(node)] = number, node
        return number

    def _emit(self, node: Node) -> int:
        if node.verb is None:
            return self._begin(node)
        assert node.subject is not None
        subject = self.emit(node.subject)
        if node.verb is Verb.CALL:
            name, args, kw = node.operands
            packed = [name, self._packer.arguments(args), self._packer.arguments(kw)]
        elif node.verb in _ATTRIBUTES:
            packed = [node.operands[0], *map(self._packer.value, node.operands[1:])]
        elif node.verb in (Verb.THROW, Verb.EXIT):
            # Descriptions of exceptions; plain values.
            packed = list(node.operands)
        else:
            packed = [self._operands.value(operand) for operand in node.operands]
        self.steps.append([int(node.verb), subject, *packed])
        return len(self.steps)

    def _begin(self, node: Node) -> int:
        if node.reference == self.reference:
            return 0
        if node.reference.broker is not self.reference.broker:
            raise TypeError("an expression about an object of another connection: await it first")
        self.steps.append([int(Verb.PUT), 0, self._operands.value(node.reference)])
        return len(self.steps)


_ATTRIBUTES: Final = frozenset((Verb.GET, Verb.SET, Verb.DEL))


# What a program looks like.

_SIGNS: Final = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "matmul": "@",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "lshift": "<<",
    "rshift": ">>",
    "and": "&",
    "xor": "^",
    "or": "|",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "eq": "==",
    "ne": "!=",
    "neg": "-",
    "pos": "+",
    "invert": "~",
}


#: The name under which a peer serves its root object.
_ROOT: Final = ("root", b"root")


def text_of(node: Node) -> str:
    """Return an operation as one would write it in Python."""
    return _text(node, 12)


def _text(node: Node, depth: int) -> str:
    if node.verb is None or node.subject is None:
        return _object(node.reference)
    if not depth:
        return "..."
    subject = _text(node.subject, depth - 1)
    parts = node.operands
    if node.verb is Verb.GET:
        return f"{subject}.{parts[0]}"
    if node.verb is Verb.SET:
        return f"{subject}.{parts[0]} = {_operand(parts[1], depth)}"
    if node.verb is Verb.CALL:
        named = [f"{key}={_operand(item, depth)}" for key, item in parts[2].items()]
        inside = ", ".join([*(_operand(item, depth) for item in parts[1]), *named])
        return f"{subject}{'.' * bool(parts[0])}{parts[0] or ''}({inside})"
    if node.verb is Verb.OP:
        return _operator(subject, depth, *parts)
    if node.verb is Verb.GETITEM:
        return f"{subject}[{_operand(parts[0], depth)}]"
    if node.verb is Verb.SETITEM:
        return f"{subject}[{_operand(parts[0], depth)}] = {_operand(parts[1], depth)}"
    if node.verb is Verb.CONTAINS:
        return f"{_operand(parts[0], depth)} in {subject}"
    name = parts[0] if node.verb is Verb.CONV else node.verb.name.lower()
    return f"{name}({subject})"


def _object(reference: Any) -> str:
    """Return what an object is called: the root, or by its type, if that is known."""
    if not isinstance(reference, RemoteReference):
        return "it"
    side = side_of(reference.broker)
    if reference.luid in _ROOT or any(side.numbered.get(name) == reference for name in _ROOT):
        return "root"
    kind = side.kinds.get(reference)
    return "it" if kind is None else kind.descriptor.name


def _operator(subject: str, depth: int, name: str, reflected: bool, *others: Any) -> str:
    if not others:
        return f"{_SIGNS[name]}{subject}" if name in _SIGNS else f"{name}({subject})"
    other = _operand(others[0], depth)
    left, right = (other, subject) if reflected else (subject, other)
    if name in INPLACE:
        return f"{left} {_SIGNS.get(name[1:], name)}= {right}"
    if name not in _SIGNS or len(others) > 1:
        return f"{name}({', '.join([left, right, *(_operand(item, depth) for item in others[1:])])})"
    return f"({left} {_SIGNS[name]} {right})"


def _operand(value: Any, depth: int) -> str:
    node = node_of(value)
    return brief(value) if node is None else _text(node, depth - 1)
