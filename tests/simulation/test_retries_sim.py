"""A parked campaign is tried with the next permit once it is retried, however busy its lane is.

Campaign `a` is parked, and ten others spend every permit. At some moment the vendor mends `a`, and
an operator or another config retries it, perhaps while calls of it are out. What was delayed
returns a second later, as the delay stage has it.
"""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest

from consumer.lane.buffer.window import Window
from consumer.lane.lane import Lane
from consumer.lane.settlement.answered_call import AnsweredCall
from consumer.lane.settlement.parking import Parking
from consumer.lane.state.commands import Batch
from consumer.lane.state.settings import Limit
from consumer.records.call import Outcome
from tests.support.lanes import ACCEPTED, NOW, PARKED, Driver, campaign, held, settings
from tests.support.seeds import seeds

PERIOD = 4.0
"""Seconds for one permit, of which calls in flight take one at most."""
STEP, LATENCY = 0.25, 3.0


class RetryWorld:
    """One seed: when the campaign is retried, by which command, and how many of it wait."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        names = ["a", *(f"busy{n}" for n in range(10))]
        limits = (Limit(1, PERIOD),)
        made = settings(*(campaign(name, max_batch=20) for name in names), limits=limits, skew=0.0)
        self.settings = replace(made, first_start_full=False, max_in_flight=4)
        self.driver = Driver(Lane(self.settings, random.Random(seed), NOW))
        in_flight, later = self.rng.uniform(0.25, LATENCY), self.rng.uniform(10.0, 50.0)
        self.retried_at = NOW + self.rng.choice([in_flight, later])
        self.end = self.retried_at + 30.0
        self.offset = 0
        self.out = list[tuple[float, Batch]]()
        self.returned = 0

    def run(self) -> None:
        """Play until the end."""
        now, retried = NOW, False
        self._read(now, "a", self.rng.randint(1, 30), since=60.0)
        while now < self.end:
            if now >= self.retried_at and not retried:
                retried = True
                self._retry(now)
            if now >= self.retried_at + 1.0:
                self._return(now)
            self._read(now, f"busy{self.rng.randrange(10)}", self.rng.randint(0, 9))
            for at, batch in [each for each in self.out if each[0] <= now]:
                self.out.remove((at, batch))
                self._left(now, self.driver.answer(batch, self._verdict(batch), at=now))
            now += STEP

    def _verdict(self, batch: Batch) -> Outcome:
        """A call that arrived at the vendor before it was mended is refused."""
        return PARKED if batch.campaign == "a" and batch.sealed_at < self.retried_at else ACCEPTED

    def _retry(self, now: float) -> None:
        if self.rng.random() < 0.5:
            self.driver.lane.retry_campaign("a", now)
        else:
            self.driver.lane.reconfigure(replace(self.settings, config_version="c2"), now)

    def _return(self, now: float) -> None:
        put_off, self.returned = self.driver.put_off[self.returned :], len(self.driver.put_off)
        for each in put_off:
            self.offset += 1
            back = msgspec.structs.replace(
                each.invitation, offset=self.offset, delays=each.invitation.delays + 1
            )
            self._left(now, self.driver.read(back, now=now))

    def _read(self, now: float, name: str, number: int, since: float = 0.0) -> None:
        for _ in range(number):
            self.offset += 1
            arrived = held(self.offset, campaign=name, arrived=now - since)
            self._left(now, self.driver.read(arrived, now=now))

    def _left(self, now: float, batches: list[Batch]) -> None:
        self.out += [(now + LATENCY, batch) for batch in batches]


def check(seed: int) -> None:
    """Raises AssertionError unless the campaign is called soon after its retry, and stays so."""
    world = RetryWorld(seed)
    world.run()
    calls = world.driver.batches
    tried = [each.sealed_at for each in calls if each.campaign == "a"]
    after = [at - world.retried_at for at in tried if at >= world.retried_at]
    assert len(tried) > len(after), "never called before"
    parked = [each.checkpoint.at for each in world.driver.commits if each.delayed]
    again = [at for at in parked if at > world.retried_at + STEP]
    assert not again, "parked again by a call from before the retry"
    assert after, "never tried again"
    assert min(after) <= 1.0 + LATENCY + 2 * PERIOD, f"tried after {min(after):.1f} s"


@pytest.mark.parametrize("seed", seeds(20, quick=8))
def test_a_retried_campaign_takes_the_next_permit_of_a_busy_lane(seed: int) -> None:
    check(seed)


def finds(wrong: str) -> bool:
    for seed in range(20):
        try:
            check(seed)
        except AssertionError as complaint:
            if wrong in str(complaint):
                return True
    return False


def test_the_checker_sees_a_retry_that_waits_for_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Window, "urgent", property(lambda _: False, lambda *_: None))
    assert finds("tried")


def test_the_checker_sees_a_park_by_a_call_from_before_the_retry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def park(self: Parking, window: Window, call: AnsweredCall, *, counted: bool = False) -> None:
        window.park(call.at, counted=counted)
        self.delay_campaign(window.campaign, call.at)

    monkeypatch.setattr(Parking, "park", park)
    assert finds("before the retry")
