"""Envelopes: what lies around an event, of Kafka or of the producer's tool."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson
import pytest
from ruamel.yaml import YAML

from consumer.config.load import load as load_config
from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.envelope import NO_ENVELOPE, BodyReader, Envelope
from consumer.routing.decoding.payload import Payload, decode_json
from consumer.routing.expressions import compile_value, with_names_quoted
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.routed import Routed
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors
from tests.support.events import exact_text_at
from tests.unit.operations.explain.cases import FOLDER

EVENT = {"id": "t-1", "time": "2026-11-22T15:37:07Z", "amount": 129.9}
AROUND = RecordEnvelope(b"k-1", [("tenant", b"a"), ("odd", b"\xff"), ("none", None)], 1_000)


def load(
    body: object, envelope: Envelope = NO_ENVELOPE, *, skip_tombstones: bool = False
) -> Payload | None:
    value = body if isinstance(body, bytes | None) else orjson.dumps(body)
    decoder = EventDecoder(
        decode_json, "id", "time", 10_000, envelope=envelope, skip_tombstones=skip_tombstones
    )
    return decoder.load(InputRecord("pos", 2, 7, value, lambda: AROUND))


def opened(body: object, path: str) -> Payload:
    found = load(body, Envelope(body=BodyReader(path)))
    assert found is not None
    return found


def test_an_event_inside_change_data_capture_is_taken_out() -> None:
    assert opened({"payload": {"after": EVENT, "op": "c"}}, "payload.after").body == EVENT


@pytest.mark.parametrize("path", ["parse_json(after)", "parse_json(after).doc"])
def test_json_inside_a_text_is_opened_and_keeps_its_digits(path: str) -> None:
    text = b'{"id": "t-1", "amount": 129.90, "order": 12345678901234567890123}'
    inner = b'{"doc": %s}' % text if path.endswith("doc") else text
    found = opened({"after": inner.decode()}, path)
    assert exact_text_at(found, "amount") == "129.90"
    assert exact_text_at(found, "order") == "12345678901234567890123"


def test_numbers_of_an_event_inside_an_object_keep_their_digits() -> None:
    found = opened(b'{"amount": 129.9, "after": {"id": "t", "amount": 129.90}}', "after")
    assert exact_text_at(found, "amount") == "129.90"


def test_a_record_without_doubles_is_not_read_a_second_time() -> None:
    assert opened({"after": {"id": "t-1"}}, "after").raw == b""


@pytest.mark.parametrize("body", [{}, {"after": None}, {"after": "no json"}, {"after": [1]}])
def test_an_envelope_without_an_event_is_a_dead_letter(body: object) -> None:
    with pytest.raises(EventError, match="expected an object at `parse_json") as caught:
        opened(body, "parse_json(after)")
    assert caught.value.reason is DeadLetterReason.NO_BODY
    assert "no json" not in str(caught.value)


def test_records_that_are_no_transaction_are_skipped_before_the_body_is_asked_for() -> None:
    envelope = Envelope(compile_pattern({"op": ["d", "r"]}).matches, BodyReader("after"))
    assert load({"op": "d", "after": None}, envelope) is None
    assert load({"op": "c", "after": EVENT}, envelope) is not None


@pytest.mark.parametrize("value", [None, b""])
def test_a_tombstone_is_skipped_or_a_dead_letter(value: bytes | None) -> None:
    assert load(value, skip_tombstones=True) is None
    with pytest.raises(EventError):
        load(value)


def test_what_kafka_says_stands_beside_the_event() -> None:
    plain, inner = load(EVENT, Envelope(kafka=True)), load({"after": EVENT}, KAFKA_AND_BODY)
    assert plain is not None
    assert inner is not None
    assert plain.body["$kafka"] == inner.body["$kafka"]
    assert plain.body["$kafka"] == {
        "topic": "pos",
        "partition": 2,
        "offset": 7,
        "key": "k-1",
        "timestamp": 1_000,
        "headers": {"tenant": "a", "odd": "/w==", "none": None},
    }


KAFKA_AND_BODY = Envelope(body=BodyReader("after"), kafka=True)


def test_an_event_may_stand_in_what_kafka_says() -> None:
    around = RecordEnvelope(b'{"id": "t-9", "n": 1.50}')
    decoder = EventDecoder(
        decode_json,
        "id",
        "$kafka.timestamp",
        10_000,
        envelope=Envelope(body=BodyReader("parse_json($kafka.key)"), kafka=True),
    )
    found = decoder.load(InputRecord("pos", 0, 0, b"{}", lambda: around))
    assert found is not None
    assert (found.body["id"], exact_text_at(found, "n")) == ("t-9", "1.50")


def test_a_record_without_a_key_has_none() -> None:
    decoder = EventDecoder(decode_json, "id", "time", 100, envelope=Envelope(kafka=True))
    found = decoder.load(InputRecord("pos", 0, 0, b"{}"))
    assert found is not None
    assert (found.body["$kafka"]["key"], found.body["$kafka"]["timestamp"]) == (None, None)


@pytest.mark.parametrize(
    ("expression", "quoted"),
    [
        ("id", "id"),
        ("$kafka.key", '"$kafka".key'),
        ("a || $kafka.headers.tenant", 'a || "$kafka".headers.tenant'),
        ('"$kafka".key', '"$kafka".key'),
        ("'$kafka'", "'$kafka'"),
        ('`"$kafka"`', '`"$kafka"`'),
        ("$kafkas", "$kafkas"),
    ],
)
def test_the_name_of_kafka_is_quoted_where_it_is_a_name(expression: str, quoted: str) -> None:
    assert with_names_quoted(expression) == quoted


def test_an_expression_reads_what_kafka_says() -> None:
    event: dict[str, Any] = {"$kafka": {"topic": "pos", "headers": {"tenant": "a"}}}
    assert compile_value("$kafka.topic")(event) == "pos"
    assert compile_value("join('-', [$kafka.headers.tenant, 'x'])")(event) == "a-x"


@pytest.mark.parametrize(("text", "value"), [("[1]", [1]), ("{", None), (None, None), (5, 5)])
def test_parse_json_reads_a_text(text: object, value: object) -> None:
    assert compile_value("parse_json(t)")({"t": text}) == value
    assert compile_value("parse_json(t)", exact=True)({"t": text}) == value


def configured(**entry: object) -> Router:
    """The router of a config whose only input has these keys, and whose route reads `$kafka`."""
    text = (FOLDER / "configs" / "envelope.yaml").read_text()
    document = YAML(typ="safe").load(text)
    document["inputs"]["pos"] = {"topics": ["pos"], "format": "json"} | entry
    config = load_config(orjson.dumps(document).decode(), env={})
    return build_router(config, build_vendors(config))


def test_what_is_skipped_is_counted_and_nothing_else() -> None:
    router = configured(skip={"op": ["d"]}, tombstones="skip")
    records = [InputRecord("pos", 0, 0, b'{"op": "d"}'), InputRecord("pos", 0, 1, None)]
    assert router.route(records, 2_000.0) == Routed(counts=Counter({("pos", "skipped", ""): 2}))


def test_headers_are_read_only_for_what_needs_them() -> None:
    config = load_config(FOLDER / "configs" / "contacts.yaml", env={})
    event = EVENT | {"kind": "none"}

    def unread() -> RecordEnvelope:
        raise AssertionError("reading headers costs as much as decoding")

    record = InputRecord("pos", 0, 0, orjson.dumps(event), unread)
    routed = build_router(config, build_vendors(config)).route([record], 2_000.0)
    assert routed.counts == {("pos", "unmatched", ""): 1}
    with pytest.raises(AssertionError):
        configured().route([record], 2_000.0)
