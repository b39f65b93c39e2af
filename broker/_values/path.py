"""Where in a value something is wrong, found out while the exception unwinds, so that right values pay nothing."""

from __future__ import annotations

from typing import Any, Final

from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["CAUGHT", "Trail", "brief", "key_step", "type_name"]

#: What containers catch to add their step of the path. Nesting that is too deep for the stack is too deep.
CAUGHT: Final = (InsecureJelly, LimitExceeded, RecursionError)
_LOCATED: Final = (InsecureJelly, BadValue, LimitExceeded)
#: A longer path is shown without its middle.
_SHOWN: Final = 16


def brief(thing: Any) -> str:
    """Return a short description of a part of a value that may be of any size and depth."""
    # Compiled, what is known to be an integer is one: a truth value would be shown as its number.
    if isinstance(thing, bool):
        return str(thing)
    if isinstance(thing, (str, bytes, int)):
        if isinstance(thing, int) and thing.bit_length() > 512:
            return f"an integer of {thing.bit_length()} bits"
        text = repr(thing[:60] if isinstance(thing, (str, bytes)) else thing)
        return text if len(text) <= 160 else text[:160] + "..."
    return repr(thing) if isinstance(thing, float) or thing is None else f"a {type(thing).__name__}"


def type_name(cls: type) -> str:
    """Return the name of a class for a message."""
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def key_step(key: Any) -> str:
    """Return the step from a dictionary to what stands under a key."""
    return f"[{brief(key)}]"


class Trail:
    """The way from a whole value to the part of it that was refused."""

    __slots__ = ("_error", "_reason", "_steps")

    def __init__(self) -> None:
        self._error: BaseException | None = None
        self._reason = ""
        self._steps: list[str] = []

    def at(self, error: Exception, step: str) -> Exception:
        """Add one step to the path in an error's text.

        :param step: how the part is reached from what contains it; of an instance the empty text, which makes
            attributes of the entries of its state.
        :returns: the error to raise: this one, or one of ours in its place.
        """
        if isinstance(error, RecursionError):
            error = LimitExceeded("nested deeper than the stack of this process allows")
        if error is not self._error:
            if type(error) not in _LOCATED:
                return error
            self._error, self._reason, self._steps = error, str(error), []
        if step:
            self._steps.append(step)
        elif self._steps:
            self._steps[-1] = _as_attribute(self._steps[-1])
        error.args = (f"value{self._path()}: {self._reason}",) if self._steps else (self._reason,)
        return error

    def _path(self) -> str:
        steps = self._steps
        if len(steps) > _SHOWN:
            half = _SHOWN // 2
            return "".join(steps[: -half - 1 : -1]) + "..." + "".join(steps[half - 1 :: -1])
        return "".join(steps[::-1])


def _as_attribute(step: str) -> str:
    """Return the step from an instance to what stands under a key of its state."""
    name = step[2:-2]
    return f".{name}" if step.startswith("['") and name.isidentifier() else step
