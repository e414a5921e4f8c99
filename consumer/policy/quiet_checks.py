"""What a config's quiet hours amount to in a week: for the checks when it is loaded.

All is read off a reference fortnight in UTC, from a Monday on, with the weekly quiet times alone:
dates are exceptions, and a change of the clocks moves a stretch by its hour.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from consumer.policy.quiet_hours import MONDAY, QuietHours, QuietTime
from consumer.policy.zones import DAY

_WEEK: Final = 7 * DAY
_START: Final = dt.datetime.combine(MONDAY, dt.time(), dt.UTC).timestamp()
_NAMES: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def always_quiet(quiet_hours: QuietHours) -> bool:
    """Tell whether no moment of a week is open."""
    return longest_quiet_stretch(quiet_hours) == math.inf


def longest_quiet_stretch(quiet_hours: QuietHours) -> float:
    """Return the seconds of the longest quiet stretch: 0 without any, `math.inf` if always."""
    return max((end - begin for quiet, begin, end in _stretches(quiet_hours) if quiet), default=0)


def shortest_open_stretch(quiet_hours: QuietHours) -> float:
    """Return the seconds of the shortest open stretch: 0 without any, `math.inf` if always."""
    return min(
        (end - begin for quiet, begin, end in _stretches(quiet_hours) if not quiet), default=0
    )


def suspicious_gap(quiet_hours: QuietHours) -> str | None:
    """Return a sentence if part of a night is open that looks like a mistake, else None.

    Suspicious is a night on which a quiet time over midnight does not start, and of which one side
    of midnight is quiet and the other open. With `21:00-09:00` on weekdays and whole quiet weekends
    Monday 00:00-09:00 is one: Sunday is over, and Sunday's night was never said to be quiet.
    """
    exact = replace(quiet_hours, margin=0.0)
    for night in quiet_hours.times:
        if night.dates is None and night.days is not None and night.span[1] > DAY:
            gap = next(_gaps_at_midnight(exact, night, night.days), None)
            if gap is not None:
                return (
                    f"{gap} is not quiet, and {night.start:%H:%M}-{night.end:%H:%M} is on other "
                    "nights: a time over midnight belongs to the day on which it starts"
                )
    return None


def _gaps_at_midnight(
    quiet_hours: QuietHours, night: QuietTime, days: frozenset[int]
) -> Iterator[str]:
    """Yield the open part of nights on other days that ends or begins at midnight."""
    for quiet, begin, end in _stretches(quiet_hours):
        if not quiet and end % DAY == 0 and _weekday(end - 1) not in days:
            yield _range_text(max(begin, end - DAY + night.span[0]), end)
        if not quiet and begin % DAY == 0 and _weekday(begin - 1) not in days:
            yield _range_text(begin, min(end, begin + night.span[1] - DAY))


def _weekday(at: float) -> int:
    return int(at // DAY + 3) % 7


def _range_text(begin: float, end: float) -> str:
    times = [f"{int(at % DAY) // 3600:02}:{int(at % 3600) // 60:02}" for at in (begin, end)]
    closes = "24:00" if times[1] == "00:00" else times[1]
    return f"{_NAMES[_weekday(begin)]} {times[0]}-{closes}"


def _stretches(quiet_hours: QuietHours) -> Iterator[tuple[bool, float, float]]:
    """Yield each stretch that begins in a week: quiet or open, its beginning and its end."""
    weekly = replace(
        quiet_hours, times=tuple(time for time in quiet_hours.times if time.dates is None)
    )
    first = weekly.stretch(_START, dt.UTC)
    if first.until == math.inf:
        yield first.quiet, _START, math.inf
        return
    begin = first.until
    while begin < first.until + _WEEK:
        stretch = weekly.stretch(begin, dt.UTC)
        yield stretch.quiet, begin, stretch.until
        begin = stretch.until
