"""A made-up dispatcher behind a real admin server: permits, windows and calls move, no Kafka.

The report, the board, the metrics and the limiter are real; what comes in is made up from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.lane.quota.limiter import Limiter
from consumer.lane.state.settings import Limit
from consumer.lane.state.snapshot import LimitSnapshot
from consumer.observability.health import Health
from consumer.observability.metrics.metrics import Metrics
from consumer.observability.status.board import StatusBoard
from consumer.observability.status.report import StatusReport
from consumer.observability.status.status import (
    AccountStatus,
    BatchStatus,
    CallStatus,
    CampaignStatus,
    LaneStatus,
)
from consumer.records.result import Reason

START = 1_795_385_000.0
QUOTA = (Limit(20, 5.0), Limit(40, 25.0), Limit(80, 125.0), Limit(160, 625.0))
ANSWERS = {
    "accepted": ("200", None, "", None),
    "in_doubt": ("timeout", None, "no answer in time", None),
    "retry": (
        "400",
        "13000",
        "HTTP 400: call not accepted",
        "The vendor reports an error.",
    ),
}


@dataclass(slots=True)
class MadeUpLane:
    """Customers of some campaigns come at `rate` a second and go in calls, as permits allow."""

    name: str
    campaigns: tuple[str, ...]
    rate: float
    rng: random.Random
    vendor: str = "pisano-tr"
    limits: tuple[Limit, ...] = QUOTA
    ill: bool = False
    parked: str | None = None
    waiting: dict[str, float] = field(default_factory=dict)
    since: dict[str, float] = field(default_factory=dict)
    flying: list[tuple[BatchStatus, float, float]] = field(default_factory=list)
    calls: int = 0
    limiter: Limiter = field(init=False)

    def __post_init__(self) -> None:
        self.limiter = Limiter(self.limits, share=0.9)

    def arrive(self, now: float, seconds: float) -> None:
        """So long they come: the first campaign has most of them."""
        for number, campaign in enumerate(self.campaigns, start=1):
            self.waiting[campaign] = self.waiting.get(campaign, 0) + self.rate * seconds / number
            self.since.setdefault(campaign, now)

    def call(self, now: float) -> None:
        """The fullest window goes, if it has gathered for a while."""
        may = [each for each in self.campaigns if each != self.parked]
        campaign = max(may, key=lambda each: self.waiting[each])
        size = int(self.waiting[campaign])
        gathered = size > self.rate * 4.0 / max(0.05, self.limiter.share_left(now))
        if not (gathered and size and self.limiter.allowed(now)):
            return
        self.calls += 1
        self.limiter.take_permit(now)
        batch = BatchStatus(f"{self.name}.81.{self.calls}", campaign, size, 0.0)
        self.flying.append((batch, now, now + self.rng.lognormvariate(0.0, 0.6)))
        self.waiting[campaign] -= size
        del self.since[campaign]

    def answers(self, now: float) -> list[CallStatus]:
        """Calls that are over by now."""
        over = [each for each in self.flying if each[2] <= now]
        self.flying = [each for each in self.flying if each[2] > now]
        return [self._answered(*each) for each in over]

    def _answered(self, batch: BatchStatus, sent: float, at: float) -> CallStatus:
        self.limiter.call_ended(at)
        verdict = self.rng.choices(list(ANSWERS), (96, 1, 8 if self.ill else 1))[0]
        answer, code, why, meaning = ANSWERS[verdict]
        return CallStatus(
            at, self.name, self.vendor, batch.batch, batch.campaign, batch.customers,
            answer, verdict, at - sent, code, why, meaning,
        )  # fmt: skip

    def status(self, now: float) -> LaneStatus:
        """As the page shows it."""
        names = [f"{each.calls}/{each.period:g}s" for each in self.limits]
        left, verdict = self.limiter.permits(now), self.limiter.next_at(now)
        limits = zip(names, left, self.limiter.calls, strict=True)
        return LaneStatus(
            name=self.name,
            owner="here",
            waiting=sum(map(int, self.waiting.values())),
            stopped=f"the circuit of account {self.vendor} is open" if self.ill else "",
            campaigns=sorted(
                (
                    self._campaign(each, int(number), now)
                    for each, number in self.waiting.items()
                    if each in self.since
                ),
                key=lambda each: (not each.parked, -each.oldest_age),
            ),
            limits=[LimitSnapshot(*limit) for limit in limits],
            next_permit=max(0.0, verdict - now),
            in_flight=[
                BatchStatus(batch.batch, batch.campaign, batch.customers, now - sent)
                for batch, sent, _ in self.flying
            ],
            accounts=[
                AccountStatus(
                    self.vendor,
                    circuit_open=self.ill,
                    since=START if self.ill else None,
                    why="HTTP 400: call not accepted" if self.ill else "",
                    tries_at=now + 40 if self.ill else None,
                )
            ],
            drain=4.0 + sum(self.waiting.values()) / (3 * self.rate),
        )

    def _campaign(self, name: str, number: int, now: float) -> CampaignStatus:
        if name != self.parked:
            return CampaignStatus(name, number, now - self.since[name])
        why = "HTTP 404: campaign not usable: There is no such campaign, or not on this channel"
        return CampaignStatus(name, 0, 0.0, parked=True, tries_at=START + 900.0, why=why)


class MadeUp:
    """The process: `advance` moves its clock and all that follows from it."""

    def __init__(self, lanes: Sequence[MadeUpLane] = (), elsewhere: Sequence[str] = ()) -> None:
        self.now = START
        self.own = list(lanes)
        self.board = StatusBoard()
        self.metrics = Metrics()
        self.health = Health(lambda: self.now)
        self.health.set_ready("config", ok=True)
        names = [*(lane.name for lane in lanes), *elsewhere]
        self.report = StatusReport(
            self.board, self.metrics, self.health, lambda: self.now,
            lambda: ("3f9a2c71d0e4", names), "dispatcher-0",
        )  # fmt: skip

    def advance(self, seconds: float, step: float = 0.25) -> None:
        """Let so much time pass."""
        for _ in range(round(seconds / step)):
            self.now += step
            for lane in self.own:
                self._turn(lane, step)
        for name in ("router", "delay", *(lane.name for lane in self.own)):
            self.metrics.stage(name).heartbeat(self.now - 0.04)
        place = ("pos.transaction-completed", 0)
        self.metrics.router.inputs({place: (int(self.now), int(self.now) % 7)})

    def _turn(self, lane: MadeUpLane, step: float) -> None:
        lane.arrive(self.now, step)
        for call in lane.answers(self.now):
            self.board.called(call)
            if call.verdict == "accepted":
                self.metrics.lane(lane.name).results({Reason.ACCEPTED: call.customers})
            elif call.verdict == "in_doubt":
                self.metrics.lane(lane.name).results({Reason.NO_ANSWER: call.customers})
                self.metrics.lane(lane.name).in_doubt()
        lane.call(self.now)
        self.board.lane(lane.status(self.now))


def usual(seed: int = 7) -> MadeUp:
    """Three lanes, one of them with trouble, and one that another replica owns."""
    rng = random.Random(seed)
    sms = ("purchase-sms", "return-sms", "visit-sms", "loyalty-sms")
    made = MadeUp(
        [
            MadeUpLane("pisano-cloud", sms, 24.0, rng),
            MadeUpLane(
                "pisano-eu", ("purchase-email", "b2b-email"), 6.0, rng, "pisano-eu", ill=True
            ),
            MadeUpLane("radar", ("visit", "cafe-visit"), 2.0, rng, "radar", (Limit(60, 60.0),)),
        ],
        ["on-premises"],
    )
    made.own[1].parked = "b2b-email"
    made.metrics.router.start_inputs(["pos.transaction-completed"])
    made.metrics.router.results({Reason.INVALID_RECIPIENT: 41})
    made.metrics.router.results({Reason.TOO_OLD: 12})
    made.metrics.router.events("pos.transaction-completed", "dead_letter", "no_time", 3)
    made.metrics.process.set_campaigns([*sms, "purchase-email", "b2b-email", "visit", "cafe-visit"])
    made.metrics.stage("delay").delayed_invitations({"10m": 128, "1h": 9})
    made.metrics.stage("delay").delayed_by_campaign(
        {("pisano-eu", "b2b-email"): 128, ("pisano-cloud", "visit-sms"): 9}
    )
    return made
