"""Alerts on the rules before a survey, and on the store that they need."""

from __future__ import annotations

from deploy.monitoring.alert import Alert
from deploy.monitoring.queries import PREFIX, by, gauge

_ASKING = f"max {by()} ({PREFIX}contacts_asking_invitations) > 0"

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
]
