"""The allowed label values.

Label values come from a closed set (`CLOSED`, enforced at run time by `closed`) or are names of the
config (lane, campaign, vendor, topic, limit; a stage or a loop is `router`, `delay` or a lane).
Nothing of an event ever becomes a label, so cardinality is bounded and no personal data can leak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import confluent_kafka

from consumer.lane.state.commands import SealReason
from consumer.lane.state.delay_steps import STEPS
from consumer.records.call import Verdict
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.pause import PauseKind
from consumer.records.result import Reason
from consumer.routing.feeds import FeedKind

CAMPAIGNS_SHOWN = 200
"""Campaigns with series of their own; later ones in the config share `other`."""

RULES_SHOWN = 100
ROUTES_SHOWN = 100

PAUSES_SHOWN = 200
"""Pauses with series of their own; others share `other`."""

CODES_SHOWN = 50
"""Vendor codes with series of their own: 36 are documented, and a vendor may send others."""

OTHER = "other"
ROUTER = "router"
DELAY = "delay"
CONTACTS = "contacts"
FEEDS = "feeds"
NO_LANES = (ROUTER, DELAY, CONTACTS, FEEDS)
"""Names of the stages that are no lanes; `router` is the lane of the router's results, too."""


class Disposition(StrEnum):
    """What became of an input record at the router."""

    ROUTED = "routed"
    ACCEPTED = "accepted"
    UNMATCHED = "unmatched"
    SKIPPED = "skipped"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    REJECTED = "rejected"
    DEAD_LETTER = "dead_letter"


CLOSED: Mapping[str, frozenset[str]] = {
    "disposition": frozenset(Disposition),
    "reason": frozenset(Reason) | frozenset(DeadLetterReason) | {""},
    "why": frozenset(SealReason),
    "answer": frozenset(map(str, range(100, 600))) | {"timeout", "connect_error", "reset"},
    "outcome": frozenset(Verdict),
    "step": frozenset(STEPS),
    "phase": frozenset({"waiting", "reading", "ready"}),
    "question": frozenset({"reserve", "seal"}),
    "feed": frozenset({"suppressions", "responses", "deliveries"}),
    "command": frozenset({"resume_input", "reopen_lane", "retry_campaign", "lapsed", "unreadable"}),
    "kind": frozenset(PauseKind) | frozenset(FeedKind),
    "by": frozenset({"command", "config"}),
    "result": frozenset({"applied", "refused", "unchanged"}),
    "error": frozenset(name for name in dir(confluent_kafka.KafkaError) if name.isupper()),
}
"""Label → its values. Any other value is counted as `other`."""


def closed(label: str, value: object) -> str:
    """Return the value if the label's closed set has it, else `other`."""
    text = str(value)
    return text if text in CLOSED[label] else OTHER


class BoundedLabels:
    """Label values that come from the config or a vendor, so many of them and no more."""

    def __init__(self) -> None:
        self._campaigns: frozenset[str] = frozenset()
        self._codes: set[str] = set()
        self._rules: frozenset[str] = frozenset()
        self._routes: frozenset[str] = frozenset()

    def set_routes(self, names: Sequence[str]) -> None:
        """Name the config's first routes from now on."""
        self._routes = frozenset(names[:ROUTES_SHOWN])

    def route(self, name: str) -> str:
        """Return the route's name, or `other` if it is past the first hundred, not in the config,
        or not known."""
        return name if name in self._routes else OTHER

    def set_rules(self, names: Sequence[str]) -> None:
        """Name the config's contact rules and paces from now on."""
        self._rules = frozenset(names[:RULES_SHOWN])

    def rule(self, name: str) -> str:
        """Return the rule's name, or `other` if it is past the first hundred or not in the
        config: a name may come from a record."""
        return name if name in self._rules else OTHER

    def set_campaigns(self, campaigns: Sequence[str]) -> frozenset[str]:
        """Name the config's first campaigns from now on. Return those that are named no more."""
        before, self._campaigns = self._campaigns, frozenset(campaigns[:CAMPAIGNS_SHOWN])
        return before - self._campaigns - {OTHER}

    def campaign(self, name: str) -> str:
        """Return the campaign's name, or `other` if it is past the first 200 or not in the
        config."""
        return name if name in self._campaigns else OTHER

    def code(self, code: str) -> str:
        """Return a vendor's code, or `other` for codes beyond the first fifty of a process."""
        if len(self._codes) < CODES_SHOWN:
            self._codes.add(code)
        return code if code in self._codes else OTHER
