"""The section `tables`: CSV files that expressions look into with `lookup()`.

A table's content belongs to the rules: its digest is dumped with the section, and so changes
`config_version`; the path of its file, which may differ between replicas, does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, PrivateAttr, computed_field

from consumer.config.fields import Text
from consumer.config.section import Section
from consumer.routing.lookup import LookupTable, Tables

Delimiter = Literal[",", ";", "|", "tab"]
EMPTY: Final = LookupTable({}, {})


class Table(Section):
    """A lookup table: a CSV file, UTF-8, whose first row names the columns."""

    file: Annotated[Text, Field(exclude=True)]
    """Path of the CSV file, which counts from the config's folder."""
    key: Text
    """The column whose text `lookup()` finds; no two rows have the same."""
    delimiter: Delimiter | None = None
    """What stands between two cells; left out, it is found by the first row."""

    _content: LookupTable = PrivateAttr(default=EMPTY)
    _digest: str = PrivateAttr(default="")

    @computed_field(repr=False)  # type: ignore[prop-decorator]  # pydantic's own order
    @property
    def digest(self) -> str:
        """The digest of the file's content, "" while it is not read."""
        return self._digest

    @property
    def content(self) -> LookupTable:
        """The rows, none while the file is not read."""
        return self._content

    def fill(self, content: LookupTable, digest: str) -> None:
        """Keep what the file holds."""
        self._content, self._digest = content, digest


def lookup_tables(tables: Mapping[str, Table]) -> Tables:
    """Return table name → content."""
    return {name: table.content for name, table in tables.items()}
