"""The keys of managers, by where these are; processes that `multiprocessing` starts have those of their parent.

A manager that is given no key has one that follows from the `authkey` of the process, which all of a family of
processes share, however and whenever they were started. Other keys are in a ring that goes along as the `authkey` does:
in the memory of a fork, and through the pipe by which a process that is spawned is told what it is to do.
"""

from __future__ import annotations

from hmac import digest
from multiprocessing.context import get_spawning_popen
from multiprocessing.process import current_process
from typing import Any, Final

__all__ = ["Keyring", "family_key", "keyring"]

_NAME: Final = "broker.keys"
_WHAT: Final = b"key of broker's managers"


class Keyring(dict[str, bytes]):
    """Keys, by where the managers are."""

    def __reduce__(self) -> Any:
        if get_spawning_popen() is None:
            raise TypeError("keys are told to processes that multiprocessing starts, and otherwise not pickled")
        return Keyring, (dict(self),)

    def __repr__(self) -> str:
        return f"<Keyring for {len(self)} managers>"


def keyring() -> Keyring:
    """Return the ring of this process."""
    config: dict[str, Any] = vars(current_process())["_config"]
    found = config.get(_NAME)
    if found is None:
        found = config[_NAME] = Keyring()
    return found


def family_key() -> bytes:
    """Return the key of managers that are given none."""
    return digest(bytes(current_process().authkey), _WHAT, "sha256")
