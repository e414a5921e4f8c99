"""Reads `Retry-After` in all the forms that servers write, as seconds from the answer's own `Date`.

RFC 9110 10.2.3 defines whole seconds and an HTTP date. Servers also send decimals (rounded up),
seconds with a unit, an epoch in seconds or milliseconds, RFC 3339 times, and headers that a gateway
repeats, which arrive as a list: the longest wait counts.

    n < 10^9             seconds
    10^9 <= n < 10^11    seconds since the epoch, less `Date`
    10^12 <= n < 10^14   the same in milliseconds
    a date               less `Date`

Our own clock is not used, so a date or an epoch without a `Date` gives no wait.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

RETRY_AFTER_LIMIT: Final = 86_400.0
"""The longest wait, in seconds; a lane bounds it further by its own limits."""

_NUMBER = re.compile(r"\+?(\d+(?:\.\d*)?|\.\d+) ?(?:s|secs?|seconds?)?", re.ASCII | re.IGNORECASE)
_BETWEEN = re.compile(r",\s*(?=[-+.\d][^,:]*(?:,|$)|[A-Za-z]{3,9},\s|\d{4}-)", re.ASCII)
"""A comma of a list; a date has a comma of its own, behind its weekday."""

_SECONDS, _MILLISECONDS = (1e9, 1e11), (1e12, 1e14)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return whole seconds to wait, at most `RETRY_AFTER_LIMIT`; None without a usable value.

    A wait of zero is None as well: a refusal with "at once" does not say when.
    """
    now = moment(headers.get("date", ""))
    parts = _BETWEEN.split(headers.get("retry-after", ""))
    waits = [wait for part in parts if (wait := _wait(part.strip(), now)) is not None]
    longest = max(waits, default=0.0)
    return float(math.ceil(min(longest, RETRY_AFTER_LIMIT))) if longest > 0 else None


def moment(text: str) -> float | None:
    """Parse an HTTP date (the first of a list) or a zoned RFC 3339 time to epoch seconds."""
    first = _BETWEEN.split(text)[0].strip()
    return _http_date(first) or _rfc3339(first)


def _wait(value: str, now: float | None) -> float | None:
    number = _NUMBER.fullmatch(value)
    if number is None:
        then = moment(value)
    elif (seconds := float(number[1])) < _SECONDS[0]:
        return seconds
    elif _SECONDS[0] <= seconds < _SECONDS[1]:
        then = seconds
    elif _MILLISECONDS[0] <= seconds < _MILLISECONDS[1]:
        then = seconds / 1_000
    else:
        return seconds
    return None if then is None or now is None else then - now


def _http_date(text: str) -> float | None:
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # The asctime form names no zone; an HTTP date is always GMT.
    return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()


def _rfc3339(text: str) -> float | None:
    try:
        when = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo else None
