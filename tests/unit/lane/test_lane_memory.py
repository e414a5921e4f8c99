"""What a lane holds, notes and reads again: bounded, fair, and nothing lost."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import replace

import pytest

from consumer.lane.state.commands import Pause, Resume, Seek
from consumer.lane.state.settings import LaneSettings
from consumer.records.call import Outcome
from tests.support.lanes import (
    ACCEPTED,
    NOW,
    TROUBLE,
    Driver,
    campaign,
    held,
    lane,
    limited,
    settings,
    written,
)

TWO = (campaign("a", max_batch=5), campaign("b", max_batch=5))


def closed(of: LaneSettings) -> Driver:
    """A lane that may not call yet: all that is read must wait."""
    driver = Driver(lane(of))
    driver.lane.limiter.close_until(NOW + 900)
    return driver


def offsets(driver: Driver, name: str) -> list[int]:
    """Return the offsets in this campaign's window."""
    return sorted(each.offset for each in driver.lane.windows[name])


def read_all(driver: Driver, *, most: int = 7) -> None:
    """Until nothing is left to read, or the lane reads no more."""
    for _ in range(200):
        driver.poll(most=most)
        if driver.paused or driver.position > driver.log[-1].offset:
            driver.poll(most=most)
            return
    raise AssertionError("it reads for ever")


def answer_all(driver: Driver, outcome: Outcome, now: float) -> None:
    """Whatever is in flight is answered."""
    for batch in list(driver.lane.in_flight.values()):
        driver.answer(batch, outcome, at=now)


def drain(driver: Driver, now: float) -> None:
    """The vendor takes every call; until the end of the log is the base."""
    for _ in range(2_000):
        driver.poll(now, most=7)
        answer_all(driver, ACCEPTED, now)
        if driver.lane.settled.base > driver.log[-1].offset:
            return
    raise AssertionError(f"not drained: {driver.lane.buffer.read_plan}")


def test_what_is_held_is_counted_until_it_is_settled() -> None:
    driver = Driver(lane())
    first, second = written(1), written(2, data="x" * 90)
    (batch,) = driver.read(first, second)
    assert driver.lane.buffer.buffered == 2
    assert driver.lane.buffer.buffered_bytes == first.size + second.size
    driver.answer(batch, ACCEPTED)
    assert (driver.lane.buffer.buffered, driver.lane.buffer.buffered_bytes) == (0, 0)


@pytest.mark.parametrize("number", [1, 5])
def test_invitations_larger_than_all_memory_are_called_one_by_one(number: int) -> None:
    """One always has room: a lane that can hold none would never call."""
    driver = Driver(lane(settings(max_buffered_bytes=100)))
    driver.log = [written(offset, data="x" * 900) for offset in range(number)]
    drain(driver, NOW)
    assert sum(len(batch.invitations) for batch in driver.batches) == number


@pytest.mark.parametrize("bound", ["count", "bytes"])
def test_no_more_is_held_than_may_be(bound: str) -> None:
    """The oldest are kept, the youngest only spilled: they are the ones that are missed last."""
    size = written(100, data="x" * 1_000).size
    of = settings(
        campaign("a", max_batch=5),
        max_buffered=20 if bound == "count" else 10_000,
        max_buffered_bytes=20 * size if bound == "bytes" else 10**9,
    )
    driver = closed(of)
    driver.log = [written(offset, data="x" * 1_000) for offset in range(100, 200)]
    for _ in range(20):
        driver.poll(most=7)
        assert driver.lane.buffer.buffered <= 20
        assert driver.lane.buffer.buffered_bytes <= of.max_buffered_bytes
    kept = offsets(driver, "a")
    assert kept[:17] == list(range(100, 117))
    assert driver.lane.buffer.read_plan.spilled == 100 - len(kept)
    assert driver.commits == driver.commits[:1]  # nothing was settled, nothing was delayed


def test_a_flood_of_one_campaign_pushes_no_other_out_of_memory() -> None:
    driver = closed(settings(*TWO, max_buffered=20))
    driver.log = [held(n) for n in range(200)]
    driver.log += [held(200 + n, campaign="b") for n in range(5)]
    driver.log += [held(205 + n) for n in range(100)]
    read_all(driver)
    assert offsets(driver, "b") == [200, 201, 202, 203, 204]
    assert offsets(driver, "a")[0] == 0
    assert driver.lane.buffer.read_plan.counts["b"] == 0


def test_a_starved_campaign_comes_back_though_memory_is_full() -> None:
    """`b` was the longest once, and gave its youngest up; `a` has more than twice as many now."""
    driver = closed(settings(*TWO, max_buffered=20))
    driver.log = [held(n, campaign="b") for n in range(30)]
    driver.log += [held(30 + n) for n in range(40)]
    read_all(driver)
    b, a = (driver.lane.windows[name].count for name in "ba")
    assert b >= 5
    assert a >= 5
    for batch_of_b in (driver.lane.windows["b"].take() for _ in range(2)):
        for each in batch_of_b:
            driver.lane.buffer.forget(each)
            driver.lane.settled.settle(each.offset)
    left = driver.lane.windows["b"].count
    driver.log += [held(70 + n) for n in range(20)]
    read_all(driver)
    for _ in range(20):
        driver.poll(most=7)
    assert driver.lane.windows["b"].count > left
    assert driver.lane.buffer.buffered <= 20


def test_spilled_invitations_come_back_in_order_and_are_sent_exactly_once() -> None:
    """Several times as many as memory holds, and every one has its one result."""
    driver = closed(settings(campaign("a", max_batch=5), max_buffered=20, max_in_flight=1))
    driver.log = [held(n) for n in range(0, 400, 2)]
    read_all(driver)
    assert driver.lane.buffer.read_plan.spilled > 150
    drain(driver, NOW + 900)
    assert driver.sent == list(range(0, 400, 2))
    assert [result["id"] for result in driver.results] == [f"i{n}" for n in range(0, 400, 2)]
    assert driver.lane.buffer.buffered == driver.lane.buffer.read_plan.spilled == 0


def test_a_mixed_backlog_ends_with_one_result_each() -> None:
    driver = closed(settings(*TWO, max_buffered=15, max_spilled=30, max_in_flight=2))
    driver.log = [held(n, campaign="ab"[n % 7 == 3]) for n in range(150)]
    read_all(driver)
    drain(driver, NOW + 900)
    away = [each.invitation.offset for each in driver.put_off]
    assert len(away) == len(set(away)) > 0
    assert sorted([*driver.sent, *away]) == list(range(150))
    assert len(driver.results) == len(driver.sent)


def test_a_spilled_invitation_keeps_its_attempts() -> None:
    """It was in a call, waits for the next, and is given up meanwhile."""
    of = settings(campaign("a", max_batch=10, max_attempts=2))
    driver = Driver(lane(of))
    driver.log = [held(n) for n in range(12)]
    driver.poll(most=10)
    answer_all(driver, TROUBLE, NOW)
    driver.lane.reconfigure(replace(of, max_buffered=4), NOW)
    driver.poll(most=1)
    spilled = [n for n in range(10) if driver.lane.buffer.read_plan.is_spilled(n)]
    assert len(spilled) >= 6
    for turn in range(1, 100):
        driver.poll(NOW + turn * 10, most=7)
        answer_all(driver, TROUBLE, NOW + turn * 10)
    assert min(Counter(driver.sent)[n] for n in range(12)) >= 2
    assert set(driver.reasons.values()) == {"attempts_exhausted"}


def test_a_spilled_invitation_that_expired_is_not_sent() -> None:
    """Though there is no room for it: it needs none."""
    driver = closed(settings(campaign("a", max_batch=5), campaign("b"), max_buffered=20))
    driver.log = [held(n, expires_at=NOW + 60 if n == 90 else None) for n in range(100)]
    read_all(driver)
    assert driver.lane.buffer.read_plan.is_spilled(90)
    drain(driver, NOW + 900)
    assert driver.reasons["i90"] == "expired_waiting"
    assert 90 not in driver.sent
    assert len(driver.results) == 100


def test_a_spilled_invitation_that_expired_ends_without_room_for_it() -> None:
    """It is read again for another campaign's sake."""
    driver = closed(settings(*TWO, max_buffered=10))
    driver.log = [held(n, expires_at=NOW + 5 if n == 30 else None) for n in range(40)]
    read_all(driver)
    before = driver.lane.buffer.buffered
    assert driver.lane.buffer.read_plan.is_spilled(30)
    driver.lane.arrived(copy(driver.log[30]), NOW + 4)
    assert driver.lane.buffer.read_plan.is_spilled(30)
    driver.lane.arrived(copy(driver.log[30]), NOW + 5)
    driver.step(NOW + 5)
    assert driver.reasons == {"i30": "expired_waiting"}
    assert driver.lane.buffer.buffered == before
    assert not driver.lane.buffer.read_plan.is_spilled(30)


def test_in_a_full_memory_only_campaigns_below_half_of_the_longest_have_room() -> None:
    """And less than a call could take: its batches go out full."""
    driver = closed(settings(campaign("a"), campaign("b", max_batch=3), max_buffered=20))
    buffer = driver.lane.buffer
    driver.read(*(held(n) for n in range(14)))
    assert [buffer.has_room_for(name) for name in "ab"] == [True, True]
    driver.read(held(14), held(15), held(16), held(17, campaign="b"))
    seen = [[buffer.has_room_for(name) for name in "ab"]]
    driver.read(held(18, campaign="b"), held(19, campaign="b"))
    seen.append([buffer.has_room_for(name) for name in "ab"])
    assert seen == [[False, True], [False, False]]


def test_a_lane_of_one_campaign_stops_reading_at_its_spill_limit() -> None:
    """Lag is its queue: reading on would unblock no campaign."""
    driver = closed(settings(campaign("a", max_batch=5), max_buffered=10, max_spilled=30))
    driver.log = [held(n) for n in range(200)]
    read_all(driver, most=5)
    assert driver.flow == [Pause()]
    assert driver.lane.paused
    assert 30 <= driver.lane.buffer.read_plan.spilled <= 35
    assert driver.put_off == []
    drain(driver, NOW + 900)
    assert sorted(driver.sent) == list(range(200))
    assert Resume() in driver.flow
    assert not driver.paused


@pytest.mark.parametrize(("share", "a_second"), [(1.0, 1.0), (0.5, 0.5)])
def test_a_flood_among_several_campaigns_is_delayed_for_as_long_as_it_must_wait(
    share: float, a_second: float
) -> None:
    """So that the others' invitations behind it are read. Its calls take 5, 2 of them in 10 s."""
    driver = closed(limited(*TWO, max_buffered=10, max_spilled=80, share=share))
    driver.log = [held(n) for n in range(120)] + [held(120, campaign="b")]
    read_all(driver, most=5)
    assert not driver.paused
    assert offsets(driver, "b") == [120]
    away = driver.put_off
    assert len(away) >= 20
    waiting = driver.lane.buffer.read_plan.counts["a"] + driver.lane.windows["a"].count
    assert away[-1].due_at == pytest.approx(NOW + waiting / a_second, abs=3)
    assert {each.step for each in away} == {"1m"}
    assert not {each.invitation.offset for each in away} & set(offsets(driver, "a"))


def test_a_crowd_is_delayed_for_an_hour_at_most() -> None:
    of = limited(
        campaign("a", max_batch=1), campaign("b"), calls=1, max_buffered=10, max_spilled=400
    )
    driver = closed(of)
    driver.log = [held(n) for n in range(450)]
    read_all(driver)
    assert driver.put_off[-1].due_at == NOW + 3600
    assert driver.put_off[-1].step == "1h"


def test_without_a_quota_a_delay_takes_the_shortest_step() -> None:
    driver = closed(settings(*TWO, max_buffered=10, max_spilled=20))
    driver.log = [held(n) for n in range(60)]
    read_all(driver)
    assert {(each.step, each.due_at) for each in driver.put_off} == {("1m", NOW)}


def test_while_the_circuit_is_open_a_full_lane_stops_reading_instead() -> None:
    """No invitation could go, and the delay topics would only carry them in circles."""
    driver = Driver(lane(settings(*TWO, max_buffered=10, max_spilled=30, max_in_flight=1)))
    driver.log = [held(n) for n in range(100)]
    (batch,) = driver.poll(most=5)
    driver.lane.limiter.close_until(NOW + 900)
    driver.answer(batch, TROUBLE)
    read_all(driver, most=5)
    assert driver.paused
    assert driver.put_off == []
    drain(driver, NOW + 900)
    assert set(driver.sent) == set(range(100))


def test_a_campaign_without_spilled_invitations_is_never_delayed_as_a_crowd() -> None:
    driver = closed(settings(*TWO, max_buffered=20, max_spilled=20))
    driver.log = [held(n) for n in range(100)]
    driver.log += [held(100 + n, campaign="b") for n in range(8)]
    read_all(driver)
    assert offsets(driver, "b") == list(range(100, 108))
    assert {each.invitation.campaign for each in driver.put_off} == {"a"}


def test_what_is_in_flight_is_never_given_up() -> None:
    """Memory may be full of it; then all that is read is spilled."""
    driver = Driver(lane(settings(campaign("a", max_batch=10), max_buffered=5, max_in_flight=2)))
    driver.log = [held(n) for n in range(40)]
    driver.poll(most=5)
    driver.poll(most=5)
    before = driver.sent
    driver.poll(most=20)
    assert driver.sent == before
    assert driver.lane.windows["a"].count == 0
    assert driver.lane.buffer.buffered == len(before)
    assert driver.lane.buffer.read_plan.spilled == 30 - len(before)


def test_a_settled_run_of_a_former_owner_is_skipped_by_the_lane() -> None:
    first = closed(settings())
    first.lane.arrived(held(0), NOW)
    first.lane.at_end(30_000)
    first.step()
    assert first.checkpoint.base == 0
    second = Driver(lane(checkpoint=first.checkpoint))
    second.read(held(0))
    assert second.flow == [Seek(30_000)]
    assert second.lane.settled.frontier == 30_000


def test_a_record_that_comes_again_is_passed_over() -> None:
    """A partition lost and regained is read again; an invitation that waits already waits once."""
    machine = lane()
    for _ in range(2):
        machine.arrived(held(0), NOW)
    assert machine.buffer.buffered == 1
