"""A checkpoint of another clock: its times in ours, never too early, and never silent for long."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.lane import Lane
from consumer.lane.quota.clock_shift import TOLERATED, in_our_time, shift_between
from consumer.lane.quota.limiter import EXACT_MOST
from consumer.lane.state.settings import Limit
from consumer.records.checkpoint import Checkpoint
from tests.support.lanes import ACCEPTED, NOW, THROTTLED, Driver, held, lane, limited

clocks_apart = st.one_of(st.floats(-20_000, 20_000), st.sampled_from((0.0, 30.0, -10_800.0)))


def point(**more: object) -> Checkpoint:
    """A checkpoint of a lane with five calls in ten seconds."""
    driver = Driver(lane(limited(calls=5)))
    driver.answer(driver.read(held(1))[0], ACCEPTED)
    return driver.checkpoint.model_copy(update=more)


@given(clocks_apart, st.floats(0, 5), st.floats(0, 5), st.floats(0, 600))
def test_the_shift_is_how_far_the_clocks_are_apart_and_late_by_what_kafka_took(
    behind: float, taking: float, claiming: float, pause: float
) -> None:
    """The former owner's clock is so far behind ours."""
    written = 100_000.0  # true time; a checkpoint at 0 has none
    claimed = written + taking + pause
    former = point(at=written - behind)
    shift = shift_between(former, written + taking, claimed, claimed + claiming)
    late = shift - behind
    if shift:
        assert -1e-6 <= late <= taking + claiming + 1e-6
    else:
        assert abs(behind) <= TOLERATED + taking + claiming


@pytest.mark.parametrize(
    ("former", "appended", "claimed"),
    [(None, 1.0, 2.0), (point(at=0.0), 1.0, 2.0), (point(), None, 2.0), (point(), 1.0, None)],
)
def test_without_kafkas_times_nothing_is_moved(
    former: Checkpoint | None, appended: float | None, claimed: float | None
) -> None:
    assert shift_between(former, appended, claimed, 90_000.0) == 0.0


@given(clocks_apart)
def test_a_successor_with_another_clock_waits_as_the_former_owner_would(behind: float) -> None:
    former = Driver(lane(limited(calls=2)))
    for offset in range(2):
        former.answer(former.read(held(offset))[0], ACCEPTED)
    theirs = former.checkpoint  # in the time of a clock that is behind ours
    now = NOW + behind
    ours = in_our_time(theirs, behind, now, math.inf)
    moved = Lane(limited(calls=2), random.Random(1), now, epoch=2, checkpoint=ours)
    waits = former.lane.limiter.next_at(NOW) - NOW
    assert moved.limiter.next_at(now) - now == pytest.approx(waits, abs=1e-5)


@given(
    st.floats(-90_000, 90_000),
    st.floats(-90_000, 90_000),
    st.booleans(),
    st.sampled_from((5, EXACT_MOST + 1)),
)
def test_no_checkpoint_silences_a_lane_for_longer_than_its_quota_can(
    ahead: float, closed: float, unknown: bool, calls: int
) -> None:
    """Whatever clock wrote it, with or without Kafka's times."""
    of = limited(limits=(Limit(calls, 10.0), Limit(2 * calls, 100.0)))
    first = lane(of)
    for _ in range(2 * calls):
        first.limiter.count_calls(NOW + ahead)
    former = first.checkpoint(NOW).model_copy(
        update={
            "closed_until": NOW + closed,
            "limits_since": NOW + ahead,
            "limits_part": 0.5,
            "unknown_until": NOW + ahead if unknown else 0.0,
        }
    )
    machine = lane(of, former)
    latest = machine.quota.latest_arrival(NOW)
    assert machine.limiter.next_at(NOW) <= latest + 2 * 100.0 * (1 + 1 / 256)
    assert machine.quota_backoff.since <= NOW


def test_cells_move_with_all_else() -> None:
    of = limited(limits=(Limit(EXACT_MOST + 1, 100.0),))
    first = lane(of)
    for _ in range(EXACT_MOST + 1):
        first.limiter.count_calls(NOW - 30)
    theirs = first.checkpoint(NOW)
    assert theirs.quota is not None
    assert theirs.quota[0].cells is not None
    early = lane(of, theirs).limiter.next_at(NOW)
    late = lane(of, in_our_time(theirs, 25.0, NOW, math.inf)).limiter.next_at(NOW)
    assert 25.0 <= late - early <= 25.0 + 2 * 100 / 512


def test_a_lane_that_is_closed_opens_in_our_time() -> None:
    driver = Driver(lane(limited(limits=(Limit(5, 100.0),))))
    driver.answer(driver.read(held(1))[0], THROTTLED)
    theirs = driver.checkpoint
    moved = in_our_time(theirs, -7_200.0, NOW - 7_200, math.inf)
    assert moved.closed_until == theirs.closed_until - 7_200
    assert moved.limits_since == theirs.limits_since - 7_200
    open_one = point(closed_until=0.0, quota=None)
    assert in_our_time(open_one, 60.0, NOW, math.inf).closed_until == 0.0
