"""The names of twisted.spread.interfaces."""

from __future__ import annotations

from broker.interfaces import IJellyable, IUnjellyable

__all__ = ["IJellyable", "IUnjellyable"]
