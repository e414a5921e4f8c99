"""Makes the record of a row, as the router reads it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from consumer.operations.uploads.columns import Columns, UnfitCellError
from consumer.operations.uploads.identity import RowIdentity
from consumer.records.fields import RECORD_VERSION, rfc3339
from consumer.routing.decoding.times import TimeReader

LONGEST_ROW = 256 * 1024
"""Bytes of a row's record, at most: no longer one becomes an invitation."""


class UnfitRowError(ValueError):
    """A row cannot be written as a record; the text says why, and repeats none of it."""


@dataclass(frozen=True, slots=True)
class RowTimes:
    """The time of each row's event: `usual`, or that of the column `name` at place `at`. `form`: as
    of strptime, else ISO 8601; `zone`: of times without an offset."""

    usual: str
    at: int | None = None
    name: str = ""
    form: str | None = None
    zone: str | None = None

    def of(self, cells: Sequence[str]) -> str:
        """Return RFC 3339. Raises UnfitCellError."""
        if self.at is None:
            return self.usual
        cell = cells[self.at]
        if self.form is None:
            read = TimeReader(zone=self.zone)(cell)
            if read is None:
                raise UnfitCellError(self.name)
            return read[1]
        try:
            found = dt.datetime.strptime(cell, self.form)  # noqa: DTZ007 - its zone follows
        except ValueError:
            raise UnfitCellError(self.name) from None
        if found.tzinfo is None:
            found = found.replace(tzinfo=ZoneInfo(self.zone or "UTC"))
        return rfc3339(found.timestamp())


@dataclass(frozen=True, slots=True)
class RowRecords:
    """Makes records and identities of the rows of one file. `identities`: under each key, the
    present one first; `id_at`: the place of the column `--id`; `not_before`: 0 sends at once."""

    route: str
    columns: Columns
    times: RowTimes
    identities: Sequence[RowIdentity]
    id_at: int | None = None
    not_before: float = 0.0

    def content(self, cells: Sequence[str]) -> list[str]:
        """Return what the row's identity is made of. Raises UnfitRowError without an id."""
        if self.id_at is None:
            return self.columns.content(cells)
        if not cells[self.id_at]:
            raise UnfitRowError("has no id")
        return [cells[self.id_at]]

    def value(self, row: bytes, cells: Sequence[str]) -> bytes:
        """Return the record's value; `row`: the identity. Raises UnfitRowError, UnfitCellError."""
        record: dict[str, Any] = {
            "version": RECORD_VERSION,
            "route": self.route,
            "id": row.hex(),
            "time": self.times.of(cells),
            "event": self.columns.event(cells),
        }
        if self.not_before:
            record["not_before"] = self.not_before
        try:
            value = orjson.dumps(record)
        except TypeError:  # a lone surrogate stands for a byte that is not of the encoding
            value = b""
        if not value:
            raise UnfitRowError("has a letter that is not of the file's encoding")
        if b"\\u0000" in value:
            raise UnfitRowError("has a NUL character")
        if len(value) > LONGEST_ROW:
            raise UnfitRowError(f"is longer than {LONGEST_ROW:,} bytes")
        return value
