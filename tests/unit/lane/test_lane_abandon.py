"""A record that raised while a lane took it in: wherever that was, one dead letter is its fate."""

from __future__ import annotations

from consumer.records.dead_letter import DeadLetterReason
from tests.support.lanes import ACCEPTED, Driver, campaign, held, lane, letter, settings, written


def test_one_that_raised_before_it_was_delivered_is_a_dead_letter() -> None:
    driver = Driver(lane())
    assert driver.lane.accepts(0)
    driver.lane.abandon(letter(0), None)
    driver.read(held(1))
    assert [dead_letter.source["offset"] for dead_letter in driver.commits[0].dead_letters] == [0]
    driver.answer(driver.batches[0], ACCEPTED)
    assert driver.checkpoint.base == 2


def test_one_that_waits_already_is_called_no_more() -> None:
    driver = Driver(lane(settings(campaign("a", max_batch=5))))
    driver.lane.accepts(0)
    driver.lane.arrived(held(0), 1.0)
    driver.lane.abandon(letter(0), "a")
    driver.read(held(1))
    assert driver.sent == [1]
    assert driver.lane.buffer.buffered == 1
    assert len(driver.commits[0].dead_letters) == 1
    assert driver.commits[0].dead_letters[0].reason is DeadLetterReason.BAD_INVITATION


def test_one_that_has_its_fate_already_keeps_it() -> None:
    driver = Driver(lane())
    driver.read(held(0))
    driver.answer(driver.batches[0], ACCEPTED)
    driver.lane.abandon(letter(0), "a")
    driver.step()
    assert driver.reasons == {"i0": "accepted"}
    assert not [dead_letter for commit in driver.commits for dead_letter in commit.dead_letters]


def test_an_abandoned_spilled_offset_is_spilled_no_more() -> None:
    few = settings(campaign("a", max_batch=1), max_buffered=2, max_in_flight=1)
    driver = Driver(lane(few))
    driver.read(*(written(n) for n in range(6)))
    spilled = [n for n in range(6) if driver.lane.buffer.read_plan.is_spilled(n)]
    assert spilled
    driver.lane.abandon(letter(spilled[0]), "a")
    assert not driver.lane.buffer.read_plan.is_spilled(spilled[0])
    assert driver.lane.buffer.read_plan.spilled == len(spilled) - 1


def test_one_of_a_campaign_without_a_window_leaves_nothing_behind() -> None:
    driver = Driver(lane())
    driver.lane.accepts(0)
    driver.lane.abandon(letter(0), "other")
    driver.step()
    assert driver.checkpoint.base == 1
