"""The index of many patterns leaves out no pattern that matches, and most of the others."""

from __future__ import annotations

import ast
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.routing.decoding.decode import EventDecoder
from consumer.routing.decoding.payload import decode_json
from consumer.routing.patterns.index import FEWEST, MAX_ALTERNATIVES, MAX_COLUMNS, PatternIndex
from consumer.routing.patterns.pattern import compile_pattern
from consumer.routing.route import Route
from consumer.routing.router import RoutedInput
from tests.unit.routing.test_patterns import ABSENT, EVENTS, OPERATORS, SCALARS, TEXTS, patterns

NEVER = {"never": "there"}


def candidates(chosen: list[Any], event: dict[str, Any]) -> list[int]:
    return list(PatternIndex(list(map(compile_pattern, chosen))).candidates(event))


def test_a_few_patterns_are_tried_one_after_the_other() -> None:
    assert PatternIndex.if_it_pays([compile_pattern({"a": 1})] * (FEWEST - 1)) is None
    assert PatternIndex.if_it_pays([compile_pattern({"a": 1})] * FEWEST) is not None


def test_patterns_without_a_condition_to_look_up_are_tried_one_after_the_other() -> None:
    gone = compile_pattern({"a": [1, {"exists": False}]})
    assert PatternIndex.if_it_pays([compile_pattern({}), gone] * FEWEST) is None


@pytest.mark.parametrize(
    ("pattern", "fits", "unlike"),
    [
        ({"a": "x"}, {"a": "x"}, {"a": "y"}),
        ({"a": ["x", 1]}, {"a": 1.0}, {"a": True}),
        ({"a": [True]}, {"a": True}, {"a": 1}),
        ({"a": [None]}, {"a": None}, {}),
        ({"a": [2**70]}, {"a": 2**70}, {"a": 2.0**70 + 2**20}),
        ({"a": [{"prefix": "xy"}]}, {"a": "xyz"}, {"a": "x"}),
        ({"a": [{"prefix": "x"}, {"prefix": "yz"}]}, {"a": "yzz"}, {"a": "y"}),
        ({"a": [{"suffix": "xy"}]}, {"a": "zxy"}, {"a": "y"}),
        ({"a": [{"suffix": ""}]}, {"a": "x"}, {"a": 1}),
        ({"a": [{"equals-ignore-case": "\u0130x"}]}, {"a": "iX"}, {"a": "x"}),
        ({"a": [{"prefix": {"equals-ignore-case": "X"}}]}, {"a": "xY"}, {"a": "y"}),
        ({"a": [{"suffix": {"equals-ignore-case": "X"}}]}, {"a": "yx"}, {"a": "xy"}),
        ({"a": [{"wildcard": "x*z"}]}, {"a": "xyz"}, {"a": "yz"}),
        ({"a": [{"wildcard": "*y*z"}]}, {"a": "xyz"}, {"a": "xy"}),
        ({"a": [{"wildcard": "*y*"}]}, {"a": "xyz"}, {"a": 1}),
        ({"a": [{"wildcard": "xy"}]}, {"a": "xy"}, {"a": "xyz"}),
        ({"a": [{"numeric": ["=", 1]}]}, {"a": 1.0}, {"a": 1.5}),
        ({"a": [{"numeric": [">", 1]}]}, {"a": 2**80}, {"a": 0}),
        ({"a": [{"numeric": ["<", 1]}]}, {"a": -(2**80)}, {"a": 1}),
        ({"a": [{"numeric": ["<=", 1]}]}, {"a": 1}, {"a": "1"}),
        ({"a": [{"numeric": [">=", 1, "<", 3]}]}, {"a": 1}, {"a": 3}),
        ({"a": [{"numeric": [">=", 1, "<=", 3]}]}, {"a": 3}, {"a": True}),
        ({"a": [{"numeric": ["<", 2]}, {"numeric": ["=", 5]}]}, {"a": 5}, {"a": 6}),
        ({"a": [{"numeric": ["<", 0]}, {"numeric": [">", 2]}]}, {"a": 5}, {"a": "x"}),
        ({"a": [{"numeric": [">", 2]}, {"numeric": ["<", 0]}]}, {"a": -5}, {"a": "x"}),
        ({"a": [{"exists": True}]}, {"a": None}, {"a": {}}),
        ({"a": [{"anything-but": "x"}]}, {"a": "y"}, {"a": []}),
        ({"a.b": 1}, {"a": {"b": 1}}, {"a": 1}),
        ({r"a\.b": 1}, {"a.b": 1}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": [5, [{"b": [[1]]}], {"c": 1}]}, {"a": [{"c": 1}, []]}),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": [{"c": 1}]}}, {"a": {"b": {}}}),
        ({"a": 1, "b": 2}, {"a": 1, "b": [1, 2]}, {"a": 1, "b": 1}),
        ({"$or": [{"a": 1}, {"b": {"c": 2}}]}, {"b": {"c": 2}}, {"b": 2}),
        ({"a": {"$or": [{"b": 1}, {"c": 1}]}}, {"a": {"c": 1}}, {"a": {"c": 2}}),
    ],
)
def test_an_event_is_held_against_the_patterns_whose_values_it_has(
    pattern: dict[str, Any], fits: dict[str, Any], unlike: dict[str, Any]
) -> None:
    assert candidates([NEVER, pattern, NEVER, pattern], fits) == [1, 3]
    assert candidates([NEVER, pattern, NEVER, pattern], unlike) == []


def test_a_pattern_that_absence_satisfies_is_always_tried() -> None:
    either = {"$or": [{"a": 1}, {"b": [{"exists": False}]}]}
    assert candidates([NEVER, {}, {"a": [1, {"exists": False}]}, either], {"a": 2}) == [1, 2, 3]


def test_a_pattern_with_many_alternatives_is_tried_unless_its_other_conditions_fail() -> None:
    alternatives: list[dict[str, Any]] = [{"b": n} for n in range(MAX_ALTERNATIVES + 1)]
    many = [{"a": 1, "$or": alternatives}, {"a": 2, "$or": alternatives}]
    assert candidates(many, {"a": 2, "b": -1}) == [1]


def test_a_pattern_whose_alternatives_all_hold_is_tried_once() -> None:
    pattern = {"$or": [{"a": 1}, {"b": 2}]}
    assert candidates([pattern, pattern], {"a": 1, "b": 2}) == [0, 1]


def test_of_many_fields_those_are_looked_up_that_leave_the_fewest() -> None:
    shared = {f"s{n}": 1 for n in range(MAX_COLUMNS)}
    many = [{**shared, "store": n} for n in range(20)]
    assert candidates(many, {**shared, "store": 7}) == [7]


# ---- against trying one pattern after the other -----

BOUNDS = st.sampled_from([-1, 0, 0.5, 1, 2])
MORE = st.one_of(
    st.builds(
        lambda sign, bound: {"numeric": [sign, bound]},
        st.sampled_from(["=", ">", ">=", "<", "<="]),
        BOUNDS,
    ),
    st.builds(
        lambda above, low, below, more: {"numeric": [above, low, below, low + more]},
        st.sampled_from([">", ">="]),
        BOUNDS,
        st.sampled_from(["<", "<="]),
        st.sampled_from([0.5, 1]),
    ),
    st.builds(
        lambda name, text: {name: {"equals-ignore-case": text}},
        st.sampled_from(["prefix", "suffix"]),
        TEXTS,
    ),
    st.sampled_from([{"wildcard": "*x"}, {"wildcard": r"x\*"}]),
)
LEAVES = st.lists(SCALARS | OPERATORS | MORE, min_size=1, max_size=2)
PATTERNS: st.SearchStrategy[Any] = st.one_of(
    patterns(LEAVES, 2, ors=True),
    patterns(st.lists(SCALARS | OPERATORS | MORE | ABSENT, min_size=1, max_size=2), 2, ors=True),
    st.just({}),
)


POOL = ("", "x", "X", "xy", "yx", "xYx", "x*", -1, 0, 0.5, 1, 1.5, 2, 2.5, 3, True, False, None)


def fitting(pattern: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """An event that the pattern probably takes, at times within arrays."""
    event: dict[str, Any] = {}
    for key, asked in pattern.items():
        if key == "$or":
            event |= fitting(rng.choice(asked), rng)
        elif isinstance(asked, dict):
            inner = fitting(asked, rng)
            event[key] = rng.choice([inner, inner, [5, [inner], {}]])
        else:
            found = accepted(repr(asked))
            if found:
                value = rng.choice(found)
                event[key] = rng.choice([value, value, [{}, "y", [value]]])
    return event


@cache
def accepted(values: str) -> list[Any]:
    matches = compile_pattern({"a": ast.literal_eval(values)}).matches
    return [] if matches({}) else [value for value in POOL if matches({"a": value})]


@settings(max_examples=300)
@given(
    st.lists(PATTERNS, min_size=1, max_size=5), st.integers(0, 2**32), st.lists(EVENTS, max_size=1)
)
def test_routes_are_those_of_trying_each_in_order(
    chosen: list[Any], seed: int, events: list[Any]
) -> None:
    compiled = list(map(compile_pattern, chosen))
    routes = [Route(f"r{n}", pattern, {}, []) for n, pattern in enumerate(compiled)]
    decoder, index = EventDecoder(decode_json, "id", "time", 999), PatternIndex(compiled)
    rng = random.Random(seed)
    for event in [fitting(pattern, rng) for pattern in chosen * 3] + events:
        for every in (False, True):
            plain = RoutedInput(decoder, routes, every).routes_for(event)
            assert list(RoutedInput(decoder, routes, every, index).routes_for(event)) == list(plain)
