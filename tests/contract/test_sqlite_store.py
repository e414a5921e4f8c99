"""What is SQLite's alone: one process, reopening, files that cannot be used."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from consumer.contacts.sqlite import SqliteStore
from consumer.contacts.store import ABSENT
from consumer.errors import StoreUnavailable, StoreUnfit
from tests.support.stores import at_now

OPEN_AND_KILL = """
import os, sys
from pathlib import Path
from consumer.contacts.sqlite import SqliteStore
store = SqliteStore(Path(sys.argv[1]), lambda: 0.0)
store.write(store.read(["a"]).generation, {"a": 0}, {"a": b"1"})
print("open", flush=True)
sys.stdin.read()
os._exit(1)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.sqlite"


def test_second_process_is_refused_until_the_first_one_ends(path: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_KILL, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        with pytest.raises(
            StoreUnfit, match=r"another process has contacts\.sqlite open"
        ) as caught:
            SqliteStore(path, at_now)
        assert str(path) not in str(caught.value)
        process.kill()
    with closing(SqliteStore(path, at_now)) as store:
        assert store.read(["a"]).found["a"].value == b"1"


def test_opened_again_it_has_everything_and_another_generation(path: Path) -> None:
    with closing(SqliteStore(path, at_now)) as store:
        before = store.read(["a"])
        assert store.write(before.generation, {"a": ABSENT}, {"a": b"1"})
        first = store.read(["a"]).found["a"]
    with closing(SqliteStore(path, at_now)) as store:
        reading = store.read(["a"])
        assert reading.found == {"a": first}
        assert reading.generation != before.generation
        assert not store.write(before.generation, {"a": first.version}, {"a": b"2"})
        assert store.write(reading.generation, {"a": first.version}, {"a": b"2"})
        assert store.read(["a"]).found["a"].version > first.version
        assert (store.grace, store.notes()) == (0.0, ())


def test_file_of_a_later_version_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StoreUnfit, match="a later version"):
        SqliteStore(path, at_now)


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"no database " * 100)
    with pytest.raises(StoreUnfit, match=r"cannot be read \(SQLITE_NOTADB\)"):
        SqliteStore(path, at_now)


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="SQLITE_CANTOPEN") as caught:
        SqliteStore(tmp_path / "missing" / "contacts.sqlite", at_now)
    assert str(tmp_path) not in str(caught.value)


def test_full_disk_fails_a_write_and_keeps_what_was_there(path: Path) -> None:
    with closing(SqliteStore(path, at_now)) as store:
        generation = store.read(["a"]).generation
        assert store.write(generation, {"a": ABSENT}, {"a": b"1"})
        store._connection.execute("PRAGMA max_page_count = 10")
        with pytest.raises(StoreUnavailable, match="SQLITE_FULL"):
            store.write(generation, {"b": ABSENT}, {"a": b"2", "b": b"x" * 10**6})
        store._connection.execute("PRAGMA max_page_count = 1000000")
        assert store.read(["a", "b"]).found.keys() == {"a"}
        assert store.write(generation, {"b": ABSENT}, {"b": b"x" * 10**6})
