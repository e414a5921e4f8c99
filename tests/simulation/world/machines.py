"""The machines' wall clocks: wrong by seconds or hours in some worlds, and stepped both ways."""

from __future__ import annotations

import random
from collections.abc import Mapping

from tests.simulation.world.doubles import Story
from tests.simulation.world.process import SimProcess

WRONG_BY = (0.0, 0.0, 35.0, -35.0, 700.0, -700.0, 11_000.0, -11_000.0)
"""Seconds that a machine's clock may be ahead; a step goes from one of them to another."""


class Machines:
    """Instance → by how much its machine's clock is wrong. `running`: instance → its process."""

    def __init__(self, rng: random.Random, running: Mapping[str, SimProcess], story: Story) -> None:
        self._rng = rng
        self._running = running
        self._story = story
        self._wrong_by: dict[str, float] = {}
        self.wild = rng.random() < 0.5
        self.steps = 0

    def wrong_by(self, instance: str) -> float:
        """Seconds; a process that starts there believes them."""
        if instance not in self._wrong_by:
            self._wrong_by[instance] = self._rng.choice(WRONG_BY) if self.wild else 0.0
        return self._wrong_by[instance]

    def times(self, start: float, length: float) -> list[float]:
        """When clocks are stepped."""
        number = self._rng.randint(1, 3) if self.wild else 0
        return [start + self._rng.random() * length for _ in range(number)]

    def step(self) -> None:
        """Set one machine's clock."""
        if not self._wrong_by:
            return
        instance = self._rng.choice(sorted(self._wrong_by))
        before, after = self._wrong_by[instance], self._rng.choice(WRONG_BY)
        self._wrong_by[instance] = after
        process = self._running.get(instance)
        if process is not None and after != before:
            self.steps += 1
            self._story.tell(process.name, "clock stepped", seconds=after - before)
            process.clock.step(after - before)
