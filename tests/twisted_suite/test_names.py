"""The modules of broker.spread carry every public name of their counterparts in twisted.spread, and pb's parameters."""

from __future__ import annotations

import importlib
import inspect
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

__all__: list[str] = []

MODULES = ["banana", "flavors", "interfaces", "jelly", "pb", "publish", "util"]
#: Names that programs have no use for, with the reason; each must really be absent.
_TOKENS = "the tokens of a connection are read by its dialect, below the broker"
_MESSAGES = "PB's own messages are handled by the session, below the broker; proto_* adds further ones"
_ROOM = "a connection that sends pages is a producer of its own making"
ABSENT: dict[str, str] = {
    **{f"pb.Broker.{name}": _TOKENS for name in ("callExpressionReceived", "expressionReceived", "gotItem")},
    "pb.Broker.setPrefixLimit": "Limits.prefix, for each connection",
    **{
        f"pb.Broker.proto_{name}": _MESSAGES
        for name in (
            *("version", "message", "cachemessage", "answer", "error", "decref", "decache", "uncache"),
            "didNotUnderstand",
        )
    },
    **{f"pb.Broker.{name}": _ROOM for name in ("pauseProducing", "resumeProducing", "stopProducing")},
    "pb.Broker.connectionFailed": "nothing has called it since there are factories",
}


def _public(module: ModuleType) -> list[str]:
    """List what a module offers: its classes, functions and constants, not what it imports from elsewhere."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_own(value)]


def _is_own(value: Any) -> bool:
    if isinstance(value, ModuleType) or getattr(value, "__module__", "") in ("__future__", "typing"):
        return False
    if value is TYPE_CHECKING and isinstance(value, bool):
        return False
    return str(getattr(value, "__module__", "twisted.spread.")).startswith("twisted.spread.")


def _names() -> list[str]:
    found = []
    for module in MODULES:
        stock = importlib.import_module(f"twisted.spread.{module}")
        found += [f"{module}.{name}" for name in _public(stock)]
    return found


NAMES = _names()


@pytest.mark.parametrize("name", NAMES)
def test_name_is_there(name: str) -> None:
    module, _, attribute = name.partition(".")
    ours = importlib.import_module(f"broker.spread.{module}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert hasattr(ours, attribute) != (name in ABSENT), ABSENT.get(name, "missing")


def test_door_has_the_same_names() -> None:
    """broker.pb offers what twisted.spread.pb offers."""
    stock, door = importlib.import_module("twisted.spread.pb"), importlib.import_module("broker.pb")
    assert set(stock.__all__) <= set(door.__all__)
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def _methods(kind: type) -> dict[str, Any]:
    methods = {name: value for name, value in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    return {**methods, "__init__": kind.__init__} if inspect.isfunction(kind.__init__) else methods  # type: ignore[misc]


def _callables() -> list[str]:
    """List the functions of all modules, and the methods of their classes as ``module.Class.method``."""
    found = []
    for name in NAMES:
        module, _, attribute = name.partition(".")
        with warnings.catch_warnings():
            # One of the names is there only to say that it should not be used.
            warnings.simplefilter("ignore", DeprecationWarning)
            value = getattr(importlib.import_module(f"twisted.spread.{module}"), attribute)
        if inspect.isfunction(value):
            found.append(name)
        elif inspect.isclass(value) and value.__module__ == f"twisted.spread.{module}":
            found += [f"{name}.{method}" for method in _methods(value) if _is_own(getattr(value, method))]
    return found


@pytest.mark.parametrize("name", _callables())
def test_callable_takes_the_same_arguments(name: str) -> None:
    """Whoever calls it by position or keyword, or overrides it, need not change the call."""
    module, *path = name.split(".")
    stock: Any = importlib.import_module(f"twisted.spread.{module}")
    ours: Any = importlib.import_module(f"broker.spread.{module}")
    for part in path:
        stock = getattr(stock, part)
        if name in ABSENT and part == path[-1]:
            assert not hasattr(ours, part), "there after all; take it out of ABSENT"
            return
        ours = getattr(ours, part)
    wanted, offered = inspect.signature(stock), inspect.signature(ours)
    arguments = [parameter for parameter in wanted.parameters.values() if parameter.kind in _PLAIN]
    offered.bind(*[None] * len([parameter for parameter in arguments if parameter.default is parameter.empty]))
    offered.bind(*[None] * len(arguments))
    optional = {parameter.name: None for parameter in arguments if parameter.default is not parameter.empty}
    offered.bind(*[None] * (len(arguments) - len(optional)), **optional)


_PLAIN = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
