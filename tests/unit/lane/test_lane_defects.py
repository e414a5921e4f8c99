"""What an adversary tries on a lane that divides batches, tries accounts and parks campaigns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.lane.dispatch.scheduler import IndexPrice
from consumer.records.call import Outcome
from tests.support.lanes import (
    ACCEPTED,
    BAD_RECIPIENT,
    NOW,
    PARKED,
    REFUSED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    VENDOR_ERROR,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
)
from tests.unit.lane.test_lane_divide import judge, reasons, settle


def play(driver: Driver, bad: set[int], refusal: Outcome, *, most: int) -> int:
    """Answer every call as it comes and let time pass between; calls until no invitation waits."""
    now = NOW
    for _ in range(most):
        out = list(driver.lane.in_flight.values())
        for batch in out:
            driver.answer(batch, judge(batch, bad, refusal), at=now)
        if driver.lane.idle and not driver.lane.buffer.buffered:
            return len(driver.batches)
        if not driver.lane.in_flight:
            now = max(now, min(driver.lane.wake_at, now + 100))
        now += 0.01
        driver.step(now)
    raise AssertionError(
        f"{driver.lane.buffer.buffered} still wait after {len(driver.batches)} calls"
    )


@pytest.mark.parametrize("attempts", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("bad", [0, 100, 511])
def test_one_customer_that_breaks_the_vendor_takes_no_other_along(attempts: int, bad: int) -> None:
    driver = Driver(lane(settings(campaign("a", max_attempts=attempts))))
    driver.read(*(held(n) for n in range(512)))
    calls = play(driver, {bad}, VENDOR_ERROR, most=2_000)
    assert reasons(driver) == {
        "attempts_exhausted": [bad],
        "accepted": [n for n in range(512) if n != bad],
    }
    assert calls <= 32


def test_a_circuit_that_opens_during_a_search_costs_three_customers_at_most() -> None:
    driver = Driver(lane(settings(campaign("a", max_attempts=1))))
    driver.read(*(held(n) for n in range(64)))
    for number, batch in enumerate(driver.batches):
        driver.answer(batch, judge(batch, {60} if number < 4 else range(64), VENDOR_ERROR))
    assert len(reasons(driver)["attempts_exhausted"]) == 3
    assert list(driver.lane.settlement.bisections) == []
    assert driver.lane.accounts.ill({"pisano"})


def test_silent_parts_under_resend_count_as_attempts() -> None:
    rules = campaign("a", in_doubt="resend", max_attempts=2)
    driver = Driver(lane(settings(rules, campaign("b"))))
    driver.read(*(held(n) for n in range(8)))
    driver.answer(driver.batches[0], BAD_RECIPIENT)
    now = NOW
    for n in range(100, 130):
        now += 20
        for batch in list(driver.lane.in_flight.values()):
            silent = len(batch.invitations) > 1 and any(
                invitation.offset == 0 for invitation in batch.invitations
            )
            driver.answer(batch, SILENCE if silent else ACCEPTED, at=now)
        driver.read(held(n, campaign="b"), now=now)
    of_first = [b for b in driver.batches if any(each.offset == 0 for each in b.invitations)]
    assert len(of_first) <= 1 + 2
    assert driver.reasons["i0"] == "no_answer"


def test_a_parked_campaign_is_not_called_for_parts_that_were_under_way() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=8))))
    for batch in driver.read(*(held(n) for n in range(16))):
        driver.lane.answered(batch.id, BAD_RECIPIENT, sent_at=NOW, at=NOW)
    one, two = driver.step(NOW)
    assert driver.answer(one, PARKED) == []
    assert driver.answer(two, BAD_RECIPIENT) == []
    assert driver.lane.idle
    assert len(driver.put_off) == 16


@pytest.mark.parametrize("late", [BAD_RECIPIENT, TROUBLE])
def test_nor_for_a_batch_that_was(late: Outcome) -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=8))))
    one, two = driver.read(*(held(n) for n in range(16)))
    driver.answer(one, PARKED)
    driver.answer(two, late, at=NOW + 1)
    assert driver.step(NOW + 30) == []
    assert driver.lane.idle
    assert len(driver.put_off) == 16


def test_a_campaign_that_stays_wrong_is_asked_less_and_less_often() -> None:
    driver = Driver(lane())
    pauses = []
    for n in range(3):
        now = NOW + 1_000 * n
        driver.read(*(held(100 * n + m) for m in range(8)), now=now)
        for batch in driver.batches:
            if batch.id in driver.lane.in_flight:
                driver.answer(batch, BAD_RECIPIENT, at=now)
        pauses.append(driver.lane.windows["a"].parked_until - now)
    assert pauses == [60, 600, 600]


def test_a_campaign_that_works_again_begins_with_a_short_pause() -> None:
    driver = Driver(lane())
    driver.read(*(held(n) for n in range(8)))
    settle(driver, range(8))
    again = NOW + 100
    driver.read(*(held(10 + n) for n in range(8)), now=again)
    for refused in (True, False, True, False):  # the whole call, half of it, and so on
        outcome = BAD_RECIPIENT if refused else ACCEPTED
        driver.answer(driver.batches[-1], outcome, at=again)
    driver.answer(driver.batches[-1], PARKED, at=again)
    assert driver.lane.windows["a"].parked_until == again + 60


def test_a_first_park_is_a_short_one_whatever_else_was_out() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=1))))
    one, two, three = driver.read(*(held(n) for n in range(3)))
    driver.answer(one, TROUBLE, at=NOW + 5)
    driver.answer(two, ACCEPTED, at=NOW + 6)
    driver.answer(three, PARKED, at=NOW + 7)
    assert driver.lane.windows["a"].parked_until == NOW + 7 + 60


def test_no_part_is_larger_than_a_new_config_allows() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=32))))
    driver.read(*(held(n) for n in range(32)))
    driver.lane.reconfigure(settings(campaign("a", max_batch=4)), NOW)
    settle(driver, {3, 17})
    assert max(len(batch.invitations) for batch in driver.batches[1:]) == 4
    assert reasons(driver)["vendor_rejected"] == [3, 17]
    assert len(reasons(driver)["accepted"]) == 30


def test_a_429_spends_no_call_of_a_search() -> None:
    driver = Driver(lane(settings(campaign("a", bisect_calls=4))))
    driver.read(*(held(n) for n in range(4)))
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    now = NOW
    for _ in range(6):
        driver.answer(part, replace(THROTTLED, retry_after=1.0), at=now)
        now += 1
        (part,) = driver.step(now)
    assert driver.results == []
    settle(driver, {0})
    assert "bisect_spent" not in reasons(driver)


def test_a_clock_that_goes_back_neither_stops_a_full_window_nor_runs_in_circles() -> None:
    driver = Driver(lane(limited(campaign("a", max_batch=2), calls=9)))
    driver.lane._sealing._use_scheduler(IndexPrice())
    assert len(driver.read(held(1), held(2), now=NOW - 500)) == 1


def test_an_answer_to_a_call_with_the_old_secret_says_nothing_about_the_new() -> None:
    driver = Driver(lane())
    (old,) = driver.read(held(0))
    driver.lane.reconfigure(settings(), NOW + 1, relogin={"pisano"})
    (new,) = driver.answer(old, REFUSED, at=NOW + 2)
    assert driver.lane.accounts.breakers["pisano"].suspected_at is None
    driver.answer(new, REFUSED, at=NOW + 3)
    assert driver.lane.accounts.breakers["pisano"].suspected_at == NOW + 3


def test_batches_that_are_divided_do_not_keep_others_out_of_memory() -> None:
    rules = (campaign("a", max_batch=10), campaign("b"))
    driver = Driver(lane(settings(*rules, max_buffered=40, max_in_flight=4)))
    driver.log = [held(n) for n in range(40)] + [held(40, campaign="b")]
    for batch in driver.poll(most=40):
        driver.lane.answered(batch.id, BAD_RECIPIENT, sent_at=NOW, at=NOW)
    driver.poll()
    for _ in range(4):
        driver.poll()
    assert 40 in driver.sent


def test_an_account_that_must_log_in_again_does_while_anothers_session_lasts() -> None:
    rules = (campaign("visit", vendor="radar"), campaign("stay", vendor="hotel"))
    driver = Driver(lane(limited(*rules, logins=frozenset({"radar", "hotel"}))))
    driver.read(held(0, campaign="visit"), held(1, campaign="stay"))
    driver.lane.logged_in("radar", NOW + 1_000, NOW)
    driver.lane.login_failed("hotel", TROUBLE, NOW)
    assert driver.step(NOW + 5) == []  # no permit
    driver.step(driver.lane.wake_at)
    driver.step(NOW + 30)
    assert [batch.campaign for batch in driver.batches] == ["visit"]
    assert sorted(driver.logins) == ["hotel", "hotel", "radar"]


def test_results_that_wait_for_a_commit_are_counted() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(held(0), held(1))
    driver.lane.answered(batch.id, ACCEPTED, sent_at=NOW, at=NOW)
    assert len(driver.lane.outbox.results) == 2
    driver.step()
    assert len(driver.lane.outbox.results) == 0
