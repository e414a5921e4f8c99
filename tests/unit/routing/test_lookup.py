"""`lookup()` in an expression: one cell of a table, or null, whatever the key is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.records.channel import ChannelSpec
from consumer.routing.decoding.digits import Written
from consumer.routing.expressions import compile_value, needs_digits, plain_path
from consumer.routing.lookup import LookupTable
from consumer.routing.route import Target

STORES = LookupTable(
    {"store_id": 0, "location_id": 1, "survey": 2},
    {
        "0042": ("0042", "izmir-1", "short"),
        "42": ("42", "ankara-1", None),
        "12.50": ("12.50", "dot-1", None),
        "true": ("true", "flag-1", None),
    },
)
TABLES = {"stores": STORES, "surveys": LookupTable({"name": 0, "id": 1}, {"short": ("short", "7")})}

HOSTILE: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


def value(expression: str, code: object = None) -> object:
    return compile_value(expression, TABLES)({"store": {"code": code}})


@pytest.mark.parametrize(
    ("code", "cell"),
    [
        ("0042", "izmir-1"),
        (" 42\u00a0", "ankara-1"),
        (42, "ankara-1"),
        (Written("12.50"), "dot-1"),
        (12.5, None),
        (Written("4.2e1"), None),
        (True, "flag-1"),
        ("43", None),
        ("", None),
        (None, None),
        ([], None),
        (["42"], None),
        ({"code": "42"}, None),
        (10**400, None),
        (float("nan"), None),
        ("x" * 1_000_000, None),
        ("4\x002", None),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_key_finds_its_cell_by_its_text(code: object, cell: str | None) -> None:
    assert value("lookup('stores', store.code, 'location_id')", code) == cell


@pytest.mark.parametrize(
    "expression",
    [
        "lookup('stores', store.code, 'survey')",  # an empty cell
        "lookup('stores', nothing.at.all, 'survey')",
        "lookup('stores', store.code, 'none')",
        "lookup('none', store.code, 'survey')",
        "lookup(nothing, store.code, nothing)",
        "lookup(store, store.code, store)",
        "lookup('stores', &store.code, 'survey')",
        "lookup('stores', @, 'survey')",
    ],
)
def test_what_is_not_there_is_null(expression: str) -> None:
    assert value(expression, "42") is None


def test_a_lookup_stands_where_any_value_does() -> None:
    assert value("lookup('stores', store.code, 'survey') || 'none'", "42") == "none"
    chained = "lookup('surveys', lookup('stores', store.code, 'survey'), 'id')"
    assert value(chained, "0042") == "7"
    assert value("[store.code] | [].lookup('stores', @, 'location_id')", 42) == ["ankara-1"]
    assert value("lookup ( 'stores' , `42`, 'location_id')") == "ankara-1"


def test_equal_expressions_read_the_tables_that_each_was_given() -> None:
    """A reload compiles the same text for another table."""
    expression = "lookup('stores', store.code, 'city')"
    first, second = (
        compile_value(expression, {"stores": LookupTable({"city": 0}, {"1": (city,)})})
        for city in ("İzmir", "Ankara")
    )
    event = {"store": {"code": 1}}
    assert (first(event), second(event)) == ("İzmir", "Ankara")
    assert compile_value(expression)(event) is None


def test_a_lookup_needs_digits_and_is_no_plain_path() -> None:
    expression = "lookup('stores', store.code, 'city')"
    assert needs_digits(expression)
    assert plain_path(expression) == []
    assert plain_path("lookup.code") == ["lookup", "code"]
    assert compile_value("lookup.code")({"lookup": {"code": 1}}) == 1


@pytest.mark.parametrize(
    ("number", "cell"),
    [("12.50", "dot-1"), ("12.5", None), ("42", "ankara-1"), ("42.0", None), ("4.2e1", None)],
)
def test_a_numbers_digits_are_those_of_the_record(number: str, cell: str | None) -> None:
    expression = "lookup('stores', n, 'location_id') || 'none'"
    values = [("f", compile_value(expression, TABLES, exact=True))]
    target = Target("c", "l", "v", "sms", ChannelSpec(("phone",)), values)
    raw = f'{{"n": {number}, "m": 12.5}}'.encode()
    assert target.data(orjson.loads(raw), raw) == {"f": cell or "none"}
    assert target.data({"n": 12.5}, b"{") == {"f": "none"}


@given(table=HOSTILE, key=HOSTILE, column=HOSTILE)
def test_no_argument_raises(table: object, key: object, column: object) -> None:
    event = {"t": table, "k": key, "c": column}
    for expression in ("lookup('stores', k, 'survey')", "lookup(t, k, c)"):
        found = compile_value(expression, TABLES)(event)
        assert found is None or isinstance(found, str)


@given(
    rows=st.dictionaries(
        st.text(max_size=4).map(str.strip).filter(bool), st.text(max_size=4), max_size=6
    ),
    key=st.text(max_size=4),
)
def test_a_text_finds_the_row_of_its_key_alone(rows: dict[str, str], key: str) -> None:
    table = LookupTable({"a": 0, "b": 1}, {it: (it, text or None) for it, text in rows.items()})
    found = compile_value("lookup('t', k, 'b')", {"t": table})({"k": key})
    assert found == (rows.get(key.strip()) or None)


def test_a_table_shows_no_cell() -> None:
    assert "izmir" not in repr(STORES)
