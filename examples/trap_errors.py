"""The exception that the two trap programs share; see trap_server.py."""

from __future__ import annotations

import broker


class Refused(broker.Error):
    """The server does not want to."""
