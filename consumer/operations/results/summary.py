"""Counts of results by fields and status.

Memory: a counter for each group and status, of `MOST_GROUPS` groups at most; what is beyond them
(`--by id`) is counted in one further group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from consumer.errors import OperationError
from consumer.operations.results.columns import GROUPED_BY, Found, Row, value_by
from consumer.records.result import Status

MOST_GROUPS: Final = 10_000
OTHERS: Final = "(others)"


@dataclass(slots=True)
class Summary:
    """Counts by the fields `by`. Raises OperationError for a field that no result has.

    `chosen`: names of the config's `results.fields`, which may stand without `event.`.
    """

    by: Sequence[str]
    most: int = MOST_GROUPS
    chosen: Collection[str] = ()
    total: int = 0
    _groups: dict[tuple[Any, ...], Counter[Status]] = field(default_factory=dict)
    _values: list[Callable[[Found], Any]] = field(init=False)

    def __post_init__(self) -> None:
        self._values = [_value_by(name, self.chosen) for name in self.by]

    @property
    def columns(self) -> list[str]:
        """Return the names of what a row has."""
        counts = [status.value for status in Status]
        return [*self.by, "results", "share", *counts, *(f"{name}_rate" for name in counts)]

    def add(self, found: Found) -> None:
        """Count a result."""
        group = tuple(_countable(value(found)) for value in self._values)
        counts = self._groups.get(group)
        if counts is None:
            if len(self._groups) >= self.most:
                group = (OTHERS,) * len(self.by)
            counts = self._groups.setdefault(group, Counter())
        counts[found.result["status"]] += 1
        self.total += 1

    def rows(self) -> list[Row]:
        """Return a row for each group, in order: its fields, `results`, `share` (of all results),
        a count for each status, and `…_rate`: that count in the group's results."""
        ordered = sorted(self._groups.items(), key=lambda item: _order(item[0]))
        return [self._row(group, counts) for group, counts in ordered]

    def _row(self, group: tuple[Any, ...], counts: Counter[Status]) -> Row:
        number = counts.total()
        row: Row = dict(zip(self.by, group, strict=True))
        row |= {"results": number, "share": round(number / self.total, 4)}
        row |= {status.value: counts[status] for status in Status}
        return row | {
            f"{status.value}_rate": round(counts[status] / number, 4) for status in Status
        }


def _value_by(name: str, chosen: Collection[str]) -> Callable[[Found], Any]:
    value = value_by(name)
    if value is None and name in chosen:
        value = value_by(f"event.{name}")
    if value is None:
        raise OperationError(f"--by: expected fields of a result ({', '.join(GROUPED_BY)})")
    return value


def _countable(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def _order(group: tuple[Any, ...]) -> list[tuple[int, Any]]:
    """Return the order of groups: numbers, then texts, then what is missing, and others last."""
    return [_order_of(value) for value in group]


def _order_of(value: Any) -> tuple[int, Any]:
    if value is None:
        return 2, ""
    if isinstance(value, str):
        return (3, "") if value == OTHERS else (1, value)
    return 0, value
