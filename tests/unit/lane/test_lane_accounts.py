"""What a lane does while a vendor account is refused, ill or silent."""

from __future__ import annotations

from dataclasses import replace

from consumer.lane.account.circuit_breaker import PACES, TRIPS
from consumer.lane.state.commands import SealReason
from consumer.records.call import Outcome, Verdict
from tests.support.lanes import (
    ACCEPTED,
    NEVER_LEFT,
    NOW,
    PARKED,
    REFUSED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
)

EACH = campaign("a", max_batch=10)
RADAR = settings(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
FAR = NOW + 10_000


def refused() -> Driver:
    """A lane whose calls were refused for the account's credentials, and the one after them that
    tried another customer; 20 wait."""
    driver = Driver(lane(settings(EACH)))
    first, second = driver.read(*(held(n) for n in range(20)))
    (probe,) = driver.answer(first, REFUSED)
    driver.answer(second, REFUSED)
    driver.answer(probe, REFUSED)
    return driver


def ill(outcome: Outcome = SILENCE) -> Driver:
    """A lane after as many failed calls as count; 20 wait."""
    driver = Driver(lane(settings(EACH, max_in_flight=TRIPS)))
    for batch in driver.read(*(held(n) for n in range(10 * TRIPS + 20))):
        driver.lane.answered(batch.id, outcome, sent_at=NOW, at=NOW)
    assert driver.step() == []
    return driver


def test_refused_credentials_stop_the_calls_and_reject_no_customer() -> None:
    driver = refused()
    assert driver.step(NOW + PACES["refused"][0] / 2 - 1) == []
    assert driver.results == []
    assert driver.lane.windows["a"].count == 20
    assert driver.lane.accounts.refused("pisano")


def test_now_and_then_one_customer_is_tried() -> None:
    driver = refused()
    (probe,) = driver.step(driver.lane.accounts.breakers["pisano"].probe_at)
    assert (probe.why, len(probe.invitations)) == (SealReason.PROBE, 1)
    assert driver.step(FAR) == []
    driver.answer(probe, REFUSED, at=FAR)
    assert driver.results == []
    assert driver.step(FAR + 1) == []


def test_an_accepted_probe_lets_all_invitations_go() -> None:
    driver = refused()
    (probe,) = driver.step(FAR)
    rest = driver.answer(probe, ACCEPTED, at=FAR)
    assert sum(len(batch.invitations) for batch in rest) == 19
    assert not driver.lane.accounts.refused("pisano")


def test_a_new_secret_needs_no_probe() -> None:
    driver = refused()
    driver.lane.reconfigure(settings(EACH), NOW + 1, relogin={"pisano"})
    assert [len(batch.invitations) for batch in driver.step(NOW + 1)] == [10, 10]


def test_another_config_is_no_new_secret_but_tries_one_customer_at_once() -> None:
    """What was wrong may be mended at the vendor; each reload tries it once."""
    driver = refused()
    driver.lane.reconfigure(settings(EACH, linger=0.1), NOW + 1)
    (probe,) = driver.step(NOW + 1)
    assert len(probe.invitations) == 1
    assert driver.answer(probe, REFUSED, at=NOW + 1) == []
    assert driver.step(NOW + 1 + PACES["refused"][0] / 2 - 1) == []
    assert driver.results == []


def test_an_outage_that_is_over_is_found_at_once_by_a_reload() -> None:
    driver = ill()
    driver.lane.reconfigure(settings(EACH, max_in_flight=TRIPS), NOW + 0.5)
    (probe,) = driver.step(NOW + 0.5)
    rest = driver.answer(probe, ACCEPTED, at=NOW + 0.6)
    assert sum(len(batch.invitations) for batch in rest) == 19


def test_a_refused_login_is_tried_at_once_by_retry_and_by_a_reload() -> None:
    driver = Driver(lane(RADAR))
    driver.read(held(0, campaign="visit"))
    driver.lane.login_failed("radar", REFUSED, NOW)
    driver.step(NOW + 1)
    assert driver.logins == ["radar"]
    driver.lane.retry_campaign("visit", NOW + 1)
    driver.step(NOW + 1)
    assert driver.logins == ["radar"] * 2
    driver.lane.login_failed("radar", REFUSED, NOW + 1)
    driver.lane.reconfigure(RADAR, NOW + 2)
    driver.step(NOW + 2)
    assert driver.logins == ["radar"] * 3


def test_the_lanes_other_accounts_go_on() -> None:
    driver = Driver(lane(settings(EACH, campaign("b", vendor="other"))))
    driver.answer(driver.read(held(1))[0], REFUSED)
    driver.answer(driver.read(held(2))[0], REFUSED)
    assert driver.lane.accounts.refused("pisano")
    assert [batch.campaign for batch in driver.read(held(3), held(4, campaign="b"))] == ["b"]


def test_a_vendor_in_trouble_is_tried_with_one_customer_and_only_that_one_is_in_doubt() -> None:
    driver = ill()
    assert len(driver.results) == 10 * TRIPS
    (probe,) = driver.step(driver.lane.wake_at)
    assert len(probe.invitations) == 1
    driver.answer(probe, SILENCE, at=FAR)
    assert len(driver.results) == 10 * TRIPS + 1
    assert driver.step(FAR) == []


def test_the_circuit_closes_after_one_accepted_call_and_clears_backoffs() -> None:
    driver = ill(TROUBLE)
    (probe,) = driver.step(NOW + PACES["ill"][0])
    after = driver.answer(probe, ACCEPTED, at=NOW + 5)
    assert sum(len(batch.invitations) for batch in after) >= 2 * 10


def test_a_parked_campaign_is_not_revived_with_the_vendor() -> None:
    driver = Driver(lane(settings(campaign("a"), campaign("b"))))
    driver.answer(driver.read(held(0))[0], PARKED)
    for n in range(1, TRIPS + 1):
        driver.answer(driver.read(held(n, campaign="b"))[0], SILENCE)
    driver.read(held(9, campaign="b"))
    (probe,) = driver.step(NOW + 6)
    driver.answer(probe, ACCEPTED, at=NOW + 6)
    assert driver.lane.windows["a"].parked_until > NOW + 6


def test_a_429_to_the_probe_says_nothing_about_the_account() -> None:
    driver = ill()
    (probe,) = driver.step(driver.lane.wake_at)
    driver.answer(probe, replace(THROTTLED, retry_after=1.0), at=FAR)
    (again,) = driver.step(FAR + 1)
    assert len(again.invitations) == 1


def test_a_connection_that_fails_costs_no_attempt_and_opens_the_circuit_too() -> None:
    driver = ill(NEVER_LEFT)
    assert driver.results == []
    (probe,) = driver.step(FAR)
    assert [invitation.attempt for invitation in probe.invitations] == [0]


def test_two_calls_without_an_answer_hold_the_others_back() -> None:
    """A vendor that hangs should have few batches in doubt, not all that the quota allows."""
    driver = Driver(lane(settings(EACH, call_timeout=30.0)))
    first = driver.read(held(0), now=NOW)
    second = driver.read(held(1), now=NOW + 5)
    assert len(driver.read(held(2), now=NOW + 12)) == 1
    assert driver.read(held(3), now=NOW + 16) == []
    (after,) = driver.answer(second[0], ACCEPTED, at=NOW + 17)
    assert [invitation.offset for invitation in after.invitations] == [3]
    driver.answer(first[0], ACCEPTED, at=NOW + 18)


def test_a_login_that_is_refused_shows_until_one_succeeds() -> None:
    denied = Outcome(Verdict.RETRY, 401, counts=False, refused=True, relogin=True)
    driver = Driver(lane(RADAR))
    driver.read(held(1, campaign="visit"))
    driver.lane.login_failed("radar", denied, NOW)
    assert driver.lane.accounts.refused("radar")
    driver.step(FAR)
    driver.lane.logged_in("radar", FAR + 100, FAR)
    assert not driver.lane.accounts.refused("radar")
    assert driver.lane.accounts.open_for_all("radar", FAR)


def test_the_quota_in_use_shrinks_after_a_429_grows_back_and_outlives_the_owner() -> None:
    driver = Driver(lane(limited(EACH, calls=100)))
    (batch,) = driver.read(held(0))
    driver.answer(batch, THROTTLED)
    assert driver.lane.limiter.permits(NOW + 100) == (85.0,)
    assert driver.checkpoint.limits_part == 0.85
    after = Driver(lane(limited(EACH, calls=100), driver.checkpoint))
    after.step(NOW + 5)
    assert after.lane.limiter.permits(NOW + 100) == (85.0,)
    after.step(NOW + 30)
    assert after.lane.limiter.permits(NOW + 100) == (100.0,)
    assert after.checkpoint.limits_part == 1.0


def test_calls_that_fail_together_are_one_failure_of_their_campaign() -> None:
    driver = Driver(lane(settings(EACH)))
    for n, batch in enumerate(driver.read(*(held(n) for n in range(20)))):
        driver.lane.answered(batch.id, TROUBLE, sent_at=NOW, at=NOW + 1 + n)
    assert driver.lane.windows["a"].failures == 1


def test_a_refusal_of_the_secret_of_before_is_no_news_of_the_present_one() -> None:
    of = settings(campaign("a", max_batch=4))
    driver = Driver(lane(of))
    (first,) = driver.read(*(held(n) for n in range(4)))
    driver.lane.reconfigure(of, NOW + 1, relogin={"pisano"})
    (again,) = driver.answer(first, REFUSED, at=NOW + 2)
    assert len(again.invitations) == 4
    driver.answer(again, ACCEPTED, at=NOW + 3)
    assert set(driver.reasons.values()) == {"accepted"}


def test_a_refused_account_with_a_login_fetches_another_token() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=5), logins=frozenset({"pisano"}))))
    driver.read(*(held(n) for n in range(5)))
    driver.lane.logged_in("pisano", NOW + 3_600, NOW)
    (whole,) = driver.step()
    (probe,) = driver.answer(whole, REFUSED, at=NOW + 1)
    assert driver.logins == ["pisano"]
    assert driver.answer(probe, REFUSED, at=NOW + 2) == []
    assert driver.lane.accounts.refused("pisano")
    assert driver.logins == ["pisano"] * 2


def test_trouble_of_one_call_each_of_three_campaigns_is_the_accounts_and_pauses_none() -> None:
    """The account has the pause: its probe is of one customer, and its success frees all."""
    of = settings(*(campaign(name, max_batch=4) for name in "abc"))
    driver = Driver(lane(of))
    batches = driver.read(*(held(n, campaign="abc"[n % 3]) for n in range(12)))
    for batch in batches:
        driver.lane.answered(batch.id, TROUBLE, sent_at=NOW, at=NOW + 1)
    assert not driver.lane.accounts.well("pisano")
    assert driver.lane.buffer.windows[batches[-1].campaign].not_before == 0.0
    (probe,) = driver.step(NOW + 1 + PACES["ill"][0])
    assert len(probe.invitations) == 1


def test_the_recovery_of_an_account_leaves_the_backoffs_of_another_one() -> None:
    of = settings(*(campaign(name, vendor=name, max_batch=2) for name in "ab"))
    driver = Driver(lane(of))
    batches = driver.read(*(held(n, campaign="ab"[n % 2]) for n in range(4)))
    first, other = sorted(batches, key=lambda batch: batch.campaign)
    driver.lane.answered(other.id, TROUBLE, sent_at=NOW, at=NOW + 1)
    waits = driver.lane.windows["b"].not_before
    driver.lane.answered(first.id, REFUSED, sent_at=NOW, at=NOW + 1)
    (probe,) = driver.step(NOW + 1)
    assert probe.campaign == "a"
    driver.lane.answered(probe.id, REFUSED, sent_at=NOW + 1, at=NOW + 2)
    assert not driver.lane.accounts.well("a")
    later = driver.step(NOW + 2 + PACES["refused"][1])
    (probe,) = (batch for batch in later if batch.campaign == "a")
    driver.lane.answered(probe.id, ACCEPTED, sent_at=NOW + 700, at=NOW + 700)
    assert driver.lane.accounts.well("a")
    assert driver.lane.windows["b"].not_before == waits > NOW + 1


def test_a_checkpoint_that_is_asked_for_goes_with_the_next_commit() -> None:
    driver = Driver(lane(settings()))
    driver.answer(driver.read(held(0))[0], ACCEPTED)
    before = len(driver.commits)
    driver.step(NOW + 1)
    assert len(driver.commits) == before
    driver.lane.request_checkpoint()
    driver.step(NOW + 1)
    assert len(driver.commits) == before + 1
    assert not driver.commits[-1].results
