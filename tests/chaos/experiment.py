"""One chaos experiment: set up, harm in random order under steady load, drain, judge."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.arena import LANES, Arena
from tests.chaos.feeder import Feeder
from tests.chaos.figures import report
from tests.chaos.harms import HARMS, Scene
from tests.chaos.judge import judge
from tests.chaos.observer import Observer
from tests.chaos.replicas import INSTANCES, THIRD, UNBORN, Replicas, pause
from tests.support.dispatcher import LiveWorld, until
from tests.support.kafka import broker_factory
from tests.support.proxy import Proxy, listeners

PLANNED = {"move", "scale"}
PARTITIONS = 6
STALLED = 60.0
"""Seconds without any result after which a run that should drain counts as stuck."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How often each harm happens. `rate`: events a second and lane; `pace`: seconds a cycle."""

    harms: Mapping[str, int]
    seed: int
    rate: float = 60.0
    pace: float = 4.0

    def order(self) -> list[str]:
        """The harms, shuffled."""
        cycles = [name for name, number in self.harms.items() for _ in range(number)]
        random.Random(self.seed).shuffle(cycles)
        return cycles


def run_experiment(plan: Plan, home: Path) -> dict[str, Any]:
    """Run it in `home`, whose content is of no use afterwards; returns the figures.

    Their `broken` lists what was not kept. Raises TimeoutError where no work goes on at all.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        arena = _arena(stack, plan, home)
        feeder = Feeder(arena.broker.bootstrap, arena.world.input, plan.rate)
        scene = _scene(arena, plan.seed)
        feeder.start()
        done = _cycles(plan, scene)
        feeder.stop()
        drained = _drain(feeder, scene.observer)
        scene.replicas.stop_all()
        scene.observer.stop()
        verdict = judge(arena, feeder, scene.observer)
        broken = verdict.broken() + ([] if drained else ["the lanes did not drain"])
        if plan.harms.keys() <= PLANNED and verdict.unknown:
            broken.append(f"planned moves left {verdict.unknown.total()} results unknown")
        if scene.replicas.died or scene.replicas.exit_codes.keys() - {"0", UNBORN}:
            broken.append("a replica ended by itself, or a stop was not clean")
        run = {"seed": plan.seed, "cycles": dict(done)}
        wall = {"wall_seconds": round(time.monotonic() - began), "broken": broken}
        return run | report(scene, verdict) | wall


def _arena(stack: ExitStack, plan: Plan, home: Path) -> Arena:
    """Kafka, the topics and the vendors; proxies only where the plan wants their harm."""
    proxied = INSTANCES if plan.harms.get("network") else ()
    proxies = {each: stack.enter_context(Proxy()) for each in proxied}
    settings = listeners(list(proxies.values())) if proxies else {}
    broker = stack.enter_context(broker_factory(home))(settings)
    world = stack.enter_context(LiveWorld(broker.bootstrap, home, partitions=PARTITIONS))
    return stack.enter_context(Arena(world, broker, proxies))


def _scene(arena: Arena, seed: int) -> Scene:
    """Start two replicas and the observer."""
    observer = Observer(arena.world, arena.broker.bootstrap)
    scene = Scene(arena, Replicas(arena), observer, random.Random(seed))
    observer.start()
    for instance in INSTANCES:
        if instance != THIRD:
            scene.replicas.start(instance, begin="earliest")
    until("all lanes have an owner", lambda: scene.took(set(LANES), 0.0))
    return scene


def _cycles(plan: Plan, scene: Scene) -> Counter[str]:
    """Do harm after harm, each as soon as work goes on after the last; how many of each."""
    done: Counter[str] = Counter()
    order = plan.order()
    for number, name in enumerate(order, 1):
        before, began = scene.observer.results, time.monotonic()
        scene.harmed_at.append(time.time())
        HARMS[name](scene)
        done[name] += 1
        until("work goes on", lambda count=before: scene.observer.results > count)  # type: ignore[misc]
        scene.replicas.revive()
        seconds, results = time.monotonic() - began, scene.observer.results
        sys.stderr.write(f"{number}/{len(order)} {name} {seconds:.1f} s, {results} results\n")
        pause(max(0.0, plan.pace - seconds))
    return done


def _drain(feeder: Feeder, observer: Observer) -> bool:
    """Until every event has a result, as long as there is progress."""
    total = sum(feeder.fed.values())
    observer.last_at = time.monotonic()
    until(
        "drained or stuck",
        lambda: observer.results >= total or time.monotonic() - observer.last_at > STALLED,
        within=3600,
    )
    return observer.results >= total
