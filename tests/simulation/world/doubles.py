"""Cheap stand-ins: metrics, health and log of a simulated process, and its clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from consumer.adapters.clock import Clock
from tests.simulation.kafka.scheduler import Scheduler


def _nothing(*_: Any, **__: Any) -> None:
    return None


class Mute:
    """Takes every call and does nothing: metrics and health cost more than all else together."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return _nothing


class ProcessClock(Clock):
    """A process's clock: its machine's wall clock differs from true time, and can be stepped."""

    def __init__(self, scheduler: Scheduler, offset: float = 0.0) -> None:
        self.wrong_by = offset
        super().__init__(lambda: scheduler.now + self.wrong_by, lambda: scheduler.now)

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.wrong_by += seconds


@dataclass(slots=True)
class Story:
    """What happened, in readable lines; empty unless somebody wants to read it."""

    scheduler: Scheduler
    wanted: bool = False
    lines: list[str] = field(default_factory=list)

    def tell(self, who: str, what: str, **facts: object) -> None:
        """One line: time since the world began, who, what, facts."""
        if self.wanted:
            details = " ".join(f"{name}={value}" for name, value in facts.items())
            self.lines.append(f"{self.scheduler.now % 100_000:10.3f} {who:12} {what} {details}")


class StoryLog:
    """In the place of the runtime's structlog loggers: tells the story, or nothing."""

    def __init__(self, story: Story, who: Callable[[], str]) -> None:
        self._story = story
        self._who = who

    def __getattr__(self, _level: str) -> Callable[..., None]:
        return self._tell if self._story.wanted else _nothing

    def _tell(self, event: str, **facts: object) -> None:
        self._story.tell(self._who(), event, **facts)
