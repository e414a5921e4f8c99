"""The common workload in each input format, written by the format's own library."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import orjson
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

from benchmarks.throughput import workload
from tests.support.protos import message_class
from tests.support.serialisers import Serialisers

TOPIC = "formats"
"""What the schemas' subjects are named after."""

_TIME = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
_TEXTS = ("id", "type", "currency", "channel")


def _avro(record: str, /, **fields: Any) -> dict[str, Any]:
    made = [{"name": field, "type": kind} for field, kind in fields.items()]
    return {"type": "record", "name": record, "fields": made}


AVRO = _avro(
    "Transaction",
    **dict.fromkeys(_TEXTS, "string"),
    time={"type": "long", "logicalType": "timestamp-millis"},
    store=_avro("Store", id="string", city="string"),
    customer=_avro("Customer", **dict.fromkeys(("id", "phone", "email", "name"), "string")),
    amount="int",
    items={"type": "array", "items": _avro("Item", sku="string", qty="int")},
)
PROTO = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Transaction {
  message Store { string id = 1; string city = 2; }
  message Customer { string id = 1; string phone = 2; string email = 3; string name = 4; }
  message Item { string sku = 1; int32 qty = 2; }
  string id = 1; string type = 2; string currency = 3; string channel = 4;
  google.protobuf.Timestamp time = 5; Store store = 6; Customer customer = 7; int32 amount = 8;
  repeated Item items = 9;
}
"""
_TEXT = {"type": "string", "minLength": 1}
JSON_SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        **dict.fromkeys(_TEXTS, _TEXT),
        "time": {"type": "string", "pattern": "^\\d{4}-\\d\\d-\\d\\dT"},
        "store": {"type": "object", "properties": {"id": _TEXT, "city": _TEXT}},
        "customer": {
            "type": "object",
            "properties": dict.fromkeys(("id", "phone", "email", "name"), _TEXT),
            "required": ["id", "phone"],
        },
        "amount": {"type": "integer", "minimum": 0},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"sku": _TEXT, "qty": {"type": "integer"}},
                "required": ["sku", "qty"],
            },
        },
    },
    "required": ["id", "time", "customer"],
}


class Written(NamedTuple):
    """A record's value and headers."""

    value: bytes
    headers: list[tuple[str, str | bytes | None]]


Write = Callable[[dict[str, Any]], Written]


class Format(NamedTuple):
    """The keys of an input, and what writes its events."""

    entry: dict[str, Any]
    write: Write


def formats(writers: Serialisers) -> dict[str, Format]:
    """Return all formats; JSON, to which others are compared, is the first."""
    avro = writers.avro(f"{TOPIC}-avro", AVRO)
    message = message_class(PROTO, "shop.Transaction")
    proto = writers.protobuf(f"{TOPIC}-protobuf", message)
    prefix = writers.json(f"{TOPIC}-json", JSON_SCHEMA)(workload.event(0, 0))[:5]

    def write_proto(event: dict[str, Any]) -> Written:
        made = message(**{name: value for name, value in event.items() if name != "time"})
        made.time.FromDatetime(_TIME)
        return Written(proto(made), [])

    def write_schema(event: dict[str, Any]) -> Written:
        return Written(prefix + orjson.dumps(event), [])

    ce, js = {"format": "cloudevents", "body": "data"}, {"format": "json_schema"}
    return {
        "json": Format({"format": "json"}, lambda event: Written(orjson.dumps(event), [])),
        "cloudevents, structured": Format(ce, partial(_cloudevent, to_structured_event)),
        "cloudevents, binary": Format(ce, partial(_cloudevent, to_binary_event)),
        "json_schema": Format(js, write_schema),
        "json_schema, validated": Format({**js, "validate": True}, write_schema),
        "avro": Format(
            {"format": "avro"}, lambda event: Written(avro({**event, "time": _TIME}), [])
        ),
        "protobuf": Format({"format": "protobuf"}, write_proto),
    }


def events(count: int) -> Iterator[dict[str, Any]]:
    """Yield the events of the common workload."""
    return (workload.event(number, number % 50) for number in range(count))


def _cloudevent(bind: Callable[..., KafkaMessage], event: dict[str, Any]) -> Written:
    attributes = {
        "id": event["id"],
        "source": "/pos",
        "type": event["type"],
        "datacontenttype": "application/json",
    }
    message = bind(CloudEvent(attributes, event))
    return Written(message.value or b"", list(message.headers.items()))
