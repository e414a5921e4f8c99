"""Input formats: a name of the config → the decoder of an event's body, which routes read.

A payload decoder (deserializer) is a pure function of the whole record: of its value, and by
`read_envelope` also of key and headers, where a producer may put a schema's id or an event's
attributes. A new format is a module beside this one and a line in `OWN_FORMATS`, or a plugin; the
config takes the names from here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from consumer.plugins import load_plugins, not_callable
from consumer.routing.decoding.cloudevents import decode_cloudevent
from consumer.routing.decoding.payload import PayloadDecoder, decode_json
from consumer.routing.decoding.schemas.avro import avro_decoder
from consumer.routing.decoding.schemas.json_schema import decode_json_schema
from consumer.routing.decoding.schemas.protobuf import protobuf_decoder
from consumer.routing.decoding.schemas.schema_book import SchemaBook

OWN_FORMATS: Final[Mapping[str, PayloadDecoder]] = {
    "json": decode_json,
    "cloudevents": decode_cloudevent,
    "json_schema": decode_json_schema,
}
"""Those of the program itself."""

SCHEMA_FORMATS: Final[Mapping[str, Callable[[SchemaBook], PayloadDecoder]]] = {
    "avro": avro_decoder,
    "protobuf": protobuf_decoder,
}
"""A `format` that needs the schemas of a registry → its payload decoder, given those known."""

FORMATS: Final[Mapping[str, PayloadDecoder]] = {
    **OWN_FORMATS,
    **load_plugins("formats", {*OWN_FORMATS, *SCHEMA_FORMATS}, not_callable),
}
"""An input's `format` → its payload decoder: ours, and those of plugins."""
