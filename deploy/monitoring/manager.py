"""The manager's dashboard: how many surveys, how soon, and what became of the others."""

from __future__ import annotations

from deploy.monitoring.panels import Panel, Query, Row, one
from deploy.monitoring.recording import (
    COUNTED,
    Ratio,
    answers,
    bad_rate,
    late,
    late_rate,
    not_accepted,
    results,
)
from deploy.monitoring.series import (
    EVERY,
    NEVER,
    by_day,
    grown,
    mean,
    now,
    of,
    per_second,
    quantile,
    recorded,
)
from deploy.monitoring.thresholds import FORECAST, IN_TIME, RESULTS, SURVEY_WITHIN, Objective

TITLE = "Survey dispatcher: surveys"

_ANSWERS = of("event_to_answer_seconds_count", lane=True)
_IN_TIME = of("event_to_answer_seconds_bucket", f'le="{float(SURVEY_WITHIN)}"', lane=True)
_ACCEPTED = of("results_total", 'status="accepted"', lane=True)
_COUNTED = of("results_total", COUNTED, lane=True)
_ENDED = of("results_total", 'status!="accepted"')
_BEFORE = of("events_total", 'disposition=~"suppressed|expired|rejected|dead_letter"')

_DAY_COLUMNS = ("route", "status", "reason")


def _left(bad: Ratio, counted: Ratio, goal: Objective) -> str:
    """The part of the allowance of 30 days that is left."""
    month = [
        f"sum(sum_over_time({recorded(rate('5m'), lane=True)}[30d:5m]))" for rate in (bad, counted)
    ]
    return f"1 - {month[0]} / {month[1]} / {goal.budget}"


_BURNING = (("late", late, IN_TIME), ("not accepted", not_accepted, RESULTS))


def _burn(what: str, ratio: Ratio, goal: Objective, window: str) -> Query:
    expr = f"{recorded(ratio(window), lane=True)} / {goal.budget}"
    return Query(expr, f"{{{{lane}}}} {what}, {window}")


FIGURES = Row(
    "At a glance, over the time shown",
    (
        Panel(
            "Surveys accepted",
            "Customers whose survey the vendor took.",
            one(f"sum(increase({_ACCEPTED}[$__range]))"),
            kind="stat",
            width=4,
        ),
        Panel(
            "Waiting now",
            "Customers that will be asked as soon as the vendor's quota allows it.",
            one(f"sum({now('waiting_invitations', 'lane', 'campaign')})"),
            kind="stat",
            width=4,
        ),
        Panel(
            "Delayed",
            "Customers that wait for later: for their due time, for a rule, or because the vendor "
            "cannot use their campaign. All go on by themselves.",
            one(f"sum({now('delayed_invitations', 'step', lane=False)})"),
            kind="stat",
            width=4,
        ),
        Panel(
            "Sent in time",
            "Of the surveys sent: within an hour of the purchase, or of their policy's due time. "
            f"Goal: {IN_TIME.good:.0%}.",
            one(f"sum(increase({_IN_TIME}[$__range])) / sum(increase({_ANSWERS}[$__range]))"),
            unit="percentunit",
            kind="stat",
            alerts=("SurveysLate",),
            width=4,
        ),
        Panel(
            "Accepted of all that count",
            "Of all invitations that ended: the share the vendor took. What the event lacked, what "
            f"came too late and what a rule held back do not count. Goal: {RESULTS.good:.0%}.",
            one(f"sum(increase({_ACCEPTED}[$__range])) / sum(increase({_COUNTED}[$__range]))"),
            unit="percentunit",
            kind="stat",
            alerts=("ResultsNotAccepted",),
            width=4,
        ),
        Panel(
            "Time until the backlog is sent",
            "At the present rates, for the slowest lane; 30 days stand for never.",
            one(f"max(clamp_max({now('backlog_drain_seconds', 'lane')}, {NEVER}))"),
            unit="s",
            kind="stat",
            width=4,
            limit=FORECAST,
        ),
    ),
)

COURSE = Row(
    "Surveys",
    (
        Panel(
            "Invitations by campaign",
            "What the routes made of the purchases.",
            one(per_second(of("invitations_routed_total", lane=True), "campaign"), "{{campaign}}"),
            unit="suffix:/s",
            kind="stack",
        ),
        Panel(
            "Accepted",
            "Surveys that the vendor took, by the quota they share.",
            one(per_second(_ACCEPTED, "lane"), "{{lane}}"),
            unit="suffix:/s",
            kind="stack",
        ),
        Panel(
            "Waiting by campaign",
            "Customers that wait for a call.",
            one(now("waiting_invitations", "lane", "campaign"), "{{campaign}}"),
            kind="stack",
        ),
        Panel(
            "Time to survey",
            "From the purchase, or its policy's due time, to the vendor's answer: half, and 95 of "
            "100, were as fast as this.",
            (
                Query(quantile(0.5, "event_to_answer_seconds"), "half"),
                Query(quantile(0.95, "event_to_answer_seconds"), "95 of 100", exemplars=True),
            ),
            unit="s",
            limit=SURVEY_WITHIN,
        ),
        Panel(
            "Quota used up",
            "Part of the time in which the vendor's quota allowed no further call.",
            one(
                f"avg_over_time(({now('next_permit_seconds', 'lane')} > bool 0)[{EVERY}:])",
                "{{lane}}",
            ),
            unit="percentunit",
        ),
        Panel(
            "Customers a call",
            "The quota counts calls: the more customers share one, the further it reaches.",
            one(mean("batch_size_invitations", "campaign"), "{{campaign}}"),
        ),
    ),
)

ENDS = Row(
    "Without a survey, and why",
    (
        Panel(
            "Ended without a survey",
            "Invitations by how they ended and why; docs/results.md explains each reason.",
            one(grown(_ENDED, "status", "reason"), "{{status}}: {{reason}}"),
            kind="stack",
            width=12,
        ),
        Panel(
            "Purchases without an invitation",
            "Held back by a rule, too old, without a usable address, or unreadable.",
            one(grown(_BEFORE, "disposition", "reason"), "{{disposition}}: {{reason}}"),
            kind="stack",
            width=12,
        ),
    ),
)

BY_ROUTE = Row(
    "By route",
    (
        Panel(
            "Accepted by route",
            "Surveys that the vendor took, by the route of the config that sent them.",
            one(
                grown(of("route_results_total", 'status="accepted"'), "route", "campaign"),
                "{{route}} {{campaign}}",
            ),
            kind="stack",
            width=12,
        ),
        Panel(
            "Ended without a survey, by route",
            "What each route's invitations lacked, or which rule held them back.",
            one(
                grown(of("route_results_total", 'status!="accepted"'), "route", "reason"),
                "{{route}}: {{reason}}",
            ),
            kind="stack",
            width=12,
        ),
    ),
)

BY_DAY = Row(
    "By day",
    (
        Panel(
            "By day, route and reason",
            "How many customers ended on each day, by the route that chose them, and how: "
            "`accepted` are surveys, docs/results.md explains each reason. Today's row grows.",
            one(by_day(of("route_results_total"), *_DAY_COLUMNS)),
            kind="days",
            width=24,
            columns=_DAY_COLUMNS,
        ),
    ),
)

OBJECTIVES = Row(
    "The month's allowance",
    (
        Panel(
            "Allowance of late surveys left",
            "Of the surveys of 30 days so many may be late: what is left of it, less than 0 when "
            "the goal is missed.",
            one(_left(late_rate, answers, IN_TIME)),
            unit="percentunit",
            kind="stat",
            width=6,
        ),
        Panel(
            "Allowance of results not accepted left",
            "Of the results of 30 days that count so many may be others than accepted: what is "
            "left of it.",
            one(_left(bad_rate, results, RESULTS)),
            unit="percentunit",
            kind="stat",
            width=6,
        ),
        Panel(
            "Burn rate",
            "How many times as fast as it may the allowance goes, over an hour and over six "
            "hours. 1 uses it up in 30 days.",
            tuple(_burn(*each, window) for each in _BURNING for window in ("1h", "6h")),
            width=12,
            limit=1,
        ),
    ),
)

ROWS = (FIGURES, COURSE, ENDS, BY_ROUTE, BY_DAY, OBJECTIVES)
