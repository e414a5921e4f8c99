"""Conditions of a pattern one by one: what was wanted, what the event has, whether it holds."""

from __future__ import annotations

from typing import Any

from consumer.routing.patterns.conditions import MOST_ELEMENTS, Condition
from consumer.routing.patterns.match import MISSING
from consumer.routing.patterns.pattern import compile_pattern

EVENT: dict[str, Any] = {
    "channel": "pos",
    "paid": True,
    "count": 1,
    "customer": {"consent": {"sms": True}},
    "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2, "gift": True}],
}


def explain(pattern: dict[str, Any]) -> list[Condition]:
    compiled = compile_pattern(pattern)
    conditions = compiled.explain(EVENT)
    assert all(condition.holds for condition in conditions) == compiled.matches(EVENT)
    return conditions


def test_each_condition_has_its_path_what_was_wanted_and_what_is_there() -> None:
    assert explain({"channel": ["web", {"prefix": "p"}], "shop": 1, "count": {"x": 1}}) == [
        Condition("channel", ["web", {"prefix": "p"}], "pos", True),
        Condition("shop", [1], MISSING, False),
        Condition("count.x", [1], MISSING, False),
    ]


def test_nested_keys_are_one_path() -> None:
    assert explain({"customer": {"consent": {"mail": True, "sms": True}}}) == [
        Condition("customer.consent.mail", [True], MISSING, False),
        Condition("customer.consent.sms", [True], True, True),
    ]


def test_an_array_is_one_condition() -> None:
    (items,) = explain({"items": {"sku": "a", "n": 2}})
    assert (items.path, items.found, items.holds) == ("items", EVENT["items"], False)
    assert items.expected == {"sku": ["a"], "n": [2]}
    assert explain({"items": {"sku": "b", "n": 2}})[0].holds


def test_the_first_elements_of_an_array_are_explained() -> None:
    (items,) = explain({"items": {"sku": "a", "n": 2}})
    assert [[condition.holds for condition in element] for element in items.alternatives] == [
        [True, False],
        [False, True],
    ]
    compiled = compile_pattern({"a": {"b": 1}})
    (many,) = compiled.explain({"a": [[{"b": 2}] * 9, 7, {"b": 1}]})
    assert (many.holds, len(many.alternatives)) == (True, MOST_ELEMENTS)


def test_an_or_has_its_alternatives() -> None:
    (either,) = explain({"$or": [{"paid": False}, {"channel": "pos", "shop": 2}]})
    assert (either.path, either.holds) == ("$or", False)
    assert either.expected == [{"paid": [False]}, {"channel": ["pos"], "shop": [2]}]
    assert either.alternatives == [
        [Condition("paid", [False], True, False)],
        [Condition("channel", ["pos"], "pos", True), Condition("shop", [2], MISSING, False)],
    ]


def test_a_nested_or_is_written_as_the_config_has_it() -> None:
    either = [{"n": 1, "$or": [{"sku": "x"}, {"sku": "y"}]}, {"n": 2}]
    (condition,) = explain({"items": {"$or": either}})
    inner = {"n": [1], "$or": [{"sku": ["x"]}, {"sku": ["y"]}]}
    assert (condition.expected, condition.holds) == ({"$or": [inner, {"n": [2]}]}, True)


def test_two_ors_of_one_object_are_a_list_of_both() -> None:
    one, two = [{"n": [1]}, {"n": [2]}], [{"gift": [True]}, {"sku": ["z"]}]
    (condition,) = explain({"items": {"x": {"$or": one}}, "items.x": {"$or": two}})
    assert condition.expected == {"x": {"$or": [one, two]}}


def test_conditions_that_hold_in_different_elements_fail_together() -> None:
    items, either, together = explain(
        {"items": {"sku": "a"}, "$or": [{"items": {"n": 2}}, {"paid": False}]}
    )
    assert (items.holds, either.holds) == (True, True)
    assert (together.path, together.holds) == ("$or", False)


def test_the_element_that_the_others_chose_decides_about_absence() -> None:
    """The second element has a gift, but the conditions chose the first."""
    pattern = {"items": {"sku": "a"}, "$or": [{"items": {"gift": [{"exists": False}]}}, {"x": 1}]}
    assert all(condition.holds for condition in explain(pattern))
