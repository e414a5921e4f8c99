"""A crowd that ends or leaves at once goes in several commits, each of a bounded size."""

from __future__ import annotations

from dataclasses import replace

from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.commands import Commit
from consumer.lane.state.settings import FRESH_SECONDS, LATE_ARRIVAL_GRACE
from tests.support.lanes import NOW, PARKED, Driver, campaign, held, lane, limited, settings

CROWD = 25
MOST = 10


def driver_of(crowd_expires: float | None = None) -> Driver:
    """A lane whose one permit is taken, while a crowd of one campaign waits."""
    of = settings(campaign("a", max_batch=1), campaign("b"), max_in_flight=1)
    driver = Driver(lane(of))
    driver.lane.outbox.commit_size = MOST
    driver.read(held(0), *(held(n, expires_at=crowd_expires) for n in range(1, CROWD + 1)))
    return driver


def carried(commit: Commit) -> int:
    return len(commit.results) + len(commit.dead_letters) + len(commit.delayed)


def steps(driver: Driver, now: float) -> list[int]:
    """How much each commit carried, until nothing is left to do."""
    before = len(driver.commits)
    for _ in range(10):
        driver.step(now)
    return [carried(commit) for commit in driver.commits[before:]]


def test_parked_crowd_is_delayed_in_several_commits_with_none_left_behind() -> None:
    driver = driver_of()
    (batch,) = driver.batches
    before = len(driver.commits)
    driver.answer(batch, PARKED)
    steps(driver, NOW)
    assert driver.lane.outbox.commit_size == MOST
    assert [carried(commit) for commit in driver.commits[before:]] == [10, 10, 6]
    assert sorted(each.invitation.offset for each in driver.put_off) == list(range(CROWD + 1))
    assert driver.checkpoint.base == CROWD + 1
    assert driver.lane.buffer.buffered == 0
    assert driver.lane.idle


def test_each_commit_settles_what_it_carries_and_no_more() -> None:
    """What waits for the next commit is not settled in this one's checkpoint."""
    driver = driver_of()
    before = len(driver.commits)
    driver.answer(driver.batches[0], PARKED)
    (first,) = driver.commits[before:]
    recorded = SettledOffsets(first.checkpoint.base, first.checkpoint.done)
    settled = {offset for offset in range(CROWD + 1) if recorded.settled(offset)}
    assert settled == {each.invitation.offset for each in first.delayed}
    assert len(settled) == MOST


def test_crowd_that_may_be_called_again_meanwhile_stays() -> None:
    driver = driver_of()
    driver.answer(driver.batches[0], PARKED)
    driver.lane.retry_campaign("a", NOW)
    assert steps(driver, NOW) == [0], "only the next call's intent"
    assert len(driver.put_off) == MOST
    assert len(driver.batches) == 2


def test_expired_crowd_ends_in_several_commits_without_waiting_for_the_next_sweep() -> None:
    driver = driver_of(NOW + 20)
    assert steps(driver, NOW + 31) == [10, 10, 5]
    assert len(driver.reasons) == CROWD
    assert set(driver.reasons.values()) == {"expired_waiting"}


def test_stopping_lane_starts_no_further_part_of_a_crowd() -> None:
    """It waits on the log for the next owner."""
    driver = driver_of()
    driver.answer(driver.batches[0], PARKED)
    driver.lane.stop_sealing()
    assert steps(driver, NOW) == []
    assert driver.lane.idle


def test_login_that_a_slow_commit_records_counts_at_the_end_of_what_that_may_take() -> None:
    """It may leave so late, and a successor must count it no earlier than it can arrive."""
    of = limited(campaign("visit", vendor="radar"), logins=frozenset({"radar"}))
    driver = Driver(lane(of))
    driver.lane.commit_took(20.0)
    driver.read(held(1, campaign="visit"))
    assert driver.lane.commit_seconds == 40.0
    assert driver.checkpoint.permit_log == [
        NOW + 40.0 + FRESH_SECONDS + of.call_timeout + LATE_ARRIVAL_GRACE
    ]


def test_quick_commit_needs_no_allowance() -> None:
    machine = lane(replace(settings(), max_in_flight=1))
    machine.commit_took(20.0)
    machine.commit_took(0.5)
    assert machine.commit_seconds == 0.0
