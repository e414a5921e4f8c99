"""Alerts on the two objectives, by how fast their budget of a month goes.

Each is a page and a ticket of the same name: a budget that is gone within days pages, one that goes
too fast for a month is a ticket. Too few in the long window say nothing.
"""

from __future__ import annotations

from deploy.monitoring import recording as at
from deploy.monitoring.alert import Alert, Severity
from deploy.monitoring.recording import Ratio
from deploy.monitoring.thresholds import BURN_WAIT, BURNS, IN_TIME, RESULTS, Objective


def _burns(bad: Ratio, counted: Ratio, goal: Objective, severity: Severity) -> str:
    """Either pair of this severity burns too fast."""
    parts = []
    for burn in (burn for burn in BURNS if burn.severity == severity):
        limit = round(burn.factor * goal.budget, 6)
        parts.append(
            f"({bad(burn.long)} > {limit} and {bad(burn.short)} > {limit} "
            f"and {counted(burn.long)} * {at.seconds(burn.long)} > {goal.least})"
        )
    return "\nor ".join(parts)


def _late(severity: Severity) -> Alert:
    return Alert(
        "SurveysLate",
        severity,
        _burns(at.late, at.answers, IN_TIME, severity),
        "Lane {{ $labels.lane }}: {{ $value | humanizePercentage }} of the surveys are sent later "
        "than an hour after the purchase or their due time.",
        "See where the time goes: the input's lag, or the wait for a permit.",
        "Sent in time",
        BURN_WAIT[severity],
    )


def _not_accepted(severity: Severity) -> Alert:
    return Alert(
        "ResultsNotAccepted",
        severity,
        _burns(at.not_accepted, at.results, RESULTS, severity),
        "Lane {{ $labels.lane }}: {{ $value | humanizePercentage }} of the invitations end without "
        "a survey.",
        "See how they end: status and reason of the results.",
        "Accepted of all that count",
        BURN_WAIT[severity],
    )


OBJECTIVES = [made(severity) for made in (_late, _not_accepted) for severity in BURN_WAIT]
