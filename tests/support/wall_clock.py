"""Moments in time zones for tests, near a change of the clocks or not, and a slow quiet check."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from consumer.policy.quiet_hours import QuietTime
from consumer.policy.zones import ZONE_NAMES

_FROM, _TO = 1975, 2037


class Moment(NamedTuple):
    """A whole minute, in epoch seconds, and a zone."""

    at: int
    zone: ZoneInfo


def epoch(wall: str, zone: str) -> Moment:
    """Return the moment of a wall time, as in 2026-03-29 02:00; the earlier one of two."""
    known = ZoneInfo(zone)
    return Moment(int(dt.datetime.fromisoformat(wall).replace(tzinfo=known).timestamp()), known)


def is_quiet_minute(times: Iterable[QuietTime], at: float, zone: ZoneInfo) -> bool:
    """Ask the wall clock whether a moment is quiet, margin apart."""
    wall = dt.datetime.fromtimestamp(at, zone)
    clock, today = wall.time(), wall.date()
    yesterday = today - dt.timedelta(1)
    return any(
        (time.starts_on(today) and time.start <= clock < time.end)
        if time.start < time.end
        else (time.starts_on(today) and time.start <= clock)
        or (time.starts_on(yesterday) and clock < time.end)
        for time in times
    )


@cache
def _days_of_change(name: str, year: int) -> list[int]:
    """Return the midnights in UTC of a year after which the offset changes within a day."""
    zone = ZoneInfo(name)
    first = dt.datetime(year, 1, 1, tzinfo=dt.UTC)
    midnights = [first + dt.timedelta(day) for day in range(366)]
    offsets = [midnight.astimezone(zone).utcoffset() for midnight in midnights]
    return [
        int(midnight.timestamp())
        for midnight, before, after in zip(midnights, offsets, offsets[1:], strict=False)
        if before != after
    ]


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    """Draw a zone and a minute, which is mostly near a change of its clocks if it has any."""
    name = draw(st.sampled_from(sorted(ZONE_NAMES)))
    year = draw(st.integers(_FROM, _TO))
    near_changes = [day - 86_400 for day in _days_of_change(name, year)]
    first = int(dt.datetime(year, 1, 1, tzinfo=dt.UTC).timestamp())
    day = draw(st.sampled_from(near_changes or [first]))
    if not near_changes or not draw(st.integers(0, 3)):
        day = first + 86_400 * draw(st.integers(0, 364))
    return Moment(day + 60 * draw(st.integers(0, 1439)), ZoneInfo(name))


MOMENTS: Final = moments()

ODD_MOMENTS: Final = [
    epoch("2026-04-04 20:00", "Australia/Lord_Howe"),  # half an hour
    epoch("2026-10-03 20:00", "Australia/Lord_Howe"),
    epoch("2026-03-28 20:00", "Atlantic/Azores"),  # at midnight
    epoch("2026-10-24 20:00", "Atlantic/Azores"),
    epoch("2026-03-28 20:00", "Antarctica/Troll"),  # two hours
    epoch("2026-10-24 20:00", "Antarctica/Troll"),
    epoch("2011-12-29 10:00", "Pacific/Apia"),  # has no 30 December
    epoch("1993-08-20 10:00", "Pacific/Kwajalein"),  # has no 21 August
    epoch("2026-02-14 20:00", "Africa/Casablanca"),  # Ramadan
    epoch("2018-05-04 10:00", "Asia/Pyongyang"),
    epoch("2026-03-29 00:00", "Europe/Berlin"),
    epoch("2026-10-25 00:00", "Europe/Berlin"),
]
"""Before changes of the clocks that few zones have."""
