"""A campaign's own breaker, and customers on trial."""

from __future__ import annotations

import random

import pytest

from consumer.lane.account import campaign_breaker
from consumer.lane.account.campaign_breaker import ALONE, CampaignBreaker
from consumer.lane.account.circuit_breaker import PACES, TRIPS, CircuitBreaker
from consumer.records.call import Outcome
from tests.support.lanes import (
    ACCEPTED,
    GATEWAY,
    NOW,
    REFUSED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    settings,
)

RNG = random.Random(1)
TWO = (campaign("a", max_batch=4), campaign("b"))


def test_trouble_in_a_row_opens_it_and_what_was_out_then_repeats_it() -> None:
    own = CampaignBreaker()
    pauses = [own.record_failure(n, n, RNG, open_now=1) for n in range(1, TRIPS + 1)]
    assert pauses[:-1] == [0.0] * (TRIPS - 1)
    assert PACES["ill"][0] / 2 <= pauses[-1] <= PACES["ill"][0]
    assert own.record_failure(TRIPS, TRIPS + 1, RNG, open_now=1) == 0.0
    assert own.record_success(TRIPS) is False
    assert own.record_success(TRIPS + 1) is True
    assert own.closed


def test_the_more_campaigns_are_open_the_slower_each_is_probed() -> None:
    own = CampaignBreaker(run=TRIPS - 1)
    assert own.record_failure(1, 1, RNG, open_now=5) >= 5 * PACES["ill"][0] / 2


def test_refused_calls_are_remembered_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign_breaker, "MOST_REMEMBERED", 3)
    own = CampaignBreaker()
    own.refused_together(range(4), 1.0)
    own.refused_together(range(4, 6), 2.0)
    own.record_success(3.0)
    assert not own.refused_again([0])
    assert own.refused_again([0, 4])


def test_a_campaign_is_blamed_once_so_many_were_refused_alone_and_others_passed() -> None:
    own = CampaignBreaker()
    for n in range(ALONE):
        own.refused_alone(n, float(n))
    assert own.is_blamed(0.5)
    assert not own.is_blamed(-1.0)
    own.acquit()
    assert own.closed
    assert not own.is_blamed(9.0)


def test_a_refusal_of_a_former_secret_is_no_suspicion() -> None:
    standing = CircuitBreaker()
    standing.credentials_renewed(5.0)
    standing.record_refusal(4.0, 6.0, RNG)
    assert standing.suspected_at is None


def on_trial() -> Driver:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], REFUSED)
    (trial,) = driver.lane.settlement.trials
    driver.step(trial.not_before)
    return driver


@pytest.mark.parametrize(
    ("outcome", "reasons", "trials"),
    [
        (ACCEPTED, {"i0": "accepted"}, 0),
        (SILENCE, {"i0": "no_answer"}, 0),
        (TROUBLE, {}, 0),
        (THROTTLED, {}, 1),
        (GATEWAY, {}, 1),
    ],
)
def test_the_answer_to_a_customer_on_trial(
    outcome: Outcome, reasons: dict[str, str], trials: int
) -> None:
    driver = on_trial()
    (batch,) = driver.lane.in_flight.values()
    driver.answer(batch, outcome, at=NOW + 9)
    assert driver.reasons == reasons
    assert len(list(driver.lane.settlement.trials)) == trials


def test_a_customer_on_trial_expires() -> None:
    for at_sweep in (True, False):
        driver = Driver(lane(settings(*TWO)))
        (batch,) = driver.read(held(0, expires_at=NOW + (20 if at_sweep else 1)))
        driver.answer(batch, REFUSED)
        (trial,) = driver.lane.settlement.trials
        driver.step(NOW + 31 if at_sweep else trial.not_before)
        assert driver.reasons == {"i0": "expired_waiting"}


def test_a_customer_whose_trial_is_out_does_not_expire() -> None:
    """The answer says how it ended."""
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0, expires_at=NOW + 20))[0], REFUSED)
    (trial,) = driver.lane.settlement.trials
    (batch,) = driver.step(trial.not_before)
    driver.step(NOW + 31)
    assert driver.results == []
    driver.answer(batch, ACCEPTED, at=NOW + 32)
    assert driver.reasons == {"i0": "accepted"}


def test_retry_of_a_campaign_ends_the_pause_of_its_own_trials_only() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], REFUSED)
    driver.answer(driver.read(held(1, campaign="b"))[0], ACCEPTED)
    (trial,) = driver.lane.settlement.trials
    trial.not_before = NOW + 9
    driver.lane.retry_campaign("b", NOW + 1)
    assert driver.step(NOW + 1) == []
    driver.lane.retry_campaign("a", NOW + 1)
    (batch,) = driver.step(NOW + 1)
    assert [invitation.offset for invitation in batch.invitations] == [0]


def test_a_trial_waits_for_the_login_that_its_call_needs() -> None:
    driver = Driver(lane(settings(*TWO, logins=frozenset({"pisano"}))))
    driver.read(held(0))
    driver.lane.logged_in("pisano", NOW + 10, NOW)
    driver.answer(driver.step()[0], REFUSED)
    assert driver.step(NOW + 9.9) == []
    assert driver.logins == ["pisano"] * 2
    driver.lane.logged_in("pisano", NOW + 3_600, NOW + 9.9)
    (batch,) = driver.step(NOW + 9.9)
    assert [invitation.offset for invitation in batch.invitations] == [0]


def test_a_new_secret_closes_the_campaigns_of_its_own_account_only() -> None:
    both = settings(*(campaign(name, vendor=name, max_batch=2) for name in "ab"))
    driver = Driver(lane(both))
    whole = driver.read(*(held(n, campaign="ab"[n % 2]) for n in range(4)))
    for batch in whole:
        driver.lane.answered(batch.id, REFUSED, sent_at=NOW, at=NOW)
    driver.lane.reconfigure(both, NOW, relogin={"a"})
    assert not driver.lane.accounts.one_only("a", "a")
    assert driver.lane.accounts.one_only("b", "b")


def test_a_new_secret_ends_all_trials() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], REFUSED)
    driver.lane.reconfigure(settings(*TWO), NOW + 1, relogin={"pisano"})
    (batch,) = driver.step(NOW + 1)
    driver.answer(batch, ACCEPTED, at=NOW + 1)
    assert driver.reasons == {"i0": "accepted"}
    assert list(driver.lane.settlement.trials) == []


def test_another_config_changes_the_rules_of_a_trial() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], REFUSED)
    driver.lane.reconfigure(settings(campaign("a", weight=3.0, max_wait=7.0)), NOW)
    (trial,) = driver.lane.settlement.trials
    assert (trial.weight, trial.max_wait, trial.growth) == (3.0, 7.0, 1.0)
    assert (trial.campaign, trial.oldest, trial.waited(NOW + 2)) == ("a", NOW, 2.0)


def test_a_search_that_nothing_proves_is_given_up_when_its_calls_are_spent() -> None:
    """Its customers wait on: it may be the credentials that are wrong."""
    rules = campaign("a", max_batch=4, bisect_calls=0)
    driver = Driver(lane(settings(rules)))
    (whole,) = driver.read(*(held(n) for n in range(4)))
    (probe,) = driver.answer(whole, REFUSED, at=NOW + 0.5)
    (rest,) = driver.answer(probe, ACCEPTED, at=NOW + 1)
    driver.answer(rest, REFUSED, at=NOW + 2)
    assert len(driver.lane.settlement.bisections.take_ended()) == 1
    assert driver.reasons == {f"i{probe.invitations[0].offset}": "accepted"}
    assert list(driver.lane.settlement.bisections) == []
    assert driver.lane.buffer.buffered == 3
