"""Many worlds on several processor cores, and what their calls came to."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.permits.judges import COUNTERS, used
from tests.simulation.permits.mutants import MUTANTS
from tests.simulation.permits.scenes import DOCUMENTED, LATENCIES, Practice, Scene, restless
from tests.simulation.permits.world import PermitsWorld

WORLD_CALLS = 10_000
"""Calls of one world: about eleven hours under the documented limits."""

RESTLESS = "restless"
"""The name of worlds with limits at random, all networks, and an owner for a minute."""

SCENES = (*LATENCIES, RESTLESS)

RIGHT = Practice()


@dataclass(frozen=True, slots=True)
class Task:
    """One world to run. `scene` is one of `SCENES`."""

    scene: str
    number: int
    calls: int
    mutant: str | None = None


@dataclass(slots=True)
class Tally:
    """What the calls of one scene came to; `refused` by counter."""

    calls: int = 0
    counted: int = 0
    allowed: float = 0.0
    takeovers: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """One more world."""
        self.calls += other.calls
        self.counted += other.counted
        self.allowed += other.allowed
        self.takeovers += other.takeovers
        self.refused.update(other.refused)

    @property
    def share(self) -> float:
        """Part of the calls that the tightest limit allows; NaN if no whole period was seen."""
        return self.counted / self.allowed if self.allowed else float("nan")


def scene_of(task: Task) -> Scene:
    """Every second restless world has the documented limits."""
    if task.scene != RESTLESS:
        return Scene(DOCUMENTED, task.scene)
    made = restless(random.Random(f"scene {task.number}"))
    return made if task.number % 2 else Scene(DOCUMENTED, made.latency, made.losses, made.logins)


def run(task: Task, counters: Sequence[str] = tuple(COUNTERS)) -> Tally:
    """One world, judged by these counters."""
    scene = scene_of(task)
    practice = MUTANTS[task.mutant] if task.mutant else RIGHT
    name = f"{task.scene} {task.number}"
    world = PermitsWorld(name, scene, practice)
    world.run(task.calls)
    arrived = sorted(world.arrived)
    refused = {each: COUNTERS[each].refused(arrived, scene.limits, name) for each in counters}
    counted, allowed = used(world.sent, scene)
    return Tally(task.calls, counted, allowed, world.takeovers, Counter(refused))


def run_all(
    tasks: Sequence[Task], jobs: int, counters: Sequence[str]
) -> Iterator[tuple[Task, Tally]]:
    """In the tasks' order, as they are done; others on this machine come first."""
    context = multiprocessing.get_context("fork")
    modest = max(0, 10 - os.nice(0))
    with context.Pool(jobs, initializer=os.nice, initargs=(modest,)) as pool:
        yield from zip(tasks, pool.imap(partial(run, counters=counters), tasks), strict=True)


def tasks_of(
    scene: str, calls: int, mutant: str | None = None, each: int = WORLD_CALLS
) -> list[Task]:
    """Worlds of at most `each` calls that make so many together."""
    whole, rest = divmod(calls, each)
    sizes = [each] * whole + [rest] * (rest > 0)
    return [Task(scene, number, size, mutant) for number, size in enumerate(sizes)]


def hunt(mutant: str, calls: int, *, each: int = 500, on: bool = False) -> tuple[int, Counter[str]]:
    """Calls made in restless worlds until one was refused (0: none), and refusals by counter.

    Goes `on` to the end if wanted, to tell how many of so many calls are refused.
    """
    first, made, refused = 0, 0, Counter[str]()
    for task in tasks_of(RESTLESS, calls, mutant, each):
        refused.update(+run(task).refused)
        made += task.calls
        first = first or made * bool(refused)
        if first and not on:
            break
    return first, refused
