"""The history of ``broker shell``: what was typed, in a file that nobody else can read."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ["History", "MOST", "default_path"]

#: Most lines that are kept.
MOST: Final = 1000


def default_path() -> Path:
    """Return where the history of this user is: where programs keep what is neither settings nor data."""
    state = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_STATE_HOME", "")
    folder = Path(state) if os.path.isabs(state) else Path.home() / ".local" / "state"
    return folder / "broker" / "shell-history"


class History:
    """The lines of `readline`, and of a file.

    :param readline: the module.
    :param path: the file.
    """

    def __init__(self, readline: Any, path: Path) -> None:
        self._readline = readline
        self._path = path
        self._begun = 0

    def load(self) -> None:
        """Give `readline` what is in the file."""
        for line in self._lines():
            self._readline.add_history(line)
        self._begun = self._readline.get_current_history_length()

    def save(self) -> None:
        """Add what was typed since to the file.

        :raises OSError: it cannot be written.
        """
        count = self._readline.get_current_history_length()
        typed = [self._readline.get_history_item(number + 1) for number in range(self._begun, count)]
        # Another shell may have added to it meanwhile.
        lines = [*self._lines(), *(line for line in typed if line)][-MOST:]
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        written = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with open(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
        os.replace(written, self._path)

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            # The first time there is none; one that cannot be read is told of when it is to be written.
            return []
