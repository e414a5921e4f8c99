"""Runs steps one after another: each is done under load, and judged by the vendor's journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from tests.cluster.node import Cluster
from tests.cluster.release import Release
from tests.cluster.world import ClusterWorld, traffic

ANSWERED = 600.0
"""Seconds until the last result of a step; a quiet machine has it at once."""


@dataclass(frozen=True)
class Scene:
    """What a step acts on."""

    cluster: Cluster
    world: ClusterWorld
    release: Release


@dataclass(frozen=True)
class Step:
    """`act` does it and returns what was seen. `load`: purchases come meanwhile.

    `in_doubt`: results may be unknown, for processes are killed while calls are in flight.
    """

    name: str
    act: Callable[[Scene], str]
    load: bool = True
    in_doubt: bool = False


@dataclass(frozen=True)
class Row:
    """A step's figures, of itself alone."""

    step: str
    seconds: float
    events: int
    results: int
    unknown: int
    calls: int
    seen: str


class Check:
    """Does steps on a scene; `rows` are their figures so far."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._unknown = 0
        self.rows: list[Row] = []

    def run(self, step: Step) -> Row:
        """Do a step and judge all results so far. Raises what the step raises, naming it."""
        sys.stderr.write(f"{step.name} …\n")
        try:
            row = self._run(step)
        except Exception as error:
            error.add_note(f"in the step: {step.name}")
            raise
        self.rows.append(row)
        return row

    def _run(self, step: Step) -> Row:
        world, began = self._scene.world, time.monotonic()
        events, calls = len(world.events), world.calls()
        with traffic(world) if step.load else nullcontext():
            seen = step.act(self._scene)
        new = len(world.events) - events
        world.wait_results(len(world.events), ANSWERED)
        results = world.check(self._unknown + (new if step.in_doubt else 0))
        unknown = sum(result["status"] == "unknown" for result in results) - self._unknown
        self._unknown += unknown
        seconds, called = time.monotonic() - began, world.calls() - calls
        return Row(step.name, seconds, new, len(results) - events, unknown, called, seen)
