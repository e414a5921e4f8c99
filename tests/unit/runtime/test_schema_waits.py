"""Partitions that wait for a schema: what of a poll can be decoded, and where reading goes on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from confluent_kafka import Message

from consumer.errors import RegistryUnavailable
from consumer.http.schema_lookup import SchemaLookup
from consumer.http.schema_registry import FoundSchema
from consumer.kafka.records.messages import position_of
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.runtime.router.schema_waits import SchemaWaits

KNOWN = 1
"""The only schema that the registry says."""


def message(topic: str, partition: int, offset: int, schema: int) -> Message:
    value = b"\x00" + schema.to_bytes(4)
    made: Any = SimpleNamespace(
        topic=lambda: topic, partition=lambda: partition, offset=lambda: offset, content=value
    )
    return cast("Message", made)


def record_of(one: Message) -> InputRecord:
    return InputRecord(*position_of(one), cast("Any", one).content)


def fetch(name: str) -> FoundSchema | None:
    if name != str(KNOWN):
        raise RegistryUnavailable("status 503")
    return FoundSchema('"int"', "AVRO")


def readable(waits: SchemaWaits, *messages: Message) -> list[Message]:
    lookup = SchemaLookup(SchemaBook(), fetch)
    return list(waits.readable(messages, record_of, {"avro"}, lookup, 0.0, lambda: None))


def test_partition_waits_from_its_first_record_without_a_schema_on() -> None:
    waits = SchemaWaits()
    first, left, behind = (
        message("avro", 0, at, named) for at, named in ((5, KNOWN), (6, 2), (7, KNOWN))
    )
    beside, plain = message("avro", 1, 3, KNOWN), message("json", 0, 1, 2)
    assert readable(waits, first, left, beside, behind, plain) == [first, beside, plain]
    assert waits.left == {("avro", 0): 6}
    assert waits.places("avro") == [("avro", 0, 6)]
    assert waits.places("json") == []


def test_later_part_of_a_poll_does_not_pass_what_waits() -> None:
    waits = SchemaWaits()
    assert readable(waits, message("avro", 0, 5, 2)) == []
    assert readable(waits, message("avro", 0, 6, KNOWN)) == []
    assert waits.left == {("avro", 0): 5}


def test_waiting_ends_where_it_began() -> None:
    waits = SchemaWaits({("avro", 0): 5, ("avro", 1): 7})
    waits.discard([("avro", 0), ("json", 0)])
    (place,) = waits.take()
    assert (place.topic, place.partition, place.offset) == ("avro", 1, 7)
    assert waits.left == {}
