"""Builds what looks up the schemas of inputs' records in the registry."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.config.models import Config
from consumer.errors import OperationError, RegistryUnavailable
from consumer.http.schema_compiler import readable
from consumer.http.schema_lookup import UNKNOWN, SchemaLookup
from consumer.http.schema_registry import SchemaRegistry
from consumer.routing.decoding.schemas.schema_book import KnownSchema, SchemaBook
from consumer.wiring.inputs import needs_registry


@dataclass(frozen=True, slots=True)
class InputSchemas:
    """How the router gets the schemas of the records of `topics`."""

    topics: frozenset[str]
    lookup: SchemaLookup


def input_schemas(config: Config) -> InputSchemas | None:
    """Return what looks schemas up between two polls; None if no input needs it."""
    needing = [entry for entry in config.inputs.values() if needs_registry(entry)]
    if config.registry is None or not needing:
        return None
    topics = frozenset(topic for entry in needing for topic in entry.topics)
    return InputSchemas(topics, SchemaLookup(SchemaBook(), SchemaRegistry(config.registry).schema))


def asking_book(config: Config) -> SchemaBook:
    """Return a book that asks the registry for each schema at once. It raises OperationError."""
    section = config.registry
    if section is None:
        return SchemaBook()

    def look_up(name: str) -> KnownSchema | str:
        try:
            found = SchemaRegistry(section).schema(name)
        except RegistryUnavailable as error:
            raise OperationError(f"the schema registry cannot be asked: {error}") from None
        return UNKNOWN if found is None else readable(found)

    return SchemaBook(look_up)
