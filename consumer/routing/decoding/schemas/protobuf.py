"""Protobuf: a message of a schema's file, as the event that routes match.

    magic byte, id, message place, datum ─► the registry's schema of that id
    datum alone, or the same               ─► the descriptors that the config names

The place says which message of the file the datum is. The readers themselves are compiled from
descriptors in `protobuf_file`, which imports the protobuf runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from msgspec import Struct

from consumer.errors import EventError
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload, PayloadDecoder
from consumer.routing.decoding.schemas.schema_book import SchemaBook
from consumer.routing.decoding.schemas.schema_value import UnfitError, fitting_payload
from consumer.routing.decoding.schemas.wire_format import (
    WrittenWith,
    message_place,
    written_with,
)

MessageReader = Callable[[bytes], dict[str, Any]]
"""Reads one message. Raises UnfitError."""


class ProtobufSchema(Struct, frozen=True):
    """The messages of one file: place in the file → reader. `decimals`: whether they may have
    any."""

    messages: Mapping[tuple[int, ...], MessageReader]
    decimals: bool = True
    kind: ClassVar[str] = "PROTOBUF"

    def read(self, written: WrittenWith) -> dict[str, Any]:
        """Read a value of one of the messages. Raises UnfitError."""
        place, datum = message_place(written)
        read_message = self.messages.get(place)
        if read_message is None:
            raise UnfitError
        return read_message(datum)


def protobuf_decoder(book: SchemaBook) -> PayloadDecoder:
    """Return the decoder of values whose schemas are in the book."""

    def decode_protobuf(record: InputRecord) -> Payload:
        written = written_with(record)
        schema = book.find(written.schema, ProtobufSchema)
        read = partial(schema.read, written)
        return fitting_payload(written.schema, read, decimals=schema.decimals)

    return decode_protobuf


def described_decoder(
    name: str, read_message: MessageReader, schema: ProtobufSchema
) -> PayloadDecoder:
    """Return the decoder of values of descriptors that the config names.

    `read_message`: of a value without an id; `schema`: the file of that message, for values with
    the place of another one. No message begins with byte 0 or 1, as an id does.
    """

    def decode_described(record: InputRecord) -> Payload:
        value = record.value or b""
        try:
            written = written_with(record)
        except EventError:
            read = partial(read_message, value)
        else:
            read = partial(schema.read, written)
        return fitting_payload(name, read, decimals=schema.decimals)

    return decode_described
