"""Set times: the moments at which an input's invitations may be due, by cron expressions.

Five fields as of Debian's cron (minute, hour, day, month, weekday), by the wall clock of one zone.
A time that a day does not have counts when the clock has leapt, one that it has twice counts once.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_FIELDS = 5
_BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
_COMPARED = 1_000
"""Set times of an expression, of which the gaps are compared: three years of daily ones."""


def check_cron(text: str) -> None:
    """Raise ValueError for what is no cron expression, or never comes."""
    if len(text.split()) != _FIELDS:
        raise ValueError("expected five fields, as in 0 10 * * mon-fri")
    try:
        next(CronSim(text, _BEGIN))
    except CronSimError as error:
        raise ValueError(f"is no cron expression: {error}") from None
    except StopIteration:
        raise ValueError("names a time that never comes") from None


@dataclass(frozen=True)
class SetTimes:
    """Computes the next set time. `crons`: expressions that `check_cron` passed."""

    crons: Sequence[str]
    zone: ZoneInfo
    _last: list[tuple[float, float]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def next_from(self, at: float) -> float:
        """Return the first set time from `at` on, in epoch seconds. The last answer is remembered:
        the events of a poll lie close together."""
        for since, until in self._last:
            if since <= at <= until:
                return until
        begin = dt.datetime.fromtimestamp(math.ceil(at) - 1, self.zone)
        found = min(next(CronSim(cron, begin)).timestamp() for cron in self.crons)
        self._last[:] = [(at, found)]
        return found

    def longest_gap(self) -> float:
        """Return the longest time between two set times, in seconds, of some years."""
        return min(_longest_gap(cron, self.zone) for cron in self.crons)


def _longest_gap(cron: str, zone: ZoneInfo) -> float:
    times = (moment.timestamp() for moment in _times_of(cron, zone))
    return max((later - earlier for earlier, later in pairwise(times)), default=math.inf)


def _times_of(cron: str, zone: ZoneInfo) -> Iterator[dt.datetime]:
    return islice(CronSim(cron, _BEGIN.astimezone(zone)), _COMPARED)
