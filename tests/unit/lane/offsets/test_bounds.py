"""A checkpoint at its bounds and beyond: Kafka takes it, the next owner reads it, nothing loops."""

from __future__ import annotations

import random

import pytest

from consumer.kafka.records.checkpoints import MOST_MARKED, parse
from consumer.kafka.topics import CHECKPOINT_MAX_BYTES
from consumer.lane.offsets import bitmap
from consumer.lane.offsets.bitmap import LARGEST, OffsetBitmap, pack
from consumer.lane.offsets.settled import SettledOffsets
from consumer.lane.state.commands import Pause
from consumer.lane.state.settings import Limit
from consumer.records.checkpoint import InFlight
from tests.support.lanes import ACCEPTED, NOW, Driver, campaign, held, lane, limited, settings


def test_all_parts_at_their_bounds_fit_into_the_topic_and_the_reader() -> None:
    room = 500_000  # what one poll adds to `done`, one more call, and all else
    text = bitmap.DONE_BYTES + bitmap.IN_FLIGHT_BYTES + bitmap.TRIED_BYTES
    assert text + room < CHECKPOINT_MAX_BYTES
    one_more = bitmap.DONE_REACH
    reach = bitmap.DONE_REACH + bitmap.IN_FLIGHT_REACH + one_more + bitmap.TRIED_REACH
    assert reach // 8 < LARGEST
    largest_batch = 100_000
    assert bitmap.IN_FLIGHT_MARKS + largest_batch + bitmap.TRIED_MARKS < MOST_MARKED


def test_a_large_backlog_among_settled_ones_takes_a_seventh_of_the_room() -> None:
    """690,000 that wait among 23,000,000, and all of them were tried before."""
    rng, number = random.Random(1), 23_000_000
    waiting = OffsetBitmap(0)
    bits = bytearray(b"\xff" * (number // 8))
    ledger = SettledOffsets(0)
    for offset in rng.sample(range(number), 690_000):
        bits[offset >> 3] &= ~(1 << (offset & 7))
        waiting.add(offset)
    ledger._done._bits = bits
    ledger.frontier = number
    assert len(ledger.packed()) < 1_000_000
    assert len(waiting.packed(0)) < bitmap.TRIED_BYTES
    assert not ledger.at_bound


def test_a_lane_at_the_bound_reads_nothing_new_until_enough_is_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumer.lane.offsets.settled.DONE_REACH", 20)
    driver = Driver(lane(settings(campaign("a", max_batch=5), max_in_flight=1)))
    driver.log = [held(offset) for offset in range(60)]
    commands = [each for _ in range(9) for each in driver.poll(most=7) or []]
    assert driver.lane.paused or any(isinstance(command, Pause) for command in commands)
    assert driver.lane.settled.span <= 20 + 7
    for _ in range(60):
        for batch in list(driver.lane.in_flight.values()):
            driver.answer(batch, ACCEPTED)
        driver.poll(most=7)
        assert driver.lane.settled.span <= 20 + 7
    assert driver.lane.settled.base == 60


@pytest.mark.parametrize("bound", ["IN_FLIGHT_BYTES", "IN_FLIGHT_MARKS", "IN_FLIGHT_REACH"])
def test_no_call_begins_that_the_checkpoint_cannot_name(
    bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"consumer.lane.dispatch.sealing.{bound}", 1)
    driver = Driver(lane(settings(campaign("a", max_batch=2), max_in_flight=9)))
    driver.read(*(held(offset) for offset in range(6)))
    assert len(driver.lane.in_flight) == 1
    for _ in range(3):
        (batch,) = driver.lane.in_flight.values()
        driver.answer(batch, ACCEPTED)
        driver.step()
    assert driver.lane.settled.base == 6


def test_calls_in_doubt_take_of_the_same_room(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Driver(lane(settings(campaign("a", max_batch=2), max_in_flight=9)))
    first.read(*(held(offset) for offset in range(4)))
    point = first.checkpoint
    assert len(point.in_flight) == 2
    monkeypatch.setattr("consumer.lane.dispatch.sealing.IN_FLIGHT_REACH", 5)
    second = Driver(lane(settings(campaign("a", max_batch=2), max_in_flight=9), point))
    second.read(*(held(offset) for offset in range(4, 10)))
    assert len(second.lane.in_flight) == 1


@pytest.mark.deep
def test_the_checkpoint_of_a_busy_day_is_small_and_is_read_again() -> None:
    """Limits of 200,000 a day, all used, and 16 calls of 5,000 that lie far apart."""
    of = limited(limits=(Limit(200_000, 86_400.0), Limit(20, 5.0)))
    machine = lane(of)
    for index in range(200_000):
        machine.limiter.count_calls(NOW - index * 0.43)
    rng = random.Random(2)
    for number in range(16):
        offsets = sorted(rng.sample(range(23_000_000), 5_000))
        machine._sealing.intents[f"cloud.1.{number}"] = InFlight(
            batch_id=f"cloud.1.{number}",
            campaign="a",
            attempt=1,
            sealed_at=NOW,
            first=offsets[0],
            offsets=pack(offsets, offsets[0]),
        )
    written = machine.checkpoint(NOW).model_dump_json().encode()
    assert len(written) < 400_000
    read = parse(written)
    assert lane(of, read).limiter.share_left(NOW) == 0.0
