"""Values as producers write them: confluent-kafka's own serialisers, against a real registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

Serialise = Callable[[Any], bytes]
"""Registers its schema with the first value."""


class Serialisers:
    """Serialisers for the topics of one registry. A context manager: they have connections."""

    def __init__(self, url: str) -> None:
        self._client: Any = SchemaRegistryClient({"url": url})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def avro(self, topic: str, schema: Any) -> Serialise:
        """Return what writes dictionaries as Avro of a schema."""
        return _written(topic, AvroSerializer(self._client, json.dumps(schema)))

    def json(self, topic: str, schema: Any) -> Serialise:
        """Return what writes dictionaries as JSON, which it validates itself."""
        return _written(topic, JSONSerializer(json.dumps(schema), self._client))

    def protobuf(self, topic: str, message: Any) -> Serialise:
        """Return what writes messages of a class of the protobuf runtime."""
        settings = {"use.deprecated.format": False}
        return _written(topic, ProtobufSerializer(message, self._client, settings))


def _written(topic: str, serialise: Callable[[Any, Any], bytes | None]) -> Serialise:
    place = SerializationContext(topic, MessageField.VALUE)
    return lambda value: serialise(value, place) or b""
