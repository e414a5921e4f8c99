"""Values: plain paths are JMESPath's exactly, and foreign data never raises."""

from __future__ import annotations

from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.values import as_text, compile_value

EVENT: dict[str, Any] = {
    "id": "t-1",
    "a": {"b": {"c": {"d": {"e": 5}}}},
    "list": [{"b": 1}, {"b": 2}],
    "n": 3,
    "text": "x",
}

KEYS = st.sampled_from(["a", "b", "_c1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(KEYS, min_size=1, max_size=5), st.dictionaries(KEYS, JSON, max_size=3))
def test_a_plain_path_is_what_jmespath_says(keys: list[str], event: dict[str, Any]) -> None:
    path = ".".join(keys)
    assert compile_value(path)(event) == jmespath.search(path, event)


@given(st.integers(1, 5), st.dictionaries(st.just("a"), JSON, max_size=1))
def test_a_path_of_any_depth_is_what_jmespath_says(depth: int, event: dict[str, Any]) -> None:
    path = ".".join("a" * depth)
    assert compile_value(path)(event) == jmespath.search(path, event)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("id", "t-1"),
        ("a.b.c.d.e", 5),
        ("a.b.c.d.e.f", None),
        ('"a"."b"', {"c": {"d": {"e": 5}}}),
        ("list[1].b", 2),
        ("list[*].b", [1, 2]),
        ("list[?b > `1`].b | [0]", 2),
        ("'literal'", "literal"),
        ("nothing || 'x'", "x"),
        ("join('-', [id, text])", "t-1-x"),
        ("not_null(nothing, n, id)", 3),
        ("max_by(list, &b).b", 2),
        ("list[0:1].b", [1]),
        ("@.id", "t-1"),
    ],
)
def test_expressions(expression: str, expected: object) -> None:
    assert compile_value(expression)(EVENT) == expected


@pytest.mark.parametrize(
    "expression", ["length(n)", "text < n", "list[::n]", "sum(list)", "list[::0]", "abs(text)"]
)
def test_an_expression_that_fails_on_an_event_is_null_or_refused(expression: str) -> None:
    try:
        value = compile_value(expression)
    except ValueError:
        assert "n]" in expression
    else:
        assert value(EVENT) is None


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("", "empty"),
        ("a.", "at position 2"),
        ("a ||", "too early, at position 4"),
        ("a b", "at position 2"),
        ("a ^", "at position 2"),
        ("'a", "at position 0"),
        ("`a`", "write text as 'text'"),
        ("lenght(a)", "unknown function lenght"),
        ("a[?nope(b)]", "unknown function nope"),
        ("length(a, b)", "length() takes 1 arguments, not 2"),
        ("not_null()", "takes at least 1 arguments, not 0"),
        ("[&a]", "`&`"),
    ],
)
def test_a_bad_expression_is_refused_when_it_is_compiled(expression: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are checked below
        compile_value(expression)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", ""),
        ("é", "é"),
        (True, "true"),
        (False, "false"),
        (5, "5"),
        (-(2**70), str(-(2**70))),
        (1.5, "1.5"),
        (2.0, "2.0"),
        (float("nan"), None),
        ([1, None, "a"], '[1,null,"a"]'),
        ({"a": {"b": True}}, '{"a":{"b":true}}'),
        ([2**70], None),
        (object(), None),
    ],
)
def test_values_become_the_text_that_vendors_take(value: object, text: str | None) -> None:
    assert as_text(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_a_number_becomes_its_json_text(number: float) -> None:
    assert orjson.loads(as_text(number) or "") == number
