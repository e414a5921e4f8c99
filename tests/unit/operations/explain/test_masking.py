"""What an explanation shows of a customer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.operations.explain.masking import Masking
from consumer.routing.patterns.match import MISSING

MASKING = Masking(addresses=frozenset({"ada", "+90 532"}))


@pytest.mark.parametrize(
    ("given_value", "shown"),
    [
        (None, None),
        ("+905321234567", "+9…67"),
        (905321234567, "90…67"),
        ("ada@example.com", "ad…om"),
        ("a@b.org", "…"),
    ],
)
def test_an_address_keeps_its_ends(given_value: object, shown: object) -> None:
    assert MASKING.address(given_value) == shown


@given(st.text(min_size=5) | st.integers(10**6))
def test_a_masked_address_lacks_its_middle(address: str | int) -> None:
    shown = MASKING.address(address)
    assert shown != address or "…" in str(address)
    assert len(str(shown)) <= 5


def test_data_is_shown_by_its_length_and_blank_data_as_it_is() -> None:
    assert [MASKING.data(text) for text in ("Ada", "", "  ")] == ["<text of 3>", "", "  "]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (MISSING, None),
        (None, None),
        (True, True),
        (129.9, 129.9),
        (123456, 123456),
        (5321234567, "53…67"),
        ("pos", "pos"),
        ("ada", "…"),
        ("to ada@example.com", "to…om"),
        ("to ada＠example.com", "to…om"),
        ("call 0532-123 45/67", "ca…67"),
        ({"a": 1}, "<object with 1 keys>"),
        (["pos", 5321234567, {}], ["pos", "53…67", "<object with 0 keys>"]),
        ([1] * 6, [1, 1, 1, 1, 1, "…"]),
        ("x" * 81, "x" * 80 + "…"),
    ],
)
def test_a_found_value_is_shown_unless_it_may_be_an_address(found: Any, shown: Any) -> None:
    assert MASKING.found(found, ["web"]) == shown


@pytest.mark.parametrize(("found", "shown"), [("Ada", "<text>"), (7, "<number>"), (None, None)])
def test_a_condition_of_existence_shows_no_value(found: Any, shown: Any) -> None:
    assert MASKING.found(found, [{"exists": True}]) == shown
    assert MASKING.found(found, [{"exists": True}, "x"]) == found


def test_nothing_is_masked_if_the_operator_asks_for_all() -> None:
    shown = Masking(off=True)
    assert shown.address("+905321234567") == "+905321234567"
    assert shown.data("Ada") == "Ada"
    assert shown.found({"a": ["ada@example.com"]}, [{"exists": True}]) == {"a": ["ada@example.com"]}
    assert shown.found(MISSING) is None
    assert shown.words("ada@example.com") == "ada@example.com"
