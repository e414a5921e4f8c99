"""Cheap stand-ins: metrics, health and log of a simulated process, and its clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.kafka.scheduler import Scheduler


def _nothing(*_: Any, **__: Any) -> None:
    return None


class Mute:
    """Takes every call and does nothing: metrics and health cost more than all else together."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return _nothing


@dataclass(slots=True)
class ProcessClock:
    """A process's clock: it never jumps while it runs, and differs by start and machine."""

    scheduler: Scheduler
    offset: float = 0.0

    def now(self) -> float:
        """Epoch seconds, as this process believes."""
        return self.scheduler.now + self.offset


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
