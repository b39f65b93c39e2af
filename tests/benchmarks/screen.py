"""The line that says where a run is."""

from __future__ import annotations

import sys

__all__ = ["Progress"]


class Progress:
    """Writes to standard error: one line that changes on a terminal, else a line whenever the first word changes."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._subject = ""

    def __call__(self, done: int, total: int, what: str, left: float) -> None:
        """Show that `what` begins, with so many of so many done and so many seconds left."""
        line = f"[{done + 1}/{total}] {what}, {int(left) // 60}:{int(left) % 60:02} left"
        subject = what.partition(" ")[0]
        if self._terminal:
            sys.stderr.write(f"\r{line[:110]:<110}")
        elif subject != self._subject:
            sys.stderr.write(line + "\n")
        self._subject = subject
        sys.stderr.flush()

    def bar(self, share: float, what: str) -> None:
        """Show a bar that is full at a share of 1; without a terminal, a line for each tenth."""
        if self._terminal:
            sys.stderr.write(f"\r[{'#' * int(share * 40):<40}] {share:4.0%} {what:<60}")
        elif round(share * 100) % 10 == 0:
            sys.stderr.write(f"{share:4.0%} {what}\n")
        sys.stderr.flush()

    def end(self) -> None:
        """Clear the line."""
        if self._terminal:
            sys.stderr.write("\r" + " " * 112 + "\r")
            sys.stderr.flush()
