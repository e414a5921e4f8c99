"""Taking over from a checkpoint: what is settled, in doubt, tried, closed, and whose it was."""

from __future__ import annotations

import random

import pytest

from consumer.lane.lane import Lane
from consumer.lane.offsets.bitmap import pack
from consumer.lane.state.settings import FRESH_SECONDS, LATE_ARRIVAL_GRACE, Limit
from consumer.records.checkpoint import Checkpoint, InFlight, Owner
from tests.support.lanes import (
    ACCEPTED,
    NOW,
    PARKED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    letter,
    limited,
    settings,
    written,
)


def after_a_crash(of_campaign: str = "a", *offsets: int) -> Checkpoint:
    """A checkpoint with one batch in flight, its second attempt, and offset 12 settled."""
    first = min(offsets)
    batch = InFlight(
        batch_id="cloud.1.4",
        campaign=of_campaign,
        attempt=2,
        sealed_at=NOW - 9,
        first=first,
        offsets=pack(offsets, first),
    )
    return Checkpoint(
        lane="cloud",
        topic_id="t",
        base=10,
        done=pack([12], 10),
        in_flight=[batch],
        permit_log=[NOW - 1],
        config_version="c0",
    )


def test_a_new_owner_reads_from_the_base_and_skips_what_is_done() -> None:
    driver = Driver(lane(checkpoint=after_a_crash("a", 10)))
    assert driver.lane.settled.base == 10
    (batch,) = driver.read(held(12), held(13))
    assert [invitation.offset for invitation in batch.invitations] == [13]


def test_what_a_lost_owner_had_in_flight_is_reported() -> None:
    driver = Driver(lane(checkpoint=after_a_crash("a", 10)))
    assert driver.read(held(10)) == []
    (result,) = driver.results
    assert (result["reason"], result["batch"], result["attempt"]) == ("owner_lost", "cloud.1.4", 2)


def test_what_a_lost_owner_had_in_flight_is_sent_again_where_the_campaign_says_so() -> None:
    of = settings(campaign("a", in_doubt="resend"))
    driver = Driver(lane(of, after_a_crash("a", 10)))
    (batch,) = driver.read(held(10))
    assert batch.attempt == 3


def test_what_is_in_doubt_for_a_campaign_that_is_gone_is_reported() -> None:
    driver = Driver(lane(checkpoint=after_a_crash("gone", 10)))
    driver.read(held(10, campaign="gone"))
    assert driver.reasons == {"i10": "owner_lost"}


def test_an_intent_in_doubt_stays_in_every_checkpoint_until_all_of_it_was_read() -> None:
    driver = Driver(lane(checkpoint=after_a_crash("a", 10, 13)))
    driver.read(held(10))
    assert [each.batch_id for each in driver.checkpoint.in_flight] == ["cloud.1.4"]
    second = Driver(lane(checkpoint=driver.checkpoint))
    second.read(held(13))
    assert second.checkpoint.in_flight == []
    assert driver.reasons | second.reasons == {"i10": "owner_lost", "i13": "owner_lost"}


def test_a_record_in_doubt_that_cannot_be_read_any_more_is_a_dead_letter() -> None:
    driver = Driver(lane(checkpoint=after_a_crash("a", 10)))
    driver.lane.unreadable(letter(10))
    driver.step()
    assert driver.checkpoint.in_flight == []


def test_a_lost_owners_calls_count_as_if_they_arrived_at_their_latest() -> None:
    of = limited()
    machine = lane(of, after_a_crash("a", 10))
    latest = NOW + FRESH_SECONDS + of.call_timeout + LATE_ARRIVAL_GRACE
    assert machine.limiter.stamps(NOW) == [NOW - 1, latest]


def test_limits_that_look_further_back_than_the_log_find_the_quota_used_up() -> None:
    """The former limits' log says nothing about the time before."""
    driver = Driver(lane(limited(calls=9)))
    driver.answer(driver.read(held(1))[0], ACCEPTED)
    longer = limited(limits=(Limit(9, 10.0), Limit(20, 100.0)))
    assert lane(longer, driver.checkpoint).limiter.share_left(NOW + 1) == 0.0
    assert lane(limited(calls=9), driver.checkpoint).limiter.share_left(NOW + 1) > 0.8


@pytest.mark.parametrize("written_by", ["this program", "one that tells no limits"])
def test_a_lane_that_was_unlimited_finds_its_new_quota_used_up(written_by: str) -> None:
    """Nothing recorded the calls of before but the last; a horizon of 0 seconds is no full log."""
    driver = Driver(lane())
    for second in range(20):
        driver.answer(driver.read(held(second), now=NOW + second)[0], ACCEPTED, at=NOW + second)
    point = driver.checkpoint
    if written_by != "this program":
        point = point.model_copy(update={"quota": None})
    successor = lane(limited(calls=5), point)
    assert successor.limiter.share_left(NOW + 20) == 0.0
    assert successor.limiter.next_at(NOW + 20) > NOW + 30


def test_a_checkpoint_that_does_not_say_how_far_its_log_reaches_is_believed() -> None:
    successor = lane(limited(calls=9), after_a_crash("a", 10))
    assert successor.limiter.permits(NOW) == (7.0,)


def test_unknown_calls_count_by_the_limits_of_the_former_owner() -> None:
    """Nine in ten seconds were allowed, and four of the next limits look further back."""
    driver = Driver(lane(limited(calls=9)))
    driver.answer(driver.read(held(1))[0], ACCEPTED)
    longer = limited(limits=(Limit(4, 100.0),))
    first = lane(longer, driver.checkpoint)
    stamps = first.limiter.stamps(NOW + 1)
    assert len(stamps) == 1 + 9 * (180 // 10 + 1)
    second = lane(longer, first.checkpoint(NOW))
    assert second.limiter.next_at(NOW) == first.limiter.next_at(NOW)


def test_a_quota_that_grows_after_a_takeover_finds_unknown_calls_grown_too() -> None:
    driver = Driver(lane(limited(calls=9)))
    driver.answer(driver.read(held(1))[0], ACCEPTED)
    first = lane(limited(limits=(Limit(20, 100.0),)), driver.checkpoint)
    second = lane(limited(limits=(Limit(900, 100.0),)), first.checkpoint(NOW))
    assert second.limiter.share_left(NOW + 1) == 0.0


def test_a_checkpoint_tells_its_lane_topic_and_config() -> None:
    driver = Driver(Lane(settings(), random.Random(1), NOW, base=40, topic_id="t9"))
    driver.read(held(41))
    point = driver.checkpoint
    assert (point.lane, point.topic_id, point.base, point.config_version) == (
        "cloud",
        "t9",
        41,
        "c1",
    )


def test_a_checkpoint_of_foreign_origin_is_refused() -> None:
    with pytest.raises(ValueError, match="bitmap"):
        lane(checkpoint=after_a_crash("a", 10).model_copy(update={"done": "AAAA"}))


def test_a_quota_that_is_assumed_used_is_recorded_at_once() -> None:
    """Else the wait would begin again at every restart, and a pod that restarts never call."""
    first = Driver(lane(limited(calls=2, first_start_full=True)))
    first.step()
    (commit,) = first.commits
    second = lane(limited(calls=2, first_start_full=True), commit.checkpoint)
    assert second.limiter.next_at(NOW) == first.lane.limiter.next_at(NOW)


def test_attempts_outlive_their_owner() -> None:
    """But a next owner's first call carries one customer and counts no attempt: else owners that
    come and go would spend all attempts of a sick campaign."""
    of = settings(campaign("a", max_attempts=3))
    first = Driver(lane(of))
    (batch,) = first.read(held(1), held(2), held(3))
    first.answer(batch, TROUBLE)
    second = Driver(lane(of, first.checkpoint))
    (probe,) = second.read(held(1), held(2), held(3))
    assert [invitation.attempt for invitation in probe.invitations] == [1]
    second.answer(probe, TROUBLE)
    assert [each.attempt for each in second.checkpoint.tried] == [1]
    third = Driver(lane(of, second.checkpoint))
    (probe,) = third.read(held(1), held(2), held(3))
    (rest,) = third.answer(probe, ACCEPTED)
    assert [invitation.attempt for invitation in rest.invitations] == [1, 1]
    third.answer(rest, TROUBLE)
    (last,) = third.step(third.lane.wake_at)
    third.answer(last, TROUBLE)
    assert sorted(third.reasons.values()) == ["accepted", *["attempts_exhausted"] * 2]


def test_a_settled_offset_has_no_attempts() -> None:
    first = Driver(lane())
    (batch,) = first.read(held(1))
    first.answer(batch, TROUBLE)
    (again,) = first.step(first.lane.wake_at)
    tried = [len(first.checkpoint.tried)]
    first.answer(again, SILENCE)
    assert [*tried, len(first.checkpoint.tried)] == [1, 0]


@pytest.mark.parametrize("lost_in_between", [False, True])
def test_a_crash_loop_never_sends_again_more_often_than_may_be(*, lost_in_between: bool) -> None:
    """Every owner is lost with its call in flight; some before they read that far again."""
    of = settings(campaign("a", in_doubt="resend", max_attempts=3))
    calls, point = 0, None
    for epoch in range(20):
        driver = Driver(Lane(of, random.Random(1), NOW, epoch=epoch, checkpoint=point))
        driver.step()
        if not (lost_in_between and epoch % 2):
            calls += len(driver.read(held(1)))
        point = driver.checkpoint if driver.commits else point
    assert calls == 3
    assert point is not None
    assert (point.base, len(point.in_flight), len(point.tried)) == (2, 0, 0)


def test_a_lane_that_a_429_closed_stays_closed_for_the_next_owner() -> None:
    of = limited(calls=99)
    first = Driver(lane(of))
    (batch,) = first.read(held(1))
    first.answer(batch, THROTTLED)
    closed_until = first.checkpoint.closed_until
    assert closed_until == NOW + 10
    second = Driver(lane(of, first.checkpoint))
    assert second.read(held(1)) == []
    assert second.step(closed_until - 0.1) == []
    assert len(second.step(closed_until)) == 1


def test_a_lane_that_was_never_closed_says_so() -> None:
    driver = Driver(lane())
    driver.read(held(1))
    assert driver.checkpoint.closed_until == 0.0


def test_the_last_owners_stand_in_every_checkpoint() -> None:
    owners = [Owner(instance=f"pod-{n}", config_version="c1", at=NOW + n) for n in range(2)]
    driver = Driver(Lane(settings(), random.Random(1), NOW, owners=owners))
    driver.read(held(1))
    assert driver.checkpoint.owners == tuple(owners)


def test_an_invitation_in_doubt_is_delayed_when_its_campaign_resends() -> None:
    """Its attempt is not forgotten on the way."""
    of = settings(campaign("a", in_doubt="resend"), campaign("b"))
    driver = Driver(lane(of, after_a_crash("a", 11)))
    (batch,) = driver.read(held(10))
    driver.answer(batch, PARKED)
    driver.read(held(11))
    assert [(each.invitation.offset, each.invitation.attempt) for each in driver.put_off] == [
        (10, 0),
        (11, 2),
    ]
    assert driver.checkpoint.in_flight == []


def test_what_was_in_doubt_and_waits_for_its_next_call_keeps_its_attempts() -> None:
    """Its owner is lost before that call; the batch it was in is in doubt no more."""
    of = settings(campaign("a", in_doubt="resend"))
    point = after_a_crash("a", 10).model_copy(update={"closed_until": NOW + 60})
    driver = Driver(lane(of, point))
    assert driver.read(held(10)) == []
    driver.lane.unreadable(letter(13))
    driver.step()
    driver = Driver(lane(of, driver.checkpoint))
    assert driver.read(held(10)) == []
    assert [each.attempt for each in driver.step(NOW + 60)] == [3]


def test_what_is_in_doubt_is_sent_again_until_it_expires_or_attempts_end() -> None:
    of = settings(campaign("a", in_doubt="resend", max_attempts=2))
    driver = Driver(lane(of, after_a_crash("a", 10)))
    assert driver.read(held(10)) == []
    again = settings(campaign("a", in_doubt="resend"))
    late = Driver(lane(again, after_a_crash("a", 10)))
    assert late.read(held(10, expires_at=NOW)) == []
    assert driver.reasons == late.reasons == {"i10": "owner_lost"}


# -- records of a later version ------------------------------------------------------------------


def test_records_of_a_later_version_are_delayed_until_the_upgrade() -> None:
    """A minute, for a rolling upgrade; then ten, as after a rollback."""
    driver = Driver(lane())
    driver.lane.postponed(written(1, attempt=2), NOW)
    driver.lane.postponed(written(2, delays=1), NOW)
    driver.lane.postponed(written(1), NOW)
    driver.step()
    assert [(each.invitation.offset, each.step, each.due_at) for each in driver.put_off] == [
        (1, "1m", NOW + 60),
        (2, "10m", NOW + 600),
    ]
    assert driver.put_off[0].invitation.attempt == 2
    assert driver.checkpoint.base == 3
    assert driver.sent == []


def test_what_a_later_version_tried_keeps_its_attempts() -> None:
    first = Driver(lane())
    (batch,) = first.read(held(1))
    first.answer(batch, TROUBLE)
    second = Driver(lane(checkpoint=first.checkpoint))
    second.lane.postponed(written(1), NOW)
    second.step()
    assert [each.invitation.attempt for each in second.put_off] == [1]


def test_what_a_later_version_had_in_flight_stays_in_doubt_until_the_upgrade() -> None:
    """Delayed, it would come back as one that was never sent."""
    driver = Driver(lane(checkpoint=after_a_crash("a", 10)))
    driver.lane.postponed(written(10), NOW)
    driver.read(held(11, campaign="gone"))
    assert [each.invitation.offset for each in driver.put_off] == [11]
    assert [each.batch_id for each in driver.checkpoint.in_flight] == ["cloud.1.4"]
    upgraded = Driver(lane(checkpoint=driver.checkpoint))
    upgraded.read(held(10))
    assert upgraded.reasons == {"i10": "owner_lost"}
    assert upgraded.checkpoint.in_flight == []
