"""A lane finds the bad recipients of a refused call, within the quota and for a bounded price."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from consumer.lane.state.commands import Batch, SealReason
from consumer.lane.state.settings import LaneCampaign
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

TWO = (campaign("a"), campaign("b"))


def judge(batch: Batch, bad: Collection[int], refusal: Outcome = BAD_RECIPIENT) -> Outcome:
    """The vendor's answer to a call, if these offsets are bad."""
    return refusal if any(each.offset in bad for each in batch.invitations) else ACCEPTED


def settle(driver: Driver, bad: Collection[int], refusal: Outcome = BAD_RECIPIENT) -> int:
    """Answer every call until none is out; how many calls that were."""
    calls = 0
    for batch in driver.batches:  # the list grows
        calls += 1
        if batch.id in driver.lane.in_flight:
            driver.answer(batch, judge(batch, bad, refusal))
    return calls


def reasons(driver: Driver) -> dict[str, list[int]]:
    """Reason → offsets that ended so."""
    ended: dict[str, list[int]] = {}
    for name, reason in driver.reasons.items():
        ended.setdefault(reason, []).append(int(name[1:]))
    return {reason: sorted(offsets) for reason, offsets in ended.items()}


def of(*campaigns: LaneCampaign, customers: int = 16, **more: object) -> Driver:
    """A lane that has called `customers` at once."""
    driver = Driver(lane(settings(*campaigns, **more)))
    driver.read(*(held(n) for n in range(customers)))
    return driver


def test_bad_recipients_are_rejected_with_the_code_and_all_others_accepted() -> None:
    driver = of()
    assert settle(driver, {3, 11}) <= 14
    assert reasons(driver) == {
        "vendor_rejected": [3, 11],
        "accepted": [n for n in range(16) if n not in (3, 11)],
    }
    rejected = [result for result in driver.results if result["reason"] == "vendor_rejected"]
    assert {each["vendor_code"] for each in rejected} == {"E15"}
    assert driver.lane.idle
    assert driver.lane.buffer.buffered == 0


def test_parts_say_that_they_are_parts_and_the_end_is_told_once() -> None:
    driver = of()
    calls = settle(driver, {3})
    assert [batch.why for batch in driver.batches[1:]] == [SealReason.PART] * (calls - 1)
    (told,) = driver.lane.settlement.bisections.take_ended()
    assert (told.campaign, told.size, told.bad, told.calls) == ("a", 16, 1, calls - 1)
    assert driver.lane.settlement.bisections.take_ended() == []


def test_a_refused_call_of_one_customer_is_that_customers() -> None:
    driver = of(customers=1)
    assert settle(driver, {0}) == 1
    assert reasons(driver) == {"vendor_rejected": [0]}


def test_parts_need_permits_like_any_call() -> None:
    driver = Driver(lane(limited(calls=2)))
    (whole,) = driver.read(*(held(n) for n in range(4)))
    (part,) = driver.answer(whole, BAD_RECIPIENT)
    assert driver.answer(part, ACCEPTED) == []
    assert len(driver.step(NOW + 21)) == 1


def test_when_the_calls_are_spent_the_rest_fails_with_the_reason() -> None:
    driver = of(campaign("a", bisect_calls=2))
    assert settle(driver, {3}) == 3
    assert reasons(driver) == {"bisect_spent": list(range(16))}
    spent = [result for result in driver.results if result["reason"] == "bisect_spent"]
    assert {(each["status"].value, each["vendor_code"], each["attempt"]) for each in spent} == {
        ("failed", "E15", 1)
    }
    assert driver.lane.idle


def test_without_any_call_to_spend_a_refused_batch_has_failed() -> None:
    driver = of(campaign("a", bisect_calls=0))
    assert settle(driver, {3}) == 1
    assert reasons(driver) == {"bisect_spent": list(range(16))}


def test_other_campaigns_go_on_meanwhile() -> None:
    driver = of(*TWO)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    (other,) = driver.read(held(20, campaign="b"))
    assert (part.campaign, other.campaign) == ("a", "b")
    assert driver.answer(other, ACCEPTED) == []
    settle(driver, {3})
    assert reasons(driver)["vendor_rejected"] == [3]


def test_a_campaign_divides_two_batches_at_a_time_before_it_sends_its_next() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=4))))
    batches = driver.read(*(held(n) for n in range(8)))
    for batch in batches:
        driver.lane.answered(batch.id, BAD_RECIPIENT, sent_at=NOW, at=NOW)
    sent = driver.read(*(held(n) for n in range(8, 12)))
    assert [batch.why for batch in sent] == [SealReason.PART, SealReason.PART]
    settle(driver, {1, 5})
    assert reasons(driver)["vendor_rejected"] == [1, 5]
    assert 11 in reasons(driver)["accepted"]


def test_a_429_in_between_costs_nothing_that_was_learned() -> None:
    driver = Driver(lane(limited(calls=99)))
    (whole,) = driver.read(*(held(n) for n in range(8)))
    (part,) = driver.answer(whole, BAD_RECIPIENT)
    assert driver.answer(part, THROTTLED) == []
    (again,) = driver.step(NOW + 10)
    assert [each.offset for each in again.invitations] == [each.offset for each in part.invitations]


def test_a_part_without_an_answer_is_unknown_and_the_others_are_called_on() -> None:
    driver = of(customers=8)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    driver.answer(part, SILENCE)
    settle(driver, ())
    assert reasons(driver) == {"no_answer": [0, 1, 2, 3], "accepted": [4, 5, 6, 7]}


def test_an_opened_circuit_ends_the_search_and_all_invitations_wait_in_the_window() -> None:
    driver = of(campaign("a", in_doubt="resend", max_attempts=99), customers=8)
    driver.answer(driver.batches[0], BAD_RECIPIENT)
    for number in (1, 2, 3):
        driver.answer(driver.batches[number], TROUBLE, at=NOW + 10 * number)
        driver.step(NOW + 10 * number + 3)
    assert list(driver.lane.settlement.bisections) == []
    assert driver.lane.windows["a"].count == 8
    assert driver.lane.idle


def test_a_refused_account_does_too_while_a_part_is_under_way() -> None:
    """Two refusals of `b`, of different customers, refuse the account."""
    driver = of(*TWO, customers=8)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    for n, at in ((20, NOW + 1), (21, NOW + 6)):
        sent = driver.read(held(n, campaign="b"), now=at)
        driver.answer(
            next(each for each in sent if each.invitations[0].offset == n), REFUSED, at=at
        )
    assert driver.lane.accounts.refused("pisano")
    (bisection,) = driver.lane.settlement.bisections
    assert bisection.part == list(part.invitations)
    waiting = driver.lane.windows["a"].count
    driver.answer(part, BAD_RECIPIENT, at=NOW + 7)
    # one of the eight may be a probe by now, for `a` was not tried since the account is refused
    assert driver.lane.windows["a"].count >= waiting + 3
    assert list(driver.lane.settlement.bisections) == []


def test_a_campaign_without_an_accepted_customer_is_parked() -> None:
    """A wrong path refuses all: two stand alone for it, not five thousand."""
    driver = of(customers=32)
    settle(driver, range(32))
    assert len(reasons(driver)["vendor_rejected"]) == 2
    assert len(driver.put_off) == 30
    assert driver.lane.windows["a"].parked_until > NOW


def test_a_campaign_that_is_misconfigured_meanwhile_is_parked_with_all_its_parts() -> None:
    driver = of(customers=8)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    driver.answer(part, PARKED)
    assert sorted(each.invitation.offset for each in driver.put_off) == list(range(8))
    assert driver.lane.idle


def test_a_campaign_that_leaves_the_config_meanwhile_is_delayed() -> None:
    driver = of(*TWO, customers=8)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    driver.lane.reconfigure(settings(campaign("b")), NOW)
    assert driver.step() == []
    driver.answer(part, BAD_RECIPIENT)
    assert sorted(each.invitation.offset for each in driver.put_off) == list(range(8))
    assert driver.lane.idle


def test_a_reload_changes_the_rules_of_a_search_under_way() -> None:
    driver = of(customers=8)
    driver.answer(driver.batches[0], BAD_RECIPIENT)
    driver.lane.reconfigure(settings(campaign("a", bisect_calls=1)), NOW)
    settle(driver, {3})
    assert "bisect_spent" in reasons(driver)


def test_an_invitation_that_expires_during_the_search_ends_expired() -> None:
    driver = Driver(lane(limited(calls=2)))
    (whole,) = driver.read(held(0, expires_at=NOW + 5), held(1, expires_at=NOW + 5), held(2))
    driver.answer(whole, BAD_RECIPIENT)
    driver.answer(driver.batches[-1], BAD_RECIPIENT)
    driver.step(NOW + 31)
    settle(driver, {2})
    assert driver.lane.idle
    assert reasons(driver)["expired_waiting"] == [0, 1]


def test_all_remaining_invitations_may_expire() -> None:
    driver = Driver(lane())
    (whole,) = driver.read(held(0, expires_at=NOW + 11), held(1, expires_at=NOW + 11))
    assert driver.answer(whole, BAD_RECIPIENT, at=NOW + 12) == []
    driver.step(NOW + 12)
    assert reasons(driver) == {"expired_waiting": [0, 1]}
    assert len(driver.lane.settlement.bisections.take_ended()) == 1


def test_errors_of_the_vendor_are_divided_once_the_attempts_are_spent() -> None:
    """A customer that breaks the vendor takes no other along."""
    driver = Driver(lane(settings(campaign("a", max_attempts=2))))
    driver.read(*(held(n) for n in range(8)))
    now = NOW
    for batch in driver.batches:
        now += 5
        driver.answer(batch, judge(batch, {5}, VENDOR_ERROR), at=now)
        driver.step(now + 4.9)
    assert reasons(driver) == {
        "attempts_exhausted": [5],
        "accepted": [n for n in range(8) if n != 5],
    }


def test_a_successor_calls_the_rest_again_as_a_whole() -> None:
    driver = of(customers=8)
    (part,) = driver.answer(driver.batches[0], BAD_RECIPIENT)
    after = Driver(lane(settings(), driver.checkpoint))
    (batch,) = after.read(*(held(n) for n in range(8)))
    assert [invitation.offset for invitation in batch.invitations] == [4, 5, 6, 7]
    assert {result["id"] for result in after.results} == {
        f"i{each.offset}" for each in part.invitations
    }


@pytest.mark.parametrize("customers", [2, 3, 5, 17])
def test_no_customer_is_accepted_twice(customers: int) -> None:
    for bad in range(customers):
        driver = of(customers=customers)
        settle(driver, {bad})
        assert len(driver.results) == len(driver.reasons) == customers
