"""A healthy campaign's waits beside a sick one, live: `python -m benchmarks.answers.live_sick`.

A real Kafka and the vendors' double, with the documented limits at twenty times the speed of
life. Customers of the healthy campaign come by Poisson. The sick one begins with a backlog, and
either all of its calls fail or those that carry one of its customers. A wait lasts from the event's
time to the vendor call, in the program's seconds. `benchmarks.answers sick` simulates the same.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from benchmarks.programs import compressed
from consumer.records.result import Result
from tests.support.dispatcher import EMAIL, SMS, LiveWorld, purchases, until
from tests.support.kafka import broker_factory

KINDS = ("13000", "gateway_403", "gateway_404", "error_500")
BACKLOG = 500
RATE = 10.0
"""Customers of the healthy campaign a second."""


def scenes() -> Iterator[tuple[str, Mapping[str, object]]]:
    """Name and faults of each run, the healthy campaign alone first."""
    yield "alone", {}
    for kind in KINDS:
        yield f"{kind}, all", {"campaigns": {kind: [SMS]}, "act_before_fault": False}
    bad = purchases("store", [BACKLOG // 2])[0]
    yield "gateway_403, one", {"customers": {"gateway_403": [bad.recipient]}}


def feed(world: LiveWorld, numbers: Sequence[int], seed: int) -> None:
    """Publish each customer when it is due."""
    rng = random.Random(seed)
    producer = Producer({"bootstrap.servers": world.bootstrap, "linger.ms": 0})
    due = time.monotonic()
    for number in numbers:
        due += rng.expovariate(RATE)
        while (left := due - time.monotonic()) > 0:
            producer.poll(min(left, 0.05))
        (event,) = purchases("web", [number])
        producer.produce(world.input, event.value, event.id)
    producer.flush()


def accepted(world: LiveWorld) -> int:
    """Customers of the healthy campaign that the vendor has taken."""
    found: int = world.vendor()["by_campaign"].get(EMAIL, {"recipients": 0})["recipients"]
    return found


def run(bootstrap: str, faults: Mapping[str, object], seconds: float, seed: int) -> dict[str, Any]:
    """Play one scene on a fresh application; the figures of its healthy campaign."""
    quota = {"limits": compressed(), "skew": "100ms"}
    numbers = range(BACKLOG, BACKLOG + int(RATE * seconds))
    with tempfile.TemporaryDirectory() as home, LiveWorld(bootstrap, Path(home)) as world:
        world.start_vendor(pisano_quota={"limits": compressed()}, latency={"ms": 15}, faults=faults)
        config = world.configure(quota, window={"max_batch": BACKLOG}, in_doubt="resend")
        world.create_topics(config)
        dispatcher = world.start(config).wait_ready()
        if faults:
            world.publish(purchases("store", range(BACKLOG)))
        feed(world, numbers, seed)
        until("the healthy ones are accepted", lambda: accepted(world) >= len(numbers), 600)
        dispatcher.terminate()
        return figures(world.results(), world.vendor())


def figures(results: Sequence[Result], vendor: Mapping[str, Any]) -> dict[str, Any]:
    """Waits of the healthy campaign, and what became of the sick one."""
    waits = sorted(wait(result) for result in results if result["campaign"] == "purchase-email")
    sick = Counter(str(each["reason"]) for each in results if each["campaign"] == "purchase-sms")
    return {
        "healthy": len(waits),
        "mean": round(sum(waits) / len(waits), 3),
        "p99": round(waits[len(waits) * 99 // 100], 3),
        "answers": vendor["by_status"],
        "throttled": vendor["throttled"],
        "sick": dict(sick),
    }


def wait(result: Result) -> float:
    """Seconds from the event to the vendor call."""
    sent, came = result["sent_at"] or "", result["event_time"] or ""
    return (datetime.fromisoformat(sent) - datetime.fromisoformat(came)).total_seconds()


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each scene."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of arrivals in each scene")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, broker_factory(Path(home)) as start:
        bootstrap = start().bootstrap
        alone = 0.0
        for name, faults in scenes():
            found = run(bootstrap, faults, given.seconds, given.seed)
            alone = alone or found["mean"]
            ratio = round(found["mean"] / alone, 2)
            print(json.dumps({"scene": name, "over_alone": ratio, **found}), flush=True)


if __name__ == "__main__":
    main()
