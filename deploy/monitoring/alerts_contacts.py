"""Alerts on the rules before a survey, and on the store that they need."""

from __future__ import annotations

from deploy.monitoring.alert import Alert
from deploy.monitoring.queries import PREFIX, by, gauge, increase
from deploy.monitoring.thresholds import RESPONSES_FELL, RESPONSES_LEAST

_ASKING = f"max {by()} ({PREFIX}contacts_asking_invitations) > 0"
_ANSWERS = "responses_total"
_ASKED = 'results_total{status="accepted"}'
_UNREADABLE = 'feed_records_total{feed="suppressions", kind="dead_letter"}'


def _grown(counter: str, window: str, before: str = "") -> str:
    return f"sum {by()} (increase({PREFIX}{counter}[{window}]{before}))"


CONTACTS = [
    Alert(
        "ContactStoreDown",
        "critical",
        f"{gauge('contact_store_up', 'instance')} == 0\nand on (namespace, job) ({_ASKING})",
        "The contact store of {{ $labels.instance }} does not answer, or grants nothing yet; "
        "no survey is sent meanwhile.",
        "See why: `survey-dispatcher status`.",
        "Contact store",
        "5m",
    ),
    Alert(
        "FeedsHoldBack",
        "critical",
        f"{gauge('feeds_hold_back', 'instance')} == 1\nand on (namespace, job) ({_ASKING})",
        "{{ $labels.instance }} sends no survey: opt-outs may be unread.",
        "See why: the log's `feeds_hold_back`.",
        "Lag of feeds",
        "5m",
    ),
    Alert(
        "OptOutsUnreadable",
        "critical",
        f"{increase(_UNREADABLE, 15)} > 0",
        "About {{ $value | humanize }} opt-outs in 15 minutes cannot be read, and are not obeyed.",
        "See what is wrong with them: `survey-dispatcher dlq list`.",
        "Records of feeds",
        "0m",
    ),
    Alert(
        "ResponseRateFell",
        "warning",
        f"{_grown(_ANSWERS, '1d')} / {_grown(_ASKED, '1d')}\n"
        f"< {RESPONSES_FELL} * {_grown(_ANSWERS, '7d', ' offset 1d')}"
        f" / {_grown(_ASKED, '7d', ' offset 1d')}\n"
        f"and {_grown(_ANSWERS, '7d', ' offset 1d')} > {RESPONSES_LEAST}",
        "Of the customers asked in a day {{ $value | humanizePercentage }} answered, less than "
        "half as many as in the week before.",
        "See whether surveys arrive: ask the vendor how many it sent.",
        "Answers",
        "1h",
    ),
]
