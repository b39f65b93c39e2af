"""A module whose RemoteCopy classes are registered all at once."""

# mypy: disable-error-code="misc"

from __future__ import annotations

from peer.spread import pb

__all__ = ["DocumentCopy"]


class DocumentCopy(pb.RemoteCopy):
    """What a Document arrives as."""


class _Hidden:
    """Not a RemoteCopy: must not be registered."""
