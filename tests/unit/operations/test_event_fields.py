"""`validate --events`: fields that no recorded event has, with their line and what was meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from consumer.cli.main import app
from consumer.errors import OperationError
from consumer.operations.event_fields.shape import MOST, Shape
from consumer.operations.event_fields.walk import (
    items_of,
    missing_in_expression,
    missing_in_pattern,
)
from consumer.operations.first_config.choices import Choices
from consumer.operations.first_config.files import first_config, write
from consumer.routing.expressions import compile_value

EVENTS: list[dict[str, Any]] = [
    {
        "id": "t-1",
        "customer": {"phone": "1", "name": None},
        "items": [{"sku": "a", "tags": [{"x": 1}]}, {"price": 2}],
        "prices": {"a": {"net": 1}, "b": {"gross": 2}},
        "deep": [[{"z": 1}]],
    },
    {"id": "t-2", "customer": {"segment": "gold"}},
]


def shape_of(*events: Any) -> Shape:
    shape = Shape()
    for event in events:
        shape.add(event)
    return shape


def missing(expression: str, shape: Shape | None = None) -> list[str]:
    found = missing_in_expression(expression, shape or shape_of(*EVENTS))
    return [one.path for one in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("customer.phone", []),
        ("customer.segment", []),  # of the second event
        ("customer.fone", ["customer.fone"]),
        ("custmer.phone", ["custmer"]),  # below it nothing is known
        ("customer.name.first", ["customer.name.first"]),
        ("id.x", ["id.x"]),
        ("items[0].sku", []),
        ("items[0].skew", ["items[].skew"]),
        ("items[1:].sku", []),
        ("items[].tags[].x", []),
        ("items[].tags[].y", ["items[].tags[].y"]),
        ("items[*].skew", ["items[].skew"]),
        ("items[?price > `1`].sku", []),
        ("items[?prise > `1`].sku | [0]", ["items[].prise"]),
        ("items[?price > `1`] | [0].skew", ["items[].skew"]),
        ("prices.*.net", []),
        ("prices.*.vat", ["prices.*.vat"]),
        ("deep[][].z", []),
        ("deep[].z", []),
        ("deep[].y", ["deep[].y"]),
        ("id || number", ["number"]),
        ("(customer || items[0]).sku", []),
        ("(customer || items[0]).skew", ["customer.skew"]),
        ("(customer || missing).x", ["missing"]),
        ("join(' ', [customer.fone, id])", ["customer.fone"]),
        ("{a: customer.fone, b: id}", ["customer.fone"]),
        ("sort_by(items, &price)[0].anything", []),
        ("to_string(custmer) && !idd", ["custmer", "idd"]),
        ("$kafka.topic", []),
        ("'text'", []),
        ("@.customer", []),
        ("fone == fone", ["fone"]),
        ("id[0].x", []),
    ],
)
def test_an_expression_is_followed_through_the_shape_of_all_events(
    expression: str, expected: list[str]
) -> None:
    assert missing(expression) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"customer": {"segment": ["gold"]}}, []),
        ({"customer.segment": ["gold"]}, []),
        ({"customer": {"sgment": ["gold"]}}, [("customer.sgment", ("customer", "sgment"))]),
        ({"customer.sgment": ["gold"]}, [("customer.sgment", ("customer.sgment",))]),
        ({"items": {"sku": ["a"]}}, []),
        ({"items.skew": ["a"]}, [("items.skew", ("items.skew",))]),
        ({"$or": [{"id": ["1"]}, {"idd": ["1"]}]}, [("idd", ("$or", 1, "idd"))]),
        ({"refund": [{"exists": False}]}, []),
        ({"refund": [{"exists": True}]}, [("refund", ("refund",))]),
        ({"$kafka": {"topic": ["a"]}}, []),
        ({"a..b": ["x"]}, []),  # another check's matter
        ({"$or": "x"}, []),
    ],
)
def test_a_pattern_is_followed_too(
    pattern: dict[str, Any], expected: list[tuple[str, tuple[str | int, ...]]]
) -> None:
    found = [(one.path, place) for place, one in missing_in_pattern(pattern, shape_of(*EVENTS))]
    assert found == expected


def test_of_objects_whose_keys_are_values_nothing_is_said() -> None:
    many = {f"id-{number}": {"name": "x"} for number in range(MOST + 2)}
    assert missing("by_id.other", shape_of({"by_id": many}, {"by_id": {"new": 1}})) == []
    nested: Any = {"a": 1}
    for _ in range(100):
        nested = {"a": nested}
    assert missing(".".join(["a"] * 90 + ["b"]), shape_of(nested)) == []


def test_items_of_a_list_have_their_own_shape() -> None:
    events = shape_of(*EVENTS)
    assert items_of("items", events).fields.keys() == {"sku", "tags", "price"}
    assert items_of("items[?price]", events).fields.keys() == {"sku", "tags", "price"}
    assert items_of("sort_by(items, &price)", events).is_open
    assert items_of("id", events).is_open


DOCUMENTS = st.recursive(
    st.none() | st.integers(0, 1) | st.just("a"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=12,
)
PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), DOCUMENTS), min_size=1, max_size=4), PATHS)
def test_a_path_that_leads_to_a_value_is_never_called_missing(
    events: list[dict[str, Any]], path: str
) -> None:
    if any(compile_value(path)(event) is not None for event in events):
        assert missing(path, shape_of(*events)) == []


# -- the command ----------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = first_config(tmp_path, Choices("pisano", "sms", region="TR"), 1_795_361_827.0)
    write(made)
    return made.config


def validate(config: Path, *words: str | Path) -> Result:
    return CliRunner().invoke(app, ["validate", "-c", str(config), *map(str, words)])


def meant(name: str) -> str:
    return f"(did you mean '{name}'?)"


def edit(config: Path, *edits: tuple[str, str]) -> None:
    text = config.read_text()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    config.write_text(text)


def test_the_first_config_fits_its_own_event(config: Path) -> None:
    done = validate(config, "--events", config.parent / "event.json")
    assert (done.exit_code, done.stderr) == (0, "")
    assert "event.json: compared with 1 events" in done.stdout


def test_a_misspelt_field_is_told_with_its_line_and_what_was_meant(config: Path) -> None:
    edit(config, ("customer.phone", "customer.fone"), ("      channel: pos", "      chanel: pos"))
    text = config.read_text()
    line = text[: text.index("customer.fone")].count("\n") + 1
    done = validate(config, "--events", config.parent / "event.json")
    assert done.exit_code == 0
    told = [text for text in done.stderr.splitlines() if "no recorded event" in text]
    chanel, fone = (one.removeprefix(f"warning: {config}:") for one in told)
    no_event = "no recorded event has"
    assert chanel == f"{line - 2}: routes[0].match.chanel: {no_event} 'chanel' {meant('channel')}"
    assert fone.startswith(f"{line}: routes[0].recipient.phone: {no_event} 'customer.fone'")
    assert fone.endswith(meant("phone"))
    as_json = validate(config, "--events", config.parent / "event.json", "--json").stdout
    document = json.loads(as_json)
    assert document["events"] == 1
    assert {one["path"] for one in document["warnings"]} >= {"routes[0].recipient.phone"}


EVENT = {
    "id": "1",
    "time": "2026-01-31T10:00:00Z",
    "channel": "pos",
    "amount": 1,
    "customer": {"name": "A", "id": "1"},
    "store": {"id": "1"},
    "consent": {"sms": True},
    "travellers": [{"phone": "1"}],
}


def test_items_and_rules_are_compared_and_other_inputs_are_not(
    config: Path, tmp_path: Path
) -> None:
    edit(
        config,
        ("recipient: {phone: customer.phone}", "recipient: {phone: $item.fone}"),
        ("    send:", "    for_each: travellers\n    send:"),
        ("expire_after: 72h", "consent: {sms: consent.smss}"),
    )
    lines = [json.dumps(EVENT), "no json", '{"id": "2"}']
    (events := tmp_path / "events.jsonl").write_text("\n".join(lines))
    said = validate(config, "--events", events).stderr
    assert f"no recorded event has '$item.fone' {meant('phone')}" in said
    assert f"no recorded event has 'consent.smss' {meant('sms')}" in said
    assert "2 of 3 recorded events would become dead letters (not_json 1, no_time 1)" in said
    web = "    format: json\n  web: {topics: [web], format: json}\n"
    edit(config, ("    format: json\n", web))
    assert "no recorded event" not in validate(config, "--events", events, "--topic", "web").stderr


def test_what_cannot_be_compared_is_said(config: Path, tmp_path: Path) -> None:
    (empty := tmp_path / "empty.jsonl").write_text("\n")
    none = validate(config, "--events", empty).exception
    assert isinstance(none, OperationError)
    assert "no recorded events" in str(none)
    words = ["validate", "-c", "-", "--no-secrets", "--events", str(empty)]
    piped = CliRunner().invoke(app, words, input=config.read_text())
    assert piped.exit_code == 2
    assert "--events needs a config in a file" in piped.output
