"""Consent: given by the value true alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.policy.consent import agrees
from consumer.routing.expressions import compile_value
from tests.support.candidates import FakeCandidate

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(json)
def test_only_true_is_consent(value: object) -> None:
    candidate = FakeCandidate({"sms": value})
    assert agrees(lambda body: body["sms"], candidate) == (value is True)


def test_without_a_rule_consent_is_not_asked_for() -> None:
    assert agrees(None, FakeCandidate())


@pytest.mark.parametrize(
    ("expression", "body", "agreed"),
    [
        ("consent.sms", {"consent": {"sms": True}}, True),
        ("consent.sms", {"consent": {"sms": "true"}}, False),
        ("consent.sms", {"consent": {"sms": 1}}, False),
        ("consent.sms", {"consent": "sms"}, False),
        ("consent.sms", {}, False),
        ("consent.sms == 'ONAY'", {"consent": {"sms": "ONAY"}}, True),
        ("consent.sms == 'ONAY'", {"consent": {"sms": "RET"}}, False),
        ("consent.sms == 'ONAY'", {}, False),
        ("length(consent.sms) > `0`", {"consent": {"sms": None}}, False),
        ("!(consent.refused)", {"consent": {"refused": False}}, True),
    ],
)
def test_an_expression_that_fails_or_finds_nothing_is_no_consent(
    expression: str, body: dict[str, object], agreed: bool
) -> None:
    assert agrees(compile_value(expression), FakeCandidate(body)) is agreed
