"""Every contact rule's state for an invitation, for `explain`: what holds, what is full and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from consumer.policy.contacts.limits import Counting, applying_rules, holding_rules
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.table import ContactRules

RuleState = Literal["holds", "full", "other_surveys", "null_key", "replaced", "exempt"]


@dataclass(frozen=True, slots=True)
class RuleCheck:
    """A rule's state: `holds` and `full` are those that decide, the others do not apply."""

    rule: str
    state: RuleState
    eligible_at: float | None = None
    blocked_by: str | None = None


def check_rules(
    request: Request, loaded: LoadedContacts, rules: ContactRules, now: float
) -> list[RuleCheck]:
    """Return the state of each contact rule, in order. Nothing is changed."""
    holding = holding_rules(rules.rules, request)
    applying = applying_rules(rules.rules, request)
    counting = Counting(request, loaded, now)
    checks = []
    for rule in rules.rules:
        if not rule.applies_to.matches(request.facts):
            checks.append(RuleCheck(rule.name, "other_surveys"))
        elif rule not in applying:
            checks.append(RuleCheck(rule.name, "null_key"))
        elif rule not in holding:
            checks.append(RuleCheck(rule.name, "replaced"))
        elif request.contact != "obey":
            checks.append(RuleCheck(rule.name, "exempt"))
        elif (full := next(counting.full_rules([rule]), None)) is None:
            checks.append(RuleCheck(rule.name, "holds"))
        else:
            checks.append(RuleCheck(rule.name, "full", full.known_time, full.blocked_by))
    return checks
