"""The forecast against lanes whose end is known: fluid ones, and the simulated quota."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.quota.forecast import Forecast
from consumer.lane.state.settings import Limit

seconds = st.floats(0.1, 30.0)
counts = st.integers(0, 10**6)


def steady(forecast: Forecast, rounds: int, *, settle: int, arrive: int, start: int) -> int:
    """Feed one round a second; return how many wait at the end."""
    for now in range(rounds):
        waiting = start + (arrive - settle) * now
        forecast.observe(now, settle * now, arrive * now, waiting)
    return waiting


def test_nothing_is_known_at_first() -> None:
    forecast = Forecast()
    assert forecast.drain_seconds == 0.0
    forecast.observe(100.0, 0, 5, 5)
    assert forecast.drain_seconds == math.inf


@given(st.integers(2, 200), st.integers(0, 50), st.integers(1, 50))
def test_at_steady_rates_the_end_is_known_from_the_second_look_on(
    rounds: int, arrive: int, more: int
) -> None:
    forecast = Forecast()
    waiting = steady(forecast, rounds, settle=arrive + more, arrive=arrive, start=10**6)
    assert forecast.drain_seconds == pytest.approx(waiting / more)


@given(st.integers(2, 100), st.integers(0, 50), st.integers(0, 50))
def test_a_backlog_that_does_not_shrink_never_ends(rounds: int, settle: int, more: int) -> None:
    forecast = Forecast()
    steady(forecast, rounds, settle=settle, arrive=settle + more, start=10**6)
    assert forecast.drain_seconds == math.inf


def test_in_balance_what_waits_for_the_next_call_is_no_backlog() -> None:
    forecast = Forecast()
    steady(forecast, 100, settle=20, arrive=20, start=10)
    assert forecast.drain_seconds == pytest.approx(0.5)


@given(st.lists(st.tuples(seconds, counts, counts, counts)))
def test_the_forecast_is_never_negative_and_0_just_when_no_invitation_waits(
    looks: list[tuple[float, int, int, int]],
) -> None:
    """Whatever totals do: those that fall are a new owner's."""
    forecast, now = Forecast(), 0.0
    for passed, settled, arrived, waiting in looks:
        now += passed
        forecast.observe(now, settled, arrived, waiting)
        assert forecast.drain_seconds >= 0.0
        assert (forecast.drain_seconds == 0.0) == (waiting == 0)


def test_new_rates_replace_the_old_ones() -> None:
    """A vendor comes back: after some stretches only the rates since then count."""
    forecast = Forecast(100.0)
    settled = 0
    for now in range(3000):
        settled += 10 if now >= 2000 else 0
        forecast.observe(now, settled, 5 * now, 7000)
    assert forecast.drain_seconds == pytest.approx(7000 / (10 - 5), rel=0.01)


def test_bursts_within_the_quotas_period_are_evened_out() -> None:
    """160 calls of 10 at the beginning of each 625 s: the forecast stays within a third."""
    forecast = Forecast.under([Limit(20, 5.0), Limit(160, 625.0)])
    told = []
    for now in range(20 * 625):
        settled = 1600 * (now // 625) + min(100 * (now % 625), 1600)
        forecast.observe(now, settled, 0, 10_000)
        told.append(forecast.drain_seconds)
    late = told[4 * 625 :]
    assert min(late) > 2 / 3 * 10_000 / 2.56
    assert max(late) < 4 / 3 * 10_000 / 2.56


def test_totals_that_fall_and_a_clock_that_goes_back_are_passed_over() -> None:
    forecast = Forecast()
    steady(forecast, 50, settle=4, arrive=2, start=1000)
    before = forecast.drain_seconds * 2 / 902
    forecast.observe(50.0, 0, 0, 902)
    forecast.observe(49.0, 0, 0, 902)
    assert forecast.drain_seconds == pytest.approx(902 / 2)
    assert before == pytest.approx(1.0)


def test_without_limits_five_minutes_count() -> None:
    fast, slow = Forecast.under([]), Forecast(300.0)
    for forecast in (fast, slow):
        forecast.observe(0.0, 0, 0, 10)
        forecast.observe(500.0, 10, 0, 10)
        forecast.observe(600.0, 20, 0, 10)
    assert fast.drain_seconds == slow.drain_seconds


@pytest.mark.parametrize("stretch", [0.0, -1.0, math.nan])
def test_a_stretch_is_above_0(stretch: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Forecast(stretch)
