"""JSON Schema: JSON behind a schema id. The schema itself is not needed to read the event.

Values are not validated: the routes' expressions say what an event must have, and a registry that
is down delays nothing.
"""

from __future__ import annotations

import msgspec

from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload, decode_json
from consumer.routing.decoding.schemas.wire_format import written_with


def decode_json_schema(record: InputRecord) -> Payload:
    """Decode a value of a JSON Schema serialiser. Raises EventError."""
    return decode_json(msgspec.structs.replace(record, value=written_with(record).datum))
