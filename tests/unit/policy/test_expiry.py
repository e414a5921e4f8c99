"""Expiry: the first rule before a survey."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.expiry import (
    expired_at_routing,
    expired_waiting,
    expiry_time,
    has_expired,
)
from consumer.records.result import Reason, Status

AT = 1_795_361_827.0


@dataclass
class Subject:
    expires_at: float | None


def test_expiry_counts_from_the_transaction() -> None:
    assert expiry_time(AT, 3600.0) == AT + 3600
    assert expiry_time(AT, None) is None


@pytest.mark.parametrize(("away", "expected"), [(-0.1, False), (0.0, True), (0.1, True)])
def test_a_survey_is_too_late_at_the_very_second(away: float, expected: bool) -> None:
    assert has_expired(AT, AT + away) is expected


@given(st.floats(0, 4e9))
def test_what_has_no_expiry_never_expires(now: float) -> None:
    assert not has_expired(None, now)


@given(st.none() | st.floats(0, 4e9), st.floats(0, 4e9))
def test_both_rules_refuse_at_the_same_time_and_differ_in_the_reason(
    expires_at: float | None, now: float
) -> None:
    subject = Subject(expires_at)
    reasons = expired_at_routing(subject, now), expired_waiting(subject, now)
    late = has_expired(expires_at, now)
    assert reasons == ((Reason.TOO_OLD, Reason.EXPIRED_WAITING) if late else (None, None))
    assert {reason.status for reason in reasons if reason} <= {Status.EXPIRED}
