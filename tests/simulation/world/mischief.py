"""Carries out a world's faults: kills, freezes, stops, moves, outages, other programs' writes."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.kafka.log import Transaction
from tests.simulation.kafka.scheduler import Task
from tests.simulation.world import rules
from tests.simulation.world.doubles import Story
from tests.simulation.world.faults import AtPoint, Kind, at_points, at_times
from tests.simulation.world.process import Ownership, SimProcess

REJOINED_WITHIN = 10.0
"""Seconds after which a group is as it was, whose members were all dropped."""

PAUSED_DROPS = 4
"""How often a lane's members are dropped while its reader is paused."""


@dataclass(slots=True)
class Mischief:
    """`running`: instance → its process. `restart`: start an instance at a time."""

    rng: random.Random
    broker: FakeBroker
    story: Story
    running: dict[str, SimProcess]
    restart: Callable[[str, float], None]
    calm_from: float
    unkind: bool
    done: Counter[str] = field(default_factory=Counter)
    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(crash point, kill or freeze) → how often."""
    _armed: dict[str, AtPoint] = field(default_factory=dict)
    _left: dict[str, int] = field(default_factory=dict)
    _disturbed: list[tuple[str | None, float, float]] = field(default_factory=list)
    _drops: Counter[str] = field(default_factory=Counter)
    """Lane → how often its group forgot its members since its reader was paused."""

    def plan(self, start: float, length: float) -> None:
        """Draw what will happen while there is traffic."""
        self._armed = {at_point.label: at_point for at_point in at_points(self.rng)}
        self._left = {label: each.count for label, each in self._armed.items()}
        scheduler = self.broker.scheduler
        for fault in at_times(self.rng, start, length):
            scheduler.at(fault.at, lambda kind=fault.kind: self._happen(kind))  # type: ignore[misc]

    def shake(self, start: float, length: float, *, drops: bool) -> None:
        """Partitions move more often, and while delay topics give back, too; two freezes.
        `drops`: each lane's group forgets its members once: the lane can come back to its owner."""
        scheduler, rng = self.broker.scheduler, self.rng
        stages = ("ladder", *(f"lane.{lane}" for lane in rules.LANES))
        for _ in range(8):
            group = f"{rules.APPLICATION}.{rng.choice(stages)}"
            when = start + rng.uniform(0.0, length + 90.0)
            scheduler.at(when, lambda group=group: self.broker.rebalance(group))  # type: ignore[misc]
        for _ in range(2):
            when = start + rng.uniform(0.0, length)
            scheduler.at(when, lambda: self._happen(Kind.FREEZE))
        for lane in rules.LANES if drops else ():
            when = start + rng.uniform(0.0, length)
            scheduler.at(when, partial(self._drop_members, f"lane.{lane}"))

    def paused(self, lane: str) -> None:
        """A lane's reader is paused: its group forgets its members, a few times at most."""
        if self._drops[lane] < PAUSED_DROPS:
            self._drops[lane] += 1
            self._drop_members(f"lane.{lane}")

    def point(self, task: Task, label: str) -> None:
        """A task passes a crash point."""
        left = self._left.get(label)
        if left is None:
            return
        if left > 1:
            self._left[label] = left - 1
            return
        del self._left[label]
        named = (each for each in self.running.values() if each.name == task.process.name)
        process = next(named, None)
        if process is not None and self.broker.scheduler.now < self.calm_from:
            kind = self._armed[label].kind
            self.points[label, kind] += 1
            self.story.tell(process.name, f"{kind} at {label}", task=task.name)
            self._hit(process, kind)

    def disturbed(self, owner: Ownership) -> bool:
        """Whether anything kept an owner from ending in peace while it drained its lane."""
        began = owner.drain_began
        ended = owner.drain_ended
        if began is None or ended is None or self.unkind:
            return True
        return any(
            process in {None, owner.process} and since <= ended and began <= until
            for process, since, until in self._disturbed
        )

    def _happen(self, kind: Kind) -> None:
        if kind in {Kind.KILL, Kind.FREEZE, Kind.TERMINATE}:
            if self.running:
                self._hit(self.rng.choice(list(self.running.values())), kind)
            return
        self.done[kind] += 1
        self.story.tell("world", kind)
        {
            Kind.OUTAGE: self._outage,
            Kind.MOVE: self._move,
            Kind.COMPACT: self._compact,
            Kind.STRAY: self._stray,
        }[kind]()

    def _hit(self, process: SimProcess, kind: Kind) -> None:
        scheduler, rng = self.broker.scheduler, self.rng
        now = scheduler.now
        self.done[kind] += 1
        self.story.tell(process.name, kind)
        if kind is Kind.KILL:
            del self.running[process.instance]
            scheduler.kill(process.name)
            self.restart(process.instance, now + rng.choice([0.5, 30.0]) * rng.random())
        elif kind is Kind.FREEZE:
            until = now + rng.choice([4.0, 15.0, 40.0])
            self._disturbed.append((process.name, now, until))
            scheduler.freeze(process.name, until)
        else:
            process.terminate()

    def _outage(self) -> None:
        now = self.broker.scheduler.now
        until = now + self.rng.uniform(0.5, 25.0)
        self._disturbed.append((None, now, until))
        self.broker.down(until)

    def _move(self) -> None:
        stages = ("router", "ladder", *(f"lane.{lane}" for lane in rules.LANES))
        self.broker.rebalance(f"{rules.APPLICATION}.{self.rng.choice(stages)}")

    def _drop_members(self, name: str) -> None:
        """A coordinator that knows no member of a group any more: all must join again."""
        now = self.broker.scheduler.now
        self._disturbed.append((None, now, now + REJOINED_WITHIN))
        self.story.tell("world", "members dropped", group=name)
        for member in list(self.broker.group(f"{rules.APPLICATION}.{name}").members.values()):
            member.client.drop(now)

    def _compact(self) -> None:
        for lane in rules.LANES:
            self.broker.compact(rules.config().topics.checkpoints(lane))

    def _stray(self) -> None:
        """Another producer's transaction hides what is committed behind it; then the lane moves."""
        scheduler, lane = self.broker.scheduler, self.rng.choice(rules.LANES)
        now = scheduler.now
        (partition,) = self.broker.partitions(rules.config().topics.checkpoints(lane))
        stray = Transaction("a tool", 0, now)
        partition.append(b"stray", b"{}", None, int(now * 1000), stray)
        until = now + self.rng.uniform(5.0, 40.0)
        self._disturbed.append((None, now, until))

        def end() -> None:
            stray.state = "aborted"
            partition.mark(stray)

        scheduler.at(until, end)
        moving = self.rng.choice([Kind.KILL, Kind.MOVE, Kind.TERMINATE])
        scheduler.at(self.rng.uniform(now, until), lambda: self._happen(moving))
