"""A day of outages: calls wasted, customers in doubt, and how soon all is well again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean
from unittest.mock import patch

from benchmarks.answers.scripted_world import (
    ACCEPTED,
    OTHERS,
    Reply,
    ScriptedWorld,
    lane_of,
    latency,
    part,
    traffic,
)
from consumer.lane.account import accounts, circuit_breaker
from consumer.lane.state.commands import Batch
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason

HOUR, MINUTE = 3600.0, 60.0
BETWEEN = HOUR
"""Seconds between two outages, on the average."""

LASTS = (MINUTE, 30 * MINUTE)
CALL_TIMEOUT = 30.0
CONNECT_FAILS = 0.01

ERROR = Outcome(Verdict.IN_DOUBT, 503)
SILENCE = Outcome(Verdict.IN_DOUBT)
NOTHING_LEFT = Outcome(Verdict.RETRY, counts=False)
KINDS = ("5xx", "reset", "hang", "connect")


BREAKER, NO_BREAKER = "as it is", "none"
NEVER = 10**9


@contextmanager
def breaker_setting(name: str) -> Iterator[None]:
    """Keep circuit breakers closed, if so named, for lanes that are played meanwhile."""
    if name == BREAKER:
        yield
        return
    with patch.object(circuit_breaker, "TRIPS", NEVER), patch.object(accounts, "HANGS", NEVER):
        yield


@dataclass(frozen=True, slots=True)
class Outage:
    """The calls that leave from `begins` to `ends` meet it, or this share of them."""

    kind: str
    begins: float
    ends: float


@dataclass(frozen=True, slots=True)
class Job:
    """One day. `share`: of an outage's calls that fail."""

    breaker: str
    share: float
    hours: float
    seed: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`wasted` calls and customers in `doubt` by kind of outage; `again` and `drained`: seconds
    from an outage's end to the first accepted call, and until all its customers were sent."""

    job: Job
    outages: Mapping[str, int]
    calls: int
    customers: int
    wasted: Mapping[str, int]
    doubt: Mapping[str, int]
    again: tuple[float, ...]
    drained: tuple[float, ...]
    wait: float
    lost: int


class Failing:
    """A vendor with outages; each of its calls fails by itself."""

    def __init__(self, outages: list[Outage], share: float, seed: int) -> None:
        self._outages, self._share = outages, share
        self._rng = random.Random(f"vendor of {seed}")
        self.met: dict[str, str] = {}
        """Batch → kind of the outage that its call met."""

    def call(self, batch: Batch, now: float) -> Reply:
        """As the outage of that time says, if there is one."""
        met = next((each.kind for each in self._outages if each.begins <= now < each.ends), None)
        seconds, fails = latency(self._rng), self._rng.random() < self._share
        if met is None or not fails:
            return Reply(now + seconds, ACCEPTED)
        self.met[batch.id] = met
        match met:
            case "5xx":
                return Reply(now + seconds, ERROR)
            case "reset":
                return Reply(now + seconds, SILENCE)
            case "hang":
                return Reply(now + CALL_TIMEOUT, SILENCE)
            case _:
                return Reply(now + CONNECT_FAILS, NOTHING_LEFT, left=False)


def outages(hours: float, seed: int) -> Iterator[Outage]:
    """One after the other; every kind as often as the others."""
    rng = random.Random(f"outages of {seed}")
    now, number = rng.expovariate(1 / BETWEEN), rng.randrange(len(KINDS))
    while now < hours * HOUR:
        lasts = rng.uniform(*LASTS)
        yield Outage(KINDS[number % len(KINDS)], now, now + lasts)
        now, number = now + lasts + rng.expovariate(1 / BETWEEN), number + 1


def jobs(seeds: Iterable[int], hours: float) -> Iterator[Job]:
    """All calls of an outage fail, or every second one; with and without circuit breakers."""
    for share in (1.0, 0.5):
        for breaker in (BREAKER, NO_BREAKER):
            yield from (Job(breaker, share, hours, seed) for seed in seeds)


def play(job: Job) -> Figures:
    """Play a day, and go on until no customer waits."""
    known = list(outages(job.hours, job.seed))
    vendor = Failing(known, job.share, job.seed)
    with breaker_setting(job.breaker):
        world = ScriptedWorld(lane_of(OTHERS, job.seed), vendor, apart=1.0)
        world.run(traffic(job.hours * HOUR, job.seed))
    doubt: Counter[str] = Counter()
    sent: dict[int, tuple[float, float]] = {}
    for call in world.calls:
        kind = vendor.met.get(call.batch.id)
        if kind is not None and call.reply.outcome.verdict is Verdict.IN_DOUBT:
            doubt[kind] += len(call.batch.invitations)
        sent |= {held.offset: (held.arrived, call.reply.at) for held in call.batch.invitations}
    good = [call.reply.at for call in world.calls if call.accepted]
    waits = world.waits(0.0, job.hours * HOUR)
    ended = Counter(world.reasons.values())
    return Figures(
        job,
        Counter(each.kind for each in known),
        len(world.calls),
        len(world.reasons),
        Counter(vendor.met.values()),
        doubt,
        tuple(min((at for at in good if at >= o.ends), default=o.ends) - o.ends for o in known),
        tuple(_drained(o, sent) for o in known),
        fmean(waits),
        len(sent) - ended[Reason.ACCEPTED] - ended[Reason.NO_ANSWER],
    )


def _drained(outage: Outage, sent: Mapping[int, tuple[float, float]]) -> float:
    last = (at for arrived, at in sent.values() if outage.begins <= arrived < outage.ends)
    return max(0.0, max(last, default=0.0) - outage.ends)


def rows(found: Iterable[Figures]) -> Iterator[Mapping[str, object]]:
    """One a setting: per outage, and over all seeds."""
    by_job: dict[tuple[float, str], list[Figures]] = {}
    for each in found:
        by_job.setdefault((each.job.share, each.job.breaker), []).append(each)
    for (share, name), many in by_job.items():
        number = sum(sum(each.outages.values()) for each in many)
        again = [at for each in many for at in each.again]
        drained = [at for each in many for at in each.drained]
        yield {
            "calls that fail": f"{share:.0%}",
            "breaker": name,
            "outages": number,
            "calls": sum(each.calls for each in many),
            "wasted an outage": sum(sum(each.wasted.values()) for each in many) / number,
            **_by_kind("wasted", [(each.wasted, each.outages) for each in many]),
            "in doubt an outage": sum(sum(each.doubt.values()) for each in many) / number,
            **_by_kind("in doubt", [(each.doubt, each.outages) for each in many]),
            "first call after, s: p50": part(again, 0.5),
            "max": max(again),
            "drained, s: p50": part(drained, 0.5),
            "max ": max(drained),
            "mean wait, s": fmean(each.wait for each in many),
            "lost": sum(each.lost for each in many),
        }


def _by_kind(
    what: str, found: list[tuple[Mapping[str, int], Mapping[str, int]]]
) -> dict[str, float]:
    """For an outage of each kind; nothing is in doubt when nothing left."""
    kinds = [kind for kind in KINDS if what == "wasted" or kind != "connect"]
    numbers = {kind: sum(known.get(kind, 0) for _, known in found) for kind in kinds}
    return {
        f"{what}, {kind}": sum(each.get(kind, 0) for each, _ in found) / max(1, numbers[kind])
        for kind in kinds
    }
