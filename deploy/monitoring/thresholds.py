"""Every number that an alert goes by. Change it here and write the files again."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.monitoring.alert import Severity

MINUTE, HOUR, DAY = 60, 3600, 86400

STALLED_MINUTES = 15
"""A lane with customers and a free permit settles something within this time. The longest wait of
a campaign (`max_wait`) is 10 minutes unless the config says otherwise."""

NEAR_EXPIRY = 48 * HOUR
"""Two thirds of the usual `expire_after` (72 h)."""

PARKED_SHARE = 0.5
"""A parked campaign is tried again every ten minutes, and counts as well for a moment then."""

CIRCUIT_SHARE = 0.5
"""Part of five minutes for which a campaign's breaker is open, at which the campaign counts as held
back: a new owner of the lane learns of it by its first calls."""

DEAD_LETTERS = 5
"""More than so many in a quarter of an hour are no single bad record."""

BACKLOG = 1000
"""Fewer customers than this go in a call or two, whatever a forecast by rates says."""

BACKLOG_HOURS = 1
"""Nor do fewer than the lane settles in this time: a busy lane in balance always has some."""

FORECAST = DAY
"""A backlog should be gone within a day."""

SESSIONS = 10
"""More lost sessions of a stage in a quarter of an hour than any restart of Kafka brings."""

THROTTLED = 90
"""Seconds of a quarter of an hour for which quotas of Kafka hold a stage back: a tenth of it."""

FEED_START = 300
"""Seconds after its start in which a process reads feeds and contacts to their ends."""

RESPONSES_FELL, RESPONSES_LEAST = 0.5, 100
"""A day's response rate below this part of the week before; fewer answers in a week say nothing."""

CLOCK_WRONG = 2
"""Seconds that a machine's clock may be away from Kafka's; the limits' `skew` covers no more."""

SLOT_MINUTES, SILENT_SLOTS = 15, 4
"""An input is silent without a record in so many quarters of an hour."""

STEADY_HOURS, STEADY_SLOTS = 3, 10
"""It is steady with records in so many of these hours' quarters: two more than an hour lacks tell
apart an input that is read all day from one that gets a file now and then."""

LOOP_SILENCE = 150
"""Seconds; half of `max.poll.interval.ms`, after which the group drops a member."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level: this part of all within 30 days. `least`: fewer in the long window than
    this say nothing."""

    good: float
    least: int

    @property
    def budget(self) -> float:
        """The part that may be bad."""
        return round(1 - self.good, 6)


SURVEY_WITHIN = HOUR
"""Time to survey: from the event to the vendor's answer; a bucket of `event_to_answer_seconds`."""

IN_TIME = Objective(good=0.95, least=100)
"""Of all answered invitations, those that were answered within `SURVEY_WITHIN`."""

RESULTS = Objective(good=0.99, least=100)
"""Of all final results that count (see `recording.COUNTED`), those that are accepted."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A pair of windows: the budget goes `factor` times as fast as it may, over both.

    The long one says that it matters, the short one that it still goes on.
    """

    short: str
    long: str
    factor: float
    severity: Severity


BURNS = (
    Burn("5m", "1h", 14.4, "critical"),
    Burn("30m", "6h", 6.0, "critical"),
    Burn("2h", "1d", 3.0, "warning"),
    Burn("6h", "3d", 1.0, "warning"),
)
"""2 % of a month's budget in an hour, 5 % in six hours, 10 % in a day, 10 % in three days: the four
of The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"."""

BURN_WAIT: dict[Severity, str] = {"critical": "2m", "warning": "15m"}
"""For how long a pair burns before its alert fires."""
