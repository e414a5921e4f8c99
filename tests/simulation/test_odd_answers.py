"""What an odd answer of a simulated vendor may do to one customer."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from tests.simulation.world import rules
from tests.simulation.world.odd_answers import ODD_ANSWERS, REFUSED_ALONE
from tests.simulation.world.vendor import Truth, VendorDouble

REFUSALS = [odd.answer for odd in ODD_ANSWERS.values() if odd.refuses]


def test_a_customer_alone_meets_no_third_stray_refusal() -> None:
    """Nor on another quota of the vendor; beside other customers it may meet more."""
    rng = random.Random(1)
    lane = replace(rules.lanes(rng, sure=True)["cloud"], limits=())
    vendor = VendorDouble(lane, Truth(), rng, noise=False)
    vendor.be_well()
    vendor.odd = True
    alone, together = _call("one"), _call("one", "two")
    for double in (vendor, vendor.sibling(rng)):
        answers = [double.asked(alone, "", 0.0) for _ in range(1_000)]
        assert sum(answer in REFUSALS for answer in answers) == REFUSED_ALONE * (double is vendor)
    answers = [vendor.asked(together, "", 0.0) for _ in range(1_000)]
    assert sum(answer in REFUSALS for answer in answers) > REFUSED_ALONE


def _call(*names: str) -> Any:
    held = [SimpleNamespace(invitation={"id": name}) for name in names]
    return SimpleNamespace(id="cloud.0.1", campaign="b", invitations=held)
