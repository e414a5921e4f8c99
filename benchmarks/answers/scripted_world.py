"""A lane on a virtual clock, and a vendor that answers as a script says: no Kafka, no network."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Commit, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign, LaneSettings
from consumer.records.call import Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.result import Reason
from consumer.simulate.play import LATENCY, LATENCY_SIGMA
from consumer.simulate.simulate import DOCUMENTED, in_memory, synthetic_lane
from consumer.simulate.traffic import Arrival, poisson, zipf_rates

OTHERS = tuple(f"campaign-{rank}" for rank in range(1, 6))
RATE = 2.0
"""Customers a second of the five campaigns together."""

BISECT_CALLS = LaneCampaign("", "", Channel.SMS).bisect_calls

ACCEPTED = Outcome(Verdict.ACCEPTED, 200)


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of a call, and when; `left`: its first byte did."""

    at: float
    outcome: Outcome
    left: bool = True


class Vendor(Protocol):
    """Answers calls."""

    def call(self, batch: Batch, now: float) -> Reply:
        """The call leaves at `now`."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call and its answer."""

    batch: Batch
    left: float
    reply: Reply

    @property
    def accepted(self) -> bool:
        """The vendor took it."""
        return self.reply.outcome.verdict is Verdict.ACCEPTED


@dataclass(slots=True)
class ScriptedWorld:
    """One run, until no customer waits. `reasons`: offset → reason of the result.

    `apart`: seconds between two polls for arrivals; the program polls every 0.05 s.
    """

    lane: Lane
    vendor: Vendor
    apart: float = 0.25
    calls: list[Called] = field(default_factory=list)
    reasons: dict[int, Reason] = field(default_factory=dict)
    _answers: list[tuple[float, int, Called]] = field(default_factory=list)
    _look_at: float = 0.0

    def run(self, arrivals: Iterable[Arrival]) -> ScriptedWorld:
        """Play to the end."""
        coming = iter(enumerate(arrivals))
        following = next(coming, None)
        while following or self._answers or self.lane.buffer.buffered:
            now = self._next(following[1].time if following else math.inf)
            came = False
            while following and following[1].time <= now:
                self.lane.arrived(_held(*following), following[1].time)
                following, came = next(coming, None), True
            if came and self.lane.limiter.allowed(now):
                self._look_at = min(self._look_at, now + self.apart)
            if self._answer(now) or now >= self._look_at:
                self._tick(now)
        return self

    def _next(self, arrival: float) -> float:
        answer = self._answers[0][0] if self._answers else math.inf
        return min(self._look_at, arrival, answer)

    def _answer(self, now: float) -> bool:
        any_came = False
        while self._answers and self._answers[0][0] <= now:
            at, _, call = heapq.heappop(self._answers)
            sent_at = call.left if call.reply.left else None
            self.lane.answered(call.batch.id, call.reply.outcome, sent_at=sent_at, at=at)
            any_came = True
        return any_came

    def _tick(self, now: float) -> None:
        for command in self.lane.tick(now):
            if isinstance(command, Commit):
                for ended in command.results:
                    self.reasons[ended.pending.offset] = ended.reason
                for leaving in self.lane.committed():
                    assert isinstance(leaving, Send)
                    self._call(leaving.batch, now)
        self._look_at = self.lane.wake_at

    def _call(self, batch: Batch, now: float) -> None:
        call = Called(batch, now, self.vendor.call(batch, now))
        self.calls.append(call)
        heapq.heappush(self._answers, (call.reply.at, len(self.calls), call))

    def waits(self, since: float, until: float, campaigns: Sequence[str] = OTHERS) -> list[float]:
        """From arrival to leaving in an accepted call, of arrivals between `since` and `until`."""
        return [
            call.left - held.arrived
            for call in self.calls
            if call.accepted and call.batch.campaign in campaigns
            for held in call.batch.invitations
            if since <= held.arrived < until
        ]


def _held(offset: int, arrival: Arrival) -> PendingInvitation:
    return PendingInvitation(offset, b"", arrival.time, arrival.campaign, str(offset), None)


def lane_of(names: Iterable[str], seed: int, bisect_calls: int = BISECT_CALLS) -> Lane:
    """Under Pisano's documented limits, with the config's other defaults."""
    settings: LaneSettings = in_memory(synthetic_lane(list(names), DOCUMENTED, 1.0, max_wait=600.0))
    known = {
        name: replace(each, bisect_calls=bisect_calls) for name, each in settings.campaigns.items()
    }
    settings = replace(settings, campaigns=known, max_in_flight=16)
    return Lane(settings, random.Random(f"lane of {seed}"), 0.0)


def traffic(seconds: float, seed: int) -> Iterator[Arrival]:
    """The five campaigns' customers, by Zipf's law."""
    rng = random.Random(f"arrivals of {seed}")
    found = poisson(zipf_rates(len(OTHERS), RATE), seconds, rng)
    return (Arrival(when, OTHERS[number]) for when, number in found)


def latency(rng: random.Random) -> float:
    """Seconds that an answer takes."""
    return rng.lognormvariate(math.log(LATENCY), LATENCY_SIGMA)


def part(values: Sequence[float], share: float) -> float:
    """The value that this share of all do not exceed; 0 for none."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0
