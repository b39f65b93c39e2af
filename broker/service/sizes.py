"""Counts and sizes as they are written in options."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["count"]

_SIZE: Final = re.compile(r"(\d+)\s*([kmg]?)(?:i?b)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def count(text: str) -> int:
    """Read a positive whole number; k, M and G after it stand for 1024, 1024² and 1024³.

    :raises ValueError: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(f"{text!r} is no positive whole number (such as 5000 or 64M)")
    return int(match[1]) * _UNITS[match[2].lower()]
