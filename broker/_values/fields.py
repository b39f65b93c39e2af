"""Dataclasses and attrs classes that cross by value: a dictionary of their fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from dataclasses import fields as dataclass_fields
from typing import Any

from broker._values.byvalue import ByValue, check_constructor, said
from broker._values.path import CAUGHT, brief
from broker.errors import BadValue, InsecureJelly

__all__ = ["Fields", "fields_of"]


class _Field:
    """One field of a dataclass or attrs class.

    :ivar name: the attribute.
    :ivar keyword: what the constructor calls it, or None if the constructor does not take it.
    :ivar default: returns, for an instance, what the field is if nobody says otherwise; or None.
    """

    __slots__ = ("default", "keyword", "name")

    def __init__(self, name: str, keyword: str | None, default: Callable[[Any], Any] | None) -> None:
        self.name = name
        self.keyword = keyword
        self.default = default

    @property
    def required(self) -> bool:
        """Whether a state must have it. What the constructor does not take it sets itself, if it likes."""
        return self.keyword is not None and self.default is None


class Fields(ByValue):
    """A dataclass or attrs class: its fields cross by name."""

    __slots__ = ("_by_identity", "_extra", "_fields", "_kept", "_names", "_validate")

    def __init__(self, cls: Any, name: bytes, fields: list[_Field], extra: bool, omit: frozenset[str]) -> None:
        super().__init__(cls, name)
        unknown = sorted(omit - {field.name for field in fields})
        if unknown:
            raise ValueError(f"{self.title} has no field {unknown[0]!r} to be omitted")
        self._fields = [field for field in fields if field.name not in omit]
        #: The others: required ones among them make it a class that can be sent, but not received.
        self._kept = [field for field in fields if field.name in omit]
        self._names = frozenset(field.name for field in self._fields)
        self._extra = extra
        self._by_identity = cls.__hash__ is object.__hash__
        #: Looks at the fields of an instance that were set behind the constructor's back.
        self._validate: Callable[[Any], object] | None = None

    def state(self, obj: Any) -> Any:
        try:
            return {field.name: getattr(obj, field.name) for field in self._fields}
        except AttributeError:
            return self._state_set(obj)

    def _state_set(self, obj: Any) -> dict[str, Any]:
        """Return the fields of an instance that are set."""
        state = {}
        for field in self._fields:
            try:
                state[field.name] = getattr(obj, field.name)
            except AttributeError:
                # What the constructor does not take need not be set.
                if field.keyword is not None:
                    raise InsecureJelly(f"a {self.title} whose field {field.name!r} is not set") from None
        return state

    def make(self, state: Any) -> Any:
        given = self._checked(state)
        late = {}
        fields = {}
        for field in self._fields:
            if field.name in given:
                if field.keyword is None:
                    late[field.name] = given[field.name]
                else:
                    fields[field.keyword] = given[field.name]
        made = self.construct((), fields)
        if late:
            self._set(made, late)
            self._judge(made)
        return made

    def fill(self, blank: Any, state: Any) -> Any:
        given = self._checked(state)
        self._set(blank, given)
        for field in (*self._fields, *self._kept):
            if field.name not in given and field.default is not None:
                self._set(blank, {field.name: field.default(blank)})
        return blank

    def in_a_cycle(self) -> str:
        return (
            f"a {self.title} cannot be part of itself: it is made by its constructor, unless registered with blank=True"
        )

    def parts(self, obj: Any) -> tuple[Any, ...]:
        if self._by_identity:
            return ()
        return tuple(getattr(obj, field.name, None) for field in (*self._fields, *self._kept))

    def use_blanks(self) -> None:
        """Have instances made without the constructor.

        :raises TypeError: that cannot be done.
        """
        self.is_blank = True
        try:
            self.blank()
        except TypeError as error:
            raise TypeError(f"a blank {self.title} cannot be made: {error}") from None

    def use_constructor(self, validate: Callable[[Any], object] | None) -> None:
        """Have instances made by the constructor.

        :param validate: looks at the fields that the constructor does not take.
        :raises TypeError: it takes something else than the fields.
        """
        self._validate = validate
        keywords = {field.keyword: None for field in (*self._fields, *self._kept) if field.keyword is not None}
        check_constructor(self.cls, (), keywords, "register it with blank=True")

    def _checked(self, state: Any) -> dict[str, Any]:
        """Return the fields of a state that a peer sent."""
        if type(state) is not dict:
            raise BadValue(f"the state of a {self.title} is {brief(state)}, not a dictionary")
        for field in (*self._fields, *self._kept):
            if field.required and (field.name not in state or field.name not in self._names):
                raise BadValue(f"a {self.title} without its field {field.name!r}")
        for name in state:
            if name not in self._names:
                if not self._extra:
                    raise BadValue(f"{self.title} has no field {brief(name)}")
                return {name: value for name, value in state.items() if name in self._names}
        return state

    def _set(self, instance: Any, values: dict[str, Any]) -> None:
        """Set fields, of frozen instances too."""
        try:
            for name, value in values.items():
                object.__setattr__(instance, name, value)
        except (AttributeError, TypeError) as error:
            raise BadValue(f"{self.title}: {said(error)}") from error

    def _judge(self, instance: Any) -> None:
        if self._validate is None:
            return
        try:
            self._validate(instance)
        except CAUGHT:
            raise
        except Exception as error:  # as in `construct`
            raise BadValue(f"{self.title} refuses it: {said(error)}") from error


def fields_of(cls: Any) -> tuple[list[_Field] | None, Callable[[Any], object] | None]:
    """Return the fields of a dataclass or attrs class, and what validates its instances; None for other classes."""
    for base in cls.__mro__:
        # Of a class that is both, what it was made last counts.
        if "__attrs_attrs__" in base.__dict__:
            return _attrs_fields(cls)
        if "__dataclass_fields__" in base.__dict__:
            return [_dataclass_field(field) for field in dataclass_fields(cls)], None
    return None, None


def _dataclass_field(field: Any) -> _Field:
    default: Callable[[Any], Any] | None = None
    if field.default is not MISSING:
        default = _Constant(field.default)
    elif field.default_factory is not MISSING:
        default = _Made(field.default_factory)
    return _Field(field.name, field.name if field.init else None, default)


def _attrs_fields(cls: Any) -> tuple[list[_Field], Callable[[Any], object]]:
    # Who has such classes has attrs; it also comes with Twisted, which the core does not need.
    import attr

    fields = []
    for field in attr.fields(cls):
        default: Callable[[Any], Any] | None = None
        given: Any = field.default
        if isinstance(given, attr.Factory):  # type: ignore[arg-type]  # a function to type checkers, but a class
            default = given.factory if given.takes_self else _Made(given.factory)
        elif given is not attr.NOTHING:
            default = _Constant(given)
        keyword = getattr(field, "alias", None) or field.name.lstrip("_")
        fields.append(_Field(field.name, keyword if field.init else None, default))
    return fields, attr.validate


class _Constant:
    """Returns a default that is the same for all instances."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def __call__(self, instance: Any) -> Any:
        return self._value


class _Made:
    """Returns a default made anew for each instance."""

    __slots__ = ("_factory",)

    def __init__(self, factory: Callable[[], Any]) -> None:
        self._factory = factory

    def __call__(self, instance: Any) -> Any:
        return self._factory()
