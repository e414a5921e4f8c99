"""Compiled data is what the getters make of the same event, or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.channel import ChannelSpec
from consumer.routing.expressions import compile_value, plain_path
from consumer.routing.plain_data import compile_data
from consumer.routing.route import Target

KEYS = st.sampled_from(["a", "b", "c", "it's", 'a"b', "\\", "\n", "ş", "{x}", "None"])
PATHS = st.lists(KEYS, min_size=1, max_size=4)
NAMES = st.dictionaries(KEYS, PATHS, max_size=3)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(0, 9), st.text(max_size=3))
EVENTS = st.dictionaries(
    KEYS,
    st.recursive(
        st.one_of(st.text(max_size=3), SCALARS),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(KEYS, inner)),
        max_leaves=12,
    ),
)


def quoted(path: list[str]) -> str:
    return ".".join(map(json.dumps, path))


def by_getters(
    fields: dict[str, list[str]], maps: dict[str, dict[str, list[str]]], event: dict[str, Any]
) -> object:
    inner = [
        (name, [(key, compile_value(quoted(path))) for key, path in paths.items()])
        for name, paths in maps.items()
    ]
    flat = [(name, compile_value(quoted(path))) for name, path in fields.items()]
    spec = ChannelSpec(("phone",))
    return Target("c", "lane", "acme", "sms", spec, flat, inner).data(event)


def value_at(event: object, path: list[str]) -> object:
    for key in path:
        event = event.get(key) if isinstance(event, dict) else None
    return event


@given(NAMES, st.dictionaries(st.sampled_from(["m1", "m2"]), NAMES), EVENTS)
def test_compiled_data_equals_that_of_the_getters_or_is_none(
    fields: dict[str, list[str]], maps: dict[str, dict[str, list[str]]], event: dict[str, Any]
) -> None:
    paths = [*fields.values(), *(path for inner in maps.values() for path in inner.values())]
    made = compile_data(fields, maps)(event)
    if all(type(value_at(event, path)) is str for path in paths):
        assert made == by_getters(fields, maps, event)
    else:
        assert made is None


@pytest.mark.parametrize(
    ("expression", "keys"),
    [
        ("a", ["a"]),
        ("a.b", ["a", "b"]),
        ('"a.b".c', ["a.b", "c"]),
        ("to_string(a)", []),
        ("'a'", []),
    ],
)
def test_plain_path_has_the_keys(expression: str, keys: list[str]) -> None:
    assert plain_path(expression) == keys
