"""The options about names: what has one from the start, who may give others, where they are kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from twisted.python import usage

from broker.errors import Error
from broker.names import READ, WRITE, Directory, NameLimits, directory, writers
from broker.service.sizes import count

__all__ = ["NamesOptions"]


class NamesOptions(usage.Options):
    """The options about the names of the built-in root."""

    optParameters: Sequence[Sequence[Any]] = [
        ["names", None, None, "a file that keeps names over a restart; it is made if it is not there", os.path.abspath],
        ["max-names", None, None, f"most names (default {NameLimits.names})", count],
        ["max-names-bytes", None, None, f"most bytes of all values with names (default {NameLimits.total})", count],
    ]

    optFlags: Sequence[Sequence[Any]] = [
        ["names-writable", None, "let everybody give names to values and objects, and take them away again"],
    ]

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self["name"] = []
        self["names-writer"] = []

    def opt_name(self, description: str) -> None:
        """NAME=package.module:Name, an object to be found under a name, or what makes it; repeatable."""
        name, equals, factory = description.partition("=")
        if not equals:
            raise usage.UsageError(f"--name {description!r} is not of the form NAME=package.module:Name")
        self["name"].append((name, factory))

    def opt_names_writer(self, user: str) -> None:
        """A user who may give names, where not everybody may; repeatable."""
        self["names-writer"].append(user)

    def directory(self) -> Directory:
        """Return the directory that the options describe; its file is for the service to open.

        :raises UsageError: one of the names cannot be given.
        """
        asked = {"names": self["max-names"], "total": self["max-names-bytes"]}
        limits = NameLimits(**{name: value for name, value in asked.items() if value is not None})
        rule = WRITE if self["names-writable"] else writers(*self["names-writer"]) if self["names-writer"] else READ
        made = directory(rule, limits=limits)
        for name, factory in self["name"]:
            try:
                made.provide(name, factory)
            except (Error, ValueError) as error:
                raise usage.UsageError(f"--name {name}: {error}") from error
        return made

    def names_given(self) -> str | None:
        """Return one of the options about names that was given, or None."""
        for option in ("names", "name", "names-writable", "names-writer", "max-names", "max-names-bytes"):
            if self[option]:
                return option
        return None
