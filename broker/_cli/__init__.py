"""The command line: ``broker call``, ``broker ping``, ``broker serve``."""

from __future__ import annotations

__all__: list[str] = []
