"""Which names may be asked for at all: what always stays local, what is out of reach, how names are spelled."""

from __future__ import annotations

from functools import lru_cache
from types import (
    AsyncGeneratorType,
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FrameType,
    FunctionType,
    GeneratorType,
    MethodType,
    ModuleType,
    TracebackType,
)
from typing import Any, Final
from unicodedata import normalize

from broker.errors import BadValue

__all__ = ["FORWARDED", "INTERPRETER", "SAFE", "clean", "denied", "forwarded", "is_dunder", "is_local"]

#: The longest name that is looked at.
_LONGEST: Final = 255

#: Names that a proxy never forwards, whoever asks: libraries look them up on every object that they meet.
_LOCAL: Final = frozenset(
    """
    __class__ __new__ __init__ __del__ __slots__ __dict__ __weakref__ __module__ __qualname__ __name__ __doc__
    __mro_entries__ __init_subclass__ __subclasshook__ __class_getitem__ __set_name__ __get__ __set__ __delete__
    __objclass__ __getattribute__ __getattr__ __setattr__ __delattr__ __reduce__ __reduce_ex__ __getstate__
    __setstate__ __getnewargs__ __getnewargs_ex__ __getinitargs__ __sizeof__ __buffer__ __release_buffer__
    __match_args__ __wrapped__ __signature__ __text_signature__ __annotations__ __annotate__ __type_params__
    __isabstractmethod__ __abstractmethods__ __func__ __self__ __code__ __globals__ __closure__ __defaults__
    __kwdefaults__ __no_type_check__ __origin__ __traceback__ __cause__ __context__ __notes__ __array__
    __array_interface__ __array_struct__ __array_priority__ __array_ufunc__ __array_function__
    __cuda_array_interface__ __dlpack__ __dlpack_device__ __conform__ __provides__ __providedBy__ __implemented__
    __copy__ __deepcopy__ __replace__ __await__ __missing__ __fspath__ addCallbacks
    """.split()
)
_LOCAL_PREFIXES: Final = ("_ipython_", "_repr_", "_is_coroutine")

#: Special methods that may be forwarded, if a policy allows them and the type of the object has them.
FORWARDED: Final = frozenset(
    f"__{name}__"
    for name in """
    call getitem setitem delitem contains len length_hint reversed iter next aiter anext
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror
    iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ixor ior
    neg pos abs invert round trunc floor ceil lt le gt ge eq ne hash bool int float complex index bytes
    str repr format enter exit aenter aexit
    """.split()
)

#: Special methods that read or compute and run nothing but the object's own code; what presets allow.
SAFE: Final = FORWARDED

#: Never sent, in whatever form: each of them leads to everything in the process.
INTERPRETER: Final[tuple[type, ...]] = (ModuleType, FrameType, CodeType, TracebackType)

_NOTHING: Final[frozenset[str]] = frozenset()
#: Of these types only the names given may be reached, whatever the policy: the others lead into the interpreter.
_REACHABLE: Final[tuple[tuple[type, frozenset[str]], ...]] = (
    (GeneratorType, frozenset(("send", "throw", "close"))),
    (AsyncGeneratorType, frozenset(("asend", "athrow", "aclose"))),
    (CoroutineType, _NOTHING),
    (FunctionType, _NOTHING),
    (MethodType, _NOTHING),
    (BuiltinFunctionType, _NOTHING),
    (ModuleType, _NOTHING),
    (FrameType, _NOTHING),
    (CodeType, _NOTHING),
    (TracebackType, _NOTHING),
)
#: A format string walks attributes of its arguments without asking anybody.
_FORMATTING: Final = frozenset(("format", "format_map"))
#: What classes and exceptions have by themselves and nobody needs.
_OF_CLASSES: Final = frozenset(("mro",))
_OF_EXCEPTIONS: Final = frozenset(("with_traceback",))


def clean(name: Any) -> str:
    """Return a name from the wire as Python spells it.

    :raises BadValue: it is no name.
    """
    if type(name) is not str or len(name) > _LONGEST:
        raise BadValue("the name of an attribute is a short text")
    # Python reads identifiers this way; a check of another spelling would be a check of another name.
    return name if name.isascii() else normalize("NFKC", name)


def is_dunder(name: str) -> bool:
    """Return whether a name is that of a special method or attribute."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def is_local(name: str) -> bool:
    """Return whether a proxy answers for a name itself, without asking anybody."""
    return name in _LOCAL or name.startswith(_LOCAL_PREFIXES)


@lru_cache(maxsize=4096)
def forwarded(name: str) -> str | None:
    """Return a name that a proxy was asked for as Python spells it; None if the proxy answers for it itself.

    :raises BadValue: it is too long.
    """
    return None if is_local(name) or is_dunder(name) else clean(name)


def denied(value: Any, name: str) -> bool:
    """Return whether a name of an object is out of reach under every policy."""
    if is_local(name):
        return True
    if isinstance(value, str):
        return name in _FORMATTING
    if isinstance(value, type):
        return name in _OF_CLASSES or (issubclass(value, str) and name in _FORMATTING)
    if isinstance(value, BaseException):
        return name in _OF_EXCEPTIONS
    for kind, reachable in _REACHABLE:
        if isinstance(value, kind):
            return name not in reachable and not is_dunder(name)
    return False
