"""The folder of a manager's socket: nobody else's, and gone when either process is."""

from __future__ import annotations

import os
from tempfile import mkdtemp
from typing import Final

__all__ = ["make_folder", "remove_folder", "socket_in"]

_NAME: Final = "socket"


def make_folder() -> str:
    """Make a folder that only this user can enter; return its path."""
    return mkdtemp(prefix="broker-")


def socket_in(folder: str) -> str:
    """Return the path of the socket in a folder."""
    return os.path.join(folder, _NAME)


def remove_folder(folder: str | None) -> None:
    """Remove a folder, and the socket in it. The other process may do the same at the same time."""
    if folder is None:
        return
    for remove, path in ((os.unlink, socket_in(folder)), (os.rmdir, folder)):
        try:
            remove(path)
        except OSError:
            # It is gone; or somebody has put something there, which is not ours to remove.
            pass
