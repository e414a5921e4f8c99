"""The section `tables`: CSV files that expressions look into with `lookup()`.

A table's content belongs to the rules: its digest is dumped with the section, and so changes
`config_version`; the path of its file, which may differ between replicas, does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr

from consumer.config.fields import Text
from consumer.config.named_file import NamedFile
from consumer.routing.lookup import LookupTable, Tables

Delimiter = Literal[",", ";", "|", "tab"]
EMPTY: Final = LookupTable({}, {})


class Table(NamedFile):
    """A lookup table: a CSV file, UTF-8, whose first row names the columns."""

    file: Annotated[Text, Field(exclude=True)]
    """Path of the CSV file, which counts from the config's folder."""
    key: Text
    """The column whose text `lookup()` finds; no two rows have the same."""
    delimiter: Delimiter | None = None
    """What stands between two cells; left out, it is found by the first row."""

    _content: LookupTable = PrivateAttr(default=EMPTY)

    @property
    def content(self) -> LookupTable:
        """The rows, none while the file is not read."""
        return self._content


def lookup_tables(tables: Mapping[str, Table]) -> Tables:
    """Return table name → content."""
    return {name: table.content for name, table in tables.items()}
