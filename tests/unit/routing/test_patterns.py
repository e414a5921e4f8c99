"""Event patterns: what matches, what is refused, and what is explained."""

from __future__ import annotations

import fnmatch
from itertools import chain, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumer.routing.patterns.pattern import PatternErrors, compile_pattern

EVENT: dict[str, Any] = {
    "channel": "pos",
    "amount": 129.9,
    "count": 1,
    "gift": None,
    "paid": True,
    "tags": ["new", 7, [None, "deep"]],
    "empty": [],
    "star": "a*b",
    "customer": {"segment": "Gold", "consent": {"sms": True}},
    "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2, "gift": True}],
    "grid": [[{"x": 1}], [{"x": 2, "y": 3}], 5],
}


def matches(pattern: dict[str, Any], event: dict[str, Any] = EVENT) -> bool:
    return compile_pattern(pattern).matches(event)


@pytest.mark.parametrize(
    "pattern",
    [
        {"channel": "pos"},
        {"channel": ["web", "pos"]},
        {"count": 1.0},
        {"paid": True},
        {"gift": None},
        {"tags": "new"},
        {"tags": [None]},
        {"tags": "deep"},
        {"channel": [{"prefix": "po"}]},
        {"channel": [{"suffix": "os"}]},
        {"channel": [{"prefix": ""}]},
        {"customer": {"segment": [{"prefix": {"equals-ignore-case": "GO"}}]}},
        {"customer": {"segment": [{"suffix": {"equals-ignore-case": "LD"}}]}},
        {"customer": {"segment": [{"equals-ignore-case": "gOLD"}]}},
        {"channel": [{"wildcard": "p*s"}]},
        {"channel": [{"wildcard": "*o*"}]},
        {"channel": [{"wildcard": "pos"}]},
        {"star": [{"wildcard": r"a\*b"}]},
        {"channel": [{"anything-but": "web"}]},
        {"channel": [{"anything-but": ["web", 5, None, True]}]},
        {"count": [{"anything-but": "1"}]},
        {"paid": [{"anything-but": 1}]},
        {"amount": [{"anything-but": {"prefix": "1"}}]},
        {"channel": [{"anything-but": {"suffix": ["x", "y"]}}]},
        {"channel": [{"anything-but": {"equals-ignore-case": "WEB"}}]},
        {"channel": [{"anything-but": {"wildcard": "w*"}}]},
        {"amount": [{"numeric": [">", 129, "<=", 129.9]}]},
        {"amount": [{"numeric": ["<", 130]}]},
        {"count": [{"numeric": ["=", 1]}]},
        {"count": [{"numeric": [">=", 1, "<=", 1]}]},
        {"gift": [{"exists": True}]},
        {"tags": [{"exists": True}]},
        {"none": [{"exists": False}]},
        {"empty": [{"exists": False}]},
        {"customer": [{"exists": False}]},
        {"items": [{"exists": False}]},
        {"none": {"deeper": [{"exists": False}]}},
        {"none": [{"exists": False}, "x"], "channel": "pos", "paid": True},
        {"customer": {"consent": {"sms": True}}, "channel": "pos", "amount": 129.9},
        {"items": {"sku": "b", "n": 2}},
        {"items": {"sku": "a", "gift": [{"exists": False}]}},
        {"grid": {"x": 2, "y": 3}},
        {"$or": [{"channel": "web"}, {"paid": True}]},
        {"$or": [{"none": [{"exists": False}]}, {"channel": "web"}], "paid": True},
        {"customer": {"$or": [{"segment": "x"}, {"consent": {"sms": True}}]}},
        {"items": {"sku": "b"}, "$or": [{"items": {"n": 2}}, {"channel": "web"}]},
        {"channel": "pos", "$or": [{"channel": [{"prefix": "p"}]}, {"paid": False}]},
        {"$or": [{"$or": [{"paid": False}, {"items": {"n": 1}}]}, {"items": {"sku": "z"}}]},
    ],
)
def test_holds_for_the_event(pattern: dict[str, Any]) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.matches(EVENT) is True
    assert all(condition.holds for condition in compiled.explain(EVENT))


@pytest.mark.parametrize(
    "pattern",
    [
        {"channel": "web"},
        {"channel": "POS"},
        {"none": "pos"},
        {"paid": 1},
        {"count": True},
        {"count": "1"},
        {"count": [{"prefix": "1"}]},
        {"channel": [{"prefix": "x"}]},
        {"channel": [{"wildcard": "po*os"}]},
        {"channel": [{"wildcard": "p*x*s"}]},
        {"channel": [{"wildcard": "*x"}]},
        {"channel": [{"wildcard": "*o*o*"}]},
        {"star": [{"wildcard": r"a\*c"}]},
        {"channel": [{"anything-but": ["pos", "web"]}]},
        {"channel": [{"anything-but": {"prefix": ["x", "p"]}}]},
        {"none": [{"anything-but": "x"}]},
        {"customer": [{"anything-but": "x"}]},
        {"paid": [{"numeric": [">=", 0]}]},
        {"channel": [{"numeric": [">=", 0]}]},
        {"amount": [{"numeric": [">", 129.9]}]},
        {"none": [{"exists": True}]},
        {"empty": [{"exists": True}]},
        {"customer": [{"exists": True}]},
        {"gift": [{"exists": False}]},
        {"channel": {"x": 1}},
        {"empty": {"x": 1}},
        {"items": {"sku": "a", "n": 2}},
        {"items": {"gift": [{"exists": False}]}},
        {"items": {"sku": "b", "gift": [{"exists": False}]}},
        {"grid": {"x": 1, "y": 3}},
        {"channel": "pos", "amount": 129.9, "paid": False},
        {"channel": "web", "none": [{"exists": False}]},
        {"items": {"sku": "a"}, "$or": [{"items": {"n": 2}}, {"channel": "web"}]},
        {"items": {"sku": "a", "$or": [{"n": 2}, {"n": 3}]}},
        {"$or": [{"channel": "web"}, {"gift": [{"exists": False}]}]},
    ],
)
def test_fails_for_the_event_and_says_where(pattern: dict[str, Any]) -> None:
    compiled = compile_pattern(pattern)
    assert compiled.matches(EVENT) is False
    assert not all(condition.holds for condition in compiled.explain(EVENT))


@pytest.mark.parametrize(
    ("pattern", "path", "words"),
    [
        ([], (), "expected an object"),
        ({"a": {}}, ("a",), "at least one field"),
        ({"a": []}, ("a",), "empty list"),
        ({1: "x"}, (1,), "quotes"),
        ({"a": [["x"]]}, ("a", 0), "expected text"),
        ({"a": float("nan")}, ("a", 0), "finite"),
        ({"a": [{"prefx": "x"}]}, ("a", 0, "prefx"), "did you mean `prefix`"),
        ({"a": [{"cidr": "x"}]}, ("a", 0, "cidr"), "known: prefix"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, ("a", 0), "one operator"),
        ({"a": [{}]}, ("a", 0), "one operator"),
        ({"a": {"numeric": [">", 1]}}, ("a",), "write [{numeric: …}]"),
        ({"a": {"exists": False}}, ("a",), "must stand in a list"),
        ({"a": [{"prefix": 5}]}, ("a", 0, "prefix"), "takes text"),
        ({"a": [{"prefix": {"wildcard": "x"}}]}, ("a", 0, "prefix"), "takes text"),
        ({"a": [{"wildcard": {"equals-ignore-case": "x"}}]}, ("a", 0, "wildcard"), "takes text"),
        ({"a": [{"wildcard": "a**"}]}, ("a", 0, "wildcard"), "in a row"),
        ({"a": [{"wildcard": "a\\b"}]}, ("a", 0, "wildcard"), "backslash"),
        ({"a": [{"wildcard": "a\\"}]}, ("a", 0, "wildcard"), "backslash"),
        ({"a": [{"wildcard": "a*" * 17}]}, ("a", 0, "wildcard"), "more than 16"),
        ({"a": [{"exists": 0}]}, ("a", 0, "exists"), "true or false"),
        ({"a": [{"numeric": 5}]}, ("a", 0, "numeric"), "one or two"),
        ({"a": [{"numeric": ["<", 5, ">", 0]}]}, ("a", 0, "numeric"), "lower bound first"),
        ({"a": [{"numeric": [["<"], 5]}]}, ("a", 0, "numeric"), "compares with"),
        ({"a": [{"numeric": ["<", True]}]}, ("a", 0, "numeric"), "finite numbers"),
        ({"a": [{"numeric": [">", 5, "<", 1]}]}, ("a", 0, "numeric"), "empty range"),
        ({"a": [{"numeric": [">", 5, "<=", 5]}]}, ("a", 0, "numeric"), "empty range"),
        ({"a": [{"anything-but": []}]}, ("a", 0, "anything-but"), "excludes nothing"),
        ({"a": [{"anything-but": {}}]}, ("a", 0, "anything-but"), "one of: prefix"),
        ({"a": [{"anything-but": {"numeric": 1}}]}, ("a", 0, "anything-but"), "one of: prefix"),
        (
            {"a": [{"anything-but": {"prefix": ["x", ""]}}]},
            ("a", 0, "anything-but", "prefix"),
            "must not be empty",
        ),
        ({"$or": {"a": 1}}, ("$or",), "two or more"),
        ({"$or": [{"a": 1}]}, ("$or",), "two or more"),
        ({"$or": [{"a": 1}, {}]}, ("$or", 1), "at least one field"),
    ],
)
def test_a_wrong_pattern_is_refused_by_path_and_reason(
    pattern: dict[str, Any], path: tuple[str | int, ...], words: str
) -> None:
    with pytest.raises(PatternErrors) as caught:
        compile_pattern(pattern)
    (error,) = caught.value.errors
    assert error.path == path
    assert words in str(error)


def test_all_that_is_wrong_is_reported_at_once() -> None:
    with pytest.raises(PatternErrors) as caught:
        compile_pattern({"a": [], "b": [{"x": 1}, [2]], "c": {"d": {}}})
    assert [e.path for e in caught.value.errors] == [("a",), ("b", 0, "x"), ("b", 1), ("c", "d")]


@pytest.mark.parametrize("event", [{}, EVENT])
def test_the_empty_pattern_matches_every_event(event: dict[str, Any]) -> None:
    everything = compile_pattern({})
    assert everything.matches(event) is True
    assert everything.explain(event) == []


def test_a_field_may_be_named_like_an_operator() -> None:
    assert matches({"phone": {"prefix": ["90"]}}, {"phone": {"prefix": "90"}})


@pytest.mark.parametrize("levels", [31, 32, 33])
def test_alternatives_within_alternatives_are_limited_too(levels: int) -> None:
    """Each `$or` is a level, though its objects stand in a list."""
    deep: dict[str, Any] = {"a": 1}
    for _ in range(levels):
        deep = {"$or": [deep, {"b": 1}]}
    if levels < 32:
        assert compile_pattern(deep).matches({"a": 1})
        return
    with pytest.raises(PatternErrors, match="nested deeper than 32 levels"):
        compile_pattern(deep)


def test_nesting_and_combinations_are_limited() -> None:
    deep: dict[str, Any] = {"a": 1}
    for _ in range(40):
        deep = {"a": deep}
    with pytest.raises(PatternErrors, match="deeper"):
        compile_pattern(deep)
    two = [{"a": 1}, {"b": 1}]
    wide: dict[str, Any] = {f"k{n}": {"$or": two} for n in range(9)}
    with pytest.raises(PatternErrors, match="256 combinations"):
        compile_pattern(wide)
    wide.popitem()
    assert matches(wide, {f"k{n}": {"b": 1} for n in range(8)})
    four = [{"$or": two}, {"$or": two}]
    with pytest.raises(PatternErrors, match="256 combinations"):
        compile_pattern({f"k{n}": {"$or": four} for n in range(5)})


def test_an_event_that_nests_a_thousand_arrays_is_no_trouble() -> None:
    nested: Any = "x"
    for _ in range(1000):
        nested = [nested]
    assert matches({"a": "x"}, {"a": nested})
    assert not matches({"a": {"b": "x"}}, {"a": nested})


# ---- against an independent reading: flat fields with the array elements they stand in -----

Flat = list[tuple[tuple[str, ...], object, dict[int, int]]]


def flatten(value: Any, path: tuple[str, ...], within: dict[int, int], into: Flat) -> None:
    if isinstance(value, dict):
        for key, each in value.items():
            flatten(each, (*path, key), within, into)
    elif isinstance(value, list):
        array = id(value)
        for index, each in enumerate(value):
            inside = within | {array: index} if isinstance(each, (dict, list)) else within
            flatten(each, path, inside, into)
    else:
        into.append((path, value, within))


def conjunctions(pattern: Any, path: tuple[str, ...]) -> list[list[tuple[tuple[str, ...], Any]]]:
    """`$or` multiplied out: lists of (path, values), all of which must hold."""
    groups = []
    for key, value in pattern.items():
        if key == "$or":
            groups.append([conjunction for one in value for conjunction in conjunctions(one, path)])
        elif isinstance(value, dict):
            groups.append(conjunctions(value, (*path, key)))
        else:
            groups.append([[((*path, key), value)]])
    return [list(chain(*chosen)) for chosen in product(*groups)]


def accepts(wanted: Any, value: Any) -> bool:  # noqa: PLR0911 - one return an operator
    if not isinstance(wanted, dict):
        return (wanted == value) and isinstance(wanted, bool) == isinstance(value, bool)
    ((name, argument),) = wanted.items()
    if name == "exists":
        return bool(argument)
    if name == "anything-but":
        inner = argument if isinstance(argument, (dict, list)) else [argument]
        return not any(accepts(a, value) for a in ([inner] if isinstance(inner, dict) else inner))
    if name == "numeric":
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and bool(argument[1] <= value < argument[3])
    if not isinstance(value, str):
        return False
    if name == "wildcard":
        return fnmatch.fnmatchcase(value, argument)
    if name == "equals-ignore-case":
        return bool(value.lower() == argument.lower())
    return value.startswith(argument) if name == "prefix" else value.endswith(argument)


def agree(one: dict[int, int], two: dict[int, int]) -> bool:
    return all(two.get(array, index) == index for array, index in one.items())


def holds(conditions: list[Any], fields: Flat, within: dict[int, int], gone: list[Any]) -> bool:
    """Choose a field for each condition, all within the same elements; or none, last of all."""
    if not conditions:
        there = {path for path, _, where in fields if agree(where, within)}
        return not any(path in there for path in gone)
    (path, wanted), *rest = conditions
    if {"exists": False} in wanted and holds(rest, fields, within, [*gone, path]):
        return True
    return any(
        holds(rest, fields, within | where, gone)
        for at, value, where in fields
        if at == path and agree(where, within) and any(accepts(w, value) for w in wanted)
    )


def naive(pattern: Any, event: Any) -> bool:
    fields: Flat = []
    flatten(event, (), {}, fields)
    return any(holds(c, fields, {}, []) for c in conjunctions(pattern, ()))


@pytest.mark.parametrize("text", ["\u0130STANBUL", "I\u0307STANBUL", "i\u0307stanbul", "Istanbul"])
@pytest.mark.parametrize("wanted", ["istanbul", "\u0130stanbul", "ISTANBUL", "\u0131stanbul"])
def test_case_is_ignored_in_turkish_too(wanted: str, text: str) -> None:
    """The capital of i is \u0130 there, and that of \u0131 is I."""
    for test in (
        {"equals-ignore-case": wanted},
        {"prefix": {"equals-ignore-case": wanted[:3]}},
        {"suffix": {"equals-ignore-case": wanted[-5:]}},
    ):
        assert compile_pattern({"city": [test]}).matches({"city": text})
    unlike = {"anything-but": {"equals-ignore-case": wanted}}
    assert not compile_pattern({"city": [unlike]}).matches({"city": text})


def test_other_letters_stay_apart_without_case() -> None:
    pattern = compile_pattern({"city": [{"equals-ignore-case": "\u015ei\u015fli"}]})
    assert pattern.matches({"city": "\u015e\u0130\u015eL\u0130"})
    assert pattern.matches({"city": "S\u0327I\u0307S\u0327LI\u0307"})
    assert not pattern.matches({"city": "SISLI"})


KEYS = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "X", "xy", "yx", "xyx"])
SCALARS = TEXTS | st.sampled_from([0, 1, 1.0, 2.5, True, False, None])
OPERATORS = st.one_of(
    st.builds(
        lambda name, text: {name: text},
        st.sampled_from(["prefix", "suffix", "equals-ignore-case"]),
        TEXTS,
    ),
    st.sampled_from([{"wildcard": w} for w in ("*", "x*", "*y*", "x*y*x", "xy")]),
    st.just({"numeric": [">=", 0, "<", 2]}),
    st.builds(lambda v: {"anything-but": v}, SCALARS | st.lists(SCALARS, min_size=1, max_size=2)),
    st.sampled_from([{"anything-but": {"prefix": "x"}}, {"anything-but": {"wildcard": "*y"}}]),
    st.just({"exists": True}),
)
ABSENT = st.just({"exists": False})
EVENTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=3,
)


def patterns(leaves: st.SearchStrategy[Any], depth: int, *, ors: bool) -> st.SearchStrategy[Any]:
    inner = patterns(leaves, depth - 1, ors=ors) if depth else st.nothing()
    fields = st.dictionaries(KEYS, leaves | inner, min_size=1, max_size=2)
    if not ors or not depth:
        return fields
    both = st.builds(
        lambda f, one: f | {"$or": one}, fields, st.lists(inner, min_size=2, max_size=2)
    )
    return fields | both


PRESENT = st.lists(SCALARS | OPERATORS, min_size=1, max_size=2)
MAYBE = st.lists(SCALARS | OPERATORS | ABSENT, min_size=1, max_size=2)


def leaf_paths(conjunction: list[Any]) -> bool:
    """Each path once: the engine followed lets the later of two replace the earlier."""
    paths = [path for path, _ in conjunction]
    return len(paths) == len(set(paths))


@settings(max_examples=400)
@given(patterns(PRESENT, 2, ors=True) | patterns(MAYBE, 2, ors=False), EVENTS)
def test_agrees_with_flat_fields_and_array_membership(pattern: Any, event: Any) -> None:
    compiled = compile_pattern(pattern)
    if all(map(leaf_paths, conjunctions(pattern, ()))):
        assert compiled.matches(event) == naive(pattern, event)
    conditions = compiled.explain(event)
    assert all(condition.holds for condition in conditions) == compiled.matches(event)
