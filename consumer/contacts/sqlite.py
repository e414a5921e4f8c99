"""Contact store in one SQLite file, for one sender process.

The file is opened in exclusive mode: a second process is refused, for as long as the first one
lives. Each opening is another generation, for nothing tells whether the file is the one that was
closed or a copy put back; what was read before stands in the file, so that only what is missing is
read again. Commits do not wait for the disk (WAL, `synchronous = NORMAL`): a power cut may take the
last ones, and what opens the file then reads them again. A killed process loses nothing.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from consumer.contacts.store import ABSENT, StoredValue, StoreReading
from consumer.errors import StoreUnavailable, StoreUnfit

FORMAT = 1
PAGE = 1000
CACHE_KIB = 64 * 1024

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries
    (key TEXT PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS last_version (version INTEGER NOT NULL);
INSERT INTO last_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM last_version);
"""
_READ = (
    "SELECT entries.key, version, entries.value FROM json_each(?) AS wanted"
    " CROSS JOIN entries ON entries.key = wanted.value"
)
_UPSERT = "INSERT OR REPLACE INTO entries (key, version, value) VALUES (?, ?, ?)"


class SqliteStore:
    """A file that this process alone has open."""

    grace = 0.0
    """A process that held the file before has ended, and with it its calls."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._name = path.name
        self._clock = clock
        self._lock = threading.Lock()
        self._generation = uuid.uuid4().hex
        with self._translated():
            self._connection = self._open(path)

    def _open(self, path: Path) -> sqlite3.Connection:
        # Statements may come from any thread, one at a time; transactions are begun by hand.
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("BEGIN IMMEDIATE")
            self._check_format(connection)
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _check_format(self, connection: sqlite3.Connection) -> None:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        if found not in {0, FORMAT}:
            raise StoreUnfit(
                f"{self._name} was written by a later version (format {found}): "
                "use that one, or remove the file, and results are read again"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate errors of SQLite."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise StoreUnfit(
                    f"another process has {self._name} open: SQLite is for one sender process; "
                    "`type: valkey` is for several"
                ) from None
            raise StoreUnavailable(f"{self._name}: {error.sqlite_errorname}") from None
        except sqlite3.DatabaseError as error:
            raise StoreUnfit(
                f"{self._name} cannot be read ({error.sqlite_errorname}): remove the file, "
                "and results are read again"
            ) from None

    def read(self, keys: Sequence[str]) -> StoreReading:
        """Return what is there of keys."""
        with self._lock, self._translated():
            found = {
                key: StoredValue(version, value)
                for key, version, value in self._connection.execute(_READ, [_json(keys)])
            }
        return StoreReading(self._clock(), self._generation, found)

    def write(
        self, generation: str, versions: Mapping[str, int], values: Mapping[str, bytes | None]
    ) -> bool:
        """Write all or nothing."""
        with self._lock, self._translated():
            if generation != self._generation:
                return False
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                same = self._versions(versions) == {
                    key: version for key, version in versions.items() if version != ABSENT
                }
                if same:
                    self._put(values)
                self._connection.execute("COMMIT" if same else "ROLLBACK")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            return same

    def _versions(self, keys: Mapping[str, int]) -> dict[str, int]:
        found = self._connection.execute(_READ, [_json([*keys])])
        return {key: version for key, version, _ in found}

    def _put(self, values: Mapping[str, bytes | None]) -> None:
        execute, many = self._connection.execute, self._connection.executemany
        ((version,),) = execute("UPDATE last_version SET version = version + 1 RETURNING version")
        many("DELETE FROM entries WHERE key = ?", [(k,) for k, v in values.items() if v is None])
        kept = [(key, version, value) for key, value in values.items() if value is not None]
        many(_UPSERT, kept)

    def notes(self) -> Sequence[str]:
        """Return nothing: there is one way to set it up."""
        return ()

    def keys(self, prefix: str) -> Iterator[str]:
        """Yield keys that begin with a prefix, page by page."""
        sql = "SELECT key FROM entries WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
        last, end = prefix, prefix + "\U0010ffff"
        while True:
            with self._lock, self._translated():
                page = [key for (key,) in self._connection.execute(sql, [last, end, PAGE])]
            yield from page
            if len(page) < PAGE:
                return
            last = page[-1]

    def wipe(self) -> None:
        """Remove everything and begin another generation."""
        with self._lock, self._translated():
            self._connection.execute("DELETE FROM entries")
            self._generation = uuid.uuid4().hex

    def close(self) -> None:
        """Close the file, for another process to open it."""
        with self._lock:
            self._connection.close()


def _json(keys: Sequence[str]) -> str:
    return orjson.dumps(list(keys)).decode()
