"""Operators that pause and resume by command at any time (`survey-dispatcher pause`).

What is paused is a record of `<application_id>.pauses`, which every process with lanes reads. In
the end everything is resumed: else a world would not come to rest.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumer.kafka.records.pauses import dump
from consumer.policy.pauses import Pauses
from consumer.records.pause import Pausable, Pause, PauseKind
from tests.simulation.kafka.broker import FakeBroker
from tests.simulation.world import rules
from tests.simulation.world.doubles import Story

THINGS = (
    *(Pausable(PauseKind.CAMPAIGN, name) for name in rules.LANE_OF),
    *(Pausable(PauseKind.ROUTE, name) for made in rules.ROUTES.values() for name, _ in made),
    *(Pausable(PauseKind.VENDOR, name) for name in ("pisano", "radar")),
    Pausable(PauseKind.EVERYTHING),
)

KNOWN_WITHIN = 20.0
"""Seconds after which every process that can call knows of a pause; it may have to try again."""

RESUMED_AFTER = 90.0
"""Seconds after the traffic when everything is resumed."""


@dataclass(slots=True)
class Pausing:
    """Draws pauses and resumes; `held`: what was paused from when until when."""

    rng: random.Random
    broker: FakeBroker
    story: Story
    held: list[tuple[Pausable, float, float]] = field(default_factory=list)
    _since: dict[Pausable, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.broker.create_topic(rules.config().topics.pauses)

    def plan(self, start: float, length: float) -> None:
        """Draw when something is paused or resumed."""
        scheduler = self.broker.scheduler
        for _ in range(self.rng.randint(2, 8)):
            when = start + self.rng.uniform(-4.0, length + RESUMED_AFTER - 1.0)
            scheduler.at(when, self._change)
        scheduler.at(start + length + RESUMED_AFTER, self._resume_all)

    def paused_at(self, when: float) -> Pauses:
        """What was paused so long that it must be known, and is not resumed yet."""
        return Pauses.of(
            thing for thing, since, until in self.held if since + KNOWN_WITHIN <= when < until
        )

    def _change(self) -> None:
        thing = self.rng.choice(THINGS)
        if self._since and self.rng.random() < 0.4:
            thing = self.rng.choice(sorted(self._since))
            self._end(thing)
        elif thing not in self._since:
            self._since[thing] = self.broker.scheduler.now
            self._write(thing, paused=True)

    def _resume_all(self) -> None:
        for thing in sorted(self._since):
            self._end(thing)

    def _end(self, thing: Pausable) -> None:
        now = self.broker.scheduler.now
        self.held.append((thing, self._since.pop(thing), now))
        self._write(thing, paused=False)

    def _write(self, thing: Pausable, *, paused: bool) -> None:
        now = self.broker.scheduler.now
        self.story.tell("operator", "pauses", thing=thing.text, paused=paused)
        record = Pause(**thing._asdict(), paused=paused, at=now)
        self.broker.append(rules.config().topics.pauses, 0, dump(record), thing.key.encode())

    @property
    def waits(self) -> bool:
        """Whether something is paused."""
        return bool(self._since)


Call = tuple[float, str, str, str]
"""When it left; route, campaign and vendor of one of its invitations."""


def called_though_paused(pausing: Pausing, calls: Iterable[Call]) -> Iterator[str]:
    """Yield what left although it was paused."""
    for when, route, campaign, vendor in calls:
        if pausing.paused_at(when).holds(route, campaign, vendor):
            yield f"{campaign} of route {route} was called at {when:.1f}, though it was paused"
