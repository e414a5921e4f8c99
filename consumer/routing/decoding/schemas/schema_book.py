"""Schema book: the registry's schemas that are known by now. Decoders look nothing up.

A schema never changes under its id, so that what is known once stays known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.schemas.avro_binary import Reader
from consumer.routing.decoding.schemas.wire_format import written_with

LARGEST: Final = 1000
"""Schemas that are kept between two polls."""


@dataclass(slots=True)
class SchemaBook:
    """Schema's name (id or GUID) → the reader of its values, or why there is none. `look_up`: for a
    command that may wait for each look-up."""

    look_up: Callable[[str], Reader | str] | None = None
    _known: dict[str, Reader | str] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)

    def add(self, schema: str, found: Reader | str) -> None:
        """Add a schema: its reader, or a sentence that says why it has none."""
        self._known[schema] = found

    def missing(self, records: Iterable[InputRecord]) -> dict[str, list[InputRecord]]:
        """Return the schemas of records that are not known yet, each with its records. A record
        that names none is left to the decoder."""
        found = dict[str, list[InputRecord]]()
        for record in records:
            try:
                schema = written_with(record).schema
            except EventError:
                continue
            if schema not in self._known:
                found.setdefault(schema, []).append(record)
        return found

    def refuse(self, schema: str, why: str) -> None:
        """Add a schema that the registry lacks, until the next poll: it may be registered yet."""
        self._refused[schema] = why

    def begin(self) -> None:
        """Begin a poll: forget what was refused, and all if they are too many, for records may name
        any id."""
        self._refused.clear()
        if len(self._known) > LARGEST:
            self._known.clear()

    def reader(self, schema: str) -> Reader:
        """Return a schema's reader. Raises EventError for one without."""
        found = self._known.get(schema) or self._refused.get(schema)
        if found is None and self.look_up is not None:
            found = self._known[schema] = self.look_up(schema)
        found = found or "was not looked up"
        if isinstance(found, str):
            raise EventError(DeadLetterReason.UNKNOWN_SCHEMA, f"schema {schema} {found}")
        return found
