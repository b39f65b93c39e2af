"""``python -m broker``: the command line."""

from __future__ import annotations

import sys

from broker._cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
