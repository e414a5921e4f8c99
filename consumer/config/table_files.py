"""Reads the files of lookup tables, and lists the files that a config names by their paths alone.

The list is for the detection of changes.

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


def paths_named(text: str, base: Path) -> list[Path]:
    """List the files of tables and descriptors in a config's text; none if it cannot be parsed."""
    found = interpolate(Source("", _naming_parts(text)), env=os.environ, base=base).tree
    parts = found if isinstance(found, list) else []
    files = (part.get("file") for part in parts if isinstance(part, dict))
    return [base / file for file in files if isinstance(file, str)]


@lru_cache(maxsize=64)
def _naming_parts(text: str) -> Tree:
    """Parse what names files, once for each text: the files are polled every few seconds."""
    if "tables" not in text and "descriptors" not in text:
        return None
    try:
        source = parse(text, "")
    except ConfigError:
        return None
    tables, inputs = source.at(("tables",)), source.at(("inputs",))
    entries = inputs.values() if isinstance(inputs, dict) else ()
    described = (entry.get("descriptors") for entry in entries if isinstance(entry, dict))
    return [*(tables.values() if isinstance(tables, dict) else ()), *described]
