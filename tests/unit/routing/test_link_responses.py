"""Values in a link, as base64 of a JSON array."""

from __future__ import annotations

from base64 import b64decode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.routing.link_responses import checked_response, encoded_responses

ITEM = {"question_key": "$key", "body": "$value", "kind": "text"}


def test_each_value_is_one_object_of_the_configs_form() -> None:
    encoded = encoded_responses(ITEM, {"segment": "gold", "store": "Kadıköy & 1"})

    assert encoded is not None
    assert orjson.loads(b64decode(encoded, validate=True)) == [
        {"question_key": "segment", "body": "gold", "kind": "text"},
        {"question_key": "store", "body": "Kadıköy & 1", "kind": "text"},
    ]
    assert encoded_responses(ITEM, {}) is None


@given(st.dictionaries(st.text(), st.text(), min_size=1))
def test_no_value_is_lost_or_changed(values: dict[str, str]) -> None:
    objects = orjson.loads(b64decode(encoded_responses(ITEM, values) or ""))

    assert {one["question_key"]: one["body"] for one in objects} == values


@pytest.mark.parametrize(
    "item", [{}, {"a": "$key"}, {"a": "$value"}, {"a": "$key", "b": "$value", "c": "$name"}]
)
def test_a_form_that_loses_a_value_is_refused(item: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\$key and \$value once each"):
        checked_response(item)


def test_a_form_with_both_is_kept() -> None:
    assert checked_response(ITEM) == ITEM
