"""What a 429 leads to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.lane.quota.backoff import DECREASE, INCREASE, LEAST, QuotaBackoff
from consumer.lane.state.settings import Limit
from consumer.records.call import Outcome, Verdict

LIMITS = (Limit(160, 625.0), Limit(20, 5.0), Limit(40, 25.0))
REFUSED = Outcome(Verdict.RETRY, 429, counts=False, throttled=True)
NOW = 1_000_000.0


def at_vendor(seconds: float, **more: float) -> Outcome:
    """A 429 whose `Date` is that many seconds after an hour began."""
    return Outcome(Verdict.RETRY, 429, throttled=True, vendor_time=3600.0 + seconds, **more)  # type: ignore[arg-type]


def test_retry_after_comes_first() -> None:
    throttling = QuotaBackoff(LIMITS)
    assert throttling.record_refused(at_vendor(1.0, retry_after=40.0), NOW, NOW) == NOW + 40


def test_without_it_silence_lasts_to_the_next_boundary_by_the_vendors_clock() -> None:
    assert QuotaBackoff(LIMITS).record_refused(at_vendor(3.0), NOW, NOW) == NOW + 2
    assert QuotaBackoff(LIMITS).record_refused(REFUSED, NOW, NOW) == NOW + 5
    assert QuotaBackoff(()).record_refused(REFUSED, NOW, NOW) == NOW + 1


def test_refusals_in_a_row_wait_for_longer_periods_until_a_call_goes_through() -> None:
    throttling, now = QuotaBackoff(LIMITS), NOW
    waits = []
    for _ in range(6):
        until = throttling.record_refused(REFUSED, now, now)
        waits.append(until - now)
        now = until
    assert waits == [5, 25, 625, 1250, 2500, 3600]
    throttling.record_accepted()
    assert throttling.record_refused(REFUSED, now, now) == now + 5


def test_a_burst_that_is_refused_together_counts_once() -> None:
    throttling = QuotaBackoff(LIMITS)
    for n in range(5):
        throttling.record_refused(REFUSED, NOW - 1, NOW + n)
    assert throttling.quota_fraction == DECREASE


def test_fewer_calls_are_made_for_a_while_and_then_more_again() -> None:
    throttling = QuotaBackoff(LIMITS)
    throttling.record_refused(REFUSED, NOW, NOW)
    assert throttling.recover(NOW + 624) is False
    assert throttling.recover(NOW + 625) is True
    assert throttling.quota_fraction == pytest.approx(DECREASE + INCREASE)
    assert throttling.recover(NOW + 626) is False
    assert throttling.recover(NOW + 10_000) is True
    assert throttling.quota_fraction == 1.0
    assert throttling.recover(NOW + 99_999) is False


def test_other_limits_other_periods() -> None:
    throttling = QuotaBackoff(())
    throttling.reconfigure(LIMITS)
    assert throttling.record_refused(REFUSED, NOW, NOW) == NOW + 5


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 5_000.0)), max_size=60))
def test_the_part_in_use_stays_within_its_bounds(story: list[tuple[bool, float]]) -> None:
    throttling, now = QuotaBackoff(LIMITS), NOW
    for refused, pause in story:
        now += pause
        before = throttling.quota_fraction
        if refused:
            assert throttling.record_refused(REFUSED, now, now) > now
        elif not throttling.recover(now):
            assert throttling.quota_fraction == before
        assert LEAST <= throttling.quota_fraction <= 1.0
