"""CloudEvents 1.0 in Kafka's protocol binding: structured and binary mode.

Structured (the content type begins with `application/cloudevents`): the value is the whole event as
JSON. A value without headers `ce_…` but with a `specversion` is one, too: the library for Python
writes the content type of the data. Binary: headers `ce_…` are the attributes, and the value is the
data. Either way the body is the event as CloudEvents' JSON format writes it: attributes at the top
and the payload under `data`.

Sources: the specification's Kafka protocol binding (3.1 to 3.3) and JSON event format (3.1).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import orjson

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload, decode_json

_PREFIX: Final = "ce_"
_STRUCTURED: Final = "application/cloudevents"
_EXPECTED: Final = (
    "expected a CloudEvent: content type application/cloudevents+json, or headers ce_id, ce_source "
    "and ce_type"
)


def decode_cloudevent(record: InputRecord) -> Payload:
    """Decode a record of either mode; raises EventError with the reason for its dead letter."""
    headers = _texts(record)
    kind = headers.get("content-type", "")
    if kind.lower().startswith(_STRUCTURED):
        if not _is_json(kind):
            raise EventError(DeadLetterReason.NOT_CLOUDEVENT, f"{_EXPECTED}; a batch is none")
        return _structured(decode_json(record))
    attributes = {
        name.removeprefix(_PREFIX): text
        for name, text in headers.items()
        if name.startswith(_PREFIX)
    }
    if not attributes:
        payload = decode_json(record)
        if "specversion" not in payload.body:
            raise EventError(DeadLetterReason.NOT_CLOUDEVENT, _EXPECTED)
        return _structured(payload)
    if kind:
        attributes["datacontenttype"] = kind
    return _binary(attributes, kind, record.value or b"")


def _texts(record: InputRecord) -> dict[str, str]:
    """Return the headers that are text, by name in small letters; of several of a name the last."""
    found = dict[str, str]()
    for name, value in record.read_envelope().headers:
        if value is not None:
            try:
                found[name.lower()] = value.decode()
            except UnicodeDecodeError:
                continue
    return found


def _binary(attributes: dict[str, str], kind: str, value: bytes) -> Payload:
    if _is_json(kind):
        try:
            data = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            position = error.pos
        else:
            raw = b'%s,"data":%s}' % (orjson.dumps(attributes)[:-1], value)
            return Payload({**attributes, "data": data}, raw)
        # Raised outside the handler: orjson's error carries the whole document.
        expected = f"expected JSON data in UTF-8, stopped at character {position}"
        raise EventError(DeadLetterReason.NOT_JSON, expected)
    try:
        return Payload({**attributes, "data": value.decode()})
    except UnicodeDecodeError:
        return Payload({**attributes, "data_base64": base64.b64encode(value).decode()})


def _is_json(content_type: str) -> bool:
    """Return whether data of this type is JSON; without a type it is (JSON format, 3.1.1)."""
    essence = content_type.partition(";")[0].strip().lower()
    subtype = essence.rpartition("/")[2]
    return not essence or subtype == "json" or subtype.endswith("+json")


def _structured(payload: Payload) -> Payload:
    return Payload(_with_decoded_data(payload.body), payload.raw)


def _with_decoded_data(body: dict[str, Any]) -> dict[str, Any]:
    """Put JSON data that came as base64 under `data`; what is none stays as it came."""
    encoded = body.get("data_base64")
    if type(encoded) is not str or not _is_json(str(body.get("datacontenttype") or "")):
        return body
    try:
        return {**body, "data": orjson.loads(base64.b64decode(encoded, validate=True))}
    except (binascii.Error, ValueError):
        return body
