"""Recorded results under other contact rules."""

from __future__ import annotations

from consumer.contacts.trial import Recorded, try_rules
from consumer.policy.contacts.contact_rule import ContactRule
from consumer.policy.contacts.request import Request
from consumer.policy.contacts.table import ContactRules

DAY = 86400.0
NOW = 1_800_000_000.0


def recorded(number: int, person: str, days: float, *, asked: bool = True) -> Recorded:
    """An invitation of a person, so many days after the beginning."""
    at = NOW + days * DAY
    return Recorded(at, Request(f"i{number}", (person,), at), asked)


def rules(*every: ContactRule) -> ContactRules:
    """These rules, and a year of contacts."""
    return ContactRules(every, keep=365 * DAY)


MONTH = ContactRule("month", within=30 * DAY)


def test_what_a_stricter_rule_would_have_held_back_is_counted_by_rule() -> None:
    past = [recorded(1, "a", 0), recorded(2, "a", 10), recorded(3, "b", 10), recorded(4, "a", 31)]
    trial = try_rules(past, rules(MONTH), NOW)
    assert (trial.invitations, trial.asked_then, trial.asked_now) == (4, 4, 3)
    assert dict(trial.held_back) == dict(trial.by_rule) == {"month": 1}
    assert trial.let_through == 0


def test_what_was_held_back_then_may_be_asked_now() -> None:
    past = [recorded(1, "a", 0), recorded(2, "a", 10, asked=False), recorded(3, "a", 11)]
    trial = try_rules(past, rules(ContactRule("week", within=7 * DAY)), NOW)
    assert (trial.asked_then, trial.asked_now, trial.let_through) == (2, 2, 1)
    assert dict(trial.held_back) == {"week": 1}


def test_what_was_sent_before_the_period_counts() -> None:
    past = [recorded(1, "a", -5), recorded(2, "a", -4, asked=False), recorded(3, "a", 1)]
    trial = try_rules(past, rules(MONTH), NOW)
    assert (trial.invitations, trial.asked_now) == (1, 0)


def test_what_waits_for_a_rule_counts_as_held_back_and_takes_no_place() -> None:
    waits = ContactRule("sms", within=7 * DAY, at_limit="wait")
    past = [recorded(1, "a", 0), recorded(2, "a", 1), recorded(3, "a", 8)]
    trial = try_rules(past, rules(waits), NOW)
    assert (trial.asked_now, dict(trial.by_rule)) == (2, {"sms": 1})


def test_without_rules_everything_is_asked() -> None:
    trial = try_rules([recorded(1, "a", 0), recorded(2, "a", 0)], rules(), NOW)
    assert (trial.asked_now, trial.by_rule) == (2, {})
