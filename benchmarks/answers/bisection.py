"""Bad recipients among 5,000:  calls beside the least possible, and the others' waits."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from statistics import fmean

from benchmarks.answers.scripted_world import (
    ACCEPTED,
    BISECT_CALLS,
    OTHERS,
    Reply,
    ScriptedWorld,
    lane_of,
    latency,
    part,
    traffic,
)
from consumer.lane.state.commands import Batch, SealReason
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason
from consumer.simulate.traffic import Arrival

HOUR = 3600.0
CUSTOMERS = 5_000
UNBOUNDED = 10**6
REFUSED = Outcome(Verdict.REJECTED, 400, code="13028", divisible=True)


@dataclass(frozen=True, slots=True)
class Job:
    """One run. `budget`: calls that the refused batch may cost."""

    bad: int
    budget: int
    seed: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`waits`: of the five others' customers that came in the hour after the 5,000."""

    job: Job
    calls: int
    settled: float
    reasons: Mapping[Reason, int]
    waits: tuple[float, float, float]
    accepted_twice: int


class Strict:
    """Refuses a call with a bad one in it."""

    def __init__(self, campaign: str, bad: int, seed: int) -> None:
        self._rng = random.Random(f"vendor of {seed}")
        self._campaign, self._bad, self._seen = campaign, bad, 0
        self.wrong: set[float] = set()

    def call(self, batch: Batch, now: float) -> Reply:
        """Draw the bad customers when the whole batch comes."""
        offsets = {held.offset for held in batch.invitations}
        if batch.campaign == self._campaign and not self._seen:
            self.wrong = set(self._rng.sample(sorted(offsets), self._bad))
        self._seen += batch.campaign == self._campaign
        outcome = ACCEPTED if self.wrong.isdisjoint(offsets) else REFUSED
        return Reply(now + latency(self._rng), outcome)


def jobs(seeds: Iterable[int]) -> Iterator[Job]:
    """None bad first."""
    for bad, budget in (
        (0, BISECT_CALLS),
        (1, BISECT_CALLS),
        (10, BISECT_CALLS),
        (100, BISECT_CALLS),
        (100, UNBOUNDED),
    ):
        yield from (Job(bad, budget, seed) for seed in seeds)


def play(job: Job) -> Figures:
    """An hour before they come, and two after."""
    crowd = repeat(Arrival(HOUR, "crowd"), CUSTOMERS)
    arrivals = heapq.merge(traffic(3 * HOUR, job.seed), crowd, key=lambda each: each.time)
    vendor = Strict("crowd", job.bad, job.seed)
    lane = lane_of([*OTHERS, "crowd"], job.seed, job.budget)
    world = ScriptedWorld(lane, vendor).run(arrivals)
    ours = [call for call in world.calls if call.batch.campaign == "crowd"]
    taken = Counter(h.offset for call in ours if call.accepted for h in call.batch.invitations)
    waits = world.waits(HOUR, 2 * HOUR)
    return Figures(
        job,
        sum(call.batch.why is SealReason.PART for call in ours),
        max(call.reply.at for call in ours) - HOUR,
        Counter(world.reasons[h.offset] for call in ours[:1] for h in call.batch.invitations),
        (fmean(waits), part(waits, 0.99), max(waits)),
        sum(times > 1 for times in taken.values()),
    )


def rows(found: Iterable[Figures]) -> Iterator[Mapping[str, object]]:
    """One a number of bad ones: means over the seeds, and the worst in brackets."""
    by_job: dict[tuple[int, int], list[Figures]] = {}
    for each in found:
        by_job.setdefault((each.job.bad, each.job.budget), []).append(each)
    for (bad, budget), many in by_job.items():
        least = math.log2(math.comb(CUSTOMERS, bad))
        calls = fmean(each.calls for each in many)
        failed = fmean(each.reasons.get(Reason.BISECT_SPENT, 0) for each in many)
        rejected = fmean(each.reasons.get(Reason.VENDOR_REJECTED, 0) for each in many)
        yield {
            "bad of 5,000": bad,
            "budget": "none" if budget == UNBOUNDED else budget,
            "least calls": least,
            "calls (most)": f"{calls:,.0f} ({max(each.calls for each in many):,})",
            "over the least": f"{calls / least:.2f}" if least else "",
            "rejected": rejected,
            "failed": failed,
            "accepted twice": sum(each.accepted_twice for each in many),
            "last settled after, s (most)": _with_worst([each.settled for each in many]),
            "others' wait: mean, s": fmean(each.waits[0] for each in many),
            "p99, s": fmean(each.waits[1] for each in many),
            "max, s": max(each.waits[2] for each in many),
        }


def _with_worst(values: list[float]) -> str:
    return f"{fmean(values):,.0f} ({max(values):,.0f})"
