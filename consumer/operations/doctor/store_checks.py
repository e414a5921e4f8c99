"""Check of the contact store. A SQLite file is read without a lock, and none is made."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from consumer.config.contact_sections import SqliteStore
from consumer.config.models import Config
from consumer.contacts.sqlite import FORMAT
from consumer.errors import StoreUnavailable
from consumer.operations.doctor.finding import Check, Finding, State
from consumer.wiring.contact_store import open_store

ROOM: Final = 2 * 2**30
"""Free bytes of a SQLite store's disk below which there is a warning: a million persons take a
gigabyte (benchmarks/README.md), and a rewritten log as much again."""

LOCK_WAIT: Final = 0.5
"""Seconds after which a locked file counts as in use."""

_NAME = "contact store"


def store_checks(config: Config) -> list[Check]:
    """Return the check of the config's contact store, if it has one."""
    if config.contacts is None:
        return []
    chosen = config.contacts.store
    if isinstance(chosen, SqliteStore):
        return [Check(_NAME, lambda: _sqlite(Path(chosen.path)))]
    return [Check(_NAME, lambda: _server(config))]


def _server(config: Config) -> Iterator[Finding]:
    with closing(open_store(config, time.time)) as store:
        try:
            notes = list(store.notes())
        except StoreUnavailable as error:
            remedy = "check `contacts.store`, the server, and what firewalls allow"
            yield Finding(_NAME, State.FAILED, str(error), remedy)
            return
    yield Finding(_NAME, State.OK, "answers")
    for note in notes:
        yield Finding(_NAME, State.WARNING, note)


def _sqlite(path: Path) -> Iterator[Finding]:
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        found = f"the folder {folder} is not there, or nothing can be written to it"
        yield Finding(_NAME, State.FAILED, found, "make it, for the user that runs the program")
        return
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        found = f"{free / 2**30:.1f} GiB are free for {path.name}"
        yield Finding(_NAME, State.WARNING, found, f"leave {ROOM / 2**30:.0f} GiB or more")
    yield _file(path) if path.exists() else _new_file(path)


def _new_file(path: Path) -> Finding:
    return Finding(_NAME, State.OK, f"{path.name} will be made; results are read into it")


def _file(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding(_NAME, State.FAILED, f"{path} cannot be written", "give its user the right")
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, timeout=LOCK_WAIT, uri=True)) as file:
            (version,) = file.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            return Finding(_NAME, State.OK, f"{path.name} is in use by a process that runs")
        return Finding(_NAME, State.FAILED, f"{path.name}: {error.sqlite_errorname}", _remove(path))
    except sqlite3.DatabaseError as error:
        return Finding(_NAME, State.FAILED, f"{path.name}: {error.sqlite_errorname}", _remove(path))
    if version not in {0, FORMAT}:
        found = f"{path.name} was written by another version (format {version})"
        return Finding(_NAME, State.FAILED, found, _remove(path))
    return Finding(_NAME, State.OK, f"{path.name} is readable")


def _remove(path: Path) -> str:
    return f"remove {path.name} while no process runs: results are read into a new one"
