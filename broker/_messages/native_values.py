"""The values inside the messages of ``broker/1``: read into payloads, whatever they turn out to be."""

from __future__ import annotations

from typing import Any, Final

from broker._limits import Limits
from broker._messages.codecs import Codecs
from broker._values.native import NativeEncoder
from broker._values.path import type_name
from broker._values.payload import Broken, Jellied, Payload, Unchecked
from broker._values.plain import NotPlain
from broker._values.tags import LIST, SHORT_LIST
from broker._values.unnative import NativeDecoder
from broker.errors import BadValue, InsecureJelly, LimitExceeded

__all__ = ["JELLY", "NESTED", "Values", "checked", "form_decoder", "held", "put_form"]

#: The tag in front of an s-expression.
JELLY: Final = 0xDF
#: What is wrong with an s-expression in another place.
NESTED: Final = "an s-expression inside a value"
#: Levels of lists in an s-expression for one level of containers in a value: an entry of a dictionary is a list of two,
#: and so is a reference.
_LEVELS: Final = 3


def form_decoder(limits: Limits) -> NativeDecoder:
    """Return a decoder for s-expressions."""
    return NativeDecoder(limits.depth * _LEVELS + _LEVELS, limits.elements)


def checked(expression: Any) -> Jellied:
    """Return an s-expression that was read: lists, none of them twice, and atoms.

    Lists that are met twice would let a short message stand for an endless form.

    :raises BadValue: it is none.
    """
    waiting = [expression]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is list:
            if id(part) in seen:
                raise BadValue("an s-expression with a part that is there twice")
            seen.add(id(part))
            waiting += part
        elif kind is tuple or kind is dict or kind is set or kind is frozenset:
            raise BadValue(f"an s-expression with a {kind.__name__} in it")
    return Jellied(expression)


def held(value: Any, jelly: bool, plain: bool) -> Payload:
    """Return the payload for a value that was decoded.

    :param jelly: it is an s-expression.
    :param plain: a plain value needs no further look.
    :raises BadValue: it should be an s-expression and is none.
    """
    if jelly:
        return Payload(checked(value), b"")
    return Payload(value) if plain else Payload(Unchecked(value), b"")


def put_form(encoder: NativeEncoder, expression: Any) -> None:
    """Append an s-expression to the encoder's writer, with its tag: lists, and atoms as they are.

    :raises InsecureJelly: there is something else in it.
    """
    writer = encoder.writer
    writer.append(JELLY)
    waiting = [expression]
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is list or kind is tuple:
            count = len(part)
            if count < 16:
                writer.append(SHORT_LIST + count)
            else:
                writer.append(LIST)
                writer.write(count.to_bytes(4, "little"))
            # What is taken from the end next is what stands first.
            waiting += part[::-1]
        elif kind is dict or kind is set or kind is frozenset:
            raise InsecureJelly(f"an object lowered itself to something with a {kind.__name__} in it")
        else:
            try:
                encoder.put(part)
            except NotPlain as error:
                raise InsecureJelly(f"{type_name(kind)}: {error}") from None


class Values:
    """Reads values that came whole.

    :param limits: the ceilings.
    :param codecs: where decoders are borrowed.

    position: behind the value read last, or -1 where that could not be found out.
    """

    __slots__ = ("_idle", "limits", "position")

    def __init__(self, limits: Limits, codecs: Codecs) -> None:
        self.limits = limits
        self.position = 0
        self._idle = codecs.idle_decoders(limits.depth, limits.elements)

    def read_one(self, data: bytes, start: int, end: int, plain: bool) -> Payload:
        """Read one of several values."""
        if start < end and data[start] == JELLY:
            return self._read_form(data, start + 1, end)
        idle = self._idle
        decoder = idle.pop() if idle else NativeDecoder(self.limits.depth, self.limits.elements)
        try:
            value = decoder.decode(data, start, end)
            self.position = decoder.position
        except (BadValue, LimitExceeded) as error:
            return self._broken(error)
        except NotPlain:
            return self.broken(NESTED)
        finally:
            idle.append(decoder)
        return Payload(value) if plain else Payload(Unchecked(value), b"")

    def _read_form(self, data: bytes, start: int, end: int) -> Payload:
        decoder = form_decoder(self.limits)
        try:
            form = checked(decoder.decode(data, start, end))
            self.position = decoder.position
        except (BadValue, LimitExceeded) as error:
            return self._broken(error)
        except NotPlain:
            return self.broken(NESTED)
        return Payload(form, b"")

    def _broken(self, error: Exception) -> Payload:
        self.position = -1
        return Payload(Broken(error), b"")

    def read(self, data: bytes, start: int, end: int, plain: bool) -> Payload:
        """Read the one value of a message."""
        payload = self.read_one(data, start, end, plain)
        return self.broken("there are bytes behind the value") if -1 < self.position < end else payload

    def broken(self, problem: str) -> Payload:
        """Return a payload for what could not be read."""
        return self._broken(BadValue(problem))
