"""Invitations that cannot go soon leave the lane's topic, and stop no other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.lane.state.pending import PendingInvitation
from tests.support.lanes import (
    ACCEPTED,
    NOW,
    PARKED,
    REFUSED,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
    written,
)

TWO = (campaign("a", max_batch=2), campaign("b"))


def away(driver: Driver) -> list[tuple[int, str]]:
    """Offsets that were delayed, and the step that they took."""
    return [(each.invitation.offset, each.step) for each in driver.put_off]


def test_a_campaign_that_the_config_does_not_know_is_delayed_and_never_called() -> None:
    driver = Driver(lane())
    assert driver.read(held(1, campaign="gone"), held(2)) == driver.batches
    assert away(driver) == [(1, "1m")]
    assert driver.sent == [2]
    assert driver.lane.buffer.buffered == 1
    assert driver.checkpoint.base == 2


def test_a_returning_invitation_of_a_still_unknown_campaign_waits_longer() -> None:
    driver = Driver(lane())
    driver.read(written(1, "gone", delays=1))
    driver.read(written(2, "gone", delays=2), now=NOW + 600)
    assert away(driver) == [(1, "10m"), (2, "10m")]


def test_a_returning_invitation_may_have_expired_meanwhile() -> None:
    driver = Driver(lane())
    driver.read(written(1, "gone", delays=2, expires_at=NOW))
    assert driver.put_off == []
    assert driver.reasons == {"i1": "expired_waiting"}


def test_a_parked_campaign_leaves_memory_in_the_transaction_that_settles_it() -> None:
    """The batch and all invitations behind it; no other is touched."""
    driver = Driver(lane(settings(*TWO, max_in_flight=1)))
    (batch,) = driver.read(*(held(n) for n in range(5)), held(5, campaign="b"))
    before = len(driver.commits)
    (other,) = driver.answer(batch, PARKED)
    commit = driver.commits[before]
    assert sorted(each.invitation.offset for each in commit.delayed) == [0, 1, 2, 3, 4]
    assert commit.checkpoint.base == 5
    assert [each.batch_id for each in commit.checkpoint.in_flight] == [other.id]
    assert other.campaign == "b"
    assert driver.lane.buffer.buffered == 1
    assert driver.lane.idle is False


def test_arrivals_of_a_parked_campaign_are_delayed_and_others_go_on() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], PARKED)
    sent = driver.read(held(1), held(2, campaign="b"), now=NOW + 59)
    assert [each.campaign for each in sent] == ["b"]
    assert away(driver) == [(0, "1m"), (1, "1m")]
    driver.answer(sent[0], ACCEPTED, at=NOW + 59)
    assert driver.lane.idle


def test_a_parked_campaign_is_tried_again_and_waits_longer_if_nothing_was_mended() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], PARKED)
    (again,) = driver.read(held(1), now=NOW + 60)
    driver.answer(again, PARKED, at=NOW + 60)
    assert driver.read(held(2), now=NOW + 120) == []
    (third,) = driver.read(held(3), now=NOW + 660)
    driver.answer(third, ACCEPTED, at=NOW + 660)
    assert driver.reasons == {"i3": "accepted"}
    driver.answer(driver.read(held(4), now=NOW + 661)[0], PARKED, at=NOW + 661)
    assert driver.lane.windows["a"].parked_until == NOW + 661 + 60


def test_a_spilled_invitation_of_a_parked_campaign_is_delayed_when_it_is_read_again() -> None:
    """It needs no room for that."""
    driver = Driver(lane(settings(*TWO, max_buffered=10, max_in_flight=1)))
    driver.log = [held(n) for n in range(60)]
    (batch,) = driver.poll(most=60)
    assert driver.lane.buffer.read_plan.spilled > 40
    driver.answer(batch, PARKED)
    for _ in range(20):
        driver.poll(most=7)
    assert driver.lane.buffer.buffered == driver.lane.buffer.read_plan.spilled == 0
    assert sorted(offset for offset, _ in away(driver)) == list(range(60))
    assert driver.checkpoint.base == 60


def test_attempts_survive_a_delay() -> None:
    """Two calls that count, one that parks the campaign, a delay, and the last."""
    of = settings(campaign("a", max_attempts=3), campaign("b"))
    driver = Driver(lane(of))
    (batch,) = driver.read(written(0))
    for outcome in (TROUBLE, TROUBLE):
        driver.answer(batch, outcome)
        (batch,) = driver.step(driver.lane.wake_at)
    driver.answer(batch, PARKED)
    (put_off,) = driver.put_off
    back = PendingInvitation.read(7, put_off.record(), NOW + 60)
    assert (back.attempt, back.delays) == (2, 1)
    driver.answer(driver.read(back, now=NOW + 660)[0], TROUBLE, at=NOW + 660)
    assert [(result["reason"], result["attempt"]) for result in driver.results] == [
        ("attempts_exhausted", 3)
    ]


def test_a_delayed_invitation_leaves_the_attempts_of_the_checkpoint() -> None:
    """Its record has the attempts, and its offset is settled."""
    driver = Driver(lane(settings(*TWO)))
    (batch,) = driver.read(held(0))
    driver.answer(batch, TROUBLE)
    (batch,) = driver.step(driver.lane.wake_at)
    tried = [len(driver.checkpoint.tried)]
    driver.answer(batch, PARKED)
    assert [*tried, len(driver.checkpoint.tried)] == [1, 0]


def test_the_expiry_of_a_parked_invitation_is_told_within_a_minute() -> None:
    """D12: it comes back before its end, stays in its lane, and ends there."""
    driver = Driver(lane(settings(*TWO)))
    ends = NOW + 700
    driver.answer(driver.read(held(0, expires_at=ends), held(1, expires_at=NOW + 50))[0], PARKED)
    assert away(driver) == [(0, "1m")]
    driver.step(NOW + 81)
    assert driver.reasons == {"i1": "expired_waiting"}
    (again,) = driver.read(written(2, delays=1, expires_at=ends), now=NOW + 200)
    driver.answer(again, PARKED, at=NOW + 200)
    assert [each.due_at for each in driver.put_off[1:]] == [ends - 60]
    driver.read(written(3, delays=2, expires_at=ends), now=ends - 20)
    assert len(driver.put_off) == 2
    driver.step(ends - 10)
    driver.step(ends + 20)
    assert driver.reasons["i3"] == "expired_waiting"
    assert len(driver.batches) == 2


def test_a_parked_campaign_that_is_retried_is_called_at_once() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], PARKED)
    assert driver.lane.parked_campaigns() == ["a"]
    driver.lane.retry_campaign("a", NOW + 1)
    driver.lane.retry_campaign("never seen", NOW + 1)
    assert not driver.lane.snapshot(NOW + 1).campaigns["a"].parked
    (batch,) = driver.read(held(1), now=NOW + 1)
    assert driver.lane.parked_campaigns() == ["a"]  # until a call of it is accepted
    driver.answer(batch, ACCEPTED, at=NOW + 1)
    assert driver.lane.parked_campaigns() == []
    assert driver.reasons == {"i1": "accepted"}


def test_a_call_that_was_out_when_its_campaign_was_retried_does_not_park_it() -> None:
    """The campaign was mended meanwhile: its customers go with the next call."""
    driver = Driver(lane(settings(*TWO)))
    (before,) = driver.read(held(0), now=NOW)
    driver.lane.retry_campaign("a", NOW + 1)
    driver.answer(before, PARKED, at=NOW + 2)
    assert driver.put_off == []
    (after,) = driver.step(driver.lane.wake_at)
    driver.answer(after, PARKED, at=NOW + 5)
    assert len(driver.put_off) == 1


def test_a_call_of_the_former_config_parks_no_campaign() -> None:
    driver = Driver(lane(settings(*TWO)))
    (before,) = driver.read(held(0), now=NOW)
    driver.lane.reconfigure(settings(*TWO), NOW + 1)
    driver.answer(before, PARKED, at=NOW + 2)
    assert driver.put_off == []
    (after,) = driver.step(driver.lane.wake_at)
    driver.answer(after, ACCEPTED, at=NOW + 5)
    assert driver.reasons == {"i0": "accepted"}


def test_a_parked_campaign_whose_pause_is_over_is_retried_by_another_config() -> None:
    """What waits on the delay topics may be due later than the campaign's own pause ends."""
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], PARKED)
    assert driver.lane.parked_campaigns() == ["a"]
    assert not driver.lane.snapshot(NOW + 100).campaigns["a"].parked
    assert driver.lane.stopped_campaigns() == ["a"]


def test_a_reload_ends_the_pauses_of_an_account_that_changed() -> None:
    """The account's breaker closes, and no backoff of its campaigns is left."""
    driver = Driver(lane(settings(*TWO)))
    (one,) = driver.read(held(0), now=NOW)
    driver.answer(one, REFUSED, at=NOW)
    (other,) = driver.read(held(1, campaign="b"), now=NOW + 1)
    driver.answer(other, REFUSED, at=NOW + 1)
    vendor = driver.lane.settings.campaigns["a"].vendor
    assert driver.lane.accounts.refused(vendor)
    driver.lane.reconfigure(settings(*TWO), NOW + 2, relogin=[vendor])
    assert {batch.campaign for batch in driver.step(NOW + 3)} == {"a", "b"}


def test_a_customer_on_trial_is_called_at_once_when_its_campaign_is_retried() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], REFUSED)
    assert driver.step(NOW + 1) == []
    driver.lane.retry_campaign("b", NOW + 1)
    assert driver.step(NOW + 1) == []
    driver.lane.retry_campaign("a", NOW + 1)
    (batch,) = driver.step(NOW + 1)
    driver.answer(batch, ACCEPTED, at=NOW + 1)
    assert driver.reasons == {"i0": "accepted"}


def test_a_lane_that_a_429_closed_is_reopened_and_its_next_owner_knows() -> None:
    driver = Driver(lane(limited(calls=5)))
    assert driver.lane.reopen(NOW) is False
    (batch,) = driver.read(held(0))
    driver.answer(batch, replace(THROTTLED, retry_after=9.0))
    assert driver.step(NOW + 5) == []
    assert driver.lane.reopen(NOW + 5)
    assert len(driver.step(NOW + 5)) == 1
    assert driver.checkpoint.closed_until <= NOW + 5


# -- another config while running ----------------------------------------------------------------


def test_a_campaign_that_leaves_the_config_is_delayed_and_its_call_ends_by_the_old_one() -> None:
    driver = Driver(lane(settings(*TWO, max_in_flight=1)))
    (batch,) = driver.read(*(held(n) for n in range(4)))
    driver.lane.reconfigure(settings(campaign("b"), config_version="c2"), NOW)
    driver.step()
    assert away(driver) == [(2, "1m"), (3, "1m")]
    assert driver.checkpoint.config_version == "c2"
    driver.answer(batch, ACCEPTED)
    assert driver.reasons == {"i0": "accepted", "i1": "accepted"}
    assert [result["vendor"] for result in driver.results] == ["pisano", "pisano"]
    assert driver.lane.idle


def test_invitations_of_a_failed_call_whose_campaign_left_the_config_are_delayed() -> None:
    driver = Driver(lane(settings(*TWO)))
    (batch,) = driver.read(held(0), held(1))
    driver.lane.reconfigure(settings(campaign("b")), NOW)
    driver.answer(batch, TROUBLE)
    assert [(each.invitation.offset, each.invitation.attempt) for each in driver.put_off] == [
        (0, 1),
        (1, 1),
    ]
    assert driver.lane.buffer.buffered == 0


def test_a_spilled_invitation_of_a_campaign_that_left_the_config_is_delayed() -> None:
    driver = Driver(lane(settings(*TWO, max_buffered=10)))
    driver.lane.limiter.close_until(NOW + 900)
    driver.log = [held(n) for n in range(40)]
    driver.poll(most=50)
    driver.lane.reconfigure(settings(campaign("b"), max_buffered=10), NOW)
    for _ in range(20):
        driver.poll(most=7)
    assert sorted(offset for offset, _ in away(driver)) == list(range(40))


def test_a_campaign_that_comes_into_the_config_is_called_by_it() -> None:
    driver = Driver(lane())
    driver.read(held(1, campaign="new"))
    driver.lane.reconfigure(settings(campaign("a"), campaign("new", max_batch=2)), NOW + 60)
    batches = driver.read(*(written(n, "new", delays=1) for n in (2, 3, 4)), now=NOW + 60)
    assert [[each.offset for each in batch.invitations] for batch in batches] == [[2, 3], [4]]


def test_waiting_invitations_follow_the_new_config() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=2), linger=900.0)))
    assert driver.read(held(1)) == []
    changed = campaign("a", max_batch=1, max_wait=5.0, weight=2.0)
    driver.lane.reconfigure(settings(changed, linger=900.0), NOW)
    assert len(driver.step()) == 1
    window = driver.lane.windows["a"]
    assert (window.max_batch, window.max_wait, window.weight) == (1, 5.0, 2.0)


def test_other_bounds_hold_for_what_is_in_memory() -> None:
    driver = Driver(lane())
    driver.lane.limiter.close_until(NOW + 900)
    driver.read(*(held(n) for n in range(50)))
    driver.lane.reconfigure(settings(max_buffered=10), NOW)
    driver.read(held(50))
    assert driver.lane.buffer.buffered <= 10
    assert driver.lane.buffer.buffered + driver.lane.buffer.read_plan.spilled == 51


def test_a_parked_campaign_is_tried_at_once_by_a_new_config() -> None:
    """What was wrong may be mended; one that is not parked keeps its backoff."""
    driver = Driver(lane(settings(*TWO)))
    batches = driver.read(held(0), held(1, campaign="b"))
    driver.answer(batches[0], PARKED)
    driver.answer(batches[1], TROUBLE)
    backing_off = driver.lane.windows["b"].not_before
    driver.lane.reconfigure(settings(*TWO), NOW + 0.001)
    assert [each.campaign for each in driver.read(held(2), now=NOW + 0.001)] == ["a"]
    assert driver.lane.windows["b"].not_before == backing_off


def test_a_parked_campaign_that_leaves_the_config_is_delayed_and_not_tried() -> None:
    driver = Driver(lane(settings(*TWO)))
    driver.answer(driver.read(held(0))[0], PARKED)
    driver.lane.reconfigure(settings(campaign("b")), NOW + 1)
    assert driver.read(held(1), now=NOW + 1) == []
    assert away(driver) == [(0, "1m"), (1, "1m")]


def test_a_new_config_is_recorded_at_once() -> None:
    driver = Driver(lane())
    driver.step()
    before = len(driver.commits)
    driver.lane.reconfigure(settings(config_version="c2"), NOW)
    driver.step()
    assert [commit.checkpoint.config_version for commit in driver.commits[before:]] == ["c2"]


@pytest.mark.parametrize(("relogin", "logins"), [(("radar",), 2), ((), 1)])
def test_a_vendors_new_account_needs_a_new_login(relogin: tuple[str, ...], logins: int) -> None:
    of = settings(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
    driver = Driver(lane(of))
    driver.read(held(0, campaign="visit"))
    driver.lane.logged_in("radar", NOW + 900, NOW)
    (batch,) = driver.step()
    driver.answer(batch, ACCEPTED)
    driver.lane.reconfigure(of, NOW, relogin=relogin)
    driver.read(held(1, campaign="visit"))
    assert driver.logins == ["radar"] * logins


def test_a_vendor_that_comes_into_the_config_is_logged_in_to() -> None:
    driver = Driver(lane())
    of = settings(campaign("a"), campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
    driver.lane.reconfigure(of, NOW)
    assert driver.read(held(0, campaign="visit")) == []
    assert driver.logins == ["radar"]


def test_a_lane_that_gets_a_quota_takes_it_as_used() -> None:
    """There is no log of the calls before."""
    driver = Driver(lane())
    driver.answer(driver.read(held(0))[0], ACCEPTED)
    driver.lane.reconfigure(limited(calls=2), NOW)
    assert driver.read(held(1)) == []
    assert driver.lane.limiter.next_at(NOW) > NOW + 10
    assert driver.checkpoint.permit_log == [NOW, NOW]
