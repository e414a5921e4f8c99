"""Consent: a channel is used only if the customer agreed to it.

Only the value `true` is consent. A missing field, a text such as "no" or "0", and an expression
that fails are none: the rule is never open by accident. Where events say it in words, the
expression compares: `consent.sms == 'YES'`.
"""

from __future__ import annotations

from consumer.policy.candidate import Candidate, Value


def agrees(consent: Value | None, candidate: Candidate) -> bool:
    """Return whether a channel may be used; `consent` is None if the policy asks for none."""
    return consent is None or consent(candidate.body) is True
