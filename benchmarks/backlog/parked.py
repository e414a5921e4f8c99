"""A campaign that the vendor does not know, with a backlog in front of another one's traffic.

The parked campaign's invitations (SMS) stand on the lane's topic when the program starts; the other
campaign's (e-mail, the same lane) come through the router at a steady pace. The same traffic is
measured without the backlog first, so what is compared is compared on one machine.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.backlog.records import Results, read_journal, write_backlog
from benchmarks.backlog.scene import COUNTED, LIMITED, Double, Traffic, adapt, begin_router
from benchmarks.backlog.watch import Watch, load, spread
from tests.support.dispatcher import Dispatcher, LiveWorld

RATE = 20.0
NO_SUCH = "00000000-0000-4000-8000-000000000000"
"""An id that the vendor's double does not know: it refuses the campaign."""

LATE_AT_MOST = 120.0
FIRST_MINUTE = 60.0
"""Seconds in which the backlog is read and delayed, apart from what follows."""


@dataclass(slots=True)
class Parked:
    """Two runs: `seconds` of traffic each, with nothing in front and with `size` invitations."""

    bootstrap: str
    home: Path
    size: int
    seconds: float
    limited: bool
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """The figures of both."""
        self.figures |= {"what": "parked", "limited": self.limited, "rate": RATE}
        self.figures["without"] = self._once(0)
        self.figures["with"] = self._once(self.size)
        return self.figures

    def _once(self, size: int) -> dict[str, Any]:
        home = self.home / f"parked-{size}"
        home.mkdir()
        with ExitStack() as ends:
            world = ends.enter_context(LiveWorld(self.bootstrap, home))
            double = Double(home, settings=COUNTED if self.limited else {})
            ends.callback(double.close)
            double.start()
            urls = {name: {"base_url": double.url} for name in ("pisano", "radar")}
            config = adapt(
                world.configure(quota=LIMITED if self.limited else None),
                vendors=urls,
                campaigns={"purchase-sms": {"id": NO_SUCH}},
            )
            world.create_topics(config)
            begin_router(world)
            figures: dict[str, Any] = {"load_before": load()}
            if size:
                topic = f"{world.name}.invitations.pisano"
                backlog = (("store", customer) for customer in range(size))
                figures["written"] = write_backlog(self.bootstrap, topic, backlog)
            sizes = {"store": size, "web": int(RATE * self.seconds * 2) + 1000}
            dispatcher = world.start(config)
            with (
                Watch(dispatcher) as watch,
                Results(self.bootstrap, f"{world.name}.results", sizes) as results,
            ):
                dispatcher.wait_ready()
                results.timed = "web"
                figures |= self._traffic(world, dispatcher, watch, results)
                figures |= _judged(results, double, sizes)
            figures["ended_with"] = dispatcher.terminate(180)
            figures["load_after"] = load()
        return figures

    def _traffic(
        self, world: LiveWorld, dispatcher: Dispatcher, watch: Watch, results: Results
    ) -> dict[str, Any]:
        began = time.time()
        put_off: list[tuple[float, float]] = []
        with Traffic(world, "web", RATE) as traffic:
            while time.time() < began + self.seconds:
                results.read(5.0)
                metrics = dispatcher.metrics()
                put_off.append((time.time(), metrics.total("delayed_total", lane="pisano")))
            traffic.stop()
        ended = time.time()
        while results.reasons["web"].total() < traffic.written:
            results.read(0.5)
            if time.time() > ended + LATE_AT_MOST:
                break
        first = [wait for at, wait in results.waits if at < began + FIRST_MINUTE]
        later = [wait for at, wait in results.waits if at >= began + FIRST_MINUTE]
        metrics = dispatcher.metrics()
        return {
            "events": traffic.written,
            "answered": results.reasons["web"].total(),
            "wait": spread(first + later),
            "wait_first_minute": spread(first),
            "wait_later": spread(later),
            "memory_peak": round(watch.peak(), 1),
            **watch.between(began, ended),
            "put_off": metrics.total("delayed_total", lane="pisano"),
            "put_off_per_second": _fastest(put_off),
            "on_the_ladder": metrics.total("delayed_invitations"),
            "poll_gaps_over_5s": _long_polls(dispatcher),
            "sessions_ended": len(dispatcher.lines("session_ended")),
        }


def _fastest(counts: list[tuple[float, float]]) -> int:
    """Records a second in the busiest stretch between two looks."""
    pairs = pairwise(counts)
    return round(max(((b - a) / (t - s) for (s, a), (t, b) in pairs), default=0.0))


def _long_polls(dispatcher: Dispatcher) -> float:
    metrics = dispatcher.metrics()
    within = metrics.total("poll_gap_seconds_bucket", stage="pisano", le="5.0")
    return metrics.total("poll_gap_seconds_count", stage="pisano") - within


def _judged(results: Results, double: Double, sizes: dict[str, int]) -> dict[str, Any]:
    """Check: no parked customer has a result or was accepted, no other one was accepted twice."""
    web, vendor = results.counts.summary("web"), read_journal(double.journal, sizes)
    summary = double.summary()
    return {
        "results_twice": web["more"],
        "vendor_twice": vendor.summary("web")["more"],
        "vendor_once": vendor.summary("web")["once"],
        "parked_with_a_result": results.reasons["store"].total(),
        "calls": summary["calls"],
        "throttled": summary["throttled"],
        "by_status": summary["by_status"],
    }
