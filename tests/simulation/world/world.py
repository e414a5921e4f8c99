"""From one seed: processes, traffic, vendors, faults; and the whole history of what happened."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from consumer.lane.commands import Batch
from consumer.lane.ladder import STEPS
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.log import FakeRecord, Transaction
from tests.simulation.kafka.scheduler import Scheduler, Task
from tests.simulation.kafka.settings import BrokerSettings
from tests.simulation.world import rules, tuning
from tests.simulation.world.doubles import Story
from tests.simulation.world.machines import Machines
from tests.simulation.world.mischief import Mischief
from tests.simulation.world.process import SimProcess, Watch
from tests.simulation.world.traffic import Burst, Expected, bursts
from tests.simulation.world.vendor import Truth, VendorDouble
from tests.simulation.world.wire import Wire

LONGEST = 20_000.0
"""Simulated seconds within which a world must come to rest."""

STUCK_AFTER = 2_000.0
"""Seconds without a commit after which nothing more will come."""

MOST_STEPS = 60_000
"""Crash points that a world may pass; the usual is 3,000. Beyond it somebody runs in circles."""

FRESH_SECONDS = 5.0
"""How long after it was sealed a call may leave (the runtime's own bound, stated here anew)."""

LOOK_EVERY = 5.0
QUIET = 40.0
"""Seconds after the last result in which nobody may say anything more."""


@dataclass(slots=True)
class Ended:
    """A committed transaction, the `order`-th of all. `process` is None if nobody waited for it."""

    transaction: Transaction
    order: int
    process: str | None
    calls: int
    """How many calls had been asked for by then."""


class World:
    """Runs one seed; `tell` keeps the story."""

    def __init__(self, seed: int, *, tell: bool = False) -> None:
        self.seed = seed
        self.rng = rng = random.Random(seed)
        self.scheduler = Scheduler(self._child())
        self.began = self.scheduler.now
        self.story = Story(self.scheduler, tell)
        self.sure = rng.random() < 0.6
        self.lanes = rules.lanes(rng, sure=self.sure)
        unkind = rng.random() < 0.4
        self.broker = FakeBroker(self.scheduler, self._child(), _broker_settings(unkind=unkind))
        self.expected = Expected()
        self.truth = Truth()
        self.watch = Watch(self.scheduler)
        self.ended: list[Ended] = []
        self.usurped: list[str] = []
        self.at_rest = self.spins = self._stopping = False
        self.wire = self._wire()
        self._steps = 0
        self._running: dict[str, SimProcess] = {}  # instance → its process
        self._runs: Counter[str] = Counter()
        self._tuning = tuning.draw(rng, self.story)
        start, length = self.scheduler.now + 5.0, rng.uniform(15.0, 100.0)
        self.mischief = Mischief(
            self._child(),
            self.broker,
            self.story,
            self._running,
            self._start_later,
            calm_from=start + length + 10.0,
            unkind=unkind,
        )
        # A stream of its own: seeds without wrong clocks are the worlds that they were.
        self.machines = Machines(random.Random(f"clocks of {seed}"), self._running, self.story)
        self._create_topics()
        self._observe()
        self._plan(start, length)

    def _child(self) -> random.Random:
        return random.Random(self.rng.getrandbits(64))

    def _wire(self) -> Wire:
        vendors = {
            name: VendorDouble(lane, self.truth, self._child(), noise=not self.sure)
            for name, lane in self.lanes.items()
        }
        slow = self.rng.choice([0.5, 1.2, 2.0])
        return Wire(
            self.scheduler, self._child(), vendors, self.truth, self.story, slow, self._left
        )

    def _create_topics(self) -> None:
        topics = rules.config().topics
        for name, partitions in rules.INPUTS.items():
            self.broker.create_topic(name, partitions)
        for name in (topics.results, topics.dead_letters):
            self.broker.create_topic(name, 2)
        for name in (topics.replayed, *(topics.delayed(step) for step in STEPS)):
            self.broker.create_topic(name)
        for lane in rules.LANES:
            self.broker.create_topic(topics.invitations(lane))
            self.broker.create_topic(topics.checkpoints(lane))

    def _observe(self) -> None:
        """Hear of every commit, in order, and of every crash point."""
        coordinator: Any = self.broker.coordinator
        end = coordinator._end

        def told(holder: Any, transaction: Transaction, *, commit: bool) -> None:
            end(holder, transaction, commit=commit)
            if commit:
                self._committed(transaction)

        coordinator._end = told
        self.scheduler.on_point = self._point

    def _plan(self, start: float, length: float) -> None:
        for burst in bursts(self.rng, start, length):
            self.scheduler.at(burst.at, lambda burst=burst: self._write(burst))  # type: ignore[misc]
        self.mischief.plan(start, length)
        for when in self.machines.times(start, length):
            self.scheduler.at(when, self.machines.step)
        for number in range(self.rng.choice([2, 2, 3])):
            late = self.rng.choice([0.0, 0.0, 8.0]) * self.rng.random()
            self._start_later(str(number), self.scheduler.now + late)
        self.scheduler.at(start + length, self._look)

    # -- running ------------------------------------------------------------------------------

    def run(self) -> World:
        """Until everything is at rest and every process has ended, or too late."""
        with tuning.in_place(self._tuning, self.seed):
            try:
                self.scheduler.run(self.scheduler.now + LONGEST)
            finally:
                self.scheduler.close()
        return self

    def _point(self, task: Task, label: str) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            self.spins = True
            self.scheduler.stop()
        self.mischief.point(task, label)

    def _write(self, burst: Burst) -> None:
        for event in burst.events:
            offset = self.broker.append(event.topic, event.partition, event.value)
            self.expected.event(event, offset)

    def _start_later(self, instance: str, when: float) -> None:
        self.scheduler.at(when, lambda: self._start(instance))

    def _start(self, instance: str) -> None:
        self._runs[instance] += 1
        name = f"p{instance}.{self._runs[instance]}"
        self.story.tell(name, "starts")
        # Our processes' clocks and the vendor's servers share the skew that the lanes allow for.
        spread = min(lane.skew for lane in self.lanes.values()) / 5 if self.sure else 8.0
        self._running[instance] = SimProcess(
            name,
            instance,
            wire=self.wire,
            watch=self.watch,
            clients=self.broker.clients(name),
            lanes=self.lanes,
            rng=self._child(),
            clock_offset=self.rng.uniform(-spread, spread) + self.machines.wrong_by(instance),
            ended=self._process_ended,
        )

    def _process_ended(self, process: SimProcess) -> None:
        self.story.tell(process.name, "ended")
        self._running.pop(process.instance, None)
        if not self._stopping:
            self._start_later(process.instance, self.scheduler.now + self.rng.uniform(0.1, 15.0))
        elif not self._running:
            self.at_rest = True
            self.scheduler.stop()

    def _look(self) -> None:
        """Is everything said and done? Then wait a while, stop all processes, and judge."""
        now = self.scheduler.now
        if self.ended and now - (self.ended[-1].transaction.decided_at or now) > STUCK_AFTER:
            self.scheduler.stop()
        elif now >= self.mischief.calm_from and self._running and self._all_visible():
            self.scheduler.at(now + QUIET, self._stop)
        else:
            self.scheduler.at(now + LOOK_EVERY, self._look)

    def _all_visible(self) -> bool:
        """Whether as many results and dead letters are committed as are expected."""
        topics = rules.config().topics
        wanted = len(self.expected.invitations) + len(self.expected.letters)
        logs = [
            partition.history
            for topic in (topics.results, topics.dead_letters)
            for partition in self.broker.partitions(topic)
        ]
        if sum(map(len, logs)) < wanted:
            return False
        return sum(record.state == "committed" for log in logs for record in log) >= wanted

    def _stop(self) -> None:
        self._stopping = True
        for process in list(self._running.values()):
            process.terminate()

    # -- what the checker will want to know ---------------------------------------------------

    def _committed(self, transaction: Transaction) -> None:
        task = self.scheduler.current
        process = task.process.name if task else None
        calls = len(self.wire.sent)
        self.ended.append(Ended(transaction, self.watch.commits, process, calls))
        self.watch.commits += 1

    def _left(self, process: str, batch: Batch) -> None:
        """A call's first byte leaves: within its freshness of a successor's claim, or never.

        An owner whose session ended has told the group, so that a successor may come at once; what
        it had sealed by then may still leave, and the successor reckons with that.
        """
        lane, epoch, _ = batch.id.split(".")
        claim = self._claim(lane)
        if claim is None or claim.transaction is None or int(epoch) >= claim.offset:
            return
        late = self.scheduler.now - (claim.transaction.decided_at or 0.0)
        if late > FRESH_SECONDS:
            self.usurped.append(f"{batch.id} left {process} {late:.1f} s after another's claim")

    def _claim(self, lane: str) -> FakeRecord | None:
        """The newest visible claim of a lane."""
        (partition,) = self.broker.partitions(rules.config().topics.checkpoints(lane))
        key = f"{lane}/claim".encode()
        newest_first = reversed(partition.history)
        claims = (each for each in newest_first if each.key == key and each.state == "committed")
        return next(claims, None)


def _broker_settings(*, unkind: bool) -> BrokerSettings:
    if not unkind:
        return BrokerSettings()
    return BrokerSettings(commit_lost=0.01, init_lost=0.03, abortable=0.01, unknown_offset=0.02)
