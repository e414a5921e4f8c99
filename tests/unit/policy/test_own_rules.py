"""Own rules: what a plugin says before a survey."""

from __future__ import annotations

import pytest

from consumer.policy.chance import Sample
from consumer.policy.own_rules import OwnRule
from consumer.policy.rules import in_order
from consumer.records.result import Reason, Status
from tests.support.candidates import FakeCandidate

RULE = OwnRule("closed", lambda candidate: candidate.body.get("store") == "7")


def test_rule_that_holds_back_names_itself_in_the_result() -> None:
    candidate = FakeCandidate({"store": "7"})
    assert RULE(candidate, 0.0) is Reason.OWN_RULE
    assert Reason.OWN_RULE.status is Status.SUPPRESSED
    assert candidate.found == {"rule": "closed"}


def test_rule_that_lets_pass_says_nothing() -> None:
    candidate = FakeCandidate({"store": "8"})
    assert RULE(candidate, 0.0) is None
    assert candidate.found == {}


def test_own_rules_are_asked_before_chance_and_in_the_order_of_the_config() -> None:
    """What a company excludes is in no sample."""
    other, sample = OwnRule("other", bool), Sample(1.0, "s", "person")
    assert in_order([sample, other, RULE]) == (other, RULE, sample)


def test_error_of_a_rule_is_not_swallowed() -> None:
    """The router makes a dead letter of it, as of a defect of its own."""

    def broken(_: object) -> bool:
        raise KeyError("store")

    with pytest.raises(KeyError):
        OwnRule("broken", broken)(FakeCandidate(), 0.0)
