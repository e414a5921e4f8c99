"""The rules before a survey: one file of this package for each, and one table that orders them.

A rule is a pure function of an event or invitation and the time. It returns None if the survey may
be sent, else the reason, which becomes the result's. Of the rules of a checkpoint the first that
refuses decides. Router and lanes ask the `PolicyRules` that they were given, and no call leaves
past them.

A rule with a store (how often was this customer asked?) stays pure as well: it is a method of an
object that holds a view of the store in memory. `wiring` makes the object and its table; a thread
of `runtime` reads the store and renews the view. What rules ask of a subject is its protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from consumer.policy.candidate import Candidate
from consumer.policy.chance import Holdout, Sample
from consumer.policy.customer_since import CustomerSince
from consumer.policy.exclusion import Exclusion
from consumer.policy.expiry import Expiring, expired_at_routing, expired_waiting
from consumer.policy.own_rules import OwnRule
from consumer.records.result import Reason

Rule = Callable[[Expiring, float], Reason | None]
RouteRule = Callable[[Candidate, float], Reason | None]

ROUTE_RULES: Final = (Exclusion, CustomerSince, OwnRule, Holdout, Sample)
"""The rules that a route's policy adds at routing, after expiry, in order. Behind them, for each
campaign of `send`: the address, and consent; and the `Schedule` last."""


def in_order(rules: Iterable[RouteRule]) -> tuple[RouteRule, ...]:
    """Return a route's rules in the table's order."""
    return tuple(sorted(rules, key=lambda rule: ROUTE_RULES.index(type(rule))))


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """The table: checkpoint → its rules, in order. A new rule is a file and its places here.

    `at_routing`: a route took an event. `at_intake`: a lane read an invitation, for the first time
    or again. `at_sealing`: a lane is about to call it, also for a retry.
    """

    at_routing: tuple[Rule, ...] = (expired_at_routing,)
    at_intake: tuple[Rule, ...] = (expired_waiting,)
    at_sealing: tuple[Rule, ...] = (expired_waiting,)


ALL_RULES: Final = PolicyRules()


def first_refusal(rules: Iterable[Rule], subject: Expiring, now: float) -> Reason | None:
    """Return the reason of the first rule that refuses the subject, or None."""
    for rule in rules:
        reason = rule(subject, now)
        if reason is not None:
            return reason
    return None
