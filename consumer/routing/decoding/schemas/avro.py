"""Avro: a record of a schema that the registry has, as the event that routes match."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload, PayloadDecoder
from consumer.routing.decoding.schemas.avro_binary import Reader
from consumer.routing.decoding.schemas.avro_schema import read_whole
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.decoding.schemas.schema_value import fitting_payload
from consumer.routing.decoding.schemas.wire_format import written_with


class AvroSchema(Struct, frozen=True):
    """A schema of Avro. `read`: reads its values; `decimals`: whether they may have any."""

    read: Reader
    decimals: bool = True
    kind: ClassVar[str] = "AVRO"


def avro_decoder(book: SchemaBook) -> PayloadDecoder:
    """Return the decoder of values whose schemas are in the book."""

    def decode_avro(record: InputRecord) -> Payload:
        written = written_with(record)
        schema = book.find(written.schema, AvroSchema)
        return fitting_payload(
            written.schema,
            lambda: read_whole(schema.read, written.datum),
            decimals=schema.decimals,
        )

    return decode_avro
