"""Kill -9 of a lane's owner that has read much and settled most of it, out of order.

One lane, two vendor accounts on its quota. A tenth of the invitations, anywhere among the others,
is the blocked account's, whose port is closed: it holds the base, while the rest is settled around
it. Then the owner is killed, a few more are written behind all that, and the program starts again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.backlog.records import Results, read_journal, write_backlog
from benchmarks.backlog.scene import Double, adapt, begin_router
from benchmarks.backlog.watch import Watch, load
from tests.support.dispatcher import Dispatcher, LiveWorld, until

BLOCKED = 10
"""One of so many is the blocked account's."""

TAIL = 1_000
PATIENCE = 900.0


@dataclass(slots=True)
class BigTakeover:
    """One run."""

    bootstrap: str
    home: Path
    size: int
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Return the figures; the vendor may count no customer more than once."""
        with ExitStack() as ends:
            world = ends.enter_context(LiveWorld(self.bootstrap, self.home))
            blocked, able = Double(self.home), Double(self.home)
            for double in (blocked, able):
                ends.callback(double.close)
            able.start()
            config = adapt(
                world.configure(),
                vendors={
                    "pisano": {"base_url": able.url},
                    "radar": {"base_url": able.url},
                    "blocked": {
                        "type": "pisano",
                        "base_url": blocked.url,
                        "token": "sandbox-token",
                        "quota": "pisano",
                    },
                },
                campaigns={"purchase-sms": {"vendor": "blocked"}},
            )
            world.create_topics(config)
            begin_router(world)
            self.figures |= {"what": "takeover", "load_before": load()}
            topic = f"{world.name}.invitations.pisano"
            self.figures["written"] = write_backlog(self.bootstrap, topic, self._backlog())
            first = world.start(config).wait_ready()
            self._before(world, first)
            first.kill()
            killed = time.time()
            write_backlog(self.bootstrap, topic, (("web", each) for each in self._tail()))
            second = world.start(config, begin=None)
            with Watch(second) as watch:
                self._again(second, able, killed)
                self.figures["memory_peak"] = round(watch.peak(), 1)
            blocked.start()
            self._judge(world, blocked, able)
            self.figures["ended_with"] = second.terminate(180)
            self.figures["load_after"] = load()
        return self.figures

    @property
    def _sizes(self) -> dict[str, int]:
        held = self.size // BLOCKED
        return {"store": held, "web": self.size - held + TAIL}

    def _tail(self) -> range:
        return range(self._sizes["web"] - TAIL, self._sizes["web"])

    def _backlog(self) -> Iterator[tuple[str, int]]:
        store = web = 0
        blocked = set(random.Random(1).sample(range(self.size), self.size // BLOCKED))
        for place in range(self.size):
            if place in blocked:
                yield "store", store
                store += 1
            else:
                yield "web", web
                web += 1

    def _before(self, world: LiveWorld, first: Dispatcher) -> None:
        """Until all that can be settled is."""
        wanted = self._sizes["web"] - TAIL
        with Results(self.bootstrap, f"{world.name}.results", self._sizes) as results:
            deadline = time.monotonic() + PATIENCE
            while results.counts.total < wanted and time.monotonic() < deadline:
                results.read(0.5)
            self.figures["settled_before"] = results.counts.total
        metrics = first.metrics()
        self.figures["span_before"] = metrics.total("span_offsets", lane="pisano")
        self.figures["held_before"] = metrics.total("buffered_invitations", lane="pisano")
        checkpoint = world.checkpoint()
        self.figures["checkpoint_bytes"] = len(checkpoint.model_dump_json())

    def _again(self, second: Dispatcher, able: Double, killed: float) -> None:
        """Seconds from the takeover to the next call of each account, and to all read again."""
        before = able.calls()
        until("taken over", lambda: bool(_taken(second)), 120)
        taken = _at(_taken(second)[0])
        until("the vendor is called", lambda: able.calls() > before, 300)
        called = able.summary()["last_call"]
        until("a call is tried", lambda: bool(second.lines("call")), 300)
        tried = min(_at(line) for line in second.lines("call"))
        self.figures |= {
            "taken_over_after_the_kill": round(taken - killed, 2),
            "first_call_tried": round(tried - taken, 2),
            "vendor_called_all_read": round(called - taken, 2),
        }

    def _judge(self, world: LiveWorld, blocked: Double, able: Double) -> None:
        """Open the port, and let all have their results."""
        with Results(self.bootstrap, f"{world.name}.results", self._sizes) as results:
            opened = time.monotonic()
            while results.counts.total < sum(self._sizes.values()):
                results.read(1.0)
                if time.monotonic() - opened > PATIENCE:
                    break
            self.figures["drained_after"] = round(time.monotonic() - opened, 1)
            sizes = self._sizes
            self.figures["results"] = {size: results.counts.summary(size) for size in sizes}
            self.figures["reasons"] = {k: dict(each) for k, each in results.reasons.items()}
        self.figures["vendor"] = {
            "store": read_journal(blocked.journal, sizes).summary("store"),
            "web": read_journal(able.journal, sizes).summary("web"),
        }


def _taken(dispatcher: Dispatcher) -> list[dict[str, Any]]:
    return [line for line in dispatcher.lines("lane_taken_over") if line["lane"] == "pisano"]


def _at(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()
