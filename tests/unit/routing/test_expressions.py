"""Values: plain paths are JMESPath's exactly, and foreign data never raises."""

from __future__ import annotations

from typing import Any

import jmespath
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.decoding.digits import as_text
from consumer.routing.expressions import compile_value

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
        ("", "must not be empty"),
        ("a.", "ends too early, at position 2"),
        ("a ||", "ends too early, at position 4"),
        ("f(a", "ends too early, at position 3"),
        ("a b", "unexpected name at position 2"),
        ('a "b"', "unexpected name in quotes at position 2"),
        ("a['b']", "unexpected literal at position 2"),
        ("a.1", "unexpected number at position 2"),
        ("a..b", "unexpected '.' at position 2"),
        ("a == == b", "unexpected '==' at position 5"),
        ("a[1:2:3:4]", "unexpected ':' at position 7"),
        ('a."f"(b)', "a function's name must not be in quotes"),
        ("f(a)(b)", "what ends at position 3 is not a function's name"),
        (
            "a-b",
            (
                "unexpected character at position 1; "
                'a name of more than A-Z a-z 0-9 _ stands in double quotes, as in a."b-c"'
            ),
        ),
        ("a[?b = c]", "unexpected '=' at position 5; write == to compare"),
        ("'a", "the quote ' at position 0 is never closed"),
        ('a."b', 'the quote " at position 2 is never closed'),
        ("`1", "the quote ` at position 0 is never closed"),
        (r'"\x"', "the name in quotes at position 0 has a bad escape or a control character"),
        ("`a`", "a literal in backticks must be JSON; write text as 'text'"),
        ('`"`', "a literal in backticks must be JSON; write text as 'text'"),
        ("(" * 5000, "is nested too deeply"),
        ("!" * 5000 + "a", "is nested too deeply"),
        ("lenght(a)", "unknown function lenght()"),
        ("a[?nope(b)]", "unknown function nope()"),
        ("length(a, b)", "length() takes 1 arguments, not 2"),
        ("not_null()", "not_null() takes at least 1 arguments, not 0"),
        ("[&a]", "`&` may only stand before a function's argument"),
    ],
    ids=lambda text: str(text)[:20],
)
def test_a_bad_expression_is_refused_with_a_plain_sentence(expression: str, words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared below
        compile_value(expression)
    assert str(caught.value) == words


SIGNS = [*".*[](){},:@&|=<!-^'\"`", "[]", "[?", "&&", "||", "=="]
WORDS = [" ", "1", "-1", "id", "Zeynep", '"Zeynep"', "'Zeynep'", "length("]
TOKENS = st.sampled_from(SIGNS + WORDS)


@given(st.lists(TOKENS, max_size=7).map("".join))
def test_a_sentence_is_one_line_and_repeats_no_name_or_text_but_a_function(expression: str) -> None:
    try:
        compile_value(expression)
    except ValueError as refused:
        sentence = str(refused)
        assert "\n" not in sentence
        assert "Zeynep" not in sentence or sentence.startswith("unknown function")


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
