"""Recording rules: what alerts look back on, under any owner of the lane, and the two objectives.

Names are `level:metric:operation`. A range of a raw gauge belongs to one process; a range of a
recorded one is the lane's, across owners.

Windows of hours are sums of recorded rates of five minutes, windows of days of rates of an hour:
else each evaluation would read three days of raw counters, of every process that ran in them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from consumer.records.result import Reason, Status
from deploy.monitoring.queries import PREFIX, by, gauge, increase, rate
from deploy.monitoring.thresholds import (
    BURNS,
    DAY,
    HOUR,
    MINUTE,
    SLOT_MINUTES,
    STALLED_MINUTES,
    SURVEY_WITHIN,
)

Ratio = Callable[[str], str]
"""Window → the name of its recorded series."""

NOT_OURS = (
    Reason.NO_RECIPIENT,
    Reason.INVALID_RECIPIENT,
    Reason.INVALID_DATA,
    Reason.TOO_OLD,
    Reason.EXPIRED_IN_QUIET_HOURS,
    Reason.EXPIRED_AT_LIMIT,
    Reason.EXPIRED_PAUSED,
    Reason.LANE_CLOSED,
)
"""Endings that say nothing of this service: what the event lacked, what an operator decided, and
what expired while a rule had it wait. Neither does what a rule held back on purpose. All else
counts, reasons of later versions too."""

COUNTED = f'status!="{Status.SUPPRESSED}",reason!~"{"|".join(NOT_OURS)}"'
BAD = f'{COUNTED},status!="{Status.ACCEPTED}"'

_SECONDS = {"m": MINUTE, "h": HOUR, "d": DAY}


def seconds(window: str) -> int:
    """Return the length of a window: `30m`, `6h`, `3d`."""
    return int(window[:-1]) * _SECONDS[window[-1]]


RAW = "1h"
"""The longest window that is read from the counters."""

WINDOWS = sorted({window for burn in BURNS for window in (burn.short, burn.long)}, key=seconds)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording rule."""

    name: str
    expr: str


def recorded(level: str, metric: str, operation: str) -> str:
    """A rule's name."""
    return f"{level}:{PREFIX}{metric}:{operation}"


WAITING = recorded("lane", "waiting_invitations", "sum")
OLDEST = recorded("campaign", "oldest_waiting_age_seconds", "max")
PARKED = recorded("campaign", "campaign_parked", "max")
CAMPAIGN_CIRCUIT = recorded("campaign", "campaign_circuit_open", "max")
NEXT_PERMIT = recorded("lane", "next_permit_seconds", "max")
DRAIN = recorded("lane", "backlog_drain_seconds", "max")
EVENTS = recorded("topic", "events", f"increase{SLOT_MINUTES}m")
LAG = recorded("topic", "consumer_lag_records", "sum")
PARTITION_LAG = recorded("partition", "consumer_lag_records", "max")
POSITION = recorded("partition", "consumer_position", "max")
SETTLED = recorded("lane", "records_settled", f"increase{STALLED_MINUTES}m")
THROTTLED = recorded("lane", "throttled", "increase15m")


def late(window: str) -> str:
    """The name of the share of answers that came too late."""
    return recorded("lane", "answers_late", f"ratio_rate{window}")


def late_rate(window: str) -> str:
    """The name of the answers a second that came too late."""
    return recorded("lane", "answers_late", f"rate{window}")


def answers(window: str) -> str:
    """The name of the answers a second."""
    return recorded("lane", "answers", f"rate{window}")


def not_accepted(window: str) -> str:
    """The name of the share of counting results that are not `accepted`."""
    return recorded("lane", "results_bad", f"ratio_rate{window}")


def bad_rate(window: str) -> str:
    """The name of the counting results a second that are not `accepted`."""
    return recorded("lane", "results_bad", f"rate{window}")


def results(window: str) -> str:
    """The name of the counting results a second."""
    return recorded("lane", "results_counted", f"rate{window}")


def lanes() -> list[Recorded]:
    """A lane's value, from any owner."""
    waiting = gauge("waiting_invitations", "lane", "campaign")
    return [
        Recorded(WAITING, f"sum {by('lane')} ({waiting})"),
        Recorded(OLDEST, gauge("oldest_waiting_age_seconds", "lane", "campaign")),
        Recorded(PARKED, gauge("campaign_parked", "lane", "campaign")),
        Recorded(CAMPAIGN_CIRCUIT, gauge("campaign_circuit_open", "lane", "campaign")),
        Recorded(NEXT_PERMIT, gauge("next_permit_seconds", "lane")),
        Recorded(DRAIN, gauge("backlog_drain_seconds", "lane")),
        Recorded(PARTITION_LAG, gauge("consumer_lag_records", "topic", "partition")),
        Recorded(POSITION, gauge("consumer_position", "topic", "partition")),
        Recorded(LAG, f"sum {by('topic')} ({PARTITION_LAG})"),
        Recorded(EVENTS, increase("events_total", SLOT_MINUTES, "topic")),
        Recorded(SETTLED, increase("records_settled_total", STALLED_MINUTES, "lane")),
        Recorded(THROTTLED, increase("throttled_total", 15, "lane")),
    ]


def objectives() -> list[Recorded]:
    """Time to survey, and the results ratio, over the windows that are read from the counters."""
    raw = [window for window in WINDOWS if seconds(window) <= seconds(RAW)]
    return [rule for window in raw for rule in _from_counters(window)]


def long_objectives() -> list[Recorded]:
    """The same over longer windows, from recorded rates."""
    long = [window for window in WINDOWS if seconds(window) > seconds(RAW)]
    return [rule for window in long for rule in _from_rates(window)]


def _from_counters(window: str) -> list[Recorded]:
    bucket = f'event_to_answer_seconds_bucket{{le="{float(SURVEY_WITHIN)}"}}'
    in_time = rate(bucket, window, "lane")
    return [
        Recorded(answers(window), rate("event_to_answer_seconds_count", window, "lane")),
        Recorded(late_rate(window), f"{answers(window)} - {in_time}"),
        Recorded(late(window), f"{late_rate(window)} / ({answers(window)} > 0)"),
        Recorded(results(window), rate(f"results_total{{{COUNTED}}}", window, "lane")),
        Recorded(bad_rate(window), rate(f"results_total{{{BAD}}}", window, "lane")),
        Recorded(not_accepted(window), f"{bad_rate(window)} / ({results(window)} > 0)"),
    ]


def _from_rates(window: str) -> list[Recorded]:
    """A window before a lane's first record adds nothing: the rate is that of the whole window."""
    step = "5m" if seconds(window) < DAY else "1h"

    def mean(name: Ratio) -> str:
        return f"sum_over_time({name(step)}[{window}:{step}]) * {seconds(step)} / {seconds(window)}"

    return [
        Recorded(answers(window), mean(answers)),
        Recorded(late(window), f"{mean(late_rate)} / ({answers(window)} > 0)"),
        Recorded(results(window), mean(results)),
        Recorded(not_accepted(window), f"{mean(bad_rate)} / ({results(window)} > 0)"),
    ]
