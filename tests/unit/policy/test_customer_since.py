"""Customer since: a new customer is not asked, and neither is one who may be new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.customer_since import CustomerSince
from consumer.records.result import Reason
from tests.support.candidates import FakeCandidate

AT = 1_763_800_000.0
DAY = 86_400.0


def since(body: dict[str, object]) -> object:
    return body.get("created")


@pytest.mark.parametrize(
    ("created", "reason"),
    [
        (AT - 30 * DAY, None),
        (AT - 30 * DAY + 0.001, Reason.TOO_NEW),
        (AT - 400 * DAY, None),
        (AT, Reason.TOO_NEW),
        (AT + DAY, Reason.TOO_NEW),
        (None, Reason.TOO_NEW),
        ("long ago", Reason.TOO_NEW),
    ],
)
def test_a_customer_of_less_than_so_long_is_too_new(created: object, reason: Reason | None) -> None:
    candidate = FakeCandidate({"created": created}, event_time=AT)
    assert CustomerSince(since, 30 * DAY)(candidate, AT + 99 * DAY) is reason


@given(st.floats(0, 2e9), st.floats(1, 1e8), st.floats(0, 1e9))
def test_time_that_passes_until_routing_changes_nothing(
    created: float, at_least: float, waited: float
) -> None:
    candidate = FakeCandidate({"created": created}, event_time=AT)
    rule = CustomerSince(since, at_least)
    assert rule(candidate, AT) is rule(candidate, AT + waited)
