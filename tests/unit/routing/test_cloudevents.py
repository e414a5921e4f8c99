"""CloudEvents of both modes, written by the specification's own library for Python."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import kafka as bindings
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as Event
from cloudevents.v1.http import CloudEvent
from cloudevents.v1.kafka import KafkaMessage, to_binary, to_structured

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.formats import FORMATS
from consumer.routing.decoding.payload import Payload
from tests.support.events import exact_text_at

ATTRIBUTES = {
    "id": "t-1",
    "source": "/pos/7",
    "type": "com.shop.purchase",
    "subject": "store-7",
    "time": "2026-11-22T15:37:07Z",
    "datacontenttype": "application/json",
}
TIME = datetime(2026, 11, 22, 15, 37, 7, tzinfo=UTC)
DATA = {"amount": 129.9, "customer": {"phone": "+905321234567"}}
DECODER = EventDecoder(FORMATS["cloudevents"], "id", "time", 100_000)


def read(
    value: bytes | None, headers: Mapping[str, bytes | None], key: bytes | None = None
) -> Payload:
    around = RecordEnvelope(key, list(headers.items()))
    found = DECODER.load(InputRecord("events", 0, 0, value, lambda: around))
    assert found is not None
    return found


def read_message(message: KafkaMessage) -> Payload:
    value = message.value.encode() if isinstance(message.value, str) else message.value
    return read(value, message.headers, b"\xff\x00")


def written_by_version_2(mode: str) -> Any:
    write = getattr(bindings, f"to_{mode}")
    event = Event(ATTRIBUTES | {"specversion": "1.0", "time": TIME}, DATA)
    return write(event, JSONFormat())


@pytest.mark.parametrize(
    "message",
    [
        to_binary(CloudEvent(ATTRIBUTES, DATA)),
        to_structured(CloudEvent(ATTRIBUTES, DATA)),
        written_by_version_2("binary"),
        written_by_version_2("structured"),
    ],
)
def test_both_modes_make_the_same_event(message: Any) -> None:
    found = read_message(message)
    event = DECODER.identify(found)
    assert (event.id, event.time) == ("t-1", TIME.timestamp())
    assert found.body["data"] == DATA
    for name in ("source", "type", "subject"):
        assert found.body[name] == ATTRIBUTES[name]


def test_source_and_id_can_be_the_identity() -> None:
    """Ids are unique by their source alone (CloudEvents 1.0, 3.1.1)."""
    decoder = EventDecoder(FORMATS["cloudevents"], "join('#', [source, id])", "time", 1_000)
    found = read_message(written_by_version_2("binary"))
    assert decoder.identify(found).id == "/pos/7#t-1"


@pytest.mark.parametrize("binary", [True, False])
def test_numbers_of_the_data_keep_their_digits(binary: bool) -> None:
    data = b'{"amount": 129.90}'
    whole = orjson.dumps(ATTRIBUTES)[:-1] + b', "data": ' + data + b"}"
    headers = {f"ce_{name}": text.encode() for name, text in ATTRIBUTES.items()}
    structured = {"content-type": b"application/cloudevents+json; charset=UTF-8"}
    found = read(data, headers) if binary else read(whole, structured)
    assert exact_text_at(found, "data.amount") == "129.90"


def test_data_of_a_structured_event_may_be_base64() -> None:
    event = ATTRIBUTES | {"data_base64": base64.b64encode(orjson.dumps(DATA)).decode()}
    headers = {"Content-Type": b"application/cloudevents+json"}
    assert read(orjson.dumps(event), headers).body["data"] == DATA


@pytest.mark.parametrize("encoded", ["%", base64.b64encode(b"{").decode(), 7])
def test_base64_that_is_no_json_stays_as_it_came(encoded: object) -> None:
    event = ATTRIBUTES | {"data_base64": encoded}
    body = read(orjson.dumps(event), {"content-type": b"application/cloudevents+json"}).body
    assert (body["data_base64"], body.get("data")) == (encoded, None)


def test_base64_of_another_type_stays_as_it_came() -> None:
    event = ATTRIBUTES | {"datacontenttype": "image/png", "data_base64": "e30="}
    body = read(orjson.dumps(event), {"content-type": b"application/cloudevents+json"}).body
    assert "data" not in body


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (b"application/vnd.shop+json; charset=utf-8", b"[1]", [1]),
        (b"text/plain", b"purchase", "purchase"),
    ],
)
def test_binary_data_is_read_by_its_content_type(kind: bytes, value: bytes, data: object) -> None:
    body = read(value, {"ce_id": b"t-1", "content-type": kind}).body
    assert body == {"id": "t-1", "datacontenttype": kind.decode(), "data": data}


def test_bytes_that_are_no_text_are_base64() -> None:
    body = read(b"\xff", {"ce_id": b"t-1", "content-type": b"application/octet-stream"}).body
    assert body["data_base64"] == "/w=="


def test_odd_headers_do_not_harm() -> None:
    """A header may be null, or no text, or come twice; of several the last counts."""
    around = RecordEnvelope(None, [("ce_id", b"a"), ("x", None), ("y", b"\xff"), ("CE_ID", b"b")])
    found = DECODER.load(InputRecord("events", 0, 0, b"{}", lambda: around))
    assert found is not None
    assert found.body == {"id": "b", "data": {}}


@pytest.mark.parametrize(
    ("headers", "value", "reason"),
    [
        ({}, b"{}", DeadLetterReason.NOT_CLOUDEVENT),
        ({"content-type": b"application/json"}, b"{}", DeadLetterReason.NOT_CLOUDEVENT),
        ({}, b"SECRET", DeadLetterReason.NOT_JSON),
        (
            {"content-type": b"application/cloudevents-batch+xml"},
            b"[]",
            DeadLetterReason.NOT_CLOUDEVENT,
        ),
        ({"content-type": b"application/cloudevents+json"}, b"[]", DeadLetterReason.NOT_OBJECT),
        ({"content-type": b"application/cloudevents+json"}, b"{", DeadLetterReason.NOT_JSON),
        ({"ce_id": b"t-1"}, b"SECRET", DeadLetterReason.NOT_JSON),
    ],
)
def test_what_is_no_cloudevent_is_a_dead_letter(
    headers: dict[str, bytes | None], value: bytes, reason: DeadLetterReason
) -> None:
    with pytest.raises(EventError) as caught:
        read(value, headers)
    assert caught.value.reason is reason
    assert "SECRET" not in str(caught.value)
