"""Alerts on the two objectives, by how fast their budget of a month goes.

Each asks two windows: the long one that it matters, the short one that it still goes on. Too few
in the long window say nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from deploy.monitoring import recording as at
from deploy.monitoring.alert import Alert
from deploy.monitoring.thresholds import BURNS, HOUR, IN_TIME, MINUTE, RESULTS, Objective

_SECONDS = {"m": MINUTE, "h": HOUR}


def _burns(bad: Callable[[str], str], all_: Callable[[str], str], goal: Objective) -> str:
    """Either pair of windows burns too fast."""
    parts = []
    for short, long, factor in BURNS:
        limit = round(factor * goal.budget, 6)
        seconds = int(long[:-1]) * _SECONDS[long[-1]]
        parts.append(
            f"({bad(long)} > {limit} and {bad(short)} > {limit} "
            f"and {all_(long)} * {seconds} > {goal.least})"
        )
    return "\nor ".join(parts)


OBJECTIVES = [
    Alert(
        "SurveysLate",
        "warning",
        _burns(at.late, at.answers, IN_TIME),
        "Lane {{ $labels.lane }}: {{ $value | humanizePercentage }} of the surveys are sent later "
        "than an hour after the purchase or their due time.",
        "See where the time goes: the input's lag, or the wait for a permit.",
        "Sent in time",
        "2m",
    ),
    Alert(
        "ResultsNotAccepted",
        "warning",
        _burns(at.not_accepted, at.results, RESULTS),
        "Lane {{ $labels.lane }}: {{ $value | humanizePercentage }} of the invitations end without "
        "a survey.",
        "See how they end: status and reason of the results.",
        "Accepted of all that count",
        "2m",
    ),
]
