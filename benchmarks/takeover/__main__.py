"""How long a lane makes no call after kill -9 of its owner: `python -m benchmarks.takeover`.

Two dispatchers as they are, a double of the vendor and a standing backlog. Seconds from the kill to
the takeover (logged), and to the vendor's next call.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import random
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.dispatcher import Dispatcher, LiveWorld, purchases, until
from tests.support.kafka import broker_factory

TUNED: Mapping[str, str] = {}
"""Nothing to add: the tests' server.properties has short `group.*` settings."""

DEFAULTS: Mapping[str, str] = {
    "group.initial.rebalance.delay.ms": "3000",
    "group.min.session.timeout.ms": "6000",
}
"""Kafka 4.1's own values of what server.properties sets; the last of two settings counts."""

BROKERS = {"default": DEFAULTS, "tuned": TUNED}
LANE = "pisano"
BACKLOG = 8_000
"""Customers: at five a call, four calls at a time and 200 ms a call, for 80 s."""

MEMBERS = 6
"""Two processes, each a member of the groups of the router and of two lanes."""


def one_kill(bootstrap: str, home: Path) -> dict[str, float]:
    """Kill the owner under load; seconds until the other one owns the lane, and calls."""
    home.mkdir()
    with LiveWorld(bootstrap, home) as world:
        world.start_vendor(latency={"kind": "fixed", "ms": 200})
        config = world.configure(window={"max_batch": 5}, quota={"max_in_flight": 4})
        world.create_topics(config)
        owner = world.start(config, "0").wait_ready()
        until("the owner has the lane", lambda: _owns(owner))
        standby = world.start(config, "1")
        until("two members in each group", lambda: world.group_members() == MEMBERS)
        world.publish(purchases("store", range(BACKLOG)))
        until("calls", lambda: _calls(world) > 20)
        time.sleep(random.uniform(4.0, 8.0))
        owner.kill()
        killed, wall = time.monotonic(), time.time()
        time.sleep(0.5)  # what was on its way to the vendor has arrived
        before = _calls(world)
        until("calling again", lambda: _calls(world) > before)
        return {"assigned": _taken_at(standby) - wall, "calling": time.monotonic() - killed}


def _owns(dispatcher: Dispatcher) -> bool:
    return any(line["lane"] == LANE for line in dispatcher.lines("lane_taken_over"))


def _taken_at(dispatcher: Dispatcher) -> float:
    [line] = [line for line in dispatcher.lines("lane_taken_over") if line["lane"] == LANE]
    return dt.datetime.fromisoformat(line["timestamp"]).timestamp()


def _calls(world: LiveWorld) -> int:
    return int(world.vendor()["calls"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each broker."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brokers", nargs="*", choices=BROKERS, default=["default"])
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder)) as start:
        for broker in given.brokers:
            running = start(BROKERS[broker])
            homes = [Path(folder) / f"{broker}-{run}" for run in range(given.runs)]
            runs = [one_kill(running.bootstrap, home) for home in homes]
            print(json.dumps({"broker": broker, **_summary(runs)}), flush=True)
            running.close()


def _summary(runs: Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    columns = {name: sorted(run[name] for run in runs) for name in ("assigned", "calling")}
    return {
        name: {
            "min": round(seconds[0], 2),
            "p50": round(statistics.median(seconds), 2),
            "max": round(seconds[-1], 2),
        }
        for name, seconds in columns.items()
    }


if __name__ == "__main__":
    main()
