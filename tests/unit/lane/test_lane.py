"""The lane machine, one behaviour a test; `tests/simulation/test_lane_sim.py` mixes them all."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from consumer.lane.dispatch.scheduler import Seal, Wait, Waiting
from consumer.lane.lane import SWEEP_EVERY, Lane
from consumer.lane.offsets.bitmap import unpack
from consumer.lane.state.commands import Commit, SealReason, Send
from consumer.lane.state.settings import FRESH_SECONDS, LATE_ARRIVAL_GRACE, Limit
from consumer.records.call import Outcome
from consumer.records.fields import rfc3339
from tests.support.lanes import (
    ACCEPTED,
    EXPIRED_TOKEN,
    NEVER_LEFT,
    NOW,
    REJECTED,
    SILENCE,
    THROTTLED,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    letter,
    limited,
    results,
    settings,
)

RADAR = settings(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))


# -- from arrival to result --------------------------------------------------------------------


def test_a_call_leaves_only_after_its_intent_is_committed() -> None:
    machine = lane()
    machine.arrived(held(3), NOW)
    machine.arrived(held(5), NOW)
    (commit,) = machine.tick(NOW)
    assert isinstance(commit, Commit)
    (intent,) = commit.checkpoint.in_flight
    assert (intent.campaign, intent.attempt, intent.sealed_at) == ("a", 1, NOW)
    assert list(unpack(intent.offsets, intent.first)) == [3, 5]
    (send,) = machine.committed()
    assert isinstance(send, Send)
    assert send.batch.id == intent.batch_id
    assert machine.committed() == []


def test_an_answer_is_recorded_with_results_and_without_the_batch() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(held(3), held(5))
    driver.lane.answered(batch.id, ACCEPTED, sent_at=NOW + 1, at=NOW + 2)
    driver.step(NOW + 2)
    assert driver.reasons == {"i3": "accepted", "i5": "accepted"}
    assert driver.checkpoint.in_flight == []
    assert driver.checkpoint.base == 6
    facts = {(each["batch"], each["sent_at"], each["answered_at"]) for each in driver.results}
    assert facts == {(batch.id, rfc3339(NOW + 1), rfc3339(NOW + 2))}
    assert driver.lane.idle


def test_one_commit_is_out_at_a_time_and_the_next_carries_all_that_came_meanwhile() -> None:
    machine = lane(settings(campaign("a", max_batch=1)))
    machine.arrived(held(1), NOW)
    machine.tick(NOW)
    machine.committed()
    machine.arrived(held(2), NOW)
    machine.tick(NOW)  # its commit is out
    machine.answered("cloud.1.1", ACCEPTED, sent_at=NOW, at=NOW)
    machine.arrived(held(3), NOW)
    assert machine.tick(NOW) == []
    machine.committed()
    (commit,) = machine.tick(NOW)
    assert isinstance(commit, Commit)
    assert [result["id"] for result in results(commit.results)] == ["i1"]
    assert [each.batch_id for each in commit.checkpoint.in_flight] == ["cloud.1.2", "cloud.1.3"]


def test_batch_ids_name_lane_and_owner() -> None:
    """Two owners never give two batches the same id."""
    (first,) = Driver(Lane(settings(), random.Random(1), NOW, epoch=1)).read(held(1))
    (second,) = Driver(Lane(settings(), random.Random(1), NOW, epoch=7)).read(held(1))
    assert (first.id, second.id) == ("cloud.1.1", "cloud.7.1")


def test_a_record_that_is_read_again_is_passed_over() -> None:
    driver = Driver(lane())
    assert len(driver.read(held(1))) == 1
    assert driver.read(held(1)) == []
    assert driver.lane.buffer.buffered == 1


def test_an_unreadable_record_is_settled_by_its_dead_letter_once() -> None:
    driver = Driver(lane())
    driver.lane.unreadable(letter(4))
    driver.lane.unreadable(letter(4))
    driver.step()
    assert [dead_letter.source["offset"] for dead_letter in driver.commits[0].dead_letters] == [4]
    assert driver.checkpoint.base == 5


def test_no_more_calls_are_in_flight_than_may_be() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=1), max_in_flight=2)))
    first, _ = driver.read(held(1), held(2), held(3))
    assert len(driver.answer(first, ACCEPTED)) == 1


def test_a_scheduler_of_ones_own_decides() -> None:
    class Last:
        def price(self, left: float, worth: float = 0.0) -> float:
            return left + worth

        def rank(self, window: Waiting, at: float) -> float:
            del at
            return window.oldest

        def due(self, window: Waiting, price: float) -> float:
            return window.not_before * price

        def choose(
            self, windows: Iterable[Waiting], now: float, left: float, worth: float = 0.0
        ) -> Seal | Wait:
            ready = [window for window in windows if window.ready]
            return Seal(ready[-1], SealReason.PERMIT) if ready else Wait(now + 2 + left + worth)

    of = settings(campaign("a"), campaign("b"))
    driver = Driver(Lane(of, random.Random(1), NOW, scheduler=Last()))
    batches = driver.read(held(1, arrived=NOW - 1), held(2, campaign="b"))
    assert [batch.campaign for batch in batches] == ["b", "a"]
    assert driver.lane.wake_at == NOW + 3


def test_without_a_quota_a_window_lingers_and_the_lane_says_until_when() -> None:
    driver = Driver(lane(settings(linger=2.0)))
    assert driver.read(held(1)) == []
    assert driver.lane.wake_at == NOW + 2
    assert len(driver.step(NOW + 2)) == 1


# -- answers -----------------------------------------------------------------------------------


def test_a_refused_batch_is_rejected_with_the_vendors_words() -> None:
    driver = Driver(lane())
    driver.answer(driver.read(held(1))[0], REJECTED)
    (result,) = driver.results
    assert (result["reason"], result["vendor_code"]) == ("vendor_rejected", "E7")


def test_trouble_backs_off_and_tries_again() -> None:
    driver = Driver(lane())
    (batch,) = driver.read(held(1))
    assert driver.answer(batch, TROUBLE) == []
    again = driver.lane.wake_at
    assert NOW < again <= NOW + 2
    (second,) = driver.step(again)
    assert second.attempt == 2
    driver.answer(second, ACCEPTED, at=again)
    assert [result["attempt"] for result in driver.results] == [2]


def test_a_second_failure_may_end_the_backoff_earlier_than_the_first_said() -> None:
    """Of two calls that were out together the later one's jitter counts, though none comes back
    with it."""
    of = settings(campaign("a", max_batch=1, max_attempts=2))
    driver = Driver(Lane(of, random.Random(0), NOW))
    last, first = held(1), held(2)
    last.attempt, last.delays = 1, 1
    gone, back = driver.read(last, first)
    window = driver.lane.windows["a"]
    window.failures = 5
    driver.answer(back, TROUBLE, at=NOW + 1)
    drawn = window.not_before
    driver.answer(gone, TROUBLE, at=NOW + 1.5)
    assert window.not_before < drawn, "choose other numbers: this draw shows nothing"
    assert [each.attempt for each in driver.step(window.not_before)] == [2]


def test_a_batch_that_waits_for_its_next_attempt_is_in_doubt_no_more() -> None:
    """Its answer is recorded though no invitation is settled: a next owner simply tries again."""
    driver = Driver(lane())
    (batch,) = driver.read(held(1))
    driver.lane.answered(batch.id, TROUBLE, sent_at=NOW, at=NOW)
    idle_before = driver.lane.idle
    driver.step()
    assert driver.checkpoint.in_flight == []
    assert (idle_before, driver.lane.idle) == (False, True)


def test_what_is_put_back_goes_before_its_recipients_next_invitation() -> None:
    driver = Driver(lane(settings(max_in_flight=1)))
    (batch,) = driver.read(held(1, "x"), held(2, "x"))
    driver.answer(batch, NEVER_LEFT)
    (again,) = driver.step(NOW + 2)
    assert [invitation.offset for invitation in again.invitations] == [1]


def test_attempts_end_and_the_result_tells_the_last_answer() -> None:
    driver = Driver(lane(settings(campaign("a", max_attempts=2))))
    (batch,) = driver.read(held(1))
    driver.answer(batch, TROUBLE)
    (second,) = driver.step(driver.lane.wake_at)
    driver.answer(second, TROUBLE, at=NOW + 9)
    (result,) = driver.results
    assert (result["reason"], result["http_status"], result["attempt"]) == (
        "attempts_exhausted",
        503,
        2,
    )


def test_an_attempt_that_does_not_count_is_no_attempt() -> None:
    driver = Driver(lane(settings(campaign("a", max_attempts=1))))
    (batch,) = driver.read(held(1))
    driver.lane.answered(batch.id, NEVER_LEFT, sent_at=None, at=NOW)
    assert [each.attempt for each in driver.step(NOW + 5)] == [1]


@pytest.mark.parametrize("clear", [ACCEPTED, REJECTED])
def test_a_clear_answer_ends_the_backoff(clear: Outcome) -> None:
    driver = Driver(lane(settings(campaign("a", max_attempts=99))))
    (batch,) = driver.read(held(1))
    for n in range(8):
        driver.answer(batch, TROUBLE, at=NOW + 400 * n)
        (batch,) = driver.step(NOW + 400 * n + 300)
    driver.answer(batch, clear, at=NOW + 4_000)
    (batch,) = driver.read(held(2), now=NOW + 4_000)
    driver.answer(batch, TROUBLE, at=NOW + 4_000)
    assert driver.lane.windows["a"].not_before <= NOW + 4_002


def test_silence_is_reported_and_never_sent_again() -> None:
    driver = Driver(lane())
    assert driver.answer(driver.read(held(1))[0], SILENCE) == []
    assert driver.reasons == {"i1": "no_answer"}


def test_silence_is_sent_again_where_the_campaign_says_so_but_not_for_ever() -> None:
    """The result is unknown: one of the attempts may have been acted upon."""
    again = campaign("a", in_doubt="resend", max_attempts=2)
    driver = Driver(lane(settings(again)))
    driver.answer(driver.read(held(1))[0], SILENCE)
    assert driver.results == []
    (second,) = driver.step(driver.lane.wake_at)
    driver.answer(second, SILENCE, at=NOW + 9)
    assert driver.reasons == {"i1": "no_answer"}


# -- permits -----------------------------------------------------------------------------------


def test_windows_fill_until_a_permit_is_there() -> None:
    driver = Driver(lane(limited(calls=1)))
    (batch,) = driver.read(held(1))
    driver.answer(batch, ACCEPTED, at=NOW + 1)
    assert driver.read(held(2), held(3), now=NOW + 2) == []
    assert driver.lane.wake_at == pytest.approx(NOW + 21, abs=1e-3)
    (late,) = driver.step(driver.lane.wake_at)
    assert [invitation.offset for invitation in late.invitations] == [2, 3]
    assert late.why is SealReason.PERMIT


@pytest.mark.parametrize(
    ("outcome", "sent_at", "stamp"),
    [
        (ACCEPTED, NOW, NOW + 4),
        (SILENCE, NOW, NOW + 4 + LATE_ARRIVAL_GRACE),
        (NEVER_LEFT, None, NOW + 4),
    ],
)
def test_a_permits_time_is_when_its_call_was_over(
    outcome: Outcome, sent_at: float | None, stamp: float
) -> None:
    """After silence the request may still arrive for a while; one that never left cannot."""
    driver = Driver(lane(limited()))
    (batch,) = driver.read(held(1))
    driver.lane.answered(batch.id, outcome, sent_at=sent_at, at=NOW + 4)
    driver.step(NOW + 4)
    assert driver.checkpoint.permit_log == [stamp]


def test_a_lane_uses_its_share_of_the_quota_and_allows_for_skew() -> None:
    driver = Driver(lane(limited(campaign("a", max_batch=1), calls=4, share=0.5, skew=2.0)))
    batches = driver.read(held(1), held(2), held(3))
    assert len(batches) == 2
    for batch in batches:
        driver.lane.answered(batch.id, ACCEPTED, sent_at=NOW, at=NOW)
    assert driver.step() == []
    assert driver.lane.wake_at == pytest.approx(NOW + 18, abs=1e-3)


def test_without_a_checkpoint_the_quota_is_taken_as_used() -> None:
    driver = Driver(lane(limited(first_start_full=True)))
    assert driver.read(held(1)) == []
    assert driver.lane.limiter.next_at(NOW) >= NOW + 10


def test_a_429_closes_the_lane_for_as_long_as_the_vendor_says() -> None:
    driver = Driver(lane(limited(calls=9)))
    (batch,) = driver.read(held(1))
    driver.answer(batch, replace(THROTTLED, retry_after=25.0))
    assert driver.lane.wake_at == NOW + 25
    assert driver.step(NOW + 24.9) == []
    assert [each.attempt for each in driver.step(NOW + 25)] == [1]


@pytest.mark.parametrize(
    ("changes", "longest"),
    [
        ({"limits": (Limit(20, 5.0), Limit(160, 625.0))}, 625.0),
        ({"limits": (Limit(20, 5.0),)}, 60.0),
        ({"limits": ()}, 3_600.0),
        ({"max_retry_after": 7.0}, 7.0),
        ({"max_retry_after": 90_000.0}, 86_400.0),
    ],
)
def test_a_day_of_retry_after_closes_the_lane_no_longer_than_its_longest_period(
    changes: dict[str, Any], longest: float
) -> None:
    """Nor does a checkpoint of a program that believed it."""
    of = limited(**changes)
    driver = Driver(lane(of))
    day = replace(THROTTLED, retry_after=86_400.0)
    driver.answer(driver.read(held(1))[0], day)
    assert driver.lane.limiter.closed_until == NOW + longest
    point = driver.checkpoint.model_copy(update={"closed_until": NOW + 86_400.0})
    assert lane(of, point).limiter.closed_until == NOW + longest


def test_429s_in_a_row_close_the_lane_for_longer_until_a_success() -> None:
    """For the smallest period, the next one, then twice as long each time."""
    driver = Driver(lane(limited(calls=99, limits=(Limit(99, 5.0), Limit(99, 60.0)))))
    (batch,) = driver.read(held(1))
    now = NOW
    for closed in (5.0, 60.0, 120.0):
        driver.answer(batch, THROTTLED, at=now)
        assert driver.step(now + closed - 0.1) == []
        now += closed
        (batch,) = driver.step(now)
    driver.answer(batch, ACCEPTED, at=now)
    (batch,) = driver.read(held(2), now=now + 1)
    driver.answer(batch, THROTTLED, at=now + 1)
    assert len(driver.step(now + 6)) == 1


def test_calls_that_are_refused_together_escalate_once() -> None:
    """They were on the wire before the lane was closed, and say nothing new."""
    driver = Driver(lane(limited(campaign("a", max_batch=1), calls=99)))
    batches = driver.read(*(held(offset) for offset in range(8)))
    for batch in batches:
        driver.lane.answered(batch.id, THROTTLED, sent_at=NOW, at=NOW + 1)
    assert driver.step(NOW + 10.9) == []
    assert len(driver.step(NOW + 11)) == 8


def test_an_old_429_after_a_success_does_not_shorten_the_wait() -> None:
    driver = Driver(lane(limited(campaign("a", max_batch=1), calls=99)))
    first, second, third = driver.read(held(1), held(2), held(3))
    for n, (batch, outcome) in enumerate(
        ((first, THROTTLED), (second, ACCEPTED), (third, THROTTLED))
    ):
        driver.lane.answered(batch.id, outcome, sent_at=NOW, at=NOW + n)
    assert driver.step(NOW + 11.9) == []
    assert len(driver.step(NOW + 12)) == 2


def test_a_429_closes_an_unlimited_lane_too() -> None:
    driver = Driver(lane())
    driver.answer(driver.read(held(1))[0], THROTTLED)
    assert driver.step(NOW + 0.9) == []
    assert len(driver.step(NOW + 1)) == 1


# -- expiry ------------------------------------------------------------------------------------


def test_an_invitation_that_expired_before_it_arrived_is_not_sent() -> None:
    driver = Driver(lane())
    assert driver.read(held(1, expires_at=NOW)) == []
    assert driver.reasons == {"i1": "expired_waiting"}


def test_an_invitation_that_expired_in_its_window_is_not_sent() -> None:
    """Where none is left of a batch, no permit is spent."""
    driver = Driver(lane(settings(linger=5.0)))
    driver.read(held(1, expires_at=NOW + 4), held(2))
    (batch,) = driver.step(NOW + 5)
    assert [invitation.offset for invitation in batch.invitations] == [2]
    assert driver.read(held(3, arrived=NOW + 5, expires_at=NOW + 9), now=NOW + 6) == []
    assert driver.step(NOW + 10) == []
    assert driver.reasons == {"i1": "expired_waiting", "i3": "expired_waiting"}


def test_a_sweep_finds_what_expires_while_no_permit_comes() -> None:
    driver = Driver(lane(limited(first_start_full=True)))
    driver.lane.limiter.close_until(NOW + 9_000)
    driver.read(held(1, expires_at=NOW + 10), held(2))
    assert driver.lane.wake_at == NOW + SWEEP_EVERY
    driver.step(NOW + SWEEP_EVERY)
    assert driver.reasons == {"i1": "expired_waiting"}
    assert driver.lane.wake_at == NOW + 2 * SWEEP_EVERY


# -- sessions ----------------------------------------------------------------------------------


def test_a_session_is_opened_before_the_first_call_and_only_when_an_invitation_waits() -> None:
    driver = Driver(lane(RADAR))
    driver.step()
    assert driver.logins == []
    assert driver.read(held(1, campaign="visit")) == []
    assert driver.logins == ["radar"]
    assert not driver.lane.idle
    driver.step(NOW + 1)
    assert driver.logins == ["radar"]
    driver.lane.logged_in("radar", NOW + 100, NOW + 1)
    assert len(driver.step(NOW + 1)) == 1


def test_a_login_leaves_only_after_its_permit_is_recorded() -> None:
    """As if it were answered at its latest: its owner may be lost before the answer."""
    of = limited(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
    driver = Driver(lane(of))
    driver.read(held(1, campaign="visit"))
    assert driver.checkpoint.permit_log == [
        NOW + FRESH_SECONDS + of.call_timeout + LATE_ARRIVAL_GRACE
    ]


def test_a_login_waits_for_a_permit_like_any_call() -> None:
    of = limited(campaign("visit", vendor="radar"), logins=frozenset({"radar"}), calls=1)
    driver = Driver(lane(of))
    driver.read(held(1, campaign="visit"))
    driver.lane.logged_in("radar", NOW + 9, NOW)
    assert driver.step(NOW + 9) == []
    assert driver.logins == ["radar"]
    assert driver.lane.wake_at == pytest.approx(NOW + 20, abs=1e-3)
    driver.step(driver.lane.wake_at)
    assert driver.logins == ["radar", "radar"]


def test_a_failed_login_backs_off() -> None:
    driver = Driver(lane(RADAR))
    driver.read(held(1, campaign="visit"))
    driver.lane.login_failed("radar", TROUBLE, NOW)
    driver.step()
    assert driver.logins == ["radar"]
    assert NOW < driver.lane.wake_at <= NOW + 2
    driver.step(driver.lane.wake_at)
    assert driver.logins == ["radar", "radar"]


@pytest.mark.parametrize(
    ("outcome", "stamp"), [(TROUBLE, NOW + 1), (SILENCE, NOW + 1 + LATE_ARRIVAL_GRACE)]
)
def test_a_failed_login_has_spent_its_permit(outcome: Outcome, stamp: float) -> None:
    of = limited(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
    machine = lane(of)
    Driver(machine).read(held(1, campaign="visit"))
    machine.login_failed("radar", outcome, NOW + 1)
    assert machine.limiter.stamps(NOW + 1) == [stamp]


def test_a_429_to_a_login_closes_the_lane() -> None:
    driver = Driver(
        lane(
            settings(campaign("visit", vendor="radar"), campaign("a"), logins=frozenset({"radar"}))
        )
    )
    driver.read(held(1, campaign="visit"))
    driver.lane.login_failed("radar", replace(THROTTLED, retry_after=20.0), NOW)
    assert driver.read(held(2)) == []
    assert len(driver.step(NOW + 20)) == 1


def test_a_refused_token_is_replaced_and_the_batch_goes_again() -> None:
    driver = Driver(lane(RADAR))
    driver.read(held(1, campaign="visit"))
    driver.lane.logged_in("radar", NOW + 100, NOW)
    (batch,) = driver.step(NOW + 1)
    assert driver.answer(batch, EXPIRED_TOKEN, at=NOW + 2) == []
    assert driver.logins == ["radar", "radar"]
    driver.lane.logged_in("radar", NOW + 100, NOW + 3)
    (again,) = driver.step(NOW + 3)
    assert again.attempt == 1
    driver.answer(again, ACCEPTED, at=NOW + 4)
    assert driver.lane.accounts.sessions["radar"].failures == 0


# -- bounds and ends ---------------------------------------------------------------------------


def test_a_lane_that_stops_seals_nothing_new_and_records_what_is_in_flight() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=1), max_in_flight=1)))
    (batch,) = driver.read(held(1), held(2))
    driver.lane.stop_sealing()
    idle_before = driver.lane.idle
    assert driver.answer(batch, ACCEPTED) == []
    assert (idle_before, driver.lane.idle) == (False, True)
    assert driver.checkpoint.base == 2


def test_a_lane_with_a_commit_out_is_not_idle() -> None:
    machine = lane()
    machine.unreadable(letter(1))
    idle = [machine.idle]
    machine.tick(NOW)
    idle.append(machine.idle)
    machine.committed()
    idle.append(machine.idle)
    assert idle == [False, False, True]


def test_a_lane_is_saturated_when_all_calls_are_out_and_a_full_batch_stands_ready() -> None:
    """Until then reading on can still fill a batch, or start a call."""
    run = Driver(lane(settings(campaign("a", max_batch=2), max_in_flight=1)))
    first = run.read(*(held(offset) for offset in (1, 2)))
    seen = []
    for offset in (3, 4):
        run.read(held(offset))
        seen.append(run.lane.saturated)
    run.answer(first[0], ACCEPTED, NOW)
    assert [*seen, run.lane.saturated] == [False, True, False]
