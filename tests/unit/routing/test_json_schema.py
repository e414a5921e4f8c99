"""JSON events that are validated against their schemas; the values that fail are never said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from consumer.errors import EventError
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.payload import Payload
from consumer.routing.decoding.schemas.json_schema import (
    DEEPEST,
    JsonSchema,
    is_deeper,
    validating_decoder,
)
from consumer.routing.decoding.schemas.json_validator import compile_validator
from consumer.routing.decoding.schemas.schema_book import SchemaBook, SchemaError

DRAFT_7 = {"$schema": "http://json-schema.org/draft-07/schema#"}
CUSTOMER = DRAFT_7 | {
    "type": "object",
    "properties": {"phone": {"type": "string", "pattern": "^[+]?(\\d+)*$"}},
    "required": ["phone"],
}
ORDER: dict[str, Any] = DRAFT_7 | {
    "properties": {
        "customer": {"$ref": "customer.json"},
        "phones": {"type": "array", "items": {"$ref": "customer.json#/properties/phone"}},
        "amount": {"type": "number", "minimum": 0},
        "inner": {"type": "object"},
    },
    "additionalProperties": {"type": "integer"},
}


def read(value: object, schema: object = ORDER, **references: object) -> Payload:
    used = {f"{name}.json": json.dumps(other) for name, other in references.items()}
    book = SchemaBook()
    book.add("7", JsonSchema(compile_validator(json.dumps(schema), used)))
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return validating_decoder(book)(InputRecord("o", 0, 0, b"\x00\x00\x00\x00\x07" + text))


def order(value: object) -> Payload:
    return read(value, ORDER, customer=CUSTOMER)


def test_value_that_fits_is_the_event_with_its_digits() -> None:
    found = order(b'{"customer": {"phone": "+90"}, "amount": 129.90, "n": 5}')
    assert found.body == {"customer": {"phone": "+90"}, "amount": 129.9, "n": 5}
    assert b"129.90" in found.raw


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"customer": {"phone": 905321234567}}, "`$.customer.phone` fails its `type`"),
        ({"customer": {"phone": "905x"}}, "`$.customer.phone` fails its `pattern`"),
        ({"customer": {}}, "`$.customer` fails its `required`"),
        ({"phones": ["1", 905321234567]}, "`$.phones[1]` fails its `type`"),
        ({"ali@example.com": "ali"}, "`$.*` fails its `type`"),
        ({"amount": -1}, "`$.amount` fails its `minimum`"),
    ],
)
def test_value_that_does_not_fit_is_a_dead_letter_that_says_where(value: Any, says: str) -> None:
    """The message has names of the schema alone, for a dead letter's headers have more readers."""
    with pytest.raises(EventError) as caught:
        order(value)
    assert caught.value.reason is DeadLetterReason.NOT_ITS_SCHEMA
    assert str(caught.value) == f"expected one value of schema 7: {says}"


@pytest.mark.parametrize("value", [b"{", b"[]", b"7"])
def test_what_is_no_object_is_a_dead_letter(value: bytes) -> None:
    with pytest.raises(EventError) as caught:
        order(value)
    assert caught.value.reason in {DeadLetterReason.NOT_JSON, DeadLetterReason.NOT_OBJECT}


def test_reference_is_found_by_its_name_or_its_id() -> None:
    named = {"$id": "https://acme.example/order.json", "$ref": "customer.json"}
    own_id = {"$ref": "https://acme.example/c"}
    for schema, used in (
        (named, {"customer": CUSTOMER}),
        (own_id, {"x": CUSTOMER | {"$id": "https://acme.example/c"}}),
        (own_id, {"x": True, "y": CUSTOMER | {"$id": "https://acme.example/c"}}),
    ):
        assert read({"phone": "1"}, schema, **used)
        with pytest.raises(EventError, match="fails its `required`"):
            read({}, schema, **used)


@pytest.mark.parametrize(
    "text",
    ["{", "7", "[]", '{"type": "nope"}', '{"pattern": "("}', '{"$schema": "http://x/y"}'],
)
def test_unusable_schema_is_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="is no"):
        compile_validator(text, {})


def test_nothing_is_fetched() -> None:
    """The address would be reached, if it were asked for: the test fails without a network, too."""
    for address in ("http://json-schema.example/a", "file:///etc/hostname", "other.json"):
        with pytest.raises(SchemaError, match="lacks what it refers to"):
            compile_validator(json.dumps({"$ref": address}), {})


def test_pattern_runs_in_bounded_time() -> None:
    """Python's own patterns take longer than the age of the universe here."""
    with pytest.raises(EventError, match="fails its `pattern`"):
        read({"a": "a" * 5_000 + "!"}, {"properties": {"a": {"pattern": "^(a+)+$"}}})


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels - 1):
        found = {"inner": found}
    return found


def test_deep_value_is_a_dead_letter() -> None:
    """The validator is a recursion in native code: see `DEEPEST`."""
    assert read(deep(DEEPEST), {})
    assert read({"wide": [[] for _ in range(2 * DEEPEST)]}, {})
    with pytest.raises(EventError, match="schema 7: at most 64 levels"):
        read(deep(DEEPEST + 1), {})


def test_the_deepest_value_and_a_knotty_schema_end_no_process() -> None:
    knot: Mapping[str, Any] = {"$ref": "#"}
    for _ in range(25):
        knot = {"allOf": [{"anyOf": [{"oneOf": [knot]}]}]}
    schema = {"properties": {"inner": knot, "bad": False}}
    assert read(deep(DEEPEST), schema)
    value = deep(DEEPEST - 1)
    bottom = value
    while bottom:
        bottom = bottom["inner"]
    bottom["bad"] = 1
    with pytest.raises(EventError, match=r"fails its `\w+`"):
        read(value, schema)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


def depth_of(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    below = max(map(depth_of, inside), default=0)
    return below + 1 if isinstance(value, dict | list) else 0


@given(JSON, st.integers(0, 5))
def test_depth_counts_objects_and_lists(value: object, levels: int) -> None:
    assert is_deeper(value, levels) is (depth_of(value) > levels)


SCHEMA = {
    "properties": {
        "a": {"type": ["integer", "null"], "maximum": 5},
        "b": {"items": {"type": "string", "minLength": 1}, "maxItems": 2},
        "c": {"required": ["a"], "additionalProperties": {"type": "boolean"}},
    },
    "not": {"required": ["d"]},
}


@given(st.dictionaries(st.sampled_from("abcde"), JSON))
def test_value_fits_as_the_reference_validator_says(value: dict[str, Any]) -> None:
    fits = Draft7Validator(DRAFT_7 | SCHEMA).is_valid(value)
    try:
        read(value, DRAFT_7 | SCHEMA)
    except EventError:
        assert not fits
    else:
        assert fits
