"""A healthy campaign beside sick ones of its account: its waits, in multiples of two baselines.

`alone`: the sick campaigns do not exist. `all well`: they exist with the same customers, and the
vendor accepts every call; what the sickness itself costs the others.

Each sick campaign is refused or troubled in its own way, with all of its customers until it is
mended, or with one customer for good. `few` come one by one; `many` are a backlog from the start.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean

from benchmarks.answers.scripted_world import ACCEPTED, Called, Reply, lane_of, latency, part
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Commit, Login, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.records.call import Outcome, Verdict
from consumer.records.result import Reason
from consumer.simulate.traffic import Arrival

HOUR = 3600.0
MENDED = 0.5 * HOUR
MEASURED = 1.0 * HOUR
ENDS = 4.0 * HOUR
EXPIRES = 72 * HOUR
KINDS: Mapping[str, Outcome] = {
    "13000": Outcome(Verdict.RETRY, 400, code="13000", divisible=True),
    "403": Outcome(Verdict.RETRY, 403, counts=False, refused=True),
    "401": Outcome(Verdict.RETRY, 401, counts=False, relogin=True),
    "5xx": Outcome(Verdict.IN_DOUBT, 503),
    "404": Outcome(Verdict.RETRY, 404, counts=False, gateway=True),
}
SOME, MANY = 5, 6_000


@dataclass(frozen=True, slots=True)
class Job:
    """`sick`: campaign → kind; `one`: a single customer of each, for good. `rate`: customers of a
    healthy campaign a second. `well`: nothing is sick after all."""

    healthy: int
    sick: tuple[str, ...]
    one: bool
    many: bool
    rate: float
    seed: int
    stray: float = 0.0
    well: bool = False

    @property
    def names(self) -> list[str]:
        """All campaigns, the healthy ones first."""
        return [f"well-{n}" for n in range(self.healthy)] + [
            f"sick-{n}-{kind}" for n, kind in enumerate(self.sick)
        ]


class Sick:
    """A vendor that answers by campaign, customer and time."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._rng = random.Random(f"vendor of {job.seed}")
        self.bad: dict[str, str] = {}
        """Campaign → its one bad customer."""

    def call(self, batch: Batch, now: float) -> Reply:
        """As the campaign's sickness says."""
        at = now + latency(self._rng)
        kind = batch.campaign.rsplit("-", 1)[1]
        if self._rng.random() < self._job.stray:
            return Reply(at, KINDS["403"])
        if kind not in KINDS or self._job.well:
            return Reply(at, ACCEPTED)
        if self._job.one:
            recipients = {held.recipient for held in batch.invitations}
            met = self.bad.setdefault(batch.campaign, min(recipients)) in recipients
        else:
            met = now < MENDED
        return Reply(at, KINDS[kind] if met else ACCEPTED)


@dataclass(slots=True)
class SickWorld:
    """One lane on a virtual clock, with its delay topics, until a time."""

    lane: Lane
    vendor: Sick
    calls: list[Called] = field(default_factory=list)
    reasons: dict[str, Reason] = field(default_factory=dict)
    back: list[tuple[float, int, PendingInvitation]] = field(default_factory=list)
    logins: int = 0
    _answers: list[tuple[float, int, Called]] = field(default_factory=list)
    _sessions: list[tuple[float, str]] = field(default_factory=list)
    _offset: int = 0
    _look_at: float = 0.0

    def run(self, arrivals: Iterable[Arrival], until: float) -> SickWorld:
        """Play."""
        coming = iter(arrivals)
        following = next(coming, None)
        now = 0.0
        while now < until:
            while following and following.time <= now:
                self._come(_held(self._offset, following), following.time)
                following = next(coming, None)
            while self.back and self.back[0][0] <= now:
                at, _, held = heapq.heappop(self.back)
                self._come(replace(held, offset=self._offset, delays=held.delays + 1), at)
            self._answer(now)
            self._tick(now)
            moments = [self._look_at, until]
            moments += [following.time] if following else []
            moments += [each[0][0] for each in (self.back, self._answers) if each]
            moments += [at for at, _ in self._sessions]
            now = max(now + 0.05, min(moments))  # the program looks every 0.05 s
        return self

    def _come(self, held: PendingInvitation, now: float) -> None:
        self._offset += 1
        if self.lane.accepts(held.offset):
            self.lane.arrived(held, now)

    def _answer(self, now: float) -> None:
        for at, vendor in self._sessions:
            if at <= now:
                self.lane.logged_in(vendor, at + HOUR, at)
        self._sessions = [session for session in self._sessions if session[0] > now]
        while self._answers and self._answers[0][0] <= now:
            at, _, call = heapq.heappop(self._answers)
            self.lane.answered(call.batch.id, call.reply.outcome, sent_at=call.left, at=at)

    def _tick(self, now: float) -> None:
        for command in self.lane.tick(now):
            if isinstance(command, Commit):
                for ended in command.results:
                    self.reasons[ended.pending.recipient] = ended.reason
                for each in command.delayed:
                    item = (
                        max(each.due_at, now + 60.0),
                        self._offset + len(self.back),
                        each.invitation,
                    )
                    heapq.heappush(self.back, item)
                for leaving in self.lane.committed():
                    self._leave(leaving, now)
        self._look_at = self.lane.wake_at

    def _leave(self, leaving: object, now: float) -> None:
        if isinstance(leaving, Send):
            call = Called(leaving.batch, now, self.vendor.call(leaving.batch, now))
            self.calls.append(call)
            heapq.heappush(self._answers, (call.reply.at, len(self.calls), call))
        elif isinstance(leaving, Login):
            self.logins += 1
            self._sessions.append((now + 0.3, leaving.vendor))

    def waits(self, until: float) -> list[float]:
        """Of the healthy campaigns' customers that came before `until`; one not yet sent counts."""
        left = {
            held.recipient: call.left
            for call in self.calls
            if call.accepted
            for held in call.batch.invitations
        }
        return [
            left.get(key, ENDS) - at
            for key, (name, at) in CAME.items()
            if name.startswith("well") and at < until
        ]


CAME: dict[str, tuple[str, float]] = {}


def _held(offset: int, arrival: Arrival) -> PendingInvitation:
    name = f"{arrival.campaign}/{offset}"
    CAME[name] = arrival.campaign, arrival.time
    expires = arrival.time + EXPIRES
    return PendingInvitation(offset, b"", arrival.time, arrival.campaign, name, expires)


def traffic(job: Job) -> Iterator[Arrival]:
    """Healthy customers by Poisson for the measured time; sick ones at once or one by one."""
    found = list[Arrival]()
    for name in job.names:
        rng = random.Random(f"{name} of {job.seed}")
        well = name.startswith("well")
        at = 0.0
        if not well and job.many:
            found += [Arrival(0.0, name)] * MANY
        rate = job.rate if well else SOME / MENDED
        while (at := at + rng.expovariate(rate)) < MEASURED:
            found.append(Arrival(at, name))
    return iter(sorted(found))


@dataclass(frozen=True, slots=True)
class Figures:
    """One run; the healthy campaigns' waits in it, without the sick ones, and were all well."""

    job: Job
    waits: Sequence[float]
    alone: Sequence[float]
    all_well: Sequence[float]
    sick_calls: int
    logins: int
    ended: Mapping[str, int]


def _play(job: Job) -> tuple[list[float], SickWorld]:
    CAME.clear()
    lane = lane_of(job.names, job.seed)
    if "401" in job.sick:
        lane.reconfigure(replace(lane.settings, logins=frozenset({"vendor"})), 0.0)
    world = SickWorld(lane, Sick(job)).run(traffic(job), ENDS)
    return world.waits(MENDED), world


def play(job: Job) -> Figures:
    """The job and its two baselines."""
    alone, _ = _play(replace(job, sick=(), stray=0.0))
    all_well, _ = _play(replace(job, stray=0.0, well=True))
    waits, world = _play(job)
    sick = Counter(
        str(world.reasons.get(key, "waiting"))
        for key, (name, _) in CAME.items()
        if name.startswith("sick")
    )
    calls = sum(call.batch.campaign.startswith("sick") for call in world.calls)
    return Figures(
        job,
        waits,
        alone,
        all_well,
        calls,
        world.logins,
        sick,
    )


def jobs(seeds: Iterable[int]) -> Iterator[Job]:
    """Two campaigns, each kind; then twenty, five of them sick, each its own way."""
    for seed in seeds:
        for one in (False, True):
            for many in (False, True):
                for kind in KINDS:
                    yield Job(1, (kind,), one, many, 0.5, seed)
                yield Job(15, tuple(KINDS), one, many, 0.1, seed)
        yield Job(1, (), one=False, many=False, rate=0.5, seed=seed, stray=0.02)


def rows(found: Iterable[Figures]) -> Iterator[Mapping[str, object]]:
    """One a job."""
    for each in found:
        job = each.job
        yield {
            "campaigns": job.healthy + len(job.sick),
            "sick": ", ".join(job.sick) or f"{job.stray:.0%} stray 403",
            "sick customers": "one" if job.one else "all",
            "waiting": "many" if job.many else "few",
            "mean wait, s": fmean(each.waits),
            "alone": fmean(each.alone),
            "ratio": _ratio(each.waits, each.alone),
            "all well": fmean(each.all_well),
            "ratio to all well": _ratio(each.waits, each.all_well),
            "calls of the sick": each.sick_calls,
            "logins": each.logins,
            "the sick's customers": ", ".join(
                f"{n} {name}" for name, n in sorted(each.ended.items())
            ),
        }


def _ratio(waits: Sequence[float], baseline: Sequence[float]) -> str:
    """Mean and 99th percentile in multiples of the baseline's."""
    high = part(waits, 0.99) / part(baseline, 0.99)
    return f"{fmean(waits) / fmean(baseline):.2f}, p99 {high:.2f}"
