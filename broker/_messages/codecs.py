"""The encoders and decoders of ``broker/1`` that the connections of one factory share.

A codec holds nothing between two values, and an idle connection none. One is borrowed for each value and not merely
used: while a value is encoded a finaliser may run, and make a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from broker._values.native import NativeEncoder
from broker._values.unnative import NativeDecoder

__all__ = ["LARGE", "Codecs"]

#: An encoder that wrote more bytes than this at a time is not kept, for it keeps the room for as many.
LARGE: Final = 1024 * 1024
#: So many different settings of peers are remembered.
_KNOWN: Final = 64


class Codecs:
    """Idle codecs, by the depth and the number of elements that they allow."""

    __slots__ = ("_settings", "decoders", "encoders")

    def __init__(self) -> None:
        self.encoders: dict[tuple[int, int], list[NativeEncoder]] = {}
        self.decoders: dict[tuple[int, int], list[NativeDecoder]] = {}
        self._settings: dict[tuple[tuple[str, int], ...], dict[str, int]] = {}

    def idle_encoders(self, depth: int, elements: int) -> list[NativeEncoder]:
        """Return where encoders are taken from and given back to."""
        return self.encoders.setdefault((depth, elements), [])

    def idle_decoders(self, depth: int, elements: int) -> list[NativeDecoder]:
        """Return where decoders are taken from and given back to."""
        return self.decoders.setdefault((depth, elements), [])

    def settings(self, settings: Mapping[str, int]) -> dict[str, int]:
        """Return a dictionary equal to that of a peer; most peers have the same one."""
        key = tuple(settings.items())
        found = self._settings.get(key)
        if found is None:
            if len(self._settings) >= _KNOWN:
                self._settings.clear()
            found = self._settings[key] = dict(key)
        return found
