"""Cheap stand-ins: metrics, health and log of a simulated process, and its clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from consumer.clock import Clock
from consumer.runtime.stage import MAX_SILENCE
from tests.simulation.kafka.scheduler import Scheduler


def _nothing(*_: Any, **__: Any) -> None:
    return None


class Mute:
    """Takes every call and does nothing: metrics and health cost more than all else together."""

    def __getattr__(self, _name: str) -> Self:
        return self

    def __call__(self, *_: object, **__: object) -> Self:
        """The metrics of a lane, or nothing."""
        return self


class ProcessClock(Clock):
    """A process's clock: its machine's wall clock differs from true time, and can be stepped."""

    def __init__(self, scheduler: Scheduler, offset: float = 0.0) -> None:
        self.wrong_by = offset
        super().__init__(lambda: scheduler.now + self.wrong_by, lambda: scheduler.now)

    def step(self, seconds: float) -> None:
        """Set the wall clock."""
        self.wrong_by += seconds


HOT = 400
"""Turns of one loop within a simulated second that no work explains: a few dozen are usual."""


LONG_POLL = 50.0
"""Seconds that a simulated router polls at once (`tuning.py`), where the program's takes 0.1."""


class Pulse(Mute):
    """In the place of the process's health: every loop must beat, and none may run hot.

    `found` receives what is wrong; a process that is frozen is excused.
    """

    def __init__(self, process: str, scheduler: Scheduler, found: list[str]) -> None:
        self._process = scheduler.process(process)
        self._scheduler = scheduler
        self._found = found
        self._last: dict[str, float] = {}
        self._turns: dict[str, tuple[int, int]] = {}

    def register(self, name: str) -> None:
        """A loop begins."""
        self._last[name] = self._scheduler.now

    def unregister(self, name: str) -> None:
        """A loop has ended."""
        self._last.pop(name, None)

    def beat(self, name: str) -> None:
        """A sign of life."""
        now, process = self._scheduler.now, self._process
        last = self._last.get(name, now)
        self._last[name] = now
        if now - last > MAX_SILENCE + LONG_POLL and process.frozen_until < last:
            self._found.append(f"{process.name}/{name} was silent for {now - last:.0f} s")
        second, turns = self._turns.get(name, (0, 0))
        turns = turns + 1 if second == int(now) else 1
        self._turns[name] = int(now), turns
        if turns == HOT:
            self._found.append(f"{process.name}/{name} turns {HOT} times in a second")


@dataclass(slots=True)
class Story:
    """What happened, in readable lines; empty unless it was asked for."""

    scheduler: Scheduler
    wanted: bool = False
    lines: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    """Events that the program logged as errors."""

    def tell(self, actor: str, what: str, /, **facts: object) -> None:
        """Add a line: time since the world began, actor, what, facts."""
        if self.wanted:
            details = " ".join(f"{name}={value}" for name, value in facts.items())
            self.lines.append(f"{self.scheduler.now % 100_000:10.3f} {actor:12} {what} {details}")


class StoryLog:
    """In the place of the runtime's structlog loggers: tells the story, or nothing."""

    def __init__(self, story: Story, actor: Callable[[], str]) -> None:
        self._story = story
        self._actor = actor

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return self._tell if self._story.wanted else _nothing

    def error(self, event: str, **facts: object) -> None:
        """Counted, also where no story is wanted."""
        self._story.errors[event] += 1
        self._tell(event, **facts)

    def _tell(self, event: str, **facts: object) -> None:
        self._story.tell(self._actor(), event, **facts)
