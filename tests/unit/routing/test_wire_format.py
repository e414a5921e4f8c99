"""Schema ids in records, and JSON behind them, as Confluent's serialisers write both."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord, RecordEnvelope
from consumer.routing.decoding.schemas.avro import AvroSchema
from consumer.routing.decoding.schemas.json_schema import JsonSchema, decode_json_schema
from consumer.routing.decoding.schemas.schema_book import LARGEST, SchemaBook
from consumer.routing.decoding.schemas.schema_value import UnfitError
from consumer.routing.decoding.schemas.wire_format import (
    HEADER,
    WrittenWith,
    message_place,
    written_with,
)

GUID = uuid.UUID("89791762-2336-4186-9674-299b90a802e2")


def record(value: bytes | None, *headers: tuple[str, bytes | None]) -> InputRecord:
    around = RecordEnvelope(headers=headers)
    return InputRecord("orders", 0, 0, value, lambda: around)


@given(st.integers(0, 2**32 - 1), st.binary(max_size=9))
def test_value_begins_with_an_id(schema: int, datum: bytes) -> None:
    found = written_with(record(b"\x00" + schema.to_bytes(4) + datum))
    assert found == WrittenWith(str(schema), datum)


@given(st.uuids(), st.binary(max_size=9))
def test_value_begins_with_a_guid(schema: uuid.UUID, datum: bytes) -> None:
    found = written_with(record(b"\x01" + schema.bytes + datum))
    assert found == WrittenWith(str(schema), datum)


@given(st.binary(max_size=9))
def test_header_goes_before_the_value(value: bytes) -> None:
    guid = (HEADER, b"\x01" + GUID.bytes)
    found = written_with(record(value, ("other", b"\x00"), guid))
    assert found == WrittenWith(str(GUID), value, b"")
    named = (HEADER, b"\x00\x00\x00\x00\x07\x02")
    assert written_with(record(value, guid, named)) == WrittenWith("7", value, b"\x02")


@pytest.mark.parametrize("value", [b"{}", b"\x00\x00\x00\x01", b"\x01" + GUID.bytes[1:], b"", None])
@pytest.mark.parametrize("headers", [[], [(HEADER, None)], [(HEADER, b"\x02rest")]])
def test_record_without_a_schema_is_a_dead_letter(value: bytes | None, headers: list[Any]) -> None:
    with pytest.raises(EventError, match="expected a schema id") as caught:
        written_with(record(value, *headers))
    assert caught.value.reason is DeadLetterReason.NO_SCHEMA_ID


@pytest.mark.parametrize(
    ("behind", "place"),
    [
        (b"\x00", (0,)),
        (b"\x02\x02", (1,)),
        (b"\x04\x02\x00", (1, 0)),
        (b"\x02\x80\x02", (128,)),
    ],
)
def test_place_of_a_message_stands_behind_the_id(behind: bytes, place: tuple[int, ...]) -> None:
    """As Confluent's serialisers write it."""
    assert message_place(WrittenWith("7", behind + b"datum")) == (place, b"datum")
    assert message_place(WrittenWith("7", b"datum", behind)) == (place, b"datum")


def test_header_without_a_place_means_the_first_message() -> None:
    assert message_place(WrittenWith("7", b"datum", b"")) == ((0,), b"datum")


@pytest.mark.parametrize(
    "behind", [b"", b"\x02", b"\x01", b"\x84\x01" + b"\x00" * 66, b"\xff" * 5 + b"\x00", b"\x80"]
)
def test_damaged_place_is_refused(behind: bytes) -> None:
    with pytest.raises(UnfitError):
        message_place(WrittenWith("7", behind))


def test_bytes_behind_a_place_in_a_header_are_refused() -> None:
    with pytest.raises(UnfitError):
        message_place(WrittenWith("7", b"datum", b"\x00\x01"))


def test_json_behind_an_id_is_the_event() -> None:
    raw = b'{"id": "t-1", "amount": 129.90}'
    found = decode_json_schema(record(b"\x00\x00\x00\x00\x01" + raw))
    assert (found.body, found.raw) == (orjson.loads(raw), raw)
    assert decode_json_schema(record(raw, (HEADER, b"\x01" + GUID.bytes))).raw == raw


def test_what_is_no_json_behind_an_id_is_a_dead_letter() -> None:
    with pytest.raises(EventError) as caught:
        decode_json_schema(record(b"\x00\x00\x00\x00\x01\x02\x04"))
    assert caught.value.reason is DeadLetterReason.NOT_JSON


def test_book_names_the_schemas_that_it_lacks() -> None:
    book = SchemaBook()
    book.add("1", AvroSchema(lambda _datum: {}))
    one, two, again = (record(b"\x00\x00\x00\x00" + bytes([id_])) for id_ in (1, 2, 2))
    assert book.missing([one, two, again, record(b"{}")]) == {"2": [two, again]}


def test_schema_without_a_reader_is_a_dead_letter() -> None:
    book = SchemaBook()
    book.add("3", "is no schema")
    book.add("5", JsonSchema(lambda _value: None))
    said = {"3": "is no schema", "4": "was not looked up", "5": "is of type JSON, expected AVRO"}
    for schema, says in said.items():
        with pytest.raises(EventError, match=f"schema {schema} {says}") as caught:
            book.find(schema, AvroSchema)
        assert caught.value.reason is DeadLetterReason.UNKNOWN_SCHEMA


def test_book_stays_small() -> None:
    book = SchemaBook()
    for number in range(LARGEST + 1):
        book.add(str(number), "is unknown")
        book.begin()
    assert book.missing([record(b"\x00\x00\x00\x00\x01")])


def test_refused_schema_is_asked_for_again_at_the_next_poll() -> None:
    book, asking = SchemaBook(), record(b"\x00\x00\x00\x00\x05")
    book.refuse("5", "is unknown")
    assert book.missing([asking])
    with pytest.raises(EventError, match="schema 5 is unknown"):
        book.find("5", AvroSchema)
    book.begin()
    with pytest.raises(EventError, match="schema 5 was not looked up"):
        book.find("5", AvroSchema)


def test_command_looks_a_schema_up_once() -> None:
    asked = list[str]()

    def look_up(schema: str) -> str:
        asked.append(schema)
        return "is unknown"

    book = SchemaBook(look_up)
    for _ in range(2):
        with pytest.raises(EventError, match="schema 5 is unknown"):
            book.find("5", AvroSchema)
    assert asked == ["5"]
