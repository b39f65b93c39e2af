"""How bytes and messages of ``broker/1`` are written for people to read."""

from __future__ import annotations

import re
from typing import Any

from broker._messages import messages
from broker._values.payload import Broken, Jellied


def hexadecimal(data: bytes) -> str:
    """Return bytes in hexadecimal digits, in words of at most 16 bytes; repetitions are shortened, as in ``78*32``."""
    words: list[str] = []
    fresh = True
    for run in re.finditer(rb"(.{1,8}?)\1{7,}|.", data, re.DOTALL):
        if run[1]:
            words.append(f"{run[1].hex()}*{len(run[0]) // len(run[1])}")
        elif fresh or len(words[-1]) == 32:
            words.append(run[0].hex())
        else:
            words[-1] += run[0].hex()
        fresh = bool(run[1])
    return " ".join(words)


def shown(thing: Any) -> str:
    """Return a value as Python writes it, in short where it is long."""
    text = repr(thing)
    return text if len(text) <= 1000 else f"{text[:60]} ... {text[-20:]}"


def _arguments(args: Any, kwargs: Any) -> str:
    if isinstance(args, Exception) or isinstance(kwargs, Exception):
        return "what is wrong"
    if type(args) is tuple and (type(kwargs) is dict or kwargs is None):
        named = [f"{name}={shown(thing)}" for name, thing in (kwargs or {}).items()]
        return ", ".join([*map(shown, args), *named])
    return ", ".join([f"*{shown(args)}"] + ([f"**{shown(kwargs)}"] if kwargs else []))


def held(payload: Any) -> Any:
    """Return what was read of a value; an s-expression as a list in a `Jelly`."""
    thing = payload.value
    if isinstance(thing, Jellied):
        return Jelly(thing.expression)
    return thing.error if isinstance(thing, Broken) else thing


class Jelly:
    """An s-expression, for `shown`."""

    def __init__(self, expression: Any) -> None:
        self.expression = expression

    def __repr__(self) -> str:
        return f"jelly {self.expression!r}"


def meaning(message: Any) -> str:
    """Return what a message says."""
    name = type(message).__name__
    if isinstance(message, messages.Call):
        target = f"#{message.target}" if type(message.target) is int else message.target.decode()
        said = f"call {message.request}: {'cached ' if message.cached else ''}{target}.{message.method.decode()}"
        said += f"({_arguments(held(message.args), held(message.kwargs))})"
        said += f", within {message.deadline} ms" if message.deadline >= 0 else ""
        return said if message.wants_answer else said + ", no answer"
    if isinstance(message, (messages.Answer, messages.Failed)):
        return f"{name.lower()} {message.request}: {shown(held(message.payload))}"
    if isinstance(message, (messages.Release, messages.ReleaseCache)):
        what = "release" if isinstance(message, messages.Release) else "release of copies"
        return f"{what}: {message.count} of #{message.target}"
    if isinstance(message, messages.CacheReleased):
        return f"no more updates of #{message.target}"
    if isinstance(message, messages.Cancel):
        return f"cancel {message.request}"
    if isinstance(message, (messages.Ping, messages.Pong)):
        return f"{name.lower()} {message.data.hex()}".rstrip()
    if isinstance(message, (messages.GoAway, messages.Abort)):
        return f"{'going away' if name == 'GoAway' else 'aborting'}: {message.reason!r}"
    if isinstance(message, messages.NotUnderstood):
        return f"not understood: {message.command.hex()}"
    return f"unknown: {message.command.hex()}"
