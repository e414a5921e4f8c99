"""Alerts on the rules before a survey, and on the store that they need."""

from __future__ import annotations

from deploy.monitoring.alert import Alert
from deploy.monitoring.queries import PREFIX, by, gauge, increase

_ASKING = f"max {by()} ({PREFIX}contacts_asking_invitations) > 0"
_UNREADABLE = 'feed_records_total{feed="suppressions", kind="dead_letter"}'

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
]
