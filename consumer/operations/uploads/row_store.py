"""Which rows were sent, which were seen in this file, and which of it are to be sent: all on disk.

The digests stand in a SQLite database and a list of them in a file; both are deleted with the
command. Memory: `CACHE` at most, whatever their number.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from typing import Final

from consumer.operations.uploads.identity import SIZE

_HELD: Final = bytes(SIZE)
"""Stands for a row that is not sent."""

CACHE: Final = 64 * 1024
"""KiB of the database that are kept in memory."""


class RowStore:
    """Digests of rows."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        self._base = sqlite3.connect("", isolation_level=None)  # a file without a name
        for statement in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{CACHE}",
            "CREATE TABLE sent (row BLOB PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE seen (row BLOB PRIMARY KEY, number INTEGER) WITHOUT ROWID",
            "BEGIN",
        ):
            self._base.execute(statement)

    def close(self) -> None:
        """Delete all of it."""
        self._base.close()
        self._file.close()

    def add_sent(self, rows: Iterable[bytes]) -> None:
        """Record rows that were sent."""
        self._base.executemany("INSERT OR IGNORE INTO sent VALUES (?)", ((row,) for row in rows))

    def was_sent(self, row: bytes) -> bool:
        """Return whether a row was sent."""
        return self._base.execute("SELECT 1 FROM sent WHERE row = ?", (row,)).fetchone() is not None

    def begin_file(self) -> None:
        """Begin the file anew."""
        self._base.execute("DELETE FROM seen")
        self._file.seek(0)
        self._file.truncate()

    def add_row(self, identity: bytes | None) -> None:
        """Record the file's next row: None is not sent."""
        self._file.write(identity or _HELD)

    def rows(self) -> Iterator[bytes | None]:
        """Yield the identity of each row of the file; None is not sent."""
        self._file.seek(0)
        while identity := self._file.read(SIZE):
            yield None if identity == _HELD else identity

    def ordinal(self, row: bytes) -> int:
        """Return how many equal rows were seen before this one."""
        (number,) = self._base.execute(
            "INSERT INTO seen VALUES (?, 0) ON CONFLICT DO UPDATE SET number = number + 1 "
            "RETURNING number",
            (row,),
        ).fetchone()
        return int(number)
