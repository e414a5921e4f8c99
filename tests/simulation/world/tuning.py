"""The runtime's modules while a world runs: longer waits, smaller bounds, and a log that tells."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from consumer.http import calls
from consumer.lane.offsets import read_plan
from consumer.runtime import (
    group_consumer,
    input_stops,
    isolation,
    stage,
    stoppable_stage,
    transactional_stage,
)
from consumer.runtime.contacts import desk, state, view
from consumer.runtime.delay import delay_loop
from consumer.runtime.lane import (
    command_executor,
    config_rivals,
    lane_loop,
    lane_owner,
    lane_report,
    retention,
    takeover,
)
from consumer.runtime.router import router_loop, uploads_topic
from consumer.runtime.watchers import command_watch, pause_watch
from tests.simulation.world.doubles import Story, StoryLog

TUNED: Mapping[tuple[Any, str], object] = {
    (lane_loop, "POLL_SECONDS"): 20.0,
    (router_loop, "POLL_SECONDS"): 50.0,
    (delay_loop, "POLL_SECONDS"): 20.0,
    (command_watch, "POLL"): 10.0,
    (view, "POLL_SECONDS"): 1.0,
    (lane_owner, "WAIT"): 2.0,
    (lane_owner, "SHOW_EVERY"): 7.0,
    (retention, "DELETE_EVERY"): 20.0,
    (read_plan, "SKIP_AT_LEAST"): 20,
}
"""Waits that are short for real threads (here a task with work is woken), and bounds
that a world of a few hundred records must reach."""

DRAWN: Mapping[str, tuple[tuple[Any, ...], tuple[int, ...]]] = {
    "POLL_RECORDS": ((lane_loop, transactional_stage), (5, 20, 100)),
    "PASS_OFFSETS": ((read_plan,), (40, 1_000)),
}
"""Name → the modules that have it, and what a seed may make of it."""

COMMIT_SIZES = (5, 40, 10_000)
"""What a lane's commit may carry, drawn from a stream of its own."""

LOGGERS = (
    calls,
    command_executor,
    command_watch,
    pause_watch,
    config_rivals,
    group_consumer,
    stoppable_stage,
    input_stops,
    isolation,
    delay_loop,
    lane_loop,
    lane_owner,
    lane_report,
    router_loop,
    stage,
    takeover,
    uploads_topic,
    desk,
    state,
    view,
)

Tuning = dict[tuple[Any, str], object]


def draw(rng: random.Random, story: Story, seed: int) -> Tuning:
    """This seed's values, and its story in the place of the log."""
    changes = dict(TUNED)
    for name, (modules, values) in DRAWN.items():
        value = rng.choice(values)
        changes |= {(module, name): value for module in modules}
    changes[command_watch, "uuid"] = _Ids(random.Random("ids"))
    most = random.Random(f"commit size {seed}").choice(COMMIT_SIZES)
    changes[lane_loop, "RESULTS_ENOUGH"] = most
    log = StoryLog(story, _speaker(story))
    return changes | {(module, "log"): log for module in LOGGERS}


class _Ids:
    """In the place of the module `uuid`: the same ids in each run of a seed."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def uuid4(self) -> uuid.UUID:
        """See `uuid`."""
        return uuid.UUID(int=self._rng.getrandbits(128))


@contextmanager
def in_place(tuning: Tuning, seed: int) -> Iterator[None]:
    """The modules so changed, and the global `random` seeded; all as before afterwards."""
    before = {place: getattr(*place) for place in tuning}
    of_random = random.getstate()
    random.seed(seed)
    try:
        for place, value in tuning.items():
            setattr(*place, value)
        yield
    finally:
        for place, value in before.items():
            setattr(*place, value)
        random.setstate(of_random)


def _speaker(story: Story) -> Callable[[], str]:
    def actor() -> str:
        task = story.scheduler.current
        return f"{task.process.name}/{task.name}" if task else "world"

    return actor
