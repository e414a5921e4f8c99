"""Keys of a pattern: dots lead into objects, as on Amazon EventBridge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.patterns.pattern import PatternErrors, compile_pattern
from consumer.routing.patterns.reader import steps_of

EVENT: dict[str, Any] = {
    "customer": {"segment": "gold", "consent": {"sms": True}, "a.b": 1},
    "customer.segment": "literal",
    "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}],
}


def matches(pattern: dict[str, Any], event: dict[str, Any] = EVENT) -> bool:
    return compile_pattern(pattern).matches(event)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"customer.segment": ["gold"]}, True),
        ({"customer.segment": ["literal"]}, False),
        ({r"customer\.segment": ["literal"]}, True),
        ({'"customer.segment"': ["literal"]}, True),
        ({"customer.consent.sms": [True]}, True),
        ({"customer": {"consent.sms": [True]}}, True),
        ({"customer.consent": {"sms": [True]}}, True),
        ({r"customer.a\.b": [1]}, True),
        ({'customer."a.b"': [1]}, True),
        ({"customer.gone": [{"exists": False}]}, True),
        ({"customer.segment": ["gold"], "customer": {"consent": {"sms": [True]}}}, True),
        ({"customer.segment": ["gold"], "customer.consent.sms": [False]}, False),
        ({"$or": [{"customer.segment": ["x"]}, {"customer.segment": ["gold"]}]}, True),
        # Both conditions of one nested object must hold within one element of an array.
        ({"items.sku": ["a"], "items.n": [1]}, True),
        ({"items.sku": ["a"], "items.n": [2]}, False),
    ],
)
def test_a_dot_leads_into_an_object(pattern: dict[str, Any], expected: bool) -> None:
    assert matches(pattern) is expected


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ({"a..b": [1]}, "a name between dots is empty"),
        ({".a": [1]}, "a name between dots is empty"),
        ({"a.": [1]}, "a name between dots is empty"),
        ({"a": {"b": [1]}, "a.b": [2]}, "stands here twice"),
        ({"a": [1], "a.b": [2]}, "stands here twice"),
        ({"a.b": [1], "a": [{"exists": True}]}, "stands here twice"),
        ({"a.b": {"prefix": "x"}}, "must stand in a list"),
        ({".".join("a" * 33): [1]}, "nested deeper"),
        ({".".join("a" * 20): {".".join("b" * 20): [1]}}, "nested deeper"),
        ({"." * 100_000: [1]}, "empty"),
        ({"a." * 100_000 + "a": [1]}, "nested deeper"),
    ],
)
def test_a_key_that_says_nothing_clear_is_refused(pattern: dict[str, Any], message: str) -> None:
    with pytest.raises(PatternErrors, match=message):
        compile_pattern(pattern)


def test_alternatives_within_alternatives_are_limited() -> None:
    deep: dict[str, Any] = {"a": [1]}
    for _ in range(40):
        deep = {"$or": [deep, {"b": [1]}]}
    with pytest.raises(PatternErrors, match="nested deeper"):
        compile_pattern(deep)


def test_an_explanation_names_the_field_by_its_dots() -> None:
    pattern = compile_pattern({"customer.segment": ["silver"]})
    (condition,) = pattern.explain(EVENT)
    assert (condition.path, condition.expected) == ("customer.segment", ["silver"])


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_any_names_can_be_written_as_one_key(names: list[str]) -> None:
    """With each dot, quote and backslash escaped."""
    escaped = [name.replace("\\", "\\\\").replace(".", "\\.").replace('"', '\\"') for name in names]
    assert list(steps_of(".".join(escaped))) == names


@given(st.lists(st.text("abc_-", min_size=1, max_size=3), min_size=1, max_size=6), st.booleans())
def test_dots_and_nesting_ask_the_same(names: list[str], there: bool) -> None:
    event: Any = "x" if there else "y"
    nested: Any = ["x"]
    for name in reversed(names):
        event, nested = {name: event}, {name: nested}
    assert matches({".".join(names): ["x"]}, event) is matches(nested, event) is there
