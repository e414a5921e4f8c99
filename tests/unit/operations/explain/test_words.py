"""Conditions and rules in words."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.operations.explain.rule_details import DETAILS
from consumer.operations.explain.words import wanted
from consumer.policy.rules import ALL_RULES, ROUTE_RULES

BUT = "anything but text that begins with a or text that begins with b"


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        (["pos", 1, None, True], "pos or 1 or null or true"),
        ([{"numeric": [">=", 1]}], ">= 1"),
        ([{"numeric": [">", 1, "<=", 2]}], "> 1 and <= 2"),
        ([{"exists": True}], "any value"),
        ([{"exists": False}], "no value"),
        ([{"prefix": "a"}], "text that begins with a"),
        ([{"suffix": {"equals-ignore-case": "a"}}], "text that ends with a, in any case"),
        ([{"wildcard": "a*"}], "text like a*"),
        ([{"equals-ignore-case": "a"}], "a in any case"),
        ([{"anything-but": ["a", 1]}], "anything but a or 1"),
        ([{"anything-but": "a"}], "anything but a"),
        ([{"anything-but": {"prefix": ["a", "b"]}}], BUT),
        ([{"anything-but": {"suffix": "a"}}], "anything but text that ends with a"),
        ({"sku": ["a"], "n": [2]}, "an element with sku: a, n: 2"),
        ("one array element for all", "one array element for all"),
    ],
)
def test_what_a_condition_wants(expected: Any, words: str) -> None:
    assert wanted(expected) == words


def test_every_rule_at_routing_has_its_words() -> None:
    assert {*ALL_RULES.at_routing, *ROUTE_RULES} <= DETAILS.keys()
