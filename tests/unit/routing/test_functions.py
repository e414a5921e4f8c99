"""JMESPath's functions on hostile data: what they make is bounded, and nothing raises."""

from __future__ import annotations

from functools import cache
from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.config.load import load
from consumer.records.input_record import InputRecord
from consumer.routing.decoding.digits import as_text
from consumer.routing.expressions import compile_value
from consumer.routing.functions import MAX_JOINED, MAX_NUMBER
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12", 12),
        (" 12 ", 12),
        ("+12", 12),
        ("-1.5", -1.5),
        ("0042", 42),
        ("1e3", 1000.0),
        ("9" * MAX_NUMBER, int("9" * MAX_NUMBER)),
        ("9" * (MAX_NUMBER + 1), None),
        ("9" * 4300, None),
        ("9" * 5000, None),
        ("1e400", None),
        ("nan", None),
        ("inf", None),
        ("1_000", None),
        ("\uff11", None),
        ("1.2.3", None),
        ("", None),
        (True, None),
        (None, None),
        ([], None),
        (1.5, 1.5),
        (7, 7),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_text_is_a_number_if_it_is_written_as_one(text: object, number: object) -> None:
    assert compile_value("to_number(a)")({"a": text}) == number


def test_a_sum_of_numbers_of_thousands_of_digits_is_none() -> None:
    assert as_text(compile_value("sum([to_number(a), to_number(a)])")({"a": "9" * 4300})) is None


@pytest.mark.parametrize(
    ("separator", "count", "joined"), [("x" * 1023, 1024, True), ("x" * 1024, 1024, False)]
)
def test_a_joined_text_is_bounded(separator: str, count: int, joined: bool) -> None:
    made = compile_value("join(s, l)")({"s": separator, "l": ["a"] * count})
    assert (made is not None) is joined
    assert not isinstance(made, str) or len(made) <= MAX_JOINED


def test_what_numbers_become_is_what_jmespath_says() -> None:
    event = {"a": [1.5, -2, 3]}
    for expression in ("abs(a[1])", "abs(a[0])", "ceil(a[0])", "floor(a[0])", "sum(a)", "avg(a)"):
        assert compile_value(expression)(event) == jmespath.search(expression, event)
    assert compile_value("to_string(nothing)")(event) == "null"
    assert compile_value("to_string(a[0] == `1.5`)")(event) == "true"


CONFIG = """
version: 1
application_id: surveys
kafka: {{bootstrap.servers: "localhost:9092"}}
pseudonym: {{key_id: k1, key: a-key-for-tests-only}}
quotas: {{cloud: {{limits: [20/5s]}}}}
vendors: {{p: {{type: pisano, base_url: "https://p.example", token: t, quota: cloud}}}}
campaigns: {{sms: {{vendor: p, channel: sms, id: a}}}}
inputs: {{pos: {{topics: [pos], format: json, event: {{id: {event_id}}}}}}}
routes:
  - name: r
    input: pos
    recipient: {{phone: {phone}}}
    send: [sms]
    data: {{custom_attributes: {{f: {value}}}}}
"""
EXPRESSIONS = [
    "sum(l[].to_number(@))",
    "sum([to_number(a), to_number(a)])",
    "avg(l)",
    "join(a, l)",
    "join(to_string(l), l)",
    "sort(l)",
    "sort_by(l, &a)",
    "max_by(l, &to_number(a))",
    "min(l)",
    "to_string(@)",
    "ceil(to_number(a))",
    "floor(a)",
    "abs(to_number(to_string(l)))",
    "reverse(a)",
    "merge(a, l)",
    "contains(l, a)",
    "l[?@ > `1`] | sum(@)",
    "l == [a]",
    "keys(@) | [0]",
    "map(&to_number(@), l)",
    "l[::-1]",
]
SCALARS = st.sampled_from(
    ["9" * 4300, "1e999", "-" + "9" * 399, "nan", "", 2**63, 1e308, -0.0, None]
)
TREES = st.recursive(SCALARS | st.text(max_size=3), lambda inner: st.lists(inner, max_size=4))


@cache
def routers_with(expression: str) -> list[Router]:
    """One router with the expression in data, one with it as event id, one as recipient."""
    quoted = orjson.dumps(expression).decode()
    made = []
    for value, event_id, phone in (
        (quoted, "id", "phone"),
        ("\"'x'\"", quoted, "phone"),
        ("\"'x'\"", "id", quoted),
    ):
        config = load(CONFIG.format(value=value, event_id=event_id, phone=phone), env={})
        made.append(build_router(config, build_vendors(config)))
    return made


@pytest.mark.parametrize("expression", EXPRESSIONS)
@settings(deadline=None, max_examples=30)
@given(a=TREES, items=TREES)
def test_no_expression_costs_more_than_its_record(expression: str, a: Any, items: Any) -> None:
    """In an id it may lead to a dead letter, in data to null, and never to a defect."""
    value = orjson.dumps(
        {"id": "t", "time": "2026-11-22T15:37:07Z", "phone": "+905321234567", "a": a, "l": items}
    )
    sound = InputRecord("pos", 0, 1, value.replace(b'"a":', b'"b":'))
    for router in routers_with(expression):
        routed = router.route([InputRecord("pos", 0, 0, value), sound], 1_795_361_827.0)
        assert routed.counts.total() == 2
        assert not [at for at in routed.counts if at[2] == "internal_error"]
