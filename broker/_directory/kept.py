"""Names in a file: values, and importable names of what makes objects, so that they outlast the process.

The file is one of SQLite. It belongs to the owner of the process: what it calls a factory is imported.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Kept", "NamesFile", "Unusable"]

#: Marks our files, see the SQLite documentation of ``PRAGMA application_id``.
_APPLICATION: Final = 0x62726B6E
_VERSION: Final = 1
_TABLE: Final = """
    CREATE TABLE names (
        name TEXT PRIMARY KEY NOT NULL,
        ours INTEGER NOT NULL,
        value BLOB,
        factory TEXT,
        CHECK ((value IS NULL) <> (factory IS NULL))
    ) WITHOUT ROWID
"""


class Unusable(ValueError):
    """The file of names cannot be read or written, or is something else."""

    # The name by which users import it, which tracebacks show.
    __module__ = "broker.names"


class Kept(NamedTuple):
    """One name in the file.

    :ivar name: the name.
    :ivar ours: whether it is the owner's, and not a peer's.
    :ivar value: the encoded value, or None.
    :ivar factory: the importable name of what makes the object, or None.
    """

    name: str
    ours: bool
    value: bytes | None
    factory: str | None


class NamesFile:
    """A file of names, which no other process uses meanwhile. Of several threads, one at a time may use it.

    :param path: where; it is made if it is not there, for nobody else to read.
    :raises Unusable: it cannot be used; the text says why, in one line.
    """

    def __init__(self, path: str) -> None:
        self._path = path = os.path.abspath(path)
        self._database: sqlite3.Connection | None = None
        try:
            # SQLite would make it readable for everybody.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
            self._prepare(self._database)
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise Unusable(f"{self}: {_reason(error)}") from None
        except Unusable:
            self.close()
            raise

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        application = database.execute("PRAGMA application_id").fetchone()[0]
        version = database.execute("PRAGMA user_version").fetchone()[0]
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables and not application:
            database.execute(_TABLE)
            database.execute(f"PRAGMA application_id = {_APPLICATION}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        elif application != _APPLICATION:
            raise Unusable(f"{self}: it is a database of something else")
        elif version != _VERSION:
            raise Unusable(f"{self}: it is of version {version}, and this is for version {_VERSION}")
        database.execute("COMMIT")

    def __iter__(self) -> Iterator[Kept]:
        """Give what is in the file.

        :raises Unusable: it is damaged.
        """
        assert self._database is not None
        try:
            rows = self._database.execute("SELECT name, ours, value, factory FROM names ORDER BY name")
            for name, ours, value, factory in rows:
                yield Kept(name, bool(ours), value, factory)
        except sqlite3.Error as error:
            raise Unusable(f"{self}: {_reason(error)}") from None

    def put(self, kept: Kept) -> None:
        """Write one name, in the place of what it stood for before.

        :raises Unusable: it cannot be written.
        """
        self._change("REPLACE INTO names (name, ours, value, factory) VALUES (?, ?, ?, ?)", *kept)

    def drop(self, name: str) -> None:
        """Take a name out, if it is there.

        :raises Unusable: it cannot be written.
        """
        self._change("DELETE FROM names WHERE name = ?", name)

    def _change(self, statement: str, *values: str | bytes | bool | None) -> None:
        if self._database is None:
            raise Unusable(f"{self}: it has been closed")
        try:
            self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise Unusable(f"{self}: {_reason(error)}") from None

    def close(self) -> None:
        """Let others use the file."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def __str__(self) -> str:
        return f"the names in {self._path!r} cannot be used"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = " ".join(str(error).split())
    return "another process uses it" if text == "database is locked" else text
