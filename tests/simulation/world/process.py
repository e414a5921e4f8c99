"""One run of a simulated dispatcher process: the real router and lanes, each in its own task."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from consumer.errors import KafkaTrouble, StartUnclear
from consumer.lane.settings import LaneSettings
from consumer.lane.shelf import Shelf
from consumer.runtime import lane_loop
from consumer.runtime.ladder_loop import LadderLoop
from consumer.runtime.lane_loop import LaneLoop
from consumer.runtime.lane_owner import LaneOwner
from consumer.runtime.router_loop import RouterLoop
from consumer.runtime.stage import Stage
from tests.simulation.kafka.clients import FakeClients
from tests.simulation.kafka.scheduler import Scheduler, Task
from tests.simulation.world import rules
from tests.simulation.world.doubles import Mute, ProcessClock, Story
from tests.simulation.world.wire import SimCalls, Wire


@dataclass(slots=True)
class Ownership:
    """One owner's time with a lane, for the checker."""

    process: str
    lane: str
    epoch: int
    lost_at: int | None = None
    """How many transactions had been committed by then, by anybody; None if it was not lost."""
    until: float = math.inf
    """How many had been when it ended."""
    drain_began: float | None = None
    drain_ended: float | None = None
    clean: bool | None = None
    """Whether its last drain left nothing; None if there was none, or it was not finished."""


@dataclass(slots=True)
class Watch:
    """What the world sees of all processes' lanes."""

    scheduler: Scheduler
    commits: int = 0
    """Transactions that were committed so far."""
    owners: list[Ownership] = field(default_factory=list)
    too_many: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)


@dataclass(slots=True)
class SimLane(LaneLoop):
    """The real loop, watched."""

    watch: Watch = field(default=None)  # type: ignore[assignment]
    process: str = ""
    current: Ownership | None = None

    def _turn(self, consumer: Consumer) -> None:
        LaneLoop._turn(self, consumer)
        if self.owner is not None:
            self._weigh(self.owner.lane.shelf)

    def _weigh(self, shelf: Shelf) -> None:
        if shelf.held > self.settings.max_held:
            self.watch.too_many.append(f"{self.process}/{self.name} holds {shelf.held}")
        poll = lane_loop.POLL_RECORDS + self.settings.max_held  # what one poll may push out
        if shelf.reading.noted > self.settings.max_noted + poll:
            self.watch.too_many.append(f"{self.process}/{self.name} noted {shelf.reading.noted}")

    def _take_over(self, consumer: Consumer) -> LaneOwner:
        owner = LaneLoop._take_over(self, consumer)
        self.current = Ownership(self.process, self.name, owner.lane.epoch)
        self.watch.owners.append(self.current)
        owner.events.nudge = consumer.nudge  # type: ignore[attr-defined]
        self.watch.scheduler.point("taken over")
        return owner

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if consumer is self._consumer and self.current is not None:
            self.current.lost_at = self.watch.commits
        LaneLoop._lost(self, consumer, partitions)

    def _drain(self, owner: LaneOwner) -> None:
        current = self.current
        if current is not None:
            current.drain_began = self.watch.scheduler.now
        self.watch.scheduler.point("drain")
        LaneLoop._drain(self, owner)
        if current is not None:
            current.drain_ended = self.watch.scheduler.now
            current.clean = owner.lane.idle

    def _drop(self) -> None:
        if self.current is not None:
            self.current.until = self.watch.commits
            self.current = None
        LaneLoop._drop(self)


class SimProcess:
    """Alive from construction until its tasks ended, or until it is killed."""

    def __init__(
        self,
        name: str,
        instance: str,
        *,
        wire: Wire,
        watch: Watch,
        clients: FakeClients,
        lanes: Mapping[str, LaneSettings],
        rng: random.Random,
        clock_offset: float,
        ended: Callable[[SimProcess], None],
    ) -> None:
        self.name = name
        self.instance = instance
        self.story: Story = wire.story
        self._scheduler = wire.scheduler
        self._watch = watch
        self._rng = rng
        self._ended = ended
        self._clients = clients
        self._open = 0
        config = rules.config()
        self.clock = clock = ProcessClock(wire.scheduler, clock_offset)
        self.stage = Stage(
            topics=config.topics,
            lanes=config.lanes,
            config_version=config.config_version,
            clients=clients,
            clock=clock,
            metrics=Mute(),  # type: ignore[arg-type]
            health=Mute(),  # type: ignore[arg-type]
            instance=instance,
        )
        modules = {
            account.quota: (vendor, rules.vendors()[vendor])
            for vendor, account in config.vendors.items()
        }
        calls = SimCalls(
            wire,
            name,
            clock,
            config.campaigns,
            {
                vendor: (lane, module, lanes[lane].call_timeout)
                for lane, (vendor, module) in modules.items()
            },
        )
        self._tasks: list[Task] = []
        router = RouterLoop(rules.router(), config.input_topics, self.stage, "earliest", instance)
        self._start("router", router.session)
        self._start("ladder", LadderLoop(self.stage, instance).session)
        for lane, settings in lanes.items():
            self._start(lane, self._lane(settings, calls).session)

    def _lane(self, settings: LaneSettings, calls: SimCalls) -> SimLane:
        return SimLane(
            settings,
            self.stage,
            calls,
            "earliest",
            tuple(f"{each.calls}/{each.period:g}s" for each in settings.limits),
            rng=random.Random(self._rng.random()),
            watch=self._watch,
            process=self.name,
        )

    def _start(self, name: str, session: Callable[[], None]) -> None:
        self._open += 1
        self._tasks.append(
            self._scheduler.spawn(name, self.name, lambda: self._keep_running(name, session))
        )

    def _keep_running(self, name: str, session: Callable[[], None]) -> None:
        """As `Stage.keep_running` and `Process._thread` do, on the virtual clock."""
        while not self.stage.stop.is_set():
            try:
                session()
            except KafkaTrouble as error:
                self.story.tell(f"{self.name}/{name}", "session ended", why=error)
                self._scheduler.wait(self._scheduler.now + self._rng.uniform(0.0, 2.0))
            except StartUnclear as error:
                self._watch.unclear.append(f"{self.name}/{name}: {error}")
                break
        self._open -= 1
        if not self._open:
            self._ended(self)

    def terminate(self) -> None:
        """SIGTERM."""
        self.stage.stop.set()
        self._clients.wake()
        for task in self._tasks:
            self._scheduler.wake(task)
