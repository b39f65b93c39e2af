"""The port behind which the dialects stand: bytes ⇄ messages, payloads ⇄ values."""

from __future__ import annotations

from typing import Any, Protocol

from broker._messages.messages import Message
from broker._values.payload import Payload
from broker._wire.parts import Parts

__all__ = ["Dialect", "Swizzler"]


class Swizzler(Protocol):
    """What a dialect asks of the connection to lower or lift what is not plain: the two halves of a jelly."""

    def jelly(self, value: Any, atoms: bool = False) -> Any:
        """Lower a value to an s-expression, or raise `InsecureJelly`.

        :param atoms: leave what has no parts as it is.
        """

    def unjelly(self, expression: Any) -> Any:
        """Lift an s-expression to a value, or raise `InsecureJelly`."""

    @property
    def plain(self) -> bool:
        """True when the policy allows every plain type, so that the fused codec may be used."""

    @property
    def taster(self) -> Any:
        """The policy."""


class Dialect(Protocol):
    """One way to put messages on the wire. An instance belongs to one connection and holds its read buffer."""

    name: bytes

    def receive_data(self, data: bytes) -> None:
        """Take bytes as they came, split anywhere."""

    def next_message(self) -> Message | None:
        """Return the next whole message, or None when more bytes are needed.

        :raises ProtocolError: the bytes are no messages of this dialect, or pass a ceiling; the connection is over.
        """

    def encode(self, message: Message) -> bytes:
        """Return the bytes of one message; its payloads must be encoded ones.

        :raises LimitExceeded: the message has a part that the peer would not accept.
        """

    def encode_call(
        self,
        request: int,
        target: int | bytes,
        method: bytes,
        args: Any,
        kwargs: Any,
        wants_answer: bool,
        cached: bool,
        deadline: int,
        swizzler: Swizzler,
    ) -> bytes | Parts:
        """Return the bytes of a `Call` whose arguments are still to be lowered, in parts where it goes in pieces.

        :raises InsecureJelly: something in them is not on the whitelist.
        :raises LimitExceeded: something in them is larger than the peer accepts, or nested too deeply.
        """

    def encode_releases(self, owed: list[tuple[int, int]], cached: bool) -> bytes:
        """Return the bytes of releases.

        :param owed: numbers and counts.
        :param cached: they are of copies.
        """

    def lower(self, value: Any, swizzler: Swizzler) -> Payload:
        """Encode one value.

        :raises InsecureJelly: something in it is not on the whitelist.
        :raises LimitExceeded: something in it is larger than the peer accepts, or nested too deeply.
        """

    def lift(self, payload: Payload, swizzler: Swizzler) -> Any:
        """Decode one value.

        :raises InsecureJelly: something in it is not on the whitelist, or is malformed.
        :raises LimitExceeded: it is nested too deeply.
        """
