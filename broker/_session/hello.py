"""What both ends say first: the dialects they speak, and what each end accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from broker._limits import PB_SIZE, Limits
from broker._messages.codecs import Codecs
from broker._messages.native import NAME, NativeDialect, settings_of
from broker._messages.pb import PBDialect
from broker._wire import greeting
from broker._wire.buffer import Decoder
from broker.errors import ConnectionRefused

__all__ = [
    "DIALECTS",
    "GREETING_PREFIX",
    "GREETING_SIZE",
    "Agreed",
    "Greetings",
    "agree",
    "dialect_for",
    "offered",
    "picked",
    "reader",
]

#: Most bytes of an offer or a choice: room for dialect names yet to come, and nothing for strangers to fill.
GREETING_SIZE: Final = 64 * 1024
#: Longest length prefix in a greeting, in bytes. Text of another protocol is one endless prefix: a client that reaches
#: a web or mail server is to learn so at once and not when it loses patience.
GREETING_PREFIX: Final = 10
_GREETING: Final = Limits(message=GREETING_SIZE, prefix=GREETING_PREFIX)
#: The dialects that we speak, best first.
DIALECTS: Final[tuple[bytes, ...]] = (NAME, b"pb", b"none")
#: Most bytes of what a peer said that are remembered; what ours say is shorter by far.
_REMEMBERED: Final = 1024


def reader(limits: Limits) -> Decoder:
    """Return what reads a greeting, which has a size of its own: the ceilings are for what comes behind it."""
    bounded = limits.prefix >= GREETING_PREFIX
    return Decoder(_GREETING if bounded else replace(_GREETING, prefix=limits.prefix), vocabulary=False)


def _settings(name: bytes, limits: Limits) -> dict[str, int]:
    """Return what this side says that it accepts."""
    if name == NAME:
        return settings_of(limits)
    return {"size": min(limits.string, limits.elements)} if name == b"pb" else {}


def offered(dialects: Sequence[bytes], limits: Limits) -> bytes:
    """Return the first bytes of the listening side."""
    names: list[bytes] = []
    for name in dialects:
        settings = _settings(name, limits)
        if settings:
            names.append(greeting.with_settings(name, settings))
        if name != NAME:
            # Stock peers know the bare names; ours they do not know at all.
            names.append(name)
    return greeting.offer(names)


def picked(name: bytes, settings: Mapping[str, int], limits: Limits) -> bytes:
    """Return the first bytes of the connecting side.

    :param settings: what the listening side said; one that says nothing would not understand what we say either.
    """
    return greeting.pick(greeting.with_settings(name, _settings(name, limits) if settings else {}))


def agree(
    listener: bool, expression: Any, dialects: Sequence[bytes], prefer: bytes | None
) -> tuple[bytes, dict[str, int]]:
    """Return the dialect that both ends will speak, and what the peer accepts.

    :param expression: what the peer said.
    :raises ConnectionRefused: there is none.
    """
    if listener:
        agreed = greeting.chosen(expression, dialects)
    else:
        agreed = greeting.choose(expression, dialects, prefer)
    if agreed is None:
        what = "chose" if listener else "offers"
        ours = ", ".join(name.decode("ascii", "replace") for name in dialects)
        raise ConnectionRefused(f"the peer {what} no dialect that we speak here ({ours}): {str(expression)[:200]}")
    return agreed


def dialect_for(
    name: bytes, settings: Mapping[str, int], limits: Limits, plain: bool, codecs: Codecs
) -> PBDialect | NativeDialect:
    """Return a dialect for a connection.

    :param settings: what the peer accepts.
    :param plain: whether plain values may be decoded while they are read.
    :param codecs: what the connections of one factory share.
    """
    dialect: PBDialect | NativeDialect
    if name == NAME:
        dialect = NativeDialect(limits, settings, codecs)
    else:
        accepted = settings.get("size", PB_SIZE)
        dialect = PBDialect(limits, vocabulary=name == b"pb", name=name, send_string=accepted)
    dialect.plain = plain
    return dialect


class Agreed:
    """What came of one greeting.

    :param said: the peer's bytes.
    :param name: the dialect.
    :param settings: what the peer accepts.
    """

    __slots__ = ("dialects", "limits", "name", "prefer", "said", "settings")

    def __init__(
        self,
        said: bytes,
        name: bytes,
        settings: dict[str, int],
        dialects: tuple[bytes, ...],
        prefer: bytes | None,
        limits: Limits,
    ) -> None:
        self.said = said
        self.name = name
        self.settings = settings
        self.dialects = dialects
        self.prefer = prefer
        self.limits = limits


class Greetings:
    """The last greetings of each side, for the next connection: most say the same, and making sense of it takes longer
    than a call.

    Connections share one. Nothing in it depends on anything but what both sides said.
    """

    __slots__ = ("_accepted", "_chosen", "_offer", "_offered", "_offering")

    def __init__(self) -> None:
        self._offer = b""
        self._offered: tuple[bytes, ...] = ()
        self._offering: Limits | None = None
        self._accepted: Agreed | None = None
        self._chosen: Agreed | None = None

    def offered(self, dialects: tuple[bytes, ...], limits: Limits) -> bytes:
        """Return the first bytes of the listening side."""
        if self._offering is not limits or self._offered != dialects:
            self._offer = offered(dialects, limits)
            self._offered = dialects
            self._offering = limits
        return self._offer

    def find(
        self, listener: bool, data: bytes, dialects: tuple[bytes, ...], prefer: bytes | None, limits: Limits
    ) -> Agreed | None:
        """Return what comes of the first bytes of a peer, if the last one began with the same."""
        known = self._accepted if listener else self._chosen
        if (
            known is not None
            # A greeting tells by itself where it ends, so what begins with a whole one has no other.
            and data.startswith(known.said)
            and known.limits is limits
            and known.dialects == dialects
            and known.prefer == prefer
        ):
            return known
        return None

    def remember(self, listener: bool, agreed: Agreed) -> None:
        """Keep what came of a greeting, unless it is uncommonly long."""
        if len(agreed.said) > _REMEMBERED:
            return
        if listener:
            self._accepted = agreed
        else:
            self._chosen = agreed
