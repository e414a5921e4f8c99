"""JSON templates: whole texts are filled, nothing is pasted, and slips are refused."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from consumer.vendors.http_batch.templates import DEPTH, check, fill

KNOWN = ("phone", "id")


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ({"a": "$phone"}, {"a": "+90"}),
        ({"a": {"b": ["$phone", "x"]}, "c": 1}, {"a": {"b": ["+90", "x"]}, "c": 1}),
        ({"a": "$id", "b": 2}, {"b": 2}),
        ({"a": ["$id", "$phone"]}, {"a": ["+90"]}),
        ({"a": {"b": "$id"}}, {"a": {}}),
        ({"a": "$data.map"}, {"a": {"k": "v"}}),
        ({"a": "$data.map.k"}, {}),
        (
            {"a": "$$phone", "b": "$$", "c": "$", "d": ""},
            {"a": "$phone", "b": "$", "c": "$", "d": ""},
        ),
        ({"a": "US$ 5", "b": None, "c": True}, {"a": "US$ 5", "b": None, "c": True}),
        ("$phone", "+90"),
        ("$id", None),
    ],
)
def test_places_are_filled_and_absent_ones_left_out(template: JsonValue, filled: JsonValue) -> None:
    check(template, KNOWN, data=True)

    assert fill(template, {"phone": "+90", "data.map": {"k": "v"}}) == filled


def test_what_is_filled_in_is_not_a_template_itself() -> None:
    assert fill({"a": "$phone"}, {"phone": "$id", "id": "hidden"}) == {"a": "$id"}


@given(st.text())
def test_no_value_leaves_its_place(value: str) -> None:
    try:
        filled = orjson.dumps(fill({"a": ["$phone"], "b": 1}, {"phone": value}))
    except orjson.JSONEncodeError:  # a lone surrogate, which no JSON document holds
        return

    assert orjson.loads(filled) == {"a": [value], "b": 1}


def test_the_places_are_named_once_and_in_order() -> None:
    template: JsonValue = {"a": "$id", "b": ["$data.x", "$phone", "$id"]}

    assert check(template, KNOWN, data=True) == ["id", "data.x", "phone"]


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ({"a": "$fone"}, r"'\$fone' is not known here; there are: \$phone, \$id, \$data.<name>"),
        ({"a": "$data."}, r"'\$data.' is not known"),
        ({"a": "$phone "}, r"'\$phone ' is not known"),
        ({"a": "tel:$phone"}, "only a whole text is filled"),
        ({"a": "x $data.y"}, "only a whole text is filled"),
        ({"$phone": 1}, "keys are never filled"),
        ({"a": [{"x$id": 1}]}, "keys are never filled"),
    ],
)
def test_a_place_that_would_not_be_filled_is_refused(template: JsonValue, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check(template, KNOWN, data=True)


def test_without_data_its_names_are_not_known() -> None:
    with pytest.raises(ValueError, match=r"there are: \$phone, \$id$"):
        check({"a": "$data.x"}, KNOWN)
    assert check({"a": "x $data.y"}, KNOWN) == []


def test_a_template_may_not_be_endless() -> None:
    deep: JsonValue = "$phone"
    for _ in range(DEPTH - 1):
        deep = [deep]
    assert check(deep, KNOWN) == ["phone"]

    with pytest.raises(ValueError, match="levels"):
        check([deep], KNOWN)
