"""Rules at routing in words: the name of each in the config, and what it saw of an event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from consumer.config.durations import duration_text
from consumer.config.policy_sections import Policy
from consumer.operations.explain.shapes import time_text
from consumer.policy.candidate import Candidate
from consumer.policy.chance import Holdout, Sample
from consumer.policy.customer_since import CustomerSince
from consumer.policy.exclusion import Exclusion
from consumer.policy.expiry import expired_at_routing
from consumer.policy.own_rules import OwnRule

Saw = tuple[str, float | None]
"""What a rule saw, and from which epoch time on an event of this customer would pass it, if only
time keeps it from that."""
Detail = Callable[[Any, Candidate, Policy], Saw]
"""Of a rule, the event, and the policy that the rule is compiled from."""

_DAY: Final = 86_400


def _expiry(_rule: object, candidate: Candidate, policy: Policy) -> Saw:
    at = candidate.expires_at
    if at is None:
        return "never expires", None
    return f"expires at {time_text(at)}, {duration_text(policy.expire_after)} after the event", None


def _exclude(rule: Exclusion, candidate: Candidate, _policy: Policy) -> Saw:
    if rule.event is not None and rule.event(candidate.body):
        return "`exclude.match` fits the event", None
    for address in candidate.identities() if rule.addresses is not None else ():
        if rule.addresses is not None and rule.addresses(address):
            kind = "email" if "@" in address else "phone"
            return f"`exclude.{kind}s` names the customer's {kind}", None
    return "neither the event nor the customer is excluded", None


def _customer_since(rule: CustomerSince, candidate: Candidate, policy: Policy) -> Saw:
    since = candidate.time_at(rule.at)
    path = policy.customer_since.at if policy.customer_since else ""
    if since is None:
        return f"no readable time at `{path}`, so it is not known since when", None
    days, wanted = (candidate.event_time - since) / _DAY, duration_text(rule.at_least)
    detail = f"a customer since {time_text(since)}, {days:.1f} d before the event; wanted {wanted}"
    return detail, since + rule.at_least


def _own_rule(rule: OwnRule, candidate: Candidate, _policy: Policy) -> Saw:
    return f"the plugin {'holds it back' if rule.holds_back(candidate) else 'lets it pass'}", None


def _holdout(rule: Holdout, candidate: Candidate, _policy: Policy) -> Saw:
    return f"bucket {rule.bucket(candidate):.6f}; the control group is below {rule.rate:g}", None


def _sample(rule: Sample, candidate: Candidate, _policy: Policy) -> Saw:
    return f"bucket {rule.bucket(candidate):.6f}; invited below {rule.rate:g}", None


DETAILS: Final[Mapping[object, tuple[str, Detail]]] = {
    expired_at_routing: ("expire_after", _expiry),
    Exclusion: ("exclude", _exclude),
    CustomerSince: ("customer_since", _customer_since),
    OwnRule: ("rules", _own_rule),
    Holdout: ("holdout", _holdout),
    Sample: ("sample", _sample),
}
"""A rule, or its class → its key of the config, and its detail."""


def name_and_detail(rule: object, candidate: Candidate, policy: Policy) -> tuple[str, Saw]:
    """Return a rule's name, and what it saw."""
    name, detail = DETAILS[rule if rule in DETAILS else type(rule)]
    return name, detail(rule, candidate, policy)
