"""One run of a simulated dispatcher process: the real router and lanes, each in its own task."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from confluent_kafka import Consumer, KafkaException, TopicPartition

from consumer.errors import KafkaSessionError, StartPositionError
from consumer.kafka.errors import describe
from consumer.kafka.queries import Partition
from consumer.lane.buffer.buffer import InvitationBuffer
from consumer.runtime.contacts.view import ContactView
from consumer.runtime.delay.delay_loop import DelayStage
from consumer.runtime.lane import lane_loop
from consumer.runtime.lane.lane_loop import LaneStage
from consumer.runtime.lane.lane_owner import LaneOwnership
from consumer.runtime.router.router_loop import RouterStage
from consumer.runtime.stage import ConfigInUse, StageServices
from consumer.runtime.watchers.command_watch import CommandWatch
from consumer.runtime.watchers.pause_watch import PauseBoard, PauseWatch
from consumer.wiring.build import LaneConfig
from consumer.wiring.contacts import ContactConfig, route_contacts
from tests.simulation.kafka.clients import FakeClients
from tests.simulation.kafka.scheduler import Scheduler, Task
from tests.simulation.world import rules
from tests.simulation.world.contacts import FleetContacts, SimContactService, SimStop
from tests.simulation.world.doubles import Mute, ProcessClock, Pulse, Story
from tests.simulation.world.wire import SimCalls, Wire

NEAR_END = 20
"""An invitation that expires soon is never delayed: so many may be spilled beyond the bound."""


@dataclass(slots=True)
class Ownership:
    """One owner's time with a lane, for the checker."""

    process: str
    lane: str
    epoch: int
    lost_at: int | None = None
    """How many transactions had been committed by then, by any process; None if it was not lost."""
    until: float = math.inf
    """How many had been when it ended."""
    drain_began: float | None = None
    drain_ended: float | None = None
    clean: bool | None = None
    """Whether its last drain left nothing; None if there was none, or it was not finished."""
    given_back_at: float | None = None
    """When the group asked for the lane and got it, as the callback that gives it back began."""
    left: int = 0
    """Calls that were in flight when a lane that is given back was dropped."""


@dataclass(slots=True)
class Watch:
    """What the world sees of all processes' lanes."""

    scheduler: Scheduler
    commits: int = 0
    """Transactions that were committed so far."""
    owners: list[Ownership] = field(default_factory=list)
    too_many: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    lifeless: list[str] = field(default_factory=list)
    """Loops that were silent for too long, or ran hot."""
    paused: Callable[[str], None] = lambda _lane: None
    """Told the lane whose reader is paused, after each of its turns."""


@dataclass(slots=True)
class SimLane(LaneStage):
    """The real loop, watched."""

    watch: Watch = field(default=None)  # type: ignore[assignment]
    process: str = ""
    current: Ownership | None = None

    def _wait_for_pauses(self) -> None:
        while self._stays() and not self.services.pauses.known:
            self.run.beat()
            self.watch.scheduler.wait(self.watch.scheduler.now + lane_loop.LOOK_EVERY)

    def _turn(self) -> None:
        LaneStage._turn(self)
        if self.ownership is not None:
            self._weigh(self.ownership.lane.buffer)
            if self.ownership.lane.paused:
                self.watch.paused(self.name)

    def _weigh(self, buffer: InvitationBuffer) -> None:
        if buffer.buffered > self.settings.max_buffered:
            self.watch.too_many.append(f"{self.process}/{self.name} holds {buffer.buffered}")
        poll = (
            lane_loop.POLL_RECORDS + self.settings.max_buffered + NEAR_END
        )  # what a poll pushes out
        if buffer.read_plan.spilled > self.settings.max_spilled + poll:
            self.watch.too_many.append(
                f"{self.process}/{self.name} spilled {buffer.read_plan.spilled}"
            )

    def _take_over(self, consumer: Consumer) -> LaneOwnership:
        owner = LaneStage._take_over(self, consumer)
        self.current = Ownership(self.process, self.name, owner.lane.epoch)
        self.watch.owners.append(self.current)
        owner.events.nudge = consumer.nudge  # type: ignore[attr-defined]
        self.watch.scheduler.point("taken over")
        return owner

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `LaneStage`."""
        current, owner, began = self.current, self.ownership, self.watch.scheduler.now
        if lost and current is not None:
            current.lost_at = self.watch.commits
        LaneStage.revoke(self, partitions, lost=lost)
        if not lost and current is not None and owner is not None and self.ownership is None:
            current.given_back_at, current.left = began, len(owner.lane.in_flight)

    def _drain(self, owner: LaneOwnership) -> None:
        current = self.current
        if current is not None:
            current.drain_began = self.watch.scheduler.now
        self.watch.scheduler.point("drain")
        LaneStage._drain(self, owner)
        if current is not None:
            current.drain_ended = self.watch.scheduler.now
            current.clean = owner.lane.idle

    def _drop(self) -> None:
        if self.current is not None:
            self.current.until = self.watch.commits
            self.current = None
        LaneStage._drop(self)


class Told(Mute):
    """Metrics of which one is heard: partitions that stand still until an operator has spoken."""

    def __init__(self, process: str, watch: Watch) -> None:
        self._process = process
        self._watch = watch
        self._stopped: dict[str, set[Partition]] = {}

    def stage(self, name: str) -> Mute:
        """Return the metrics of one of the process's stages."""
        return _ToldStage(self, name)

    def tell(self, stage: str, stopped: Mapping[Partition, int]) -> None:
        """Hear which partitions of the stage stand still, and only these."""
        if stopped.keys() - self._stopped.get(stage, set()):
            told = f"{self._process}/{stage}: {min(stopped)} stands still"
            self._watch.unclear.append(told)
        self._stopped[stage] = set(stopped)


class _ToldStage(Mute):
    def __init__(self, process: Told, name: str) -> None:
        self._told = process
        self._name = name

    def stopped_partitions(self, stopped: Mapping[Partition, int]) -> None:
        """See `StageMetrics`."""
        self._told.tell(self._name, stopped)


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
        setup: rules.Setup,
        rng: random.Random,
        clock_offset: float,
        ended: Callable[[SimProcess], None],
        contacts: FleetContacts | None = None,
        paused: bool = False,
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
        self._wire = wire
        self.clock = ProcessClock(wire.scheduler, clock_offset)
        self._pulse = Pulse(name, wire.scheduler, watch.lifeless)
        config = setup.config
        self.stage = StageServices(
            topics=config.topics,
            config=ConfigInUse(config.config_version, config.lanes, config.homes),
            clients=clients,
            clock=self.clock,
            metrics=Told(name, watch),  # type: ignore[arg-type]
            health=self._pulse,  # type: ignore[arg-type]
            instance=instance,
            pauses=PauseBoard(known=not paused),
        )
        self._contacts: SimContactService | None = None
        if contacts is not None:
            self.stage = replace(self.stage, stop=SimStop(wire.scheduler))
            self._contacts = SimContactService(contacts, name, self.clock)
        self._calls = self._calls_of(setup)
        self._tasks: list[Task] = []
        self._lanes: dict[str, SimLane] = {}
        self._newest: rules.Setup | None = None  # asked for, and not read yet
        self._reloading = False
        router = setup.router
        self._router = RouterStage(router.router, router.inputs, self.stage, "earliest", instance)
        self._start("router", self._router.run_membership)
        self._start("delay", DelayStage(self.stage, instance).run_membership)
        for lane in setup.lanes:
            self._start_lane(lane, setup)
        self._view: ContactView | None = None
        if self._contacts is not None:
            book, state = self._contacts.book(config), self._contacts.state
            self._view = ContactView(self.stage, book, config, state)
            self._start("contacts", self._view.run_membership)

    def hear_commands(self) -> None:
        """Read what operators command, as `Process` does."""
        self._start("commands", self._read_commands)

    def hear_pauses(self) -> None:
        """Read what operators pause, as `Process` does."""
        self._start("pauses", self._read_pauses)

    def owner_of(self, lane: str) -> LaneOwnership | None:
        """The lane's owner here, if this process has the lane."""
        found = self._lanes.get(lane)
        return found.ownership if found else None

    def _read_commands(self) -> None:
        stage, clients = self.stage, self._clients
        application = stage.topics.application_id
        watch = CommandWatch(
            stage.topics.commands,
            clients,
            stage.commands,
            Mute(),  # type: ignore[arg-type]
            self.clock.now,
            f"{application}.commands.{self.instance}",
        )
        reader = clients.consumer(f"{application}.command-reader", lambda _error: None)
        try:
            if watch._exists(reader):
                watch._read(reader, stage.stop)
        except KafkaException as error:
            raise KafkaSessionError(describe(error)) from error
        finally:
            stage.commands.connect(connected=False)
            clients.close(reader)

    def _read_pauses(self) -> None:
        stage, clients = self.stage, self._clients
        topic = stage.topics.pauses
        watch = PauseWatch(topic, clients, stage.pauses, lambda _now: None, self.clock.now)
        group = f"{stage.topics.application_id}.pause-reader"
        reader = clients.consumer(group, lambda _error: None)
        try:
            if watch._exists(reader):
                watch._follow(reader, stage.stop)
        except KafkaException as error:
            raise KafkaSessionError(describe(error)) from error
        finally:
            clients.close(reader)

    def _calls_of(self, setup: rules.Setup, former: SimCalls | None = None) -> SimCalls:
        accounts = {
            name: (account.quota, setup.vendors[name], setup.lanes[account.quota].call_timeout)
            for name, account in setup.config.vendors.items()
        }
        calls = SimCalls(self._wire, self.name, self.clock, setup.config.campaigns, accounts)
        if former is not None:  # sessions of accounts that did not change go on
            for name, account in former.accounts.items():
                calls.accounts[name].token = account.token
        return calls

    def _start_lane(self, name: str, setup: rules.Setup) -> None:
        settings = setup.lanes[name]
        lane = self._lanes[name] = SimLane(
            settings,
            self.stage,
            self._calls,
            "earliest",
            rng=random.Random(self._rng.random()),
            watch=self._watch,
            process=self.name,
            contacts=self._contacts_of(setup),
            contact_service=self._contacts,  # type: ignore[arg-type]
        )
        self._start(name, lane.run_membership)

    def _contacts_of(self, setup: rules.Setup) -> ContactConfig | None:
        if self._contacts is None:
            return None
        book, config = self._contacts.book(setup.config), setup.config
        known = {key: each for lane in setup.lanes.values() for key, each in lane.campaigns.items()}
        return ContactConfig(book, known, route_contacts(config))

    def follow(self, setup: rules.Setup) -> None:
        """Reload as `Reloader` does: one reload at a time, each of the newest config."""
        if self.stage.stop.is_set():
            return
        self._newest = setup
        if not self._reloading:
            self._reloading = True
            self._scheduler.spawn("reload", self.name, self._reload)

    def _reload(self) -> None:
        while (setup := self._newest) is not None:
            self._newest = None
            self._go_over(setup)
        self._reloading = False

    def _go_over(self, setup: rules.Setup) -> None:
        """Take another config in the order of `Supervisor.reconfigure`."""
        self._calls = self._calls_of(setup, self._calls)
        config = setup.config
        in_use = self.stage.config
        in_use.lanes, in_use.homes = config.lanes, config.homes
        for name, lane in self._lanes.items():
            settings = setup.lanes[name]
            lane.reconfigure(LaneConfig(settings, self._calls, contacts=self._contacts_of(setup)))
        for name in setup.lanes.keys() - self._lanes.keys():
            self._start_lane(name, setup)
        if self._view is not None and self._contacts is not None:
            self._view.reconfigure(self._contacts.book(config), config)
        self._clients.wake()
        self._scheduler.sleep(self._rng.uniform(0.0, 5.0))
        self._router.reconfigure(setup.router)
        in_use.version = config.config_version
        self._clients.wake()

    def _start(self, name: str, session: Callable[[], None]) -> None:
        self._open += 1
        self._tasks.append(
            self._scheduler.spawn(name, self.name, lambda: self._keep_running(name, session))
        )

    def _keep_running(self, name: str, session: Callable[[], None]) -> None:
        """As `StageRun.keep_running` and `Process._thread` do, on the virtual clock."""
        self._pulse.register(name)
        while not self.stage.stop.is_set():
            try:
                session()
            except KafkaSessionError as error:
                self.story.tell(f"{self.name}/{name}", "session ended", why=error)
                self._scheduler.wait(self._scheduler.now + self._rng.uniform(0.0, 2.0))
            except StartPositionError as error:
                self._watch.unclear.append(f"{self.name}/{name}: {error}")
                break
        self._pulse.unregister(name)
        self._open -= 1
        if not self._open:
            self._ended(self)

    def terminate(self) -> None:
        """SIGTERM."""
        self.stage.stop.set()
        self._clients.wake()
        for task in self._tasks:
            self._scheduler.wake(task)
