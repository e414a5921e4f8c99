"""Quiet times as a user writes them.

    "21:00-09:00"                                    every day; the end may be 24:00
    {days: [sun], all_day: true}
    {days: [fri, sat], times: "23:00-10:00"}
    {dates: [2026-12-25, 2027-01-01]}                the whole day
    {dates: "${file:holidays.txt}", times: "…"}      one date a line, # begins a comment

Every function raises ValueError with what was expected. No message repeats a value: a file's text
may be anything.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from consumer.policy.quiet_hours import QuietTime

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

TIME_OF_DAY: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
TIME_RANGE: Final = f"{TIME_OF_DAY}-({TIME_OF_DAY}|24:00)"
_DATE: Final = "[0-9]{4}-[0-9]{2}-[0-9]{2}"


def time_of_day_from_text(text: object) -> dt.time:
    """Parse `21:00`."""
    if not isinstance(text, str) or re.fullmatch(TIME_OF_DAY, text) is None:
        raise ValueError("expected a time of day from 00:00 to 23:59, as in 09:30")
    return dt.time.fromisoformat(text)


def quiet_time_from_text(text: object) -> QuietTime:
    """Parse `21:00-09:00` to a quiet time of every day."""
    if not isinstance(text, str) or re.fullmatch(TIME_RANGE, text) is None:
        raise ValueError("expected two times of day, as in 21:00-09:00")
    start, end = text.split("-")
    if start == end:
        raise ValueError("start and end are the same; for the whole day write all_day: true")
    return QuietTime(
        time_of_day_from_text(start), dt.time() if end == "24:00" else time_of_day_from_text(end)
    )


def weekdays_from_names(names: object) -> frozenset[int]:
    """Parse `[sat, sun]` to weekdays, Monday is 0."""
    if not isinstance(names, list | tuple) or not names:
        raise ValueError("expected a list of days, as in [sat, sun]")
    if not all(name in WEEKDAYS for name in names):
        raise ValueError(f"expected days of {', '.join(WEEKDAYS)}")
    return frozenset(map(WEEKDAYS.index, names))


def dates_from_text(text: object) -> frozenset[dt.date]:
    """Parse a list of ISO dates, or a text with one a line and # comments."""
    entries = text
    if isinstance(text, str):
        entries = [line.partition("#")[0].strip() for line in text.splitlines()]
    if not isinstance(entries, list | tuple):
        raise ValueError("expected a list of dates, or a text with one date a line")  # noqa: TRY004
    dates = frozenset(
        _date_from_text(entry, number)
        for number, entry in enumerate(entries, 1)
        if entry or entries is text  # a text may have empty lines
    )
    if not dates:
        raise ValueError("expected at least one date, as in 2026-12-25")
    return dates


def _date_from_text(text: object, number: int) -> dt.date:
    try:
        if isinstance(text, str) and re.fullmatch(_DATE, text):
            return dt.date.fromisoformat(text)
    except ValueError:
        pass  # such a day does not exist; the message below says what does
    raise ValueError(f"entry {number}: expected a date of the calendar, as in 2026-12-25")


def quiet_time_from_parts(
    *,
    times: object = None,
    days: object = None,
    dates: object = None,
    all_day: bool = False,
) -> QuietTime:
    """Build a quiet time from the keys of a mapping; None is a key that is not given."""
    if days is not None and dates is not None:
        raise ValueError("give days or dates, not both")
    if all_day and times is not None:
        raise ValueError("give times or all_day: true, not both")
    if not all_day and times is None and dates is None:
        raise ValueError("give times, as in 21:00-09:00, or all_day: true")
    time = QuietTime() if times is None else quiet_time_from_text(times)
    return QuietTime(
        time.start,
        time.end,
        None if days is None else weekdays_from_names(days),
        None if dates is None else dates_from_text(dates),
    )
