"""Schema book: the registry's schemas that are known by now. Decoders look nothing up.

A schema never changes under its id, so that what is known once stays known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, TypeVar

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.schemas.wire_format import written_with

LARGEST: Final = 1000
"""Schemas that are kept between two polls."""


class SchemaError(ValueError):
    """A schema that cannot be compiled; the message repeats at most a name of it."""


class KnownSchema(Protocol):
    """A compiled schema. `kind`: its type as the registry names it."""

    kind: ClassVar[str]


S = TypeVar("S", bound=KnownSchema)


@dataclass(slots=True)
class SchemaBook:
    """Schema's name (id or GUID) → what reads its values, or why there is none. `look_up`: for a
    command that may wait for each look-up."""

    look_up: Callable[[str], KnownSchema | str] | None = None
    _known: dict[str, KnownSchema | str] = field(default_factory=dict)
    _refused: dict[str, str] = field(default_factory=dict)

    def add(self, schema: str, found: KnownSchema | str) -> None:
        """Add a schema, or a sentence that says why it is of no use."""
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

    def find(self, schema: str, expected: type[S]) -> S:
        """Return a schema of the expected type. Raises EventError if there is none."""
        found = self._known.get(schema) or self._refused.get(schema)
        if found is None and self.look_up is not None:
            found = self._known[schema] = self.look_up(schema)
        found = found or "was not looked up"
        if isinstance(found, expected):
            return found
        wrong = f"is of type {getattr(found, 'kind', '')}, expected {expected.kind}"
        why = found if isinstance(found, str) else wrong
        raise EventError(DeadLetterReason.UNKNOWN_SCHEMA, f"schema {schema} {why}")
