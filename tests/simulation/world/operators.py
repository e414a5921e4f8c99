"""Operators that give commands at any time: `lanes reopen`, `campaigns retry`, `inputs resume`.

A command is a record of `<application_id>.commands`, which every process reads (ADR 0010). Most of
these are about a state that is over, or never was: nothing may come of them. Some are written
twice, and some are no commands at all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import inf

from consumer.kafka.records.operator_commands import (
    Command,
    ReopenLane,
    ResumeInput,
    RetryCampaign,
    dump,
)
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.world import rules
from tests.simulation.world.doubles import Story
from tests.simulation.world.process import SimProcess
from tests.simulation.world.traffic import Expected

AFTERWARDS = 120.0
"""Seconds after the traffic within which commands are given."""

MENDED_AFTER = 20.0
"""Seconds after the traffic when a partition that lost records is resumed."""

JUNK = (b"", b"{}", b"\xff", b'{"command": "resume_input", "id": 1}', None)


class Operators:
    """`running`: instance → its process, to see what an operator would see. `sure`: no clock is so
    wrong that commands lapse."""

    def __init__(
        self,
        rng: random.Random,
        broker: FakeBroker,
        story: Story,
        running: Mapping[str, SimProcess],
        expected: Expected,
        *,
        sure: bool,
    ) -> None:
        self._rng = rng
        self._broker = broker
        self._story = story
        self._running = running
        self._expected = expected
        self._topic = rules.config().topics.commands
        self._given = 0
        self.sure = sure
        self.resumed: dict[tuple[str, int], int] = {}
        """Partition that lost records → where an operator has it go on."""
        broker.create_topic(self._topic)

    def plan(self, start: float, length: float) -> None:
        """Draw when commands are given."""
        scheduler = self._broker.scheduler
        for _ in range(self._rng.randint(5, 25)):
            scheduler.at(start + self._rng.uniform(0.0, length + AFTERWARDS), self._give)
        scheduler.at(start + length + MENDED_AFTER, self._mend)

    @property
    def waits(self) -> bool:
        """Whether a partition that stands still is not resumed yet, or has not gone on."""
        lost = self._expected.lost
        if lost is None or not self.sure:
            return False
        return (self._committed(*lost) or 0) < self.resumed.get(lost, inf)

    def _give(self) -> None:
        if self._rng.random() < 0.1:
            self._broker.append(self._topic, 0, self._rng.choice(JUNK))
            return
        command = self._rng.choice([self._reopen, self._retry, self._retry, self._resume])()
        if command is not None:
            self._write(command)

    def _write(self, command: Command) -> None:
        self._story.tell("operator", "commands", command=command)
        for _ in range(self._rng.choice([1, 1, 2])):
            self._broker.append(self._topic, 0, dump(command))

    def _new(self) -> dict[str, object]:
        self._given += 1
        return {"id": f"command-{self._given}", "at": self._broker.scheduler.now}

    def _retry(self) -> Command:
        return RetryCampaign(campaign=self._rng.choice(list(rules.LANE_OF)), **self._new())

    def _reopen(self) -> Command:
        """As `lanes status` shows the silence, or as it was shown a while ago."""
        lane = self._rng.choice(rules.LANES)
        owners = (process.owner_of(lane) for process in self._running.values())
        ends = [owner.lane.limiter.closed_until for owner in owners if owner is not None]
        seen = max([*ends, 0.0]) + self._rng.choice([0.0, 0.0, -30.0])
        return ReopenLane(lane=lane, closed_until=max(0.0, seen), **self._new())

    def _resume(self) -> Command | None:
        """Of a partition that does not stand still, or no more as it was seen."""
        topic = self._rng.choice(list(rules.INPUTS))
        partition = self._rng.randrange(rules.INPUTS[topic])
        seen = self._committed(topic, partition)
        if seen is None or (topic, partition) == self._expected.lost:
            return None
        stale = max(0, seen - self._rng.choice([0, 1, 5]))
        return self._resuming(topic, partition, stale, self._rng.choice([0, seen, seen + 3]))

    def _mend(self) -> None:
        """The partition that lost records goes on behind them."""
        if self._expected.lost is None:
            return
        topic, partition = self._expected.lost
        seen, low = self._committed(topic, partition), self._broker.partition(topic, partition).low
        if seen is None:
            return
        self.resumed[topic, partition] = low
        self._expected.resumed = self.sure
        self._write(self._resuming(topic, partition, seen, low))

    def _committed(self, topic: str, partition: int) -> int | None:
        return self._broker.group(f"{rules.APPLICATION}.router").offsets.get((topic, partition))

    def _resuming(self, topic: str, partition: int, seen: int, offset: int) -> Command:
        return ResumeInput(
            topic=topic,
            topic_id=self._broker.topic_id(topic),
            seen={partition: seen},
            offsets={partition: offset},
            **self._new(),
        )
