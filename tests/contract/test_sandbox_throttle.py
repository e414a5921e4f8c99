"""The double's four throttles against their definitions, written out the slow way."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from consumer.sandbox.settings import Quota
from consumer.sandbox.throttle import Algorithm, Limit, Throttle, parse_limit

ALGORITHMS: list[Algorithm] = ["fixed", "sliding", "weighted", "bucket"]

# Eighths of a second are exact in binary, so that the definitions need no tolerance.
eighths = st.integers(0, 400).map(lambda n: 1_800_000_000 + n / 8)
call_times = st.lists(eighths, max_size=60).map(sorted)
limits = st.builds(Limit, st.integers(1, 5), st.sampled_from([0.5, 1.0, 4.0, 16.0]))


def in_fixed(earlier: Sequence[float], now: float, limit: Limit) -> float:
    window = now // limit.period
    return sum(at // limit.period == window for at in earlier)


def in_sliding(earlier: Sequence[float], now: float, limit: Limit) -> float:
    return sum(at > now - limit.period for at in earlier)


def in_weighted(earlier: Sequence[float], now: float, limit: Limit) -> float:
    window = now // limit.period
    last = sum(at // limit.period == window - 1 for at in earlier)
    passed = now / limit.period - window
    return last * (1 - passed) + in_fixed(earlier, now, limit)


@pytest.mark.parametrize(
    ("algorithm", "used"),
    [("fixed", in_fixed), ("sliding", in_sliding), ("weighted", in_weighted)],
)
@given(times=call_times, together=st.lists(limits, min_size=1, max_size=3))
def test_a_call_is_let_through_when_no_limit_counts_too_many_calls_of_whatever_answer(
    algorithm: Algorithm,
    used: Callable[[Sequence[float], float, Limit], float],
    times: list[float],
    together: list[Limit],
) -> None:
    throttle = Throttle(together, algorithm)
    for number, now in enumerate(times):
        expected = all(used(times[:number], now, li) + 1 <= li.calls for li in together)
        assert throttle.allow(now) == expected


@given(times=call_times, limit=limits)
def test_a_bucket_gives_its_content_and_what_flowed_in_and_never_refuses_while_it_has_one(
    times: list[float], limit: Limit
) -> None:
    throttle = Throttle([limit], "bucket")
    tokens, last = float(limit.calls), -math.inf
    for now in times:
        tokens = min(limit.calls, tokens + (now - last) * limit.calls / limit.period)
        last = now
        assert throttle.allow(now) == (tokens >= 1 - 1e-6)
        tokens -= tokens >= 1 - 1e-6


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(times=call_times.filter(bool), together=st.lists(limits, min_size=1, max_size=3))
def test_a_call_passes_after_the_announced_wait_and_no_earlier(
    algorithm: Algorithm, times: list[float], together: list[Limit]
) -> None:
    def after(wait: float) -> bool:
        throttle = Throttle(together, algorithm)
        for now in times:
            throttle.allow(now)
        return throttle.allow(times[-1] + wait)

    throttle = Throttle(together, algorithm)
    for now in times:
        throttle.allow(now)
    wait = throttle.retry_after(times[-1])
    assert after(wait + 0.001)
    assert wait == 0 or not after(wait - 0.001)


def test_fixed_windows_let_a_double_burst_through_at_their_edge_and_sliding_ones_do_not() -> None:
    burst = [4.9] * 20 + [5.0] * 20
    fixed, sliding = Throttle([Limit(20, 5)], "fixed"), Throttle([Limit(20, 5)], "sliding")
    assert sum(map(fixed.allow, burst)) == 40
    assert sum(map(sliding.allow, burst)) == 20


def test_an_offset_moves_the_edge_of_aligned_windows() -> None:
    throttle = Throttle([Limit(1, 5)], "fixed", offset=2)
    assert [throttle.allow(t) for t in (1.9, 2.0, 6.9, 7.0)] == [True, True, False, True]


def test_no_limits_let_everything_through() -> None:
    throttle = Throttle([])
    assert all(throttle.allow(0.0) for _ in range(1000))
    assert throttle.retry_after(0.0) == 0.0


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("20/5s", Limit(20, 5)),
        ("1/250ms", Limit(1, 0.25)),
        ("100/1.5m", Limit(100, 90)),
        ("7/2h", Limit(7, 7200)),
        ("9/1d", Limit(9, 86400)),
    ],
)
def test_limits_are_calls_per_number_and_unit(text: str, limit: Limit) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["", "20", "0/5s", "20/0s", "20/s", "20/5", "-1/5s", "20/5 s"])
def test_what_is_no_limit_is_refused_with_the_settings(text: str) -> None:
    with pytest.raises(ValidationError, match="written like 20/5s"):
        Quota(limits=[text])
