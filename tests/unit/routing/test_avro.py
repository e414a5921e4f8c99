"""Avro values, written by fastavro, as events; and bytes that are no value of their schema."""

from __future__ import annotations

import datetime as dt
import io
import json
import struct
import uuid
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.digits import exact_body
from consumer.routing.decoding.payload import Payload
from consumer.routing.decoding.schemas.avro import AvroSchema, avro_decoder
from consumer.routing.decoding.schemas.avro_schema import avro_reader, read_whole
from consumer.routing.decoding.schemas.schema_book import SchemaBook, SchemaError
from consumer.routing.decoding.schemas.schema_value import UnfitError

PREFIX = b"\x00\x00\x00\x00\x07"
INT64 = st.integers(-(2**63), 2**63 - 1)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.from_regex("[a-z]{1,4}", fullmatch=True)


def record_of(**types: Any) -> dict[str, Any]:
    fields = [{"name": name, "type": kind} for name, kind in types.items()]
    return {"type": "record", "name": "Order", "namespace": "shop", "fields": fields}


def written(schema: Any, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def read(schema: Any, content: bytes) -> Payload:
    book = SchemaBook()
    book.add("7", AvroSchema(avro_reader(json.dumps(schema))))
    return avro_decoder(book)(InputRecord("orders", 0, 0, PREFIX + content))


def field(kind: Any, value: Any) -> Any:
    """Return what the event has of a field of this type."""
    schema = record_of(field=kind)
    return read(schema, written(schema, {"field": value})).body["field"]


def logical(kind: str, name: str, /, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": name, **more}


LEAVES = st.one_of(
    st.tuples(st.just("null"), st.none()),
    st.tuples(st.just("boolean"), st.booleans()),
    st.tuples(st.just("int"), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just("long"), INT64),
    st.tuples(st.just("double"), FINITE),
    st.tuples(st.just("string"), st.text()),
)


def nested(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    lists = st.tuples(inner, st.integers(0, 3)).map(
        lambda made: ({"type": "array", "items": made[0][0]}, [made[0][1]] * made[1])
    )
    maps = st.tuples(inner, st.lists(NAMES, max_size=3)).map(
        lambda made: ({"type": "map", "values": made[0][0]}, dict.fromkeys(made[1], made[0][1]))
    )
    return lists | maps


@given(st.dictionaries(NAMES, st.recursive(LEAVES, nested, max_leaves=4), max_size=5))
def test_event_has_what_was_written(fields: dict[str, tuple[Any, Any]]) -> None:
    schema = record_of(**{name: kind for name, (kind, _) in fields.items()})
    value = {name: value for name, (_, value) in fields.items()}
    assert read(schema, written(schema, value)).body == value


@given(INT64 | st.text() | st.none() | st.booleans())
def test_union_is_unwrapped(value: Any) -> None:
    assert field(["null", "boolean", "long", "string"], value) == value


def digits_of(number: float) -> int:
    return len(Decimal(repr(number)).normalize().as_tuple().digits)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(99999997952.0)
@example(3.4028234663852886e38)
@example(-3.4028234663852886e38)
def test_float_is_its_shortest_number(value: float) -> None:
    found = field("float", value)
    assert struct.pack("<f", found) == struct.pack("<f", value)
    assert digits_of(found) <= digits_of(value)


def test_float_has_no_digits_of_a_double() -> None:
    assert field("float", 0.1) == 0.1
    assert field("float", 129.9) == 129.9


@pytest.mark.parametrize("kind", ["float", "double"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_that_json_lacks_is_null(kind: str, value: float) -> None:
    assert field(kind, value) is None


@given(st.decimals(-(10**12), 10**12, places=2))
def test_decimal_keeps_its_digits(value: Decimal) -> None:
    schema = record_of(amount=logical("bytes", "decimal", precision=15, scale=2))
    payload = read(schema, written(schema, {"amount": value}))
    assert payload.body == {"amount": float(value)}
    exact = exact_body(payload.raw, payload.body)["amount"]
    assert exact.text == format(value, "f").removeprefix("-" if value == 0 else "")


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (Decimal("12345678901234567890.12"), "12345678901234567890.12"),
        (Decimal("0.12"), 0.12),
        (Decimal("-0.05"), -0.05),
    ],
)
def test_decimal_that_no_double_says_is_text(value: Decimal, found: object) -> None:
    assert field(logical("bytes", "decimal", precision=30, scale=2), value) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [(2**63 - 1, 2**63 - 1), (2**64, str(2**64)), (-(2**63) - 1, str(-(2**63) - 1))],
)
def test_whole_decimal_is_a_whole_number(value: int, found: object) -> None:
    assert field(logical("bytes", "decimal", precision=30), Decimal(value)) == found


@pytest.mark.parametrize("scale", [-1, "2", True])
def test_wrong_scale_is_no_decimal(scale: Any) -> None:
    kind = logical("bytes", "decimal", precision=4, scale=scale)
    assert read_whole(avro_reader(json.dumps(kind)), b"\x02\x01") == "AQ=="


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (logical("long", "timestamp-millis"), -1, "1969-12-31T23:59:59.999Z"),
        (logical("long", "timestamp-millis"), 1763825827000, "2025-11-22T15:37:07.000Z"),
        (logical("long", "timestamp-micros"), 1763825827000001, "2025-11-22T15:37:07.000001Z"),
        (logical("long", "timestamp-nanos"), 1, "1970-01-01T00:00:00.000000001Z"),
        (logical("long", "local-timestamp-millis"), 1, "1970-01-01T00:00:00.001"),
        (logical("int", "date"), 20414, "2025-11-22"),
        (logical("int", "time-millis"), 56227001, "15:37:07.001"),
        (logical("long", "time-micros"), 1, "00:00:00.000001"),
        (logical("long", "time-nanos"), 1, 1),
        (logical("long", "other"), 1, 1),
    ],
)
def test_times_are_text(kind: Any, value: int, text: object) -> None:
    assert field(kind["type"], value) == value
    schema = record_of(field=kind)
    content = written(record_of(field=kind["type"]), {"field": value})
    assert read(schema, content).body["field"] == text


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_timestamp_is_the_moment(moment: dt.datetime) -> None:
    text = field(logical("long", "timestamp-micros"), moment)
    assert dt.datetime.fromisoformat(text) == moment


def test_bytes_are_base64_and_uuids_text() -> None:
    guid = uuid.UUID(int=7)
    assert field("bytes", b"\xff\x00") == "/wA="
    assert field({"type": "fixed", "name": "Two", "size": 2}, b"\xff\x00") == "/wA="
    assert field(logical("string", "uuid"), guid) == str(guid)
    fixed = logical("fixed", "uuid", name="Id", size=16)
    content = written(
        record_of(field={"type": "fixed", "name": "Id", "size": 16}), {"field": guid.bytes}
    )
    assert read(record_of(field=fixed), content).body["field"] == str(guid)


def test_named_types_are_found_by_their_names() -> None:
    store = {
        "type": "record",
        "name": "Store",
        "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "geo.Kind", "symbols": ["A", "B"]}}
        ],
    }
    schema = record_of(one=store, two="Store", three="shop.Store", kind="geo.Kind")
    value = {"one": {"kind": "A"}, "two": {"kind": "B"}, "three": {"kind": "A"}, "kind": "B"}
    assert read(schema, written(schema, value)).body == value


def test_referenced_schemas_are_known() -> None:
    store = {"type": "record", "name": "geo.Store", "fields": [{"name": "id", "type": "int"}]}
    read_order = avro_reader(json.dumps(record_of(store="geo.Store")), [json.dumps(store)])
    assert read_whole(read_order, b"\x0e") == {"store": {"id": 7}}


def test_blocks_may_say_their_size() -> None:
    read_items = avro_reader('{"type": "array", "items": "int"}')
    assert read_whole(read_items, b"\x03\x04\x02\x04\x02\x06\x00") == [1, 2, 3]


LIST = record_of(next=["null", "shop.Order"])


def test_record_may_contain_itself() -> None:
    assert read(LIST, b"\x02\x02\x00").body == {"next": {"next": {"next": None}}}


@pytest.mark.parametrize("depth", [5_000, 1_000_000])
def test_deep_record_is_a_dead_letter(depth: int) -> None:
    """A C extension's reader ends the process here."""
    with pytest.raises(EventError) as caught:
        read(LIST, b"\x02" * depth + b"\x00")
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA


def test_many_items_without_bytes_are_a_dead_letter() -> None:
    read_nulls = avro_reader('{"type": "array", "items": "null"}')
    assert read_whole(read_nulls, b"\x06\x00") == [None] * 3
    for content in (b"\xfe\xff\xff\xff\xff\x7f\x00", b"\xd0\x0f" * 1200 + b"\x00"):
        with pytest.raises(UnfitError):
            read_whole(read_nulls, content)


def test_exact_number_too_deep_for_json_is_a_dead_letter() -> None:
    amount = logical("bytes", "decimal", precision=4, scale=2)
    schema = record_of(next=["null", "shop.Order"], amount=amount)
    with pytest.raises(EventError) as caught:
        read(schema, b"\x02" * 300 + b"\x00" + b"\x02\x07" * 301)
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("boolean", b"\x02"),
        ("long", b"\xff" * 10 + b"\x00"),
        ("long", b"\xff"),
        ("bytes", b"\x01\x00"),
        ("string", b"\x04a"),
        ("string", b"\x02\xff"),
        ("double", b"\x00" * 7),
        (["null", "int"], b"\x04"),
        (["null", "int"], b"\x01\x00"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02"),
        (logical("int", "date"), b"\xfe\xff\xff\xff\x0f"),
        (logical("int", "time-millis"), b"\x01"),
        ("null", b"\x00"),
    ],
)
def test_bytes_that_do_not_fit_are_a_dead_letter(kind: Any, content: bytes) -> None:
    with pytest.raises(EventError, match="expected one value of schema 7") as caught:
        read(record_of(field=kind), content)
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA


EVERYTHING = record_of(
    text="string",
    amount=logical("bytes", "decimal", precision=20, scale=2),
    at=logical("long", "timestamp-millis"),
    items={"type": "array", "items": ["null", "double", "float"]},
    names={"type": "map", "values": {"type": "fixed", "name": "F", "size": 2}},
)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_a_dead_letter(content: bytes) -> None:
    try:
        json.dumps(read(EVERYTHING, content).body, allow_nan=False)
    except EventError as error:
        assert error.reason is DeadLetterReason.NOT_ITS_SCHEMA  # noqa: PT017 - either will do


def test_value_that_is_no_record_is_a_dead_letter() -> None:
    with pytest.raises(EventError) as caught:
        read("string", b"\x02a")
    assert caught.value.reason is DeadLetterReason.NOT_OBJECT


def test_event_is_identified_as_one_of_json() -> None:
    schema = record_of(id="long", time=logical("long", "timestamp-millis"))
    book = SchemaBook()
    book.add("7", AvroSchema(avro_reader(json.dumps(schema))))
    decoder = EventDecoder(avro_decoder(book), "id", "time", 1000)
    content = written(schema, {"id": 2**62, "time": dt.datetime(2025, 11, 22, tzinfo=dt.UTC)})
    payload = decoder.load(InputRecord("orders", 0, 0, PREFIX + content))
    assert payload is not None
    event = decoder.identify(payload)
    assert (event.id, event.time_text) == (str(2**62), "2025-11-22T00:00:00.000Z")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is no JSON"),
        ("7", "is no Avro schema"),
        ("{}", "is no Avro schema"),
        ('{"type": "record", "name": "R"}', "is no Avro schema"),
        ('"Other"', "uses the type 'Other', which it does not define"),
        ('{"type": ' * 2000 + '"int"' + "}" * 2000, "is no JSON"),
        ('{"type": ' * 1000 + '"int"' + "}" * 1000, "is no Avro schema"),
        ('{"type": "fixed", "name": "F", "size": "x"}', "is no Avro schema"),
    ],
)
def test_schema_that_is_none_is_refused(text: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        avro_reader(text)


def test_type_may_be_nested_in_its_definition() -> None:
    assert read_whole(avro_reader('{"type": {"type": "array", "items": "int"}}'), b"\x00") == []
    assert read_whole(avro_reader('{"type": ["null", "int"]}'), b"\x02\x02") == 1
