"""The dispatchers of an arena: two that always run, a third that comes and goes."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.chaos.arena import Arena
from tests.support.dispatcher import PATIENCE, Dispatcher

INSTANCES = ("a", "b", "c")
THIRD = INSTANCES[-1]
WORTH_A_KILL = 100
"""Customers of a call in flight that make its owner a good victim."""

UNBORN = "before it began"
"""An exit by a SIGTERM that came before Python ran a line of ours, so that nothing had begun."""

LOOK = 0.02
STILL = 0.05
"""Seconds that a call should still be in flight when it is found: a kill takes a moment."""


def pause(seconds: float) -> None:
    """Harm takes its time. (An event, so that an interrupt gets through.)"""
    threading.Event().wait(seconds)


@dataclass(slots=True)
class Replicas:
    """Running replicas by instance. `died`: unrequested ends, with the log's last lines."""

    arena: Arena
    running: dict[str, Dispatcher] = field(default_factory=dict)
    died: list[str] = field(default_factory=list)
    exit_codes: Counter[str] = field(default_factory=Counter)
    _logs: list[Dispatcher] = field(default_factory=list)

    def start(self, instance: str, *, begin: str | None = None) -> None:
        """Start one; the work of others goes on meanwhile."""
        replica = self.arena.start(instance, begin=begin)
        self.running[instance] = replica
        self._logs.append(replica)

    def stop(self, instance: str) -> None:
        """SIGTERM, and wait for the end."""
        replica = self.running.pop(instance)
        code = replica.terminate(within=60)
        unborn = code == -signal.SIGTERM and not replica.log.stat().st_size
        self.exit_codes[UNBORN if unborn else str(code)] += 1

    def revive(self) -> None:
        """Start replicas that ended by themselves again, and remember that they did."""
        for instance, replica in list(self.running.items()):
            code = replica.ended()
            if code is not None:
                tail = replica.log.read_text(errors="replace")[-2000:]
                self.died.append(f"{instance} ended with {code}: {tail}")
                self.start(instance)

    def stop_all(self) -> None:
        """Send SIGTERM to all."""
        for instance in list(self.running):
            self.stop(instance)

    def owned(self, instance: str) -> set[str]:
        """The lanes that it shows as its own now."""
        return self.arena.owned(self.running[instance])

    def with_call(self, within: float) -> tuple[str, set[str]]:
        """A replica whose lane has a large call in flight, and its lanes.

        After `within` seconds any owner of a lane. Raises TimeoutError if no replica owns one.
        """
        soon, late = time.monotonic() + within, time.monotonic() + PATIENCE
        while time.monotonic() < late:
            for instance, lanes in [(each, self.owned(each)) for each in self.running]:
                # Asked again at the last moment, for asking all replicas takes its time.
                if self.large_call(lanes) and self.large_call(lanes & self.owned(instance)):
                    return instance, lanes
                if lanes and time.monotonic() > soon:
                    return instance, lanes
            pause(LOOK)
        raise TimeoutError(f"not within {PATIENCE:.0f} s: a replica owns a lane")

    def large_call(self, lanes: set[str], at: float | None = None) -> bool:
        """Whether a large call of one of these lanes is in flight, and for a moment longer."""
        at = time.time() + STILL if at is None else at
        calls = [size for lane in lanes for size in self.arena.open_calls(lane, at)]
        return max(calls, default=0) >= WORTH_A_KILL

    def troubles(self) -> dict[str, int]:
        """What all logs warned of, counted by event."""
        return dict(Counter(_warnings(self._logs)).most_common())


def _warnings(replicas: list[Dispatcher]) -> Iterator[str]:
    for replica in replicas:
        for line in replica.log.read_text(errors="replace").splitlines():
            if '"level": "warning"' in line or '"level": "error"' in line:
                entry = json.loads(line)
                yield f"{entry['level']} {entry['event']}"
            elif line.strip() and not line.startswith("{"):
                yield f"not a log line: {line.split(maxsplit=1)[0]}"
