"""The rules that look at a person's history: which of them are asked when a survey is due.

Without a store their answers are not known: `holds` is null, and the detail says what each allows.
`AskContacts` asks a store (`stored_history`); its decision counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from consumer.config.contact_sections import ContactRule
from consumer.config.durations import duration_text
from consumer.config.models import Config
from consumer.config.models import Route as RouteConfig
from consumer.operations.explain.shapes import RuleAnswer, rule_answer
from consumer.policy.contacts.explaining import RuleCheck, check_rules
from consumer.policy.contacts.loaded import LoadedContacts
from consumer.policy.contacts.request import Decision, Request, Verdict
from consumer.records.result import Reason
from consumer.wiring.contacts import build_contact_rules

AskContacts = Callable[[Request], tuple[Decision, Sequence[RuleCheck]]]

_UNKNOWN: Final = "; asked when it is due"
_WITHOUT_EFFECT: Final = {
    "other_surveys": "does not apply to this survey",
    "null_key": "does not apply: the event has no value for a key of `per`",
    "replaced": "does not apply: another rule holds instead of it",
    "exempt": "does not apply: the route's `contact` is not `obey`",
}


def rules_without_history(config: Config, request: Request) -> Sequence[RuleCheck]:
    """Return which contact rules apply; those that do `hold`, for a history that is empty."""
    nothing = LoadedContacts(defaultdict(lambda: None), {})
    return check_rules(request, nothing, build_contact_rules(config), 0.0)


def contact_answers(
    config: Config,
    route: RouteConfig,
    checks: Sequence[RuleCheck],
    decision: Decision | None = None,
) -> Iterator[RuleAnswer]:
    """Yield the answers of the contact rules, and of the other rules that look at a history, in
    order. `decision`: by the history, if it was looked at."""
    policy = config.policy_of(route)
    if config.feeds.suppressions is not None or config.feeds.deliveries is not None:
        refusals = {Reason.OPTED_OUT, Reason.BOUNCED}
        yield _other("suppressions", "no opt-out and no bounce of the person", decision, refusals)
    if repeats := policy.deduplicate:
        allowed = f"no equal `{repeats.by}` within {duration_text(repeats.within)}"
        yield _other("deduplicate", allowed, decision, {Reason.DUPLICATE})
    for check in checks:
        yield _answer(check, config.contact_rules[check.rule], known=decision is not None)
    if pace := policy.pace:
        allowed = f"at most {pace.at_most:,} each {pace.every}"
        yield _other("pace", allowed, decision, {Reason.PACE_MET})


def _other(
    rule: str, allowed: str, decision: Decision | None, refusals: Collection[Reason]
) -> RuleAnswer:
    """Return the answer of a rule that is known by the decision alone: of those behind the one that
    refused it is not."""
    if decision is None:
        return rule_answer(rule, None, allowed + _UNKNOWN)
    if decision.verdict is Verdict.GRANTED:
        return rule_answer(rule, True, allowed)
    holds = False if decision.reason in refusals else None
    return rule_answer(rule, holds, allowed, decision.eligible_at if holds is False else None)


def _answer(check: RuleCheck, rule: ContactRule, *, known: bool) -> RuleAnswer:
    name = f"contact_rules.{check.rule}"
    if check.state in _WITHOUT_EFFECT:
        return rule_answer(name, True, _WITHOUT_EFFECT[check.state])
    if not known:
        return rule_answer(name, None, _allowance(rule) + _UNKNOWN)
    blocked = f"; blocked by {check.blocked_by}" if check.blocked_by else ""
    return rule_answer(name, check.state == "holds", _allowance(rule) + blocked, check.eligible_at)


def _allowance(rule: ContactRule) -> str:
    counts = rule.counts.of if rule.counts else "invitations"
    counted = counts.removesuffix("s") if rule.at_most == 1 else counts
    window = f"within {duration_text(rule.within)}" if rule.within else f"each {rule.calendar}"
    return f"at most {rule.at_most:,} {counted} {window} per {', '.join(rule.per)}"
