"""What deciding costs: CPU of a lane's machine with many campaigns, without Kafka or HTTP.

    .venv/bin/python -m benchmarks.scheduling.decisions [--campaigns 10000] [--rate 1000]

Time is virtual and turns as the lane's loop does: a poll that waits until the lane's own next
decision, 1 to 50 ms; what arrived by then is fed in; answers; one tick. Figures are percents of a
core (CPU seconds of the thread in 100 simulated ones): `decide` is the tick, but for the
checkpoints that it makes; `arrived` takes records in; `answered` settles.
"""

from __future__ import annotations

import argparse
import cProfile
import heapq
import itertools
import pstats
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from consumer.lane.lane import Lane
from consumer.lane.state.commands import Command, Commit, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.settings import LaneCampaign, LaneSettings, Limit
from consumer.records.call import Outcome, Verdict
from consumer.records.channel import Channel
from consumer.records.checkpoint import Checkpoint
from consumer.records.invitation import Invitation
from consumer.runtime.memory import calm_garbage_collector

START = 1_763_800_000.0
LONGEST_POLL, SHORTEST_POLL, SATURATED_RECORDS = 0.05, 0.001, 500
ANSWERED_AFTER = 0.05
WORK = ("decide", "checkpoint", "arrived", "answered")
ACCEPTED = Outcome(Verdict.ACCEPTED, 200)
LIMITS: dict[str, tuple[Limit, ...]] = {
    "documented": (Limit(20, 5), Limit(40, 25), Limit(80, 125), Limit(160, 625)),
    "generous": (Limit(100, 1),),
    "unlimited": (),
}
"""Scene → the quota: one that shuts the gate, one that leaves it to the price, and none."""


@dataclass(slots=True)
class Account:
    """CPU seconds by kind of work, and what was done for them."""

    cpu: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def of(self, work: str) -> Iterator[None]:
        """Adds what the block takes of this thread."""
        began = time.thread_time_ns()
        try:
            yield
        finally:
            self.cpu[work] += time.thread_time_ns() - began


class MeasuredLane(Lane):
    """Accounts for its checkpoints: each is as much as a call, and no decision."""

    account: Account

    def checkpoint(self, now: float) -> Checkpoint:
        """As the lane's."""
        with self.account.of("checkpoint"):
            return super().checkpoint(now)


class Loop:
    """A lane, its arrivals (a Poisson stream over Zipf(1.1) campaigns) and a vendor's answers."""

    def __init__(self, campaigns: int, rate: float, limits: tuple[Limit, ...]) -> None:
        self.rng = random.Random(1)
        self.now = START
        self.lane = MeasuredLane(_settings(campaigns, limits), self.rng, START)
        self.begin_account()
        self._names = [f"c{number}" for number in range(campaigns)]
        self._weights = list(itertools.accumulate((n + 1) ** -1.1 for n in range(campaigns)))
        self._rate = rate
        self._next = START
        self._offset = 0
        self._answers: list[tuple[float, str]] = []

    def begin_account(self) -> None:
        """Of what comes from now on."""
        self.account = self.lane.account = Account()

    def run(self, seconds: float) -> None:
        """Turns until so much virtual time has passed."""
        until = self.now + seconds
        while self.now < until:
            self._turn()

    def _turn(self) -> None:
        with self.account.of("tick"):
            saturated = self.lane.saturated
        if saturated:  # an answer is waited for, and few records are read
            first = self._answers[0][0] if self._answers else self.now + LONGEST_POLL
            self.now = min(self.now + LONGEST_POLL, max(self.now, first))
        else:
            self.now += min(LONGEST_POLL, max(SHORTEST_POLL, self.lane.wake_at - self.now))
        self._read(SATURATED_RECORDS if saturated else 5_000)
        self._take_answers()
        self.account.done["ticks"] += 1
        with self.account.of("tick"):
            commands = self.lane.tick(self.now)
        for command in commands:
            self._carry_out(command)

    def _read(self, most: int) -> None:
        records = list(itertools.islice(self._arriving(), most))
        self.account.done["arrivals"] += len(records)
        with self.account.of("arrived"):
            for held in records:
                if self.lane.accepts(held.offset):
                    self.lane.arrived(held, self.now)
            self.lane.polled(len(records), most, self.now)

    def _arriving(self) -> Iterator[PendingInvitation]:
        while self._next <= self.now:
            [name] = self.rng.choices(self._names, cum_weights=self._weights)
            offset, arrived = self._offset, self._next
            self._offset += 1
            self._next += self.rng.expovariate(self._rate)
            yield PendingInvitation.of(offset, _invitation(offset, name), arrived)

    def _take_answers(self) -> None:
        while self._answers and self._answers[0][0] <= self.now:
            at, batch = heapq.heappop(self._answers)
            with self.account.of("answered"):
                self.lane.answered(batch, ACCEPTED, sent_at=at - ANSWERED_AFTER, at=at)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Commit():
                self.account.done["commits"] += 1
                with self.account.of("tick"):
                    leaving = self.lane.committed()
                for each in leaving:
                    self._carry_out(each)
            case Send(batch):
                self.account.done["calls"] += 1
                self.account.done["customers"] += len(batch.invitations)
                heapq.heappush(self._answers, (self.now + ANSWERED_AFTER, batch.id))
            case _:
                raise AssertionError(f"no {command} was expected")


def _settings(campaigns: int, limits: tuple[Limit, ...]) -> LaneSettings:
    names = (f"c{number}" for number in range(campaigns))
    return LaneSettings(
        "bench",
        {name: LaneCampaign(name, "pisano", Channel.SMS) for name in names},
        "c1",
        limits=limits,
        first_start_full=False,
        max_in_flight=64,
        max_buffered=10_000_000,  # what is given up and read again is another benchmark's matter
        max_buffered_bytes=10**11,
    )


def _invitation(offset: int, campaign: str) -> Invitation:
    return {
        "version": 1,
        "id": f"i{offset}",
        "event_id": f"e{offset}",
        "event_time": "2026-11-22T10:00:00.000Z",
        "routed_at": "2026-11-22T10:00:01.000Z",
        "expires_at": None,
        "route": "store",
        "campaign": campaign,
        "pseudonym": f"r{offset}",
        "address": {},
        "data": {},
        "config_version": "c1",
        "source": {"topic": "pos", "partition": 0, "offset": offset},
    }


def main() -> None:
    """Every scene's row; with `--profile` where the time goes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1_000.0, help="arrivals a second")
    parser.add_argument("--scene", choices=LIMITS, action="append", help="the quota")
    parser.add_argument("--warm-up", type=float, default=60.0, help="simulated seconds before")
    parser.add_argument("--seconds", type=float, default=30.0, help="simulated seconds measured")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    table = Table("quota", *WORK, "ticks/s", "calls/s", "customers/call")
    for scene in options.scene or LIMITS:
        table.add_row(scene, *_measured(scene, options))
    Console(width=100).print(table)


def _measured(scene: str, options: argparse.Namespace) -> list[str]:
    calm_garbage_collector()  # as the program does
    loop = Loop(options.campaigns, options.rate, LIMITS[scene])
    loop.run(options.warm_up)
    loop.begin_account()
    with _profile() if options.profile else contextmanager(lambda: iter([None]))():
        loop.run(options.seconds)
    cpu, done = loop.account.cpu, loop.account.done
    cpu["decide"] = cpu["tick"] - cpu["checkpoint"]
    costs = [f"{cpu[work] / 1e7 / options.seconds:.2f} %" for work in WORK]
    rates = [f"{done[what] / options.seconds:.1f}" for what in ("ticks", "calls")]
    return [*costs, *rates, f"{done['customers'] / max(done['calls'], 1):.1f}"]


@contextmanager
def _profile() -> Iterator[None]:
    with cProfile.Profile(time.thread_time) as profile:
        yield
    pstats.Stats(profile).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
