"""Quiet hours: when a customer is not written to, by the customer's own wall clock.

    quiet(t)  ⇔  the wall clock of some moment in [t, t + margin] lies in a quiet time

(in [t, t] without a margin: the vendor's own queue sends later than the call.) A quiet time is
half-open and belongs to the day on which it starts, also where it ends on the next.

The clock alone decides, moment by moment. So in spring a quiet time that starts or ends in the
missing hour does so after it, and in autumn the repeated hour is quiet twice.

A stretch is found by walking from day to day: within one offset from UTC, wall times are moments
shifted by it. `QuietClock` remembers the stretch of each zone, so most checks walk nowhere.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

from consumer.policy.zones import DAY, known_zone, steady_offset

HORIZON_DAYS: Final = 400
"""How far a change of state is looked for: more than a year of dates."""

MONDAY: Final = dt.date(2026, 1, 5)
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()
_MIDNIGHT: Final = dt.time()

Span = tuple[int, int]
"""Seconds after a day's midnight, half-open; the end may lie in the next day."""


class Stretch(NamedTuple):
    """One state from a moment on, up to the epoch second at which it changes."""

    quiet: bool
    until: float
    """`math.inf`: no change within the horizon."""


@dataclass(frozen=True)
class QuietTime:
    """A time of day, on all days or some. An end that is not after the start is on the next day.

    `days`: weekdays, Monday is 0. `dates`: these alone. With both, a date must be such a weekday.
    """

    start: dt.time = _MIDNIGHT
    end: dt.time = _MIDNIGHT
    days: frozenset[int] | None = None
    dates: frozenset[dt.date] | None = None

    @property
    def all_day(self) -> bool:
        """Whether the whole day is quiet."""
        return self.start == self.end == _MIDNIGHT

    @property
    def span(self) -> Span:
        """Seconds of the day that are quiet."""
        start, end = (
            time.hour * 3600 + time.minute * 60 + time.second for time in (self.start, self.end)
        )
        return start, end if end > start else end + DAY

    def starts_on(self, date: dt.date) -> bool:
        """Tell whether it starts on a date."""
        return (self.days is None or date.weekday() in self.days) and (
            self.dates is None or date in self.dates
        )


@dataclass(frozen=True)
class QuietHours:
    """All quiet times of a policy.

    `margin`: seconds before a quiet stretch that are quiet as well. `at_quiet`: what becomes of an
    invitation that is due in quiet hours.
    """

    times: tuple[QuietTime, ...]
    margin: float = 0.0
    at_quiet: Literal["wait", "drop"] = "wait"

    def is_quiet(self, at: float, zone: dt.tzinfo) -> bool:
        """Tell whether an epoch time is quiet."""
        return self.stretch(at, zone).quiet

    def next_open(self, at: float, zone: dt.tzinfo) -> float:
        """Return the first moment from `at` on that is not quiet; `math.inf` if none is found."""
        stretch = self.stretch(at, zone)
        return stretch.until if stretch.quiet else at

    def stretch(self, at: float, zone: dt.tzinfo) -> Stretch:
        """Return the state at an epoch time, and until when it lasts."""
        start = math.floor(at)
        horizon = start + HORIZON_DAYS * DAY
        reach = at  # all is quiet from `at` up to here
        for begin, end in self._spans(start, horizon, zone):
            if begin > reach:
                return Stretch(True, reach) if reach > at else Stretch(False, begin)
            reach = max(reach, end)
        # A quiet time behind the horizon may begin within the margin.
        return Stretch(reach > at, reach if at < reach < horizon - self.margin else math.inf)

    def _spans(self, start: int, horizon: int, zone: dt.tzinfo) -> Iterator[tuple[float, int]]:
        """Yield what is quiet between two moments, margin included, by its beginning."""
        while start < horizon:
            offset, end = steady_offset(start, min(start + DAY, horizon), zone)
            for day in range((start + offset) // DAY - 1, (end - 1 + offset) // DAY + 1):
                midnight = day * DAY - offset
                for opens, closes in self._spans_on(day):
                    begin, until = max(midnight + opens, start), min(midnight + closes, end)
                    if begin < until:
                        yield begin - self.margin, until
            start = end

    def _spans_on(self, day: int) -> tuple[Span, ...]:
        """Return the quiet spans that start on a day, which is counted from 1970 on."""
        spans = self._of_dates.get(day)
        return self._of_weekdays[(day + 3) % 7] if spans is None else spans

    @cached_property
    def _of_weekdays(self) -> tuple[tuple[Span, ...], ...]:
        weekly = [time for time in self.times if time.dates is None]
        return tuple(_spans(weekly, MONDAY + dt.timedelta(weekday)) for weekday in range(7))

    @cached_property
    def _of_dates(self) -> dict[int, tuple[Span, ...]]:
        dates = frozenset[dt.date]().union(*(time.dates or () for time in self.times))
        return {date.toordinal() - _EPOCH: _spans(self.times, date) for date in dates}


def _spans(times: list[QuietTime] | tuple[QuietTime, ...], date: dt.date) -> tuple[Span, ...]:
    return tuple(sorted({time.span for time in times if time.starts_on(date)}))


class QuietClock:
    """Quiet hours by name of the zone, with the current stretch of each zone remembered.

    A check is a dict look-up and a comparison while the stretch lasts. A time outside, earlier or
    later, is computed; the remembered stretch is then that one. A name that is not known is always
    quiet: never open by accident.
    """

    __slots__ = ("_quiet_hours", "_remembered")

    def __init__(self, quiet_hours: QuietHours) -> None:
        self._quiet_hours = quiet_hours
        self._remembered: dict[str, tuple[float, float, Stretch]] = {}

    def is_quiet(self, at: float, zone_name: str) -> bool:
        """Tell whether an epoch time is quiet."""
        return self.stretch(at, zone_name).quiet

    def next_open(self, at: float, zone_name: str) -> float:
        """Return the first moment from `at` on that is not quiet; `math.inf` if none is found."""
        stretch = self.stretch(at, zone_name)
        return stretch.until if stretch.quiet else at

    def stretch(self, at: float, zone_name: str) -> Stretch:
        """Return the state at an epoch time, and until when it lasts."""
        remembered = self._remembered.get(zone_name)
        if remembered is not None and remembered[0] <= at < remembered[1]:
            return remembered[2]
        zone = known_zone(zone_name)
        if zone is None:
            return Stretch(True, math.inf)
        stretch = self._quiet_hours.stretch(at, zone)
        # What does not change within the horizon may change behind it, or a margin before it.
        seen = (HORIZON_DAYS - 1) * DAY - self._quiet_hours.margin
        valid_until = min(stretch.until, at + seen)
        self._remembered[zone_name] = at, valid_until, stretch
        return stretch
