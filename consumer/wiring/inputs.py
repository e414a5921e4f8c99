"""Builds what reads the records of an input: format, envelope, identity, time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from consumer.config.models import Config
from consumer.config.sections import Input, Route
from consumer.routing.dead_letter_limit import DeadLetterLimit
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.envelope import NO_ENVELOPE, BodyReader, Envelope
from consumer.routing.decoding.formats import FORMATS, SCHEMA_FORMATS
from consumer.routing.decoding.payload import PayloadDecoder
from consumer.routing.decoding.schemas.json_schema import validating_decoder
from consumer.routing.decoding.schemas.protobuf import described_decoder
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.decoding.times import TimeReader
from consumer.routing.expressions import KAFKA
from consumer.routing.lookup import Tables
from consumer.routing.patterns.pattern import compile_pattern

_NAMING_SCHEMAS: Final = frozenset({*SCHEMA_FORMATS, "json_schema"})


def event_decoder(
    config: Config, entry: Input, routes: Sequence[Route], tables: Tables, book: SchemaBook
) -> EventDecoder:
    """Return the decoder of an input, whose routes are these. `book`: the known schemas."""
    keys = entry.event
    return EventDecoder(
        _payload_decoder(entry, book),
        keys.id,
        keys.time,
        entry.max_event_bytes,
        time_reader(entry),
        tables,
        _envelope(entry, tables, kafka=_reads_kafka(config, entry, routes)),
        skip_tombstones=entry.tombstones == "skip",
    )


def needs_registry(entry: Input) -> bool:
    """Return whether an input's events cannot be read without the registry."""
    return (entry.format in SCHEMA_FORMATS and entry.descriptors is None) or entry.validated


def with_json_events(config: Config) -> Config:
    """Return the config with events as plain JSON where their records name a schema: a file of
    tests holds what routes see of them."""
    plain = {"format": "json", "descriptors": None, "validated": False}
    inputs = {
        name: entry.model_copy(update=plain if entry.format in _NAMING_SCHEMAS else {})
        for name, entry in config.inputs.items()
    }
    return config.model_copy(update={"inputs": inputs})


def _payload_decoder(entry: Input, book: SchemaBook) -> PayloadDecoder:
    if entry.descriptors is not None:
        # Imported here: the protobuf runtime takes 20 ms to load, and few configs need it.
        from consumer.routing.decoding.schemas import protobuf_file  # noqa: PLC0415

        name = entry.descriptors.message
        return described_decoder(
            name, *protobuf_file.described_message(entry.descriptors.content, name)
        )
    if entry.validated:
        return validating_decoder(book)
    with_schemas = SCHEMA_FORMATS.get(entry.format)
    return with_schemas(book) if with_schemas else FORMATS[entry.format]


def time_reader(entry: Input) -> TimeReader:
    """Return what reads an input's times."""
    return TimeReader(entry.event.time_unit, entry.event.timezone)


def dead_letter_limit(entry: Input) -> DeadLetterLimit | None:
    """Return an input's limit on dead letters; None for an input without."""
    limit = entry.dead_letter_limit
    return None if limit is None else DeadLetterLimit(limit.share, limit.of)


def _envelope(entry: Input, tables: Tables, *, kafka: bool) -> Envelope:
    if not (entry.body or entry.skip or kafka):
        return NO_ENVELOPE
    skips = compile_pattern(entry.skip).matches if entry.skip else None
    return Envelope(skips, BodyReader(entry.body, tables) if entry.body else None, kafka)


def _reads_kafka(config: Config, entry: Input, routes: Sequence[Route]) -> bool:
    """Return whether an expression or pattern reads `$kafka`; else the headers need not be read."""
    readers = [entry, *routes, *config.policies.values(), config.exclude]
    return any(KAFKA in reader.model_dump_json() for reader in readers)
