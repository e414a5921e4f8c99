"""Suppressions: scope, end, removal, and erasure of what was routed before it."""

from __future__ import annotations

import pytest

from consumer.policy.contacts.history import Suppression
from consumer.policy.contacts.suppressions import first_suppression, holds
from tests.support.contacts import FACTS, NOW


@pytest.mark.parametrize(
    ("suppression", "expected"),
    [
        (Suppression("all", NOW), True),
        (Suppression("sms", NOW), True),
        (Suppression("nps", NOW), True),
        (Suppression("purchase", NOW), True),
        (Suppression("email", NOW), False),
        (Suppression("all", NOW, removed=True), False),
        (Suppression("all", NOW, until=NOW), False),
        (Suppression("all", NOW, until=NOW + 1), True),
        (Suppression("all", NOW, "bounced"), True),
        (Suppression("all", NOW, "erased"), True),
        (Suppression("all", NOW - 61, "erased"), False),
    ],
)
def test_suppression_holds_in_its_scope_and_time(suppression: Suppression, expected: bool) -> None:
    assert holds(suppression, FACTS, NOW - 60, NOW) is expected


def test_opt_out_is_named_before_other_suppressions() -> None:
    bounced, opted_out = Suppression("all", NOW, "bounced"), Suppression("sms", NOW)
    assert first_suppression([bounced, opted_out], FACTS, NOW, NOW) is opted_out
    assert first_suppression([bounced], FACTS, NOW, NOW) is bounced
    assert first_suppression([], FACTS, NOW, NOW) is None
