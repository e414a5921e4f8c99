"""A backlog of invitations while the vendor's port is closed, and a second lane that has traffic.

The backlog is written straight to the lane's topic before the program starts, half of it for SMS
and half for e-mail. Then the outage lasts for a while, the port opens, and all is drained.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.backlog.records import Results, read_journal, write_backlog
from benchmarks.backlog.scene import COUNTED, LIMITED, Double, Traffic, adapt, begin_router
from benchmarks.backlog.watch import Watch, load, spread
from tests.support.dispatcher import Dispatcher, LiveWorld

SETTLE = 30.0
"""Seconds after which an outage counts as begun: by then memory is full."""

CAFE_RATE = 5.0
CAFE_ROOM = 100_000
DRAIN_AT_MOST = 1_800.0


@dataclass(slots=True)
class Down:
    """One run. `outage`: seconds that the vendor stays away once the program runs."""

    bootstrap: str
    home: Path
    size: int
    outage: float
    limited: bool
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """The figures; all counts of customers that are not `once` should be 0."""
        with ExitStack() as ends:
            world = ends.enter_context(LiveWorld(self.bootstrap, self.home))
            pisano = Double(self.home, settings=COUNTED if self.limited else {})
            radar = Double(self.home)
            for double in (pisano, radar):
                ends.callback(double.close)
            radar.start()
            config = adapt(
                world.configure(quota=LIMITED if self.limited else None),
                vendors={"pisano": {"base_url": pisano.url}, "radar": {"base_url": radar.url}},
            )
            world.create_topics(config)
            topic = f"{world.name}.invitations.pisano"
            self.figures |= {"what": "down", "limited": self.limited, "load_before": load()}
            self.figures["written"] = write_backlog(self.bootstrap, topic, self._backlog())
            begin_router(world)
            dispatcher = world.start(config).wait_ready()
            self._through(world, dispatcher, pisano)
        return self.figures

    @property
    def _half(self) -> int:
        return self.size // 2

    @property
    def _sizes(self) -> dict[str, int]:
        return {"store": self._half, "web": self._half, "cafe": CAFE_ROOM}

    def _backlog(self) -> Any:
        for customer in range(self._half):
            yield "store", customer
            yield "web", customer

    def _through(self, world: LiveWorld, dispatcher: Dispatcher, pisano: Double) -> None:
        with (
            Watch(dispatcher) as watch,
            Traffic(world, "cafe", CAFE_RATE) as cafe,
            Results(self.bootstrap, f"{world.name}.results", self._sizes) as results,
        ):
            results.timed = "cafe"
            began = time.time()
            results.read(self.outage)
            opened = time.time()
            self._outage(dispatcher, watch, results, began + SETTLE, opened)
            pisano.start()
            self._drain(results, pisano, opened)
            drained = time.time()
            cafe.stop()
            while results.counts.total < 2 * self._half + cafe.written:
                results.read(0.5)
            self.figures["drain"] |= watch.between(opened, drained)
            self.figures["cafe_while_drained"] = _cafe(results, opened)
            self.figures["memory_peak"] = round(watch.peak(), 1)
            self.figures["customers"] = {
                "results": self._counted(results.counts, cafe.written),
                "vendor": self._counted(read_journal(pisano.journal, self._sizes), None),
                "reasons": {name: dict(each) for name, each in results.reasons.items()},
            }
        self.figures["ended_with"] = dispatcher.terminate(180)
        self.figures["load_after"] = load()

    def _outage(
        self, dispatcher: Dispatcher, watch: Watch, results: Results, begin: float, end: float
    ) -> None:
        self.figures["outage"] = watch.between(begin, end) | {
            "memory_peak": round(watch.peak(), 1),
            **watch.gauges[-1][1],
            "calls_tried": len(dispatcher.lines("call")),
            "sessions_ended": len(dispatcher.lines("session_ended")),
        }
        self.figures["cafe_while_down"] = _cafe(results, 0.0)

    def _drain(self, results: Results, pisano: Double, opened: float) -> None:
        """Wait until each customer has a result; return the first call's time, and the pace."""
        first = 0.0
        while min(self._reached(results)) < self._half:
            results.read(1.0)
            if not first and pisano.calls():
                first = time.time()
            if time.time() - opened > DRAIN_AT_MOST:
                break
        calls = pisano.summary()
        seconds = time.time() - opened
        self.figures["drain"] = {
            "first_call_after": round(first - opened, 1),
            "seconds_in_all": round(seconds, 1),
            "per_second": round(2 * self._half / max(seconds - (first - opened), 1.0)),
            "calls": calls["calls"],
            "throttled": calls["throttled"],
        }

    def _reached(self, results: Results) -> list[int]:
        return [results.reasons[channel].total() for channel in ("store", "web")]

    def _counted(self, counts: Any, cafe: int | None) -> dict[str, dict[str, int]]:
        sizes = {"store": self._half, "web": self._half}
        if cafe is not None:
            sizes["cafe"] = cafe
        return {channel: counts.summary(channel, size) for channel, size in sizes.items()}


def _cafe(results: Results, since: float) -> dict[str, float]:
    """The second lane: seconds from the event to its vendor's answer."""
    return spread([seconds for at, seconds in results.waits if at >= since])
