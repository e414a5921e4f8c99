"""The gate of `consumer.lane.quota.limiter` against its formula, evaluated exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.lane.quota.limiter import EPSILON, Limiter, WaitUntil
from consumer.lane.state.settings import Limit

NOW = 1_763_800_000.0
SKEW = 2.0
DOCUMENTED = (Limit(20, 5), Limit(40, 25), Limit(80, 125), Limit(160, 625))

# Multiples of 1/64 s are exact in a float, so that "exactly a period ago" happens, and is exact.
offsets = st.integers(-60 * 64, 20 * 64).map(lambda ticks: ticks / 64)
limits_ = st.lists(
    st.builds(Limit, st.integers(1, 8), st.integers(0, 18 * 64).map(lambda t: t / 64)),
    min_size=1,
    max_size=3,
)


def held(stamps: list[float], period: float, at: float) -> Fraction:
    """What the worst alignment holds at `at`: breakpoints and a grid of φ, in exact numbers."""
    p, t = Fraction(period), Fraction(at)
    exact = [Fraction(stamp) for stamp in stamps]
    phis = {t, *(t - p * step / 16 for step in range(16))}
    phis |= {phi for stamp in exact for phi in (stamp, stamp + p) if t - p < phi <= t}
    return max(
        sum(phi - p <= s < phi for s in exact) * (1 - (t - phi) / p) + sum(s >= phi for s in exact)
        for phi in phis
    )


def holds(stamps: list[float], in_flight: int, limits: list[Limit], at: float) -> bool:
    """The formula of docs/architecture.md, "Rate limit", for all limits."""
    return all(
        held(stamps, limit.period + SKEW, at) + in_flight + 1 <= limit.calls for limit in limits
    )


def limiter_with(stamps: list[float], in_flight: int, limits: list[Limit]) -> Limiter:
    """Any state, also one that the gate itself would never have let come about."""
    limiter = Limiter.restore(limits, stamps, skew=SKEW)
    limiter._in_flight = in_flight
    return limiter


@given(limits_, st.lists(offsets, max_size=20), st.integers(0, 3))
def test_next_at_is_the_earliest_time_at_which_the_formula_holds(
    limits: list[Limit], ago: list[float], in_flight: int
) -> None:
    stamps = [NOW + offset for offset in ago]
    opens = limiter_with(stamps, in_flight, limits).next_at(NOW)
    if math.isinf(opens):
        assert in_flight >= min(limit.calls for limit in limits)
        return
    assert holds(stamps, in_flight, limits, opens)
    if opens - 2 * EPSILON >= NOW:
        assert not holds(stamps, in_flight, limits, opens - 2 * EPSILON)


@given(
    st.lists(st.builds(Limit, st.integers(1, 8), st.floats(0, 18)), min_size=1, max_size=3),
    st.lists(st.floats(-60, 20), max_size=10),
    st.lists(st.sampled_from((-math.inf, None, math.inf)), max_size=10),
)
def test_rounding_never_lets_a_call_through(
    limits: list[Limit], ago: list[float], nudges: list[float | None]
) -> None:
    """Also with stamps that are a period apart but for the last bit of a float."""
    stamps = [NOW + offset for offset in ago]
    for stamp, nudge in zip(list(stamps), nudges, strict=False):
        later = stamp + limits[0].period + SKEW
        stamps.append(later if nudge is None else math.nextafter(later, nudge))
    opens = limiter_with(stamps, 0, limits).next_at(NOW)
    assert holds(stamps, 0, limits, opens)


@given(limits_, st.lists(st.tuples(st.integers(0, 5 * 64), st.booleans()), max_size=60))
def test_a_life_of_calls_and_answers_agrees_with_the_formula_at_every_step(
    limits: list[Limit], steps: list[tuple[int, bool]]
) -> None:
    limiter = Limiter(limits, skew=SKEW)
    stamps: list[float] = []
    in_flight, now = 0, NOW
    for ticks, timed_out in steps:
        now += ticks / 64
        if in_flight and ticks % 2:
            stamps.append(now + 4.0 if timed_out else now)
            limiter.call_ended(stamps[-1])
            in_flight -= 1
        allowed = limiter.allowed(now)
        if holds(stamps, in_flight, limits, now):
            assert limiter.next_at(now) <= now + 2 * EPSILON
        else:
            assert not allowed
        if allowed:
            limiter.take_permit(now)
            in_flight += 1


@given(limits_, st.lists(offsets, max_size=20), st.lists(st.floats(0, 80), min_size=2))
def test_without_calls_the_gate_only_eases(
    limits: list[Limit], ago: list[float], waits: list[float]
) -> None:
    limiter = limiter_with([NOW + offset for offset in ago], 0, limits)
    times = [NOW + wait for wait in sorted(waits)]
    allowed = [limiter.allowed(time) for time in times]
    left = [limiter.share_left(time) for time in times]
    assert allowed == sorted(allowed)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(left))


@given(limits_, st.lists(offsets, min_size=1, max_size=20), st.floats(0, 10))
def test_a_later_answer_never_opens_the_gate_earlier(
    limits: list[Limit], ago: list[float], later: float
) -> None:
    stamps = [NOW + offset for offset in ago]
    delayed = [*stamps[:-1], stamps[-1] + later]
    first = limiter_with(stamps, 0, limits).next_at(NOW)
    assert limiter_with(delayed, 0, limits).next_at(NOW) >= first - 2 * EPSILON


@given(limits_, st.lists(offsets, max_size=20), st.integers(0, 3))
def test_permits_and_left_are_what_the_worst_counter_leaves(
    limits: list[Limit], ago: list[float], in_flight: int
) -> None:
    stamps = [NOW + offset for offset in ago]
    limiter = limiter_with(stamps, in_flight, limits)
    expected = [
        max(0.0, float(limit.calls - in_flight - held(stamps, limit.period + SKEW, NOW)))
        for limit in limits
    ]
    shares = [permits / limit.calls for permits, limit in zip(expected, limits, strict=True)]
    assert limiter.permits(NOW) == pytest.approx(expected)
    assert limiter.share_left(NOW) == pytest.approx(min(shares))
    assert 0.0 <= limiter.share_left(NOW) <= 1.0


@given(limits_, st.lists(offsets, max_size=20))
def test_a_restored_limiter_goes_on_as_the_old_one(limits: list[Limit], ago: list[float]) -> None:
    old = limiter_with([NOW + offset for offset in ago], 0, limits)
    new = Limiter.restore(limits, old.stamps(NOW), skew=SKEW)
    assert new.next_at(NOW) == old.next_at(NOW)


@given(limits_, st.lists(offsets, max_size=20), st.integers(0, 3), st.integers(1, 20))
def test_a_share_of_the_limits_is_as_good_as_smaller_limits(
    limits: list[Limit], ago: list[float], in_flight: int, twentieths: int
) -> None:
    """However it came about: at the start, later, or with other limits."""
    stamps = [NOW + offset for offset in ago]
    parts = [Limit(max(1, limit.calls * twentieths // 20), limit.period) for limit in limits]
    expected = limiter_with(stamps, in_flight, parts)
    later, reconfigured = (limiter_with(stamps, in_flight, limits) for _ in range(2))
    later.set_share(twentieths / 20)
    reconfigured.reconfigure(limits, SKEW, twentieths / 20, NOW)
    begun = Limiter.restore(limits, stamps, skew=SKEW, share=twentieths / 20)
    begun._in_flight = in_flight
    for limiter in (later, reconfigured, begun):
        assert limiter.next_at(NOW) == expected.next_at(NOW)
        assert limiter.permits(NOW) == expected.permits(NOW)
        assert limiter.share_left(NOW) == expected.share_left(NOW)


times_of_life = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(limits_, st.sampled_from((0.3, 0.5, 1.0))),  # another config
            st.sampled_from((0.5, 0.9, 1.0)),  # another share of the same limits
            st.none(),  # another owner, with the log alone
        ),
        st.lists(st.integers(0, 96), min_size=5, max_size=20),  # then calls are tried
    ),
    max_size=5,
)


@given(times_of_life)
@example(
    [
        (None, [0, 0, 1, 96, 96, 64]),
        (([Limit(1, 0.6875)], 0.3), [0] * 5),
        (([Limit(4, 0.6875)], 1.0), [0] * 5),  # the calls of before it are more than one
    ]
)
def test_no_call_is_too_many_through_other_limits_shares_and_owners(
    life: list[tuple[object, list[int]]],
) -> None:
    """Measured by all stamps that ever were, of which the limiter drops what it thinks is old."""
    limits, share, stamps, now = [Limit(2, 0)], 1.0, list[float](), NOW
    limiter = Limiter(limits, skew=SKEW)
    for change, gaps in life:
        match change:
            case float(share):
                limiter.set_share(share)
            case (list(limits), float(share)):
                limiter.reconfigure(limits, SKEW, share, now)
            case _:
                limiter = Limiter.restore(limits, limiter.stamps(now), skew=SKEW, share=share)
        ours = [Limit(max(1, int(limit.calls * share + 1e-9)), limit.period) for limit in limits]
        for ticks in gaps:
            now += ticks / 64
            if limiter.allowed(now):
                assert holds(stamps, 0, ours, now)
                limiter.take_permit(now)
                stamps.append(now + ticks / 64)
                limiter.call_ended(stamps[-1])


def test_calls_in_flight_count_as_now_however_long_they_take() -> None:
    limiter = Limiter([Limit(2, 5)])
    limiter.take_permit(NOW)
    limiter.take_permit(NOW)
    assert limiter.next_at(NOW + 1000) == math.inf
    limiter.call_ended(NOW + 1000)
    assert limiter.next_at(NOW + 1000) == pytest.approx(NOW + 1000 + 2 * 7, rel=0, abs=1e-5)


def test_a_check_names_the_limit_that_shuts_the_gate() -> None:
    short, long = Limit(2, 5), Limit(3, 100)
    limiter = Limiter([short, long])
    assert limiter.check(NOW) is None
    for at in (NOW, NOW + 1):
        limiter.take_permit(at)
        limiter.call_ended(at)
    shut = limiter.check(NOW + 1)
    assert isinstance(shut, WaitUntil)
    assert shut.limit == short
    limiter.take_permit(shut.at)
    limiter.call_ended(shut.at)
    shut = limiter.check(shut.at)
    assert isinstance(shut, WaitUntil)
    assert shut.limit == long


def test_without_limits_everything_is_allowed_and_nothing_is_kept() -> None:
    limiter = Limiter([])
    for second in range(100):
        limiter.take_permit(NOW + second)
        limiter.call_ended(NOW + second)
    assert limiter.next_at(NOW + 100) == NOW + 100
    assert limiter.share_left(NOW + 100) == 1.0
    assert limiter.permits(NOW + 100) == ()
    assert limiter.stamps(NOW + 100) == []


def test_taking_without_a_permit_is_refused_and_changes_nothing() -> None:
    limiter = Limiter([Limit(1, 5)])
    limiter.take_permit(NOW)
    with pytest.raises(RuntimeError, match="without a permit"):
        limiter.take_permit(NOW)
    limiter.call_ended(NOW)
    with pytest.raises(RuntimeError, match="no call"):
        limiter.call_ended(NOW)


def test_after_a_429_nothing_leaves_before_the_time_and_no_later_one_shortens_it() -> None:
    limiter = Limiter([Limit(1, 5)])
    limiter.close_until(NOW + 60)
    limiter.close_until(NOW + 30)
    assert limiter.check(NOW + 59) == WaitUntil(NOW + 60, None)
    assert limiter.check(NOW + 60) is None
    limiter.take_permit(NOW + 60)
    limiter.close_until(NOW + 61)
    assert limiter.next_at(NOW + 60) == math.inf


def test_closing_does_not_need_limits() -> None:
    limiter = Limiter([])
    limiter.close_until(NOW + 60)
    assert limiter.next_at(NOW) == NOW + 60


@pytest.mark.parametrize(
    ("calls", "share", "expected"),
    [(20, 0.9, 18), (160, 0.9, 144), (100, 0.29, 29), (7, 0.5, 3), (3, 0.1, 1)],
)
def test_a_share_is_rounded_down_but_one_call_remains(
    calls: int, share: float, expected: int
) -> None:
    assert Limiter([Limit(calls, 5)], share=share).permits(NOW) == (expected,)


def test_a_share_can_be_lowered_and_raised_again() -> None:
    limiter = Limiter([Limit(10, 5)])
    for _ in range(5):
        limiter.take_permit(NOW)
    limiter.set_share(0.5)
    assert not limiter.allowed(NOW)
    assert limiter.share_left(NOW) == 0.0
    limiter.set_share(1.0)
    assert limiter.share_left(NOW) == 0.5


def test_without_a_checkpoint_the_whole_quota_counts_as_used() -> None:
    limiter = Limiter.restore(DOCUMENTED, [], assume_full_at=NOW, share=0.9)
    assert limiter.share_left(NOW) == 0.0
    assert limiter.stamps(NOW) == [NOW] * 144
    assert limiter.next_at(NOW) == pytest.approx(NOW + 627 + 627 / 144, rel=0, abs=1e-5)
    assert Limiter.restore([], [], assume_full_at=NOW).allowed(NOW)


def test_a_batch_in_doubt_counts_until_it_has_surely_arrived() -> None:
    limiter = Limiter.restore([Limit(1, 5)], [NOW + 35])
    assert limiter.next_at(NOW) == pytest.approx(NOW + 35 + 2 * 7, rel=0, abs=1e-5)
    assert limiter.stamps(NOW) == [NOW + 35]


def test_the_log_has_only_what_still_matters() -> None:
    stamps = [NOW - 14.5, NOW - 14, NOW, NOW + 3]
    limiter = Limiter.restore([Limit(9, 5)], stamps)
    limiter.take_permit(NOW)
    assert limiter.stamps(NOW) == stamps[1:]


@pytest.mark.parametrize(("calls", "gap"), [*product((3, 20), (0.0, 0.1))])
def test_a_burst_weighs_on_the_second_period_until_its_first_call_fades(
    calls: int, gap: float
) -> None:
    """A plain sliding log would open a period after the first call; the worst counter p/n later."""
    stamps = [NOW + gap * index for index in range(calls)]
    limiter = Limiter.restore([Limit(calls, 5)], stamps)
    assert limiter.next_at(stamps[-1]) == pytest.approx(NOW + 7 + 7 / calls, rel=0, abs=1e-5)


def test_other_limits_hold_for_the_calls_of_before() -> None:
    limiter = Limiter([Limit(2, 100)], skew=0.0)
    limiter.take_permit(NOW)
    limiter.call_ended(NOW)
    limiter.take_permit(NOW)
    limiter.reconfigure([Limit(3, 50), Limit(9, 100)], 0.0, 1.0, NOW)
    assert limiter.permits(NOW) == (1.0, 7.0)
    limiter.reconfigure([Limit(4, 100)], 0.0, 0.5, NOW)
    assert limiter.permits(NOW) == (0.0,)


@pytest.mark.parametrize(
    ("before", "skew", "calls"), [([], 0.0, 3), ([Limit(3, 5)], 0.0, 9), ([Limit(3, 10)], 2.0, 3)]
)
def test_limits_that_look_further_back_than_the_log_count_as_used_up(
    before: list[Limit], skew: float, calls: int
) -> None:
    """By as many calls as were allowed in the forgotten time."""
    limiter = Limiter(before, skew=0.0)
    limiter.reconfigure([Limit(2, 5), Limit(3, 10)], skew, 1.0, NOW)
    assert limiter.share_left(NOW) == 0.0
    assert limiter.stamps(NOW) == [NOW] * calls


def test_limits_of_the_same_reach_are_no_reason_to_wait() -> None:
    limiter = Limiter([Limit(3, 10)])
    limiter.reconfigure([Limit(5, 10)], 2.0, 1.0, NOW)
    assert limiter.share_left(NOW) == 1.0
    limiter.close_until(NOW + 9)
    limiter.reconfigure([], 2.0, 1.0, NOW)
    assert limiter.next_at(NOW) == NOW + 9


def test_the_limiter_returns_how_many_calls_are_ours() -> None:
    limits = [Limit(20, 5.0), Limit(1, 1.0)]
    assert Limiter(limits, share=0.5).calls == (10, 1)


def steady_rate(
    limits: Sequence[Limit], *, skew: float = 0.0, share: float = 1.0, answer: float = 0.0
) -> float:
    """Return the calls a second that the gate permits in the long run; infinite without limits.

    (n − 1) / (p + answer), for a call that leaves finds n − 1 others in a period, and half of one
    where n is 1: the worst counter may hold the last call for two periods. `answer`: seconds that
    an answer takes. The smallest rate of all limits counts.
    """
    rates = (
        max(max(1, math.floor(limit.calls * share + 1e-9)) - 1, 0.5)
        / (limit.period + skew + answer)
        for limit in limits
    )
    return min(rates, default=math.inf)


def measured_rate(limits: list[Limit], skew: float, share: float, answer: float) -> float:
    """Calls a second of a backlog that never ends, once it is in balance."""
    limiter = Limiter(limits, skew=skew, share=share)
    now, out, left = NOW, list[float](), list[float]()
    number = 6 * max(limit.calls for limit in limits) + 40
    while len(left) < number:
        opens = limiter.next_at(now)
        if out and out[0] <= opens:
            now = max(now, out.pop(0))
            limiter.call_ended(now)
            continue
        now = max(now, opens)
        limiter.take_permit(now)
        out.append(now + answer)
        left.append(now)
    begun = number // 3
    return (number - 1 - begun) / (left[-1] - left[begun])


@pytest.mark.parametrize("calls", [1, 2, 3, 5, 10, 40, 160])
@pytest.mark.parametrize(("period", "answer"), [(1.0, 0.0), (1.0, 0.3), (60.0, 0.3)])
@pytest.mark.parametrize("share", [0.9, 1.0])
def test_the_steady_rate_is_what_a_backlog_gets(
    calls: int, period: float, answer: float, share: float
) -> None:
    """Never less, and a twentieth more at most: docs/operations.md sizes by it."""
    limits = [Limit(calls, period)]
    stated = steady_rate(limits, skew=2.0, share=share, answer=answer)
    assert 0.98 * stated <= measured_rate(limits, 2.0, share, answer) <= 1.06 * stated


def test_the_steady_rate_is_that_of_the_tightest_limit() -> None:
    assert steady_rate(DOCUMENTED, skew=2.0, answer=0.3) == pytest.approx(159 / 627.3)
    assert measured_rate([*DOCUMENTED], 2.0, 1.0, 0.3) == pytest.approx(159 / 627.3, rel=0.01)
    assert steady_rate([]) == math.inf


@pytest.mark.parametrize(
    ("limit", "rate"),
    [
        (Limit(1, 1), 0.15),
        (Limit(2, 1), 0.30),
        (Limit(5, 1), 1.2),
        (Limit(10, 1), 2.7),
        (Limit(60, 60), 0.95),
        (Limit(1000, 3600), 0.28),
    ],
)
def test_the_table_of_the_docs(limit: Limit, rate: float) -> None:
    assert steady_rate([limit], skew=2.0, answer=0.3) == pytest.approx(rate, rel=0.02)
