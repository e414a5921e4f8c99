"""Avro: a record of a schema that the registry has, as the event that routes match."""

from __future__ import annotations

from typing import Any

import orjson

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.digits import Written, contains, exact_text
from consumer.routing.decoding.payload import Payload, PayloadDecoder
from consumer.routing.decoding.schemas.avro_binary import UnfitError
from consumer.routing.decoding.schemas.avro_schema import read_whole
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.decoding.schemas.wire_format import written_with


def avro_decoder(book: SchemaBook) -> PayloadDecoder:
    """Return the decoder of values whose schemas are in the book."""

    def decode_avro(record: InputRecord) -> Payload:
        written = written_with(record)
        read = book.reader(written.schema)
        try:
            return _payload(read_whole(read, written.datum))
        except UnfitError:
            fits = f"expected one value of schema {written.schema}"
        raise EventError(DeadLetterReason.NOT_ITS_SCHEMA, fits)

    return decode_avro


def _payload(found: Any) -> Payload:
    if type(found) is not dict:
        raise EventError(DeadLetterReason.NOT_OBJECT, "expected a schema of a record or map")
    if not contains(found, Written):
        return Payload(found)
    raw = exact_text(found)
    if not raw:  # deeper than its JSON text may be
        raise UnfitError
    return Payload(orjson.loads(raw), raw)
