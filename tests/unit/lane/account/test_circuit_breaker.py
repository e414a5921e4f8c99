"""When a vendor account counts as ill or refused, and how it is tried again."""

from __future__ import annotations

import math
import random

import pytest

from consumer.lane.account.circuit_breaker import PACES, QUICK, TRIPS, CircuitBreaker, State

RNG = random.Random(1)


def ill(at: float = 100.0) -> CircuitBreaker:
    """An account after as many failures as it takes."""
    standing = CircuitBreaker()
    for _ in range(TRIPS):
        standing.record_failure(at - 1, at, RNG)
    return standing


def test_trouble_now_and_then_changes_nothing() -> None:
    standing = CircuitBreaker()
    for n in range(10):
        standing.record_failure(n, n, RNG)
        standing.record_failure(n, n, RNG)
        assert standing.record_success(n) is False
    assert standing.closed
    assert standing.probe_time() == math.inf


def test_trouble_in_a_row_opens_the_circuit_and_one_probe_is_due_later() -> None:
    standing = ill()
    assert standing.state is State.ILL
    first, _ = PACES["ill"]
    assert 100 + first / 2 <= standing.probe_at <= 100 + first
    assert standing.probe_time() == standing.probe_at
    standing.probing = True
    assert standing.probe_time() == math.inf


def test_a_probe_that_works_ends_it() -> None:
    standing = ill()
    story = [
        (standing.record_success(sealed_at), standing.closed) for sealed_at in (99.0, 110.0, 111.0)
    ]
    assert story == [(False, False), (True, True), (False, True)]


@pytest.mark.parametrize("how", ["ill", "refused"])
def test_probes_that_fail_come_less_and_less_often(how: str) -> None:
    standing, at = CircuitBreaker(), 100.0
    pauses = []
    for _ in range(TRIPS + 11):
        (standing.record_failure if how == "ill" else standing.record_refusal)(at, at, RNG)
        if not standing.closed:
            pauses.append(standing.probe_at - at)
            at = standing.probe_at
    first, longest = PACES[how]
    assert first / 2 <= pauses[0] <= first
    assert all(longest / 2 <= pause <= longest for pause in pauses[-3:])


def test_calls_that_were_out_together_count_once() -> None:
    standing = ill()
    due = standing.probe_at
    for _ in range(5):
        standing.record_failure(99.0, 100.5, RNG)
        standing.record_refusal(99.0, 100.5, RNG)
    assert (standing.probe_at, standing.failures, standing.state) == (due, 1, State.ILL)


def test_a_refusal_while_the_circuit_is_open_begins_the_longer_pauses() -> None:
    standing = ill()
    standing.record_refusal(101.0, 102.0, RNG)
    assert standing.state is State.REFUSED
    assert standing.probe_at >= 102 + PACES["refused"][0] / 2


def test_a_refused_account_stays_refused_while_the_vendor_is_in_trouble_too() -> None:
    standing = CircuitBreaker()
    standing.record_refusal(1.0, 2.0, RNG)
    standing.record_refusal(2.0, 2.0, RNG)
    standing.record_failure(3.0, 4.0, RNG)
    assert standing.state is State.REFUSED


def test_one_refusal_is_a_suspicion_that_a_later_accepted_call_ends() -> None:
    standing = CircuitBreaker()
    standing.record_refusal(1.0, 2.0, RNG)
    assert standing.closed
    standing.record_success(0.5)  # sealed before
    assert standing.suspected_at == 2.0
    standing.record_refusal(1.5, 2.5, RNG)  # out at the same time: no news
    assert standing.closed
    standing.record_success(3.0)
    assert standing.suspected_at is None


def test_a_campaign_not_tried_since_the_breaker_opened_is_tried_soon() -> None:
    """At once, if one campaign opened it; and no more than so many times."""
    standing = CircuitBreaker()
    standing.record_refusal(1.0, 2.0, RNG, "a")
    standing.record_refusal(3.0, 4.0, RNG, "a")
    assert standing.probe_time("b") == pytest.approx(4.0)
    assert standing.probe_time("a") >= 4 + PACES["refused"][0] / 2
    at = 5.0
    for n in range(QUICK):
        standing.record_refusal(at, at, RNG, f"b{n}")
        assert n == QUICK - 1 or standing.probe_time("c") <= at + PACES["ill"][0]
        at += 5
    assert standing.probe_time("c") == standing.probe_time("a") >= at


def test_calls_that_hung_since_before_the_recovery_tell_what_is_over() -> None:
    standing = ill()
    standing.record_success(110.0)
    for _ in range(TRIPS):
        standing.record_failure(99.0, 111.0, RNG)
    assert standing.closed
    for _ in range(TRIPS):
        standing.record_failure(112.0, 113.0, RNG)
    assert not standing.closed
