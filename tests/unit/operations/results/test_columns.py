"""Columns: all fields of a result but the link, flat."""

from __future__ import annotations

import pytest

from consumer.operations.results.columns import COLUMNS, Found, row_of, value_by
from consumer.records.result import Result
from tests.unit.operations.results.made import made


def test_every_field_of_a_result_is_a_column_but_its_version_and_link() -> None:
    flat = {*COLUMNS} - {"written_at", "source_topic", "source_partition", "source_offset"}
    assert flat == Result.__annotations__.keys() - {"version", "link", "source"}


def test_a_row_has_all_columns_in_their_order() -> None:
    row = row_of(made(tags=["vip"], keys={"store.id": "12"}, redirected=True))
    assert list(row) == list(COLUMNS)
    assert row["written_at"] == "2026-11-22T14:26:40.000Z"
    assert (row["source_topic"], row["source_partition"], row["source_offset"]) == ("pos", 2, 7)
    assert (row["status"], row["tags"], row["redirected"]) == ("accepted", ["vip"], True)
    assert row["rule"] is None


def test_a_link_is_in_no_row() -> None:
    """It may hold personal data."""
    assert "anna@example.com" not in str(row_of(made(link="https://s.example/?e=anna@example.com")))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("route", "store"),
        ("day", "2026-11-22"),
        ("month", "2026-11"),
        ("hour", "2026-11-22T14"),
        ("source_offset", 7),
        ("keys.store.id", "12"),
        ("keys.another", None),
        ("event.store.city", "Ankara"),
        ("event.another", None),
        ("duplicate_of", None),
    ],
)
def test_a_field_is_read_by_its_name(name: str, value: object) -> None:
    read = value_by(name)
    assert read is not None
    assert read(made(keys={"store.id": "12"}, event={"store.city": "Ankara"})) == value


@pytest.mark.parametrize("name", ["link", "version", "source", "", "store", "route.a"])
def test_another_name_is_no_field(name: str) -> None:
    assert value_by(name) is None


def test_a_result_without_keys_has_no_value_of_one() -> None:
    read = value_by("keys.store.id")
    found: Found = made()
    assert read is not None
    assert read(found) is None
