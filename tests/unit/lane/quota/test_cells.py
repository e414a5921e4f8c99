"""Large limits count by cells of time: as safe as stamps, a cell later at most, and bounded."""

from __future__ import annotations

import math
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.lane.quota import limiter as limiter_module
from consumer.lane.quota.cells import PER_PERIOD, Cells
from consumer.lane.quota.limiter import EPSILON, EXACT_MOST, Limiter
from consumer.lane.quota.quota import with_calls
from consumer.lane.state.settings import Limit
from consumer.records.checkpoint import LimitCalls
from tests.support.lanes import lane, limited
from tests.unit.lane.quota.test_limiter import NOW, held, holds

PERIOD = 8.0
WIDTH = PERIOD / PER_PERIOD
ago = st.lists(st.integers(-20 * 64, 4 * 64).map(lambda ticks: ticks / 64), max_size=20)
anywhen = st.lists(st.floats(-20, 4), max_size=20)


def cells_of(stamps: list[float], period: float = PERIOD) -> Cells:
    """Cells with these calls."""
    cells = Cells(period)
    for at in stamps:
        cells.add(at)
    return cells


def by_cells(limits: list[Limit], **rest: float) -> Limiter:
    """A limiter that counts by cells however small its limits are."""
    with patch.object(limiter_module, "EXACT_MOST", 0):
        return Limiter(limits, **rest)


def opens(stamps: list[float], spare: int) -> float:
    """The exact opening of a limit of one period."""
    limiter = Limiter.restore([Limit(spare, PERIOD)], stamps, skew=0.0)
    return limiter._opening(NOW).at


@given(anywhen, st.integers(1, 8))
def test_the_gate_opens_never_earlier_and_a_cell_later_at_most(
    before: list[float], spare: int
) -> None:
    stamps = [NOW + each for each in before]
    exact, coarse = opens(stamps, spare), cells_of(stamps).opens(spare, NOW)
    if max(exact, coarse) > NOW + 2 * EPSILON:  # of times that are over, only that they are counts
        assert exact - 2 * EPSILON <= coarse <= max(exact, NOW) + WIDTH + 2 * EPSILON


@given(ago, st.integers(1, 8))
def test_on_its_grid_it_opens_when_the_formula_holds(before: list[float], spare: int) -> None:
    """A cell's end is the stamp of all calls in it, so the opening is exact for those ends."""
    ends = [NOW + each + WIDTH for each in before]
    coarse = cells_of([end - WIDTH / 2 for end in ends]).opens(spare, NOW)
    exact = opens(ends, spare)
    if max(exact, coarse) > NOW + 2 * EPSILON:
        assert coarse == pytest.approx(exact, rel=0, abs=2 * EPSILON)


@given(ago)
def test_used_is_what_the_worst_counter_of_the_cells_ends_holds(before: list[float]) -> None:
    ends = [NOW + each + WIDTH for each in before]
    used = cells_of([end - WIDTH / 2 for end in ends]).used(NOW)
    assert used == pytest.approx(float(held(ends, PERIOD, NOW)), abs=1e-6)


@given(ago)
def test_pairs_restore_what_still_matters(before: list[float]) -> None:
    old = cells_of([NOW + each for each in before])
    new = Cells(PERIOD, old.packed_counts(NOW))
    assert new.packed_counts(NOW) == old.packed_counts(NOW)
    for spare in range(1, 6):
        assert new.opens(spare, NOW) == old.opens(spare, NOW)
    assert new.used(NOW) == old.used(NOW)


@given(
    anywhen,
    st.integers(1, 8),
    st.floats(0, 1e5),
    st.sampled_from([1e-3, 0.01, 0.02, 0.3, PERIOD]),
)
@example(before=[0.0, -0.5], spare=1, later=0.5625, period=0.3)  # was an ulp apart
def test_cells_answer_as_well_long_after_their_last_call(
    before: list[float], spare: int, later: float, period: float
) -> None:
    """The running sums are of `NOW`: they still hold cells that matter no more by then."""
    old = cells_of([NOW + each for each in before], period)
    old.opens(spare, NOW)
    now = NOW + later
    fresh = Cells(period, old.packed_counts(-math.inf))
    assert max(old.opens(spare, now), now) == max(fresh.opens(spare, now), now)
    assert old.used(now) == fresh.used(now)


def test_a_share_set_after_an_idle_time_is_told_at_once() -> None:
    """The calls of before are over, whatever the smaller share makes of their number."""
    limiter = Limiter([Limit(EXACT_MOST + 100, 1.0)])
    limiter.count_calls(NOW, EXACT_MOST)
    assert limiter.allowed(NOW)
    limiter.set_share(0.5)
    assert limiter.allowed(NOW + 60)


def test_the_worst_counter_of_a_single_cell_is_told_at_any_time() -> None:
    """A float may round a time into the cell after its own: then no cell lies in the period."""
    cells = cells_of([1e9], 0.017)
    for now in (1_000_000_098.553, *(1e9 + tick / 1_000 for tick in range(2_000))):
        assert 0 <= cells.used(now) <= 1


@given(
    st.lists(st.tuples(st.integers(0, 5 * 64), st.booleans()), max_size=60),
    st.lists(st.builds(Limit, st.integers(1, 8), st.floats(1, 18)), min_size=1, max_size=3),
)
def test_a_life_of_calls_by_cells_never_breaks_the_formula(
    steps: list[tuple[int, bool]], limits: list[Limit]
) -> None:
    """Measured with the true stamps; the owner changes now and then."""
    limiter, stamps, now = by_cells(limits), list[float](), NOW
    for ticks, moves in steps:
        now += ticks / 64
        if moves:
            successor = Limiter.resume(limiter.known(now), limiter.stamps(now))
            successor.reconfigure(limits, 2.0, 1.0, now)
            limiter = successor
        if limiter.allowed(now):
            assert holds(stamps, 0, limits, now)
            limiter.take_permit(now)
            stamps.append(now + ticks / 128)
            limiter.call_ended(stamps[-1])


def test_neither_memory_nor_checkpoint_grows_with_the_limit() -> None:
    limiter = Limiter([Limit(200_000, 86_400.0)])
    for index in range(400_000):
        limiter.count_calls(NOW - index * 0.43)
    (known,) = limiter.known(NOW)
    assert known.cells is not None
    assert len(known.cells) <= 2 * (2 * PER_PERIOD + 2)
    assert limiter.stamps(NOW) == []
    assert limiter.share_left(NOW) == 0.0
    assert limiter.next_at(NOW) < NOW + 2 * 86_402


def test_a_limit_of_a_billion_makes_no_stamps_at_the_first_start() -> None:
    limiter = Limiter.restore([Limit(1_000_000_000, 86_400.0)], [], assume_full_at=NOW)
    assert limiter.stamps(NOW) == []
    assert limiter.share_left(NOW) == 0.0
    assert NOW + 86_402 < limiter.next_at(NOW) < NOW + 86_402 * (1 + 2 / PER_PERIOD)


def test_small_limits_beside_a_large_one_stay_exact() -> None:
    limiter = Limiter([Limit(2, 5.0), Limit(EXACT_MOST + 1, 3_600.0)])
    for at in (NOW, NOW + 1):
        limiter.take_permit(at)
        limiter.call_ended(at)
    assert limiter.stamps(NOW + 1) == [NOW, NOW + 1]
    assert limiter.log_reach == 14.0
    assert limiter.next_at(NOW + 1) == pytest.approx(NOW + 7 + 7 / 2, rel=0, abs=1e-5)
    assert limiter.permits(NOW + 1) == (0.0, EXACT_MOST - 1.0)
    assert [each.cells is None for each in limiter.known(NOW + 1)] == [True, False]


@pytest.mark.parametrize("smaller", [Limit(9, 50.0), Limit(9, 100.0), Limit(700, 60.0)])
def test_other_limits_go_on_with_what_only_cells_remember(smaller: Limit) -> None:
    limiter = Limiter([Limit(600, 100.0)], skew=0.0)
    for index in range(300):
        limiter.count_calls(NOW - 40 + index / 10)
    limiter.reconfigure([smaller], 0.0, 1.0, NOW)
    exact = Limiter.restore([smaller], [NOW - 40 + index / 10 for index in range(300)], skew=0.0)
    assert limiter.permits(NOW) == pytest.approx(exact.permits(NOW), abs=2)
    assert limiter.next_at(NOW) >= exact.next_at(NOW)


def test_two_former_limits_tell_each_call_once() -> None:
    """The finer one what it reaches, the coarser one what lies beyond."""
    limiter = Limiter([Limit(600, 10.0), Limit(900, 1_000.0)], skew=0.0)
    for at in (NOW - 500, NOW - 5, NOW - 4):
        limiter.count_calls(at)
    limiter.reconfigure([Limit(800, 900.0)], 0.0, 1.0, NOW)
    assert limiter.permits(NOW) == pytest.approx((797.0,), abs=0.01)


def test_an_unknown_past_counts_as_many_as_the_next_limits_allow() -> None:
    """First three, then nine in ten seconds: nothing is free before the unknown calls have gone."""
    for by in (Limiter, by_cells):
        limiter = by([Limit(3, 5.0)], skew=0.0)
        with patch.object(limiter_module, "EXACT_MOST", 0 if by is by_cells else EXACT_MOST):
            limiter.reconfigure([Limit(3, 10.0)], 0.0, 1.0, NOW)
            limiter.reconfigure([Limit(20, 10.0)], 0.0, 0.5, NOW)
            assert limiter.share_left(NOW) == 0.0
            limiter.set_share(1.0)
            assert limiter.share_left(NOW) == 0.0
            limiter.reconfigure([Limit(20, 10.0)], 0.0, 1.0, NOW + 30)
            assert limiter.share_left(NOW + 30) == 1.0


def test_all_in_flight_waits_for_an_answer() -> None:
    assert math.isinf(Cells(PERIOD).opens(0, NOW))
    assert Cells(PERIOD).opens(1, NOW) == -math.inf


def test_a_successor_knows_the_calls_of_before() -> None:
    cells = cells_of([NOW - 9] * 4, 100.0).packed_counts(NOW)
    known = (LimitCalls(calls=5, period=7.0), LimitCalls(calls=600, period=100.0, cells=cells))
    limiter = Limiter.resume(known, [NOW - 1])
    assert limiter.calls == (5, 600)
    limiter.reconfigure([Limit(5, 5.0), Limit(600, 98.0)], 2.0, 1.0, NOW)
    assert limiter.permits(NOW) == pytest.approx((4.0, 596.0))


@pytest.mark.parametrize("period", [1e-3, 0.02, 3.0])
def test_a_stamp_in_the_future_of_a_short_period_costs_little(period: float) -> None:
    cells = cells_of([NOW, NOW + 40], period)
    opens = cells.opens(1, NOW)
    assert NOW + 40 + 2 * period <= opens <= NOW + 40 + 2 * period + 0.05
    assert len(cells._running(NOW)) <= 40_100


@pytest.mark.parametrize("calls", [5, EXACT_MOST + 1])
def test_a_tool_adds_calls_to_a_checkpoint_as_the_lane_would(calls: int) -> None:
    of = limited(limits=(Limit(calls, 50.0),))
    first = lane(of)
    first.limiter.count_calls(NOW - 1)
    point = first.checkpoint(NOW)
    first.limiter.count_calls(NOW + 30, 2)
    expected = lane(of, first.checkpoint(NOW)).limiter.permits(NOW)
    assert lane(of, with_calls(point, [NOW + 30] * 2)).limiter.permits(NOW) == expected
    silent = with_calls(point.model_copy(update={"quota": None}), [NOW + 30])
    assert silent.quota is None
    assert silent.permit_log[-1] == NOW + 30


def test_a_login_under_way_counts_in_the_checkpoint_of_a_large_limit() -> None:
    limiter = Limiter([Limit(EXACT_MOST + 1, 50.0)])
    (known,) = limiter.known(NOW, [NOW + 40])
    assert known.cells is not None
    assert known.cells[1::2] == (1,)
    assert limiter.permits(NOW) == (EXACT_MOST + 1.0,)
