"""What counts as a silence of a healthy campaign in a simulated world."""

from __future__ import annotations

import random

from tests.simulation.world.rules import FLASH_EXPIRES
from tests.simulation.world.sickness import (
    CALLS,
    LONGEST_SILENCE,
    OTHERS,
    PERIOD,
    SICK,
    SICKNESSES,
    Gap,
    Sickness,
    gaps,
    silences,
)

LATE = 2 * LONGEST_SILENCE


def test_where_answers_go_astray_no_campaign_is_sick() -> None:
    """Each of them is healthy then: it must be called, and its calls are a backlog's."""
    rng = random.Random(1)
    ill = Sickness(rng, SICKNESSES["firewall"], 0.0)
    assert (ill.sick, ill.healthy) == (SICK, OTHERS)
    astray = Sickness(rng, None, 0.05)
    assert (astray.sick, astray.healthy) == (None, (SICK, *OTHERS))


def test_a_customer_that_expires_leaves_no_silence() -> None:
    """The law leaves them out: none of them can wait for as long."""
    assert FLASH_EXPIRES < LONGEST_SILENCE


def test_a_gap_begins_when_a_customer_waits() -> None:
    """Before the first one came, and while all were called, a campaign has nothing to say."""
    arrived = {"one": 10.0, "two": 12.0, "three": 50.0}
    calls = [(15.0, ["one"]), (20.0, ["two"]), (53.0, ["three"]), (60.0, ["three"])]
    assert gaps(arrived, calls) == [
        Gap(10.0, 15.0),
        Gap(15.0, 20.0),
        Gap(50.0, 53.0),
        Gap(60.0, 60.0),
    ]


def test_a_long_gap_is_a_silence_unless_healthy_calls_use_the_quota() -> None:
    """A backlog of other healthy campaigns excuses it; a few calls of theirs do not."""
    arrived, calls = {"one": 0.0}, [(LATE, ["one"])]
    busy = [PERIOD / CALLS * number for number in range(int(LATE / PERIOD * CALLS))]
    assert silences(arrived, calls, []) == [Gap(0.0, LATE)]
    assert silences(arrived, calls, busy[::4]) == [Gap(0.0, LATE)]
    assert not silences(arrived, calls, busy[::2])
    assert not silences(arrived, [(LONGEST_SILENCE, ["one"])], [])
