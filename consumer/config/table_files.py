"""Reads the files of lookup tables, and lists them for the detection of changes.

Tables of equal content are one object while one of them is in use: a reload that changes other
things copies no table.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from consumer.config.csv_table import parse_table
from consumer.config.document import Source, Tree
from consumer.config.interpolate import interpolate
from consumer.config.source import parse
from consumer.config.texts import decoded, read_bytes
from consumer.errors import ConfigError
from consumer.routing.lookup import LookupTable

MOST_BYTES: Final = 10 * 2**20
"""Bytes of a table's file, at most."""

_in_use: WeakValueDictionary[tuple[str, str, str | None], LookupTable] = WeakValueDictionary()


def read_table(path: Path, key: str, delimiter: str | None = None) -> tuple[LookupTable, str]:
    """Return the table of a CSV file and the digest of its content.

    Raises OSError, UnfitTextError and TableError.
    """
    content = read_bytes(path, MOST_BYTES)
    digest = hashlib.sha256(content).hexdigest()
    table = _in_use.get((digest, key, delimiter))
    if table is None:
        table = parse_table(decoded(content, MOST_BYTES), key, delimiter)
        _in_use[digest, key, delimiter] = table
    return table, digest


def tables_named(text: str, base: Path) -> list[Path]:
    """List the files of the tables in a config's text; none if it cannot be parsed."""
    found = interpolate(Source("", _tables_in(text)), env=os.environ, base=base).tree
    tables = found.values() if isinstance(found, dict) else ()
    files = (table.get("file") for table in tables if isinstance(table, dict))
    return [base / file for file in files if isinstance(file, str)]


@lru_cache(maxsize=64)
def _tables_in(text: str) -> Tree:
    """Parse the section, once for each text: the files are polled every few seconds."""
    try:
        return parse(text, "").at(("tables",)) if "tables" in text else None
    except ConfigError:
        return None
