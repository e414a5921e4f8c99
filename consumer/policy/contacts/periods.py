"""Calendar periods in a time zone: day, week (from Monday), month, quarter, year.

A period is half-open, [start, end), and its bounds are local midnights: a day of 23 or 25 hours is
one day. Where midnight does not exist, the day begins after the gap.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

PeriodUnit = Literal["day", "week", "month", "quarter", "year"]

DAY = 86_400.0

LONGEST_DAYS: dict[PeriodUnit, int] = {
    "day": 2,
    "week": 8,
    "month": 32,
    "quarter": 93,
    "year": 367,
}
"""More than a period has, whatever a clock does in it."""

_MONTHS: dict[PeriodUnit, int] = {"month": 1, "quarter": 3, "year": 12}


@lru_cache(maxsize=256)  # invitations of a batch ask with one time
def period_at(unit: PeriodUnit, timezone: str, when: float) -> tuple[float, float]:
    """Return start and end, epoch seconds, of the period that `when` is in."""
    zone = ZoneInfo(timezone)
    start, end = _dates(unit, dt.datetime.fromtimestamp(when, zone).date())
    return _midnight(start, zone), _midnight(end, zone)


def _dates(unit: PeriodUnit, day: dt.date) -> tuple[dt.date, dt.date]:
    """Return the first day of a period and of the one after it."""
    if unit == "day":
        return day, day + dt.timedelta(days=1)
    if unit == "week":
        monday = day - dt.timedelta(days=day.weekday())
        return monday, monday + dt.timedelta(days=7)
    months = _MONTHS[unit]
    first = (day.month - 1) // months * months
    following = day.year * 12 + first + months
    return dt.date(day.year, first + 1, 1), dt.date(following // 12, following % 12 + 1, 1)


def _midnight(day: dt.date, zone: ZoneInfo) -> float:
    return dt.datetime.combine(day, dt.time(), zone).timestamp()
