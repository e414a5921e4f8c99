"""Every kind of harm, as one function each: it harms, and mends what it must."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tests.chaos.arena import LANES, Arena
from tests.chaos.observer import Observer
from tests.chaos.replicas import THIRD, Replicas, pause
from tests.support.dispatcher import until

FROZEN = 12.0
"""Seconds: longer than the session timeout of the program's consumers."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A lane that lost its owner: how and when (epoch seconds)."""

    harm: str
    lane: str
    at: float


@dataclass(slots=True)
class Scene:
    """What a harm may touch, and what it leaves behind for the figures.

    `harmed_at`: when each harm began, epoch seconds.
    """

    arena: Arena
    replicas: Replicas
    observer: Observer
    rng: random.Random
    losses: list[Loss] = field(default_factory=list)
    harmed_at: list[float] = field(default_factory=list)
    large_hits: int = 0
    open_at_kills: int = 0

    def took(self, lanes: set[str], since: float) -> bool:
        """Whether each of the lanes was claimed since then."""
        claimed = {takeover.lane for takeover in self.observer.takeovers if takeover.at >= since}
        return lanes <= claimed

    def lose(self, harm: str, lanes: set[str], at: float) -> None:
        """Note that these lanes have no owner since `at`."""
        self.losses += [Loss(harm, lane, at) for lane in lanes]


def kill(scene: Scene) -> None:
    """`kill -9` while a call is in flight; the same replica starts again at once."""
    instance, owned = scene.replicas.with_call(within=20)
    at = time.time()
    scene.replicas.running[instance].kill()
    scene.large_hits += scene.replicas.large_call(owned, at)
    scene.open_at_kills += sum(sum(scene.arena.open_calls(lane, at)) for lane in owned)
    scene.lose("kill", owned, at)
    scene.replicas.start(instance)


def move(scene: Scene) -> None:
    """SIGTERM and start: a deployment."""
    instance, owned = scene.replicas.with_call(within=5)
    scene.lose("move", owned, time.time())
    scene.replicas.stop(instance)
    scene.replicas.start(instance)


def scale(scene: Scene) -> None:
    """A third replica comes, or goes."""
    if THIRD in scene.replicas.running:
        scene.lose("move", scene.replicas.owned(THIRD), time.time())
        scene.replicas.stop(THIRD)
    else:
        scene.replicas.start(THIRD)
        joined = scene.replicas.running[THIRD]
        until("the third is ready", lambda: joined.probe("/readyz")[0] == 200)


def freeze(scene: Scene) -> None:
    """SIGSTOP until others own all it had, then SIGCONT: the zombie."""
    instance, owned = scene.replicas.with_call(within=20)
    victim, at = scene.replicas.running[instance], time.time()
    victim.pause()
    scene.lose("freeze", owned, at)
    try:
        pause(FROZEN)
        until("others took over", lambda: scene.took(owned, at))
    finally:
        victim.resume()


def broker(scene: Scene) -> None:
    """The broker dies and comes back, or stands still for a while."""
    if scene.rng.random() < 0.5:
        scene.arena.broker.kill()
        pause(scene.rng.uniform(0.5, 4))
        scene.arena.broker.start()
    else:
        scene.arena.broker.pause()
        pause(scene.rng.choice([2.0, FROZEN]))
        scene.arena.broker.resume()


def network(scene: Scene) -> None:
    """One replica's way to Kafka is cut, slow, or silent for longer than its session."""
    instance, _ = scene.replicas.with_call(within=10)
    proxy = scene.arena.proxies[instance]
    how = scene.rng.choice(["cut", "slow", "silent"])
    try:
        if how == "cut":
            proxy.cut()
            pause(scene.rng.uniform(0.2, 3))
        elif how == "slow":
            proxy.slow(0.2)
            pause(5)
        else:
            proxy.hold()
            pause(FROZEN)
    finally:
        proxy.mend()


def vendor(scene: Scene) -> None:
    """A vendor acts on its calls and does not say so."""
    lane = scene.rng.choice(LANES)
    scene.arena.set_faults(lane, **{scene.rng.choice(["reset", "hang", "truncate"]): 1.0})
    pause(2)
    scene.arena.set_faults(lane)


def disk(scene: Scene) -> None:
    """The broker's disk is full: it can write no file further, and ends; then there is room.

    Files of the broker's process are limited in size, which needs no rights and fails its writes
    as a full disk does. (The dispatcher writes no file.)
    """
    process = scene.arena.broker._running("fill the disk of")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    until("the broker gives up", lambda: process.poll() is not None)
    scene.arena.broker.close()
    scene.arena.broker.start()


HARMS: Mapping[str, Callable[[Scene], None]] = MappingProxyType(
    {each.__name__: each for each in (kill, move, scale, freeze, broker, network, vendor, disk)}
)
