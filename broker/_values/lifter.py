"""Lifting, without the basic types: references, hooks, and what the registry and the policy know by name.

Nothing is imported by name: a name means what the registry says, or a class that the policy allows, or nothing.
References may form cycles; see `broker._values.graph` for how these are closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

from broker._limits import Limits
from broker._values.byvalue import ByValue
from broker._values.graph import Holder, Keys, Slot, settle
from broker._values.jellyable import Unpersistable, give_state
from broker._values.path import CAUGHT, Trail, brief
from broker._values.policy import dotted_name
from broker._values.registry import Registry, globalRegistry
from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["DEPTH", "UNCLAIMED", "Handler", "Lifter", "Local"]

#: The depth of nesting where nobody says otherwise.
DEPTH: Final = Limits.depth

#: Lifts one kind of form: gets the lifter, the form, how many levels of containers there may still be, and, inside a
#: reference, the empty container to fill or the slot that stands for the result.
Handler = Callable[[Any, list[Any], int, Any], Any]

#: What `Local.lift` returns for a form that it does not know.
UNCLAIMED: Final[Any] = object()


class Local(Protocol):
    """Lifts what only makes sense within one process: names that mean whatever can be imported under them."""

    def find(self, unjellier: Any, name: str) -> type | None:
        """Return the class of a dotted name, or None."""

    def lift(self, unjellier: Any, head: str, form: list[Any]) -> Any:
        """Lift a form, or return `UNCLAIMED`."""


def _createBlank(cls: Any) -> Any:
    """Return an instance of a class without having called its ``__init__``; None for what is no class."""
    maker: Any = cls
    return maker.__new__(cls) if isinstance(cls, type) else None


def _newInstance(cls: type, state: Any) -> Any:
    """Return an instance of a class with a state, without having called its ``__init__``."""
    instance = _createBlank(cls)
    give_state(instance, state)
    return instance


class Lifter:
    """The part of `Unjellier` that is not about the basic types; see there."""

    __slots__ = (
        *("taster", "persistentLoad", "invoker", "registry", "references", "postCallbacks"),
        *("_classes", "_depth", "_forms", "_keys", "_level", "_local", "_loose", "_low", "_nested", "_open"),
        *("_outer", "_seen", "_slots", "_trail"),
    )

    def __init__(
        self,
        taster: Any,
        persistentLoad: Callable[[Any, Any], Any] | None = None,
        invoker: Any = None,
        *,
        registry: Registry = globalRegistry,
        depth: int = DEPTH,
        local: Local | None = None,
    ) -> None:
        self.taster = taster
        self.persistentLoad = persistentLoad
        self.invoker = invoker
        self.registry = registry
        self.references: dict[int, Any] = {}
        self.postCallbacks: list[Callable[[], object]] = []
        self._depth = depth
        self._level = depth
        self._nested = depth
        self._local = local
        self._classes: dict[str, type] | None = None
        self._keys = Keys(depth, registry.classes())
        self._slots: list[Slot] = []
        #: Set by a handler whose result is not final: what the result has to wait for. Whoever asked takes it.
        self._loose: Slot | None = None
        #: What the innermost hook has been given that is not final.
        self._seen: list[Slot] = []
        self._trail = Trail()
        #: The references being lifted, by number, each with how many enclose it.
        self._open: dict[int, int] = {}
        #: The outermost of them that something inside refers to, as how many enclose it; -1 if it has yet to come.
        self._low = 0
        #: By number of a reference that was lifted, the outermost one that it refers to and that was open then.
        self._outer: dict[int, int | None] = {}
        #: The handlers of the basic forms; what `Unjellier` adds to this class.
        self._forms: dict[bytes, Handler] = {}

    def unjellyFull(self, obj: Any) -> Any:
        """Lift a whole value, check that nothing in it is left open, and call the `postUnjelly` hooks.

        :raises InsecureJelly: something in it is not allowed, or is malformed (`BadValue`).
        :raises LimitExceeded: it is nested too deeply, or too costly.
        """
        value = self.unjelly(obj)
        for slot in self._slots:
            if not slot.final:
                raise BadValue(
                    f"a reference ({slot.number}) to something that is not there, or needs itself to be made"
                )
        for callback in self.postCallbacks:
            callback()
        return value

    def unjelly(self, obj: Any) -> Any:
        """Lift a value, or, called by a hook, a part of one; raises what `unjellyFull` raises.

        In a cycle through a tuple, a frozenset or a factory, what a hook gets may be a placeholder or have one in it.
        It is replaced later in what was returned here, and in the attributes of the hook's instance.
        """
        if type(obj) is not list:
            return obj
        head = obj[0] if obj else None
        handler = self._forms.get(head) if type(head) is bytes else None
        depth = self._level
        try:
            value = self._other(obj, depth, None) if handler is None else handler(self, obj, depth, None)
        except RecursionError as error:
            raise self._trail.at(error, "") from None
        self._loose = None
        return value

    def unjellyInto(self, obj: Any, loc: Any, jel: Any) -> Any:
        """Lift a part and put it where it belongs, now and, if it is not final yet, then once more.

        :param obj: what gets it, by ``obj[loc] = part``.
        """
        value = self._form(jel, self._level)
        self._taken(obj, loc)
        obj[loc] = value
        return value

    # Parts that are not final.

    def _slot(self, number: int | None) -> Slot:
        """Return a new slot, for a number or for something that nobody refers to."""
        slot = Slot(number)
        self._slots.append(slot)
        if number is not None:
            self.references[number] = slot
            slot.places.append((self.references, number))
        return slot

    def _taken(self, container: Any, key: Any) -> None:
        """Note where the result of the last handler went, if it is not final."""
        if self._loose is not None:
            self._loose.places.append((container, key))
            self._loose = None

    def _form(self, form: Any, depth: int, target: Any = None) -> Any:
        """Lift any form."""
        if type(form) is not list:
            return form
        head = form[0] if form else None
        handler = self._forms.get(head) if type(head) is bytes else None
        return self._other(form, depth, target) if handler is None else handler(self, form, depth, target)

    def _referred(self, slot: Slot, inner: Any, depth: int) -> Any:
        """Lift what a reference wraps, if that is nothing that can be made empty and then filled."""
        if depth < 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        value = self._form(inner, depth, slot)
        if self._loose is None:
            settle(slot, value)
        elif self._loose is not slot:
            raise BadValue(f"a reference ({slot.number}) to a reference that is not complete")
        return value

    def _other(self, form: list[Any], depth: int, target: Any) -> Any:
        """Lift a form whose head is not one of the basic ones, or is one in an unusual spelling."""
        head = form[0] if form else None
        if type(head) is str:
            # Only forms written by hand have this.
            form = [head.encode(), *form[1:]]
            return self._form(form, depth, target)
        if type(head) is not bytes:
            raise BadValue(f"a form without a head: {brief(head)} in its place" if form else "an empty form")
        if not (self.taster.isTypeAllowed(head) or self.registry.allows(head)):
            raise InsecureJelly(_refusal(head))
        made = self.registry.unjellyable_for(head)
        if made is not None:
            if isinstance(made, ByValue):
                return self._by_value(made, form, depth, target)
            blank = _createBlank(made)
            hook = made if blank is None else getattr(blank, "unjellyFor", made)
            if target is not None and hook is not made:
                target.value = blank
            return self._hooked(hook, self, form, depth, form)
        factory = self.registry.factory_for(head)
        if factory is not None:
            return self._hooked(self._manufactured, factory, form, depth, form)
        return self._unregistered(form, depth, target)

    def _by_value(self, known: ByValue, form: list[Any], depth: int, target: Any) -> Any:
        """Lift an instance of a registered class."""
        if len(form) != 2:
            raise BadValue(f"a {known.title} without a state, or with two")
        blank = known.blank()
        if blank is None:
            return self._hooked(self._constructed, known, form[1], depth, form)
        if target is not None:
            target.value = blank
        return self._hooked(self._filled, (known, blank), form[1], depth, form)

    def _filled(self, what: tuple[ByValue, Any], form: Any) -> Any:
        known, blank = what
        return known.fill(blank, self.unjelly(form))

    def _constructed(self, known: ByValue, form: Any) -> Any:
        """Make an instance of parts that are complete: what its class has checked must not change afterwards."""
        enclosing, low = len(self._open), self._low
        self._low = enclosing
        state = self.unjelly(form)
        if self._low < enclosing:
            raise BadValue(known.in_a_cycle())
        self._low = low
        return known.make(state)

    def _close(self, number: int, low: int) -> None:
        """Note that a reference was lifted.

        :param low: what ``_low`` was before.
        """
        enclosing = self._open.pop(number)
        if self._low < enclosing:
            self._outer[number] = None if self._low < 0 else list(self._open)[self._low]
        self._low = min(self._low, low)

    def _met(self, number: int | None) -> None:
        """Note a dereference, if what it refers to is not complete."""
        while number is not None and number not in self._open:
            if number not in self._outer:
                known = self.references.get(number, UNCLAIMED)
                if known is not UNCLAIMED and (type(known) is not Slot or known.begun):
                    return
                number = None
            else:
                number = self._outer[number]
        self._low = min(self._low, -1 if number is None else self._open[number])

    def _hooked(self, hook: Callable[[Any, Any], Any], first: Any, second: Any, depth: int, form: list[Any]) -> Any:
        """Return what a hook, called with two arguments, makes of a form."""
        if self._nested <= 0:
            raise LimitExceeded(f"nested deeper than {self._depth}")
        level, seen = self._level, self._seen
        self._level, self._seen = depth, []
        self._nested -= 1
        try:
            made = hook(first, second)
        except CAUGHT as error:
            raise self._trail.at(error, "") from None
        except IndexError:
            if len(form) > 1:
                raise
            raise BadValue(f"a form ({brief(form[0])}) without contents") from None
        finally:
            fresh, self._seen = self._seen, seen
            self._level = level
            self._nested += 1
        if fresh:
            self._watch(made, fresh)
        # Of the class: the attributes of the instance are what the peer sent.
        post = getattr(type(made), "postUnjelly", None)
        if post is not None:
            self.postCallbacks.append(post.__get__(made, type(made)))
        self._loose = made if type(made) is Slot else None
        return made

    def _watch(self, made: Any, slots: list[Slot]) -> None:
        """Keep the attributes of what a hook made right, whatever becomes of what the hook has seen."""
        holder = Holder(made)
        for slot in slots:
            place = (slot, slot.value)
            if slot.final:
                holder[place] = slot.value
            elif slot.value is not made:
                slot.places.append((holder, place))

    def _manufactured(self, factory: Callable[[Any], Any], form: list[Any]) -> Any:
        return factory(self.unjelly(form[1]))

    def _unregistered(self, form: list[Any], depth: int, target: Any) -> Any:
        """Lift a form whose head is allowed, but is no name in the registry."""
        try:
            name = form[0].decode()
        except UnicodeDecodeError:
            raise BadValue(f"a head that is no text: {brief(form[0])}") from None
        if self._local is not None:
            made = self._hooked(self._lifted, name, form, depth, form)
            if made is not UNCLAIMED:
                return made
        if name in ("persistent", "unpersistable", "class", "instance"):
            if len(form) != (3 if name == "instance" else 2):
                raise BadValue(f"a form ({name}) of {len(form)} parts")
            if name == "persistent":
                return self._persistent(form[1])
            if name == "unpersistable":
                return Unpersistable(f"Unpersistable data: {brief(form[1])}")
            if name == "class":
                return self._class_named(form[1])
            cls = self._form(form[1], depth)
            if not isinstance(cls, type):
                raise BadValue("an instance of something that is no class")
            return self._instance(cls, form[2], depth, target)
        if len(form) != 2:
            raise BadValue(f"an instance ({brief(name)}) of {len(form)} parts")
        return self._instance(self._class_named(name), form[1], depth, target)

    def _lifted(self, name: str, form: list[Any]) -> Any:
        assert self._local is not None
        return self._local.lift(self, name, form)

    def _persistent(self, ident: Any) -> Any:
        if self.persistentLoad is None:
            return Unpersistable("Persistent callback not found")
        return self.persistentLoad(ident, self)

    def _class_named(self, name: Any) -> type:
        """Return the class that a dotted name means.

        :raises InsecureJelly: the policy allows none of that name.
        """
        if type(name) not in (str, bytes):
            raise BadValue(f"the name of a class is {brief(name)}")
        text: str = name if isinstance(name, str) else name.decode("utf-8", "replace")
        found = None if self._local is None else self._local.find(self, text)
        if found is None:
            if self._classes is None:
                self._classes = {dotted_name(cls): cls for cls in getattr(self.taster, "allowedClasses", ())}
            found = self._classes.get(text)
        if found is None or not self.taster.isClassAllowed(found):
            raise InsecureJelly(_refusal(text.encode()))
        return found

    def _instance(self, cls: type, state: Any, depth: int, target: Any) -> Any:
        """Lift an instance of an allowed class by its state."""
        try:
            blank = _createBlank(cls)
        except TypeError as error:
            raise BadValue(f"a blank {cls.__name__} cannot be made: {error}") from None
        if target is not None:
            target.value = blank
        return self._hooked(self._revived, blank, state, depth, [b"", state])

    def _revived(self, blank: Any, state: Any) -> Any:
        give_state(blank, self.unjelly(state))
        return blank


def _refusal(head: bytes) -> str:
    """Return PB's text for a head, or class, that is not allowed."""
    module, dot, _ = head.decode("utf-8", "replace")[:200].rpartition(".")
    return f"Module {module} not allowed (in type {module}.{_})." if dot else repr(head[:200])
