"""Counts: they add up, whatever they are grouped by, and stay bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import OperationError
from consumer.operations.results.summary import OTHERS, Summary
from consumer.records.result import Reason, Status
from tests.unit.operations.results.made import made

RESULTS = st.lists(
    st.tuples(st.sampled_from(Reason), st.sampled_from("abc"), st.none() | st.integers(200, 202))
)


def summary(
    by: list[str], results: Sequence[tuple[Reason, str, int | None]], most: int = 99
) -> Summary:
    counted = Summary(by, most)
    for reason, route, http_status in results:
        counted.add(made(reason, route=route, http_status=http_status))
    return counted


@given(
    RESULTS,
    st.lists(st.sampled_from(["status", "reason", "route", "http_status", "day", "tags"])),
    st.integers(1, 9),
)
def test_groups_add_up_to_all_results(
    results: list[tuple[Reason, str, int | None]], by: list[str], most: int
) -> None:
    rows = summary(by, results, most).rows()
    assert sum(row["results"] for row in rows) == len(results)
    assert len(rows) <= most + 1
    for status in Status:
        expected = sum(reason.status is status for reason, *_ in results)
        assert sum(row[status.value] for row in rows) == expected
    for row in rows:
        assert sum(row[status.value] for status in Status) == row["results"]
        assert row["accepted_rate"] == pytest.approx(row["accepted"] / row["results"], abs=1e-4)


@given(RESULTS)
def test_a_group_counts_what_has_its_values(results: list[tuple[Reason, str, int | None]]) -> None:
    found = {
        (row["route"], row["http_status"]): row["results"]
        for row in (summary(["route", "http_status"], results).rows())
    }
    pairs = [(route, http_status) for _, route, http_status in results]
    assert found == {pair: pairs.count(pair) for pair in pairs}


def test_rows_are_in_order_with_what_is_missing_behind() -> None:
    results = [(Reason.ACCEPTED, "a", code) for code in (None, 500, 200)]
    rows = summary(["http_status"], results).rows()
    assert [row["http_status"] for row in rows] == [200, 500, None]


def test_groups_beyond_the_bound_are_one() -> None:
    results = [(Reason.ACCEPTED, route, 200) for route in "abcda"]
    rows = summary(["route"], results, most=2).rows()
    assert [(row["route"], row["results"]) for row in rows] == [("a", 2), ("b", 1), (OTHERS, 2)]


def test_lists_and_maps_are_grouped_as_json() -> None:
    counted = Summary(["tags", "keys"])
    counted.add(made(tags=["a", "b"], keys={"store.id": "12"}))
    (row,) = counted.rows()
    assert (row["tags"], row["keys"]) == ('["a","b"]', '{"store.id":"12"}')
    assert counted.columns == list(row)


@pytest.mark.parametrize("name", ["store", "link", ""])
def test_an_unknown_field_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(OperationError, match=r"expected fields .*written_at, .*keys\.EXPRESSION"):
        Summary(["route", name])


def test_a_chosen_value_of_the_event_is_a_field_by_its_own_name() -> None:
    counted = Summary(["store", "route"], chosen=["store", "route"])
    counted.add(made(event={"store": "12", "route": "of the event"}))
    (row,) = counted.rows()
    assert (row["store"], row["route"]) == ("12", "store")
