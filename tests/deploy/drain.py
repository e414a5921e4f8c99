"""`python -m tests.deploy.drain`: SIGTERM under load, fifty times; ends with one JSON object.

Two dispatchers on a real Kafka, five lanes, events that keep coming. Each time the one with a large
call in flight is told to end, as by a deployment, and is started again. The exit code is 1 if one
did not end by itself within the chart's grace period, not cleanly, or left a result in doubt.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.chaos.arena import LANES, Arena
from tests.chaos.feeder import Feeder
from tests.chaos.harms import Scene
from tests.chaos.judge import judge
from tests.chaos.observer import Observer
from tests.chaos.replicas import INSTANCES, THIRD, Replicas, pause
from tests.support.dispatcher import LiveWorld, until
from tests.support.kafka import broker_factory

GRACE = 5 + 40
"""Seconds, as the chart reckons: the arena's `call_timeout` and 40."""

PARTITIONS = 6
APART = 4.0
"""Seconds from one end to the next at least, so that both replicas are at work in between."""


def drains(times: int, rate: float, home: Path) -> dict[str, Any]:
    """Do it in `home`; the figures, whose `broken` lists what was not kept."""
    with ExitStack() as stack:
        broker = stack.enter_context(broker_factory(home))({})
        world = stack.enter_context(LiveWorld(broker.bootstrap, home, partitions=PARTITIONS))
        arena = stack.enter_context(Arena(world, broker, {}))
        observer, replicas = Observer(world, broker.bootstrap), Replicas(arena)
        scene = Scene(arena, replicas, observer, random.Random(7))
        feeder = Feeder(broker.bootstrap, world.input, rate)
        observer.start()
        for instance in INSTANCES:
            if instance != THIRD:
                replicas.start(instance, begin="earliest")
        until("all lanes have an owner", lambda: _alive(replicas) and scene.took(set(LANES), 0.0))
        feeder.start()
        ends = [_one(scene, number) for number in range(1, times + 1)]
        feeder.stop()
        total = sum(feeder.fed.values())
        until("every event has a result", lambda: observer.results >= total, within=600)
        replicas.stop_all()
        observer.stop()
        verdict = judge(arena, feeder, observer)
    seconds = sorted(each for each, _ in ends)
    broken = verdict.broken()
    broken += [f"{bad} ends were not clean" for bad in [sum(code != 0 for _, code in ends)] if bad]
    if verdict.unknown:
        broken.append(f"{verdict.unknown.total()} results are in doubt")
    return {
        "ends": len(ends),
        "clean": sum(code == 0 for _, code in ends),
        "with_a_large_call_in_flight": scene.large_hits,
        "seconds": {
            "p50": round(seconds[len(seconds) // 2], 2),
            "max": round(seconds[-1], 2),
            "allowed": GRACE,
        },
        "events": verdict.events,
        "by_status": dict(verdict.by_status),
        "broken": broken,
    }


def _alive(replicas: Replicas) -> bool:
    for each in replicas.running.values():
        assert each.ended() is None, each.log.read_text(errors="replace")[-2000:]
    return True


def _one(scene: Scene, number: int) -> tuple[float, int]:
    """One SIGTERM: seconds to the end, and the exit code. Raises TimeoutExpired beyond `GRACE`."""
    instance, owned = scene.replicas.with_call(within=20)
    began, before = time.monotonic(), scene.observer.results
    scene.large_hits += scene.replicas.large_call(owned, time.time())
    code = scene.replicas.running.pop(instance).terminate(within=GRACE)
    seconds = time.monotonic() - began
    scene.replicas.start(instance)
    until("work goes on", lambda: _alive(scene.replicas) and scene.observer.results > before)
    sys.stderr.write(f"{number} {instance} {seconds:.2f} s, exit code {code}\n")
    pause(max(0.0, APART - seconds))
    return seconds, code


def main() -> int:
    """Read the command line, drain, print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.deploy.drain", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how many ends")
    parser.add_argument("--rate", type=float, default=60.0, help="events a second and lane")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drain-") as home:
        figures = drains(arguments.times, arguments.rate, Path(home))
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 1 if figures["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
