"""The running program's waits beside the simulated ones.

    .venv/bin/python -m benchmarks.scheduling.live_waits

A real Kafka and the vendors' double, with the documented limits at twenty times the speed of life
(a permit each 0.2 s). Ten campaigns, steady Poisson arrivals or a burst each ten minutes; the
simulation gets the same arrivals at the same speed. Times are told in life's seconds. Live waits
are told twice: from the event's time (Kafka and router included: 0.1 s there are 2 s of life) and
from the router's record to the call.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import orjson
from confluent_kafka import Producer

from benchmarks.programs import SPEED, compressed, dispatcher, records, sandbox
from benchmarks.throughput import workload
from consumer.records.fields import rfc3339
from consumer.simulate.figures import summary
from consumer.simulate.simulate import LaneTraffic
from consumer.simulate.strategies import play_lane
from consumer.simulate.traffic import Arrival, poisson, zipf_rates
from consumer.wiring.build import lane_settings
from consumer.wiring.config_file import read
from tests.support.kafka import broker_factory, free_ports

CAMPAIGNS = 10
RATE = 2.0
BURST_EVERY, BURST_FOR, BURST_FACTOR = 600.0, 60.0, 5.0
"""Seconds of life; how much more comes in a burst (and less outside, for the same mean)."""
LATENCY_MS = 300.0 / SPEED
CONFIG = """\
version: 1
application_id: {name}
kafka: {{bootstrap.servers: "{bootstrap}"}}
pseudonym: {{key_id: k1, key: benchmark-key-0123456789}}
quotas: {{pisano: {{limits: [{limits}], skew: 100ms, first_start: unused}}}}
vendors:
  pisano: {{type: pisano, base_url: "{vendor}", token: sandbox-token, quota: pisano}}
campaigns:
{campaigns}
inputs: {{pos: {{topics: [{name}-input], format: json}}}}
routes:
{routes}
admin: {{host: 127.0.0.1, port: 0}}
"""


def identifier(number: int) -> str:
    """A campaign's id at the vendor."""
    return f"ae51458c-9e82-417f-8f1d-{number:012x}"


def config_text(name: str, bootstrap: str, vendor: str) -> str:
    """A route to each campaign."""
    campaigns = "\n".join(
        f'  c{number}: {{vendor: pisano, channel: sms, id: "{identifier(number)}"}}'
        for number in range(CAMPAIGNS)
    )
    routes = "\n".join(
        f"  - {{name: r{number}, input: pos, match: {{campaign: c{number}}}, "
        f"recipient: {{phone: phone}}, phone_region: TR, send: [c{number}]}}"
        for number in range(CAMPAIGNS)
    )
    limits = ", ".join(compressed())
    return CONFIG.format(
        name=name,
        bootstrap=bootstrap,
        vendor=vendor,
        limits=limits,
        campaigns=campaigns,
        routes=routes,
    )


def arrivals(kind: str, minutes: float, seed: int) -> Iterator[Arrival]:
    """In the program's seconds; `bursty`: thinned Poisson with the same mean rate."""
    rng = random.Random(seed)
    busy = BURST_FOR / BURST_EVERY
    calm = (1.0 - busy * BURST_FACTOR) / (1.0 - busy)
    peak = BURST_FACTOR if kind == "bursty" else 1.0
    rates = zipf_rates(CAMPAIGNS, RATE * peak)
    for when, number in poisson(rates, minutes * 60.0, rng):
        factor = BURST_FACTOR if when % BURST_EVERY < BURST_FOR else calm
        if kind == "steady" or rng.random() < factor / BURST_FACTOR:
            yield Arrival(when / SPEED, f"c{number}")


def feed(bootstrap: str, topic: str, coming: Sequence[Arrival]) -> None:
    """Each event when it is due; its time is when it was due."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    begin = time.time() + 1.0
    for number, each in enumerate(coming):
        due = begin + each.time
        while (left := due - time.time()) > 0:
            producer.poll(min(left, 0.05))
        event = {
            "id": f"e{number}",
            "time": rfc3339(due),
            "campaign": each.campaign,
            "phone": f"+90532{number:07d}",
        }
        producer.produce(topic, orjson.dumps(event))
    producer.flush()


def live(
    bootstrap: str, folder: Path, coming: Sequence[Arrival], name: str
) -> tuple[dict[str, Any], Path]:
    """What the running program made of them, and its config."""
    [port] = free_ports(1)
    settings = {
        "pisano_quota": {"limits": compressed(), "algorithm": "weighted"},
        "latency": {"kind": "lognormal", "ms": LATENCY_MS, "spread": 0.4},
        "campaigns": [{"id": identifier(each), "channel": "sms"} for each in range(CAMPAIGNS)],
    }
    config = folder / f"{name}.yaml"
    with sandbox(folder, port, **settings) as vendor:
        config.write_text(config_text(name, bootstrap, vendor))
        workload.create(bootstrap, **{f"{name}-input": workload.PARTITIONS})
        with dispatcher(config):
            time.sleep(10.0)  # it has joined its groups: life's seconds are twentieths here
            feed(bootstrap, f"{name}-input", coming)
            workload.wait_for(bootstrap, f"{name}.results", len(coming))
            throttled = httpx.get(f"{vendor}/_sandbox/summary").json()["throttled"]
        results = records(bootstrap, f"{name}.results")
    told = {
        "results": len(results),
        "accepted": sum(result["status"] == "accepted" for result in results),
        "calls": len({result["batch"] for result in results}),
        "throttled": throttled,
        "from_event": spread([wait(result, "event_time") for result in results]),
        "from_routed": spread([wait(result, "routed_at") for result in results]),
    }
    return told, config


def wait(result: dict[str, Any], since: str) -> float:
    """Seconds of life until the call left."""
    left, came = (datetime.fromisoformat(result[key]).timestamp() for key in ("sent_at", since))
    return (left - came) * SPEED


def spread(waits: Sequence[float]) -> dict[str, float]:
    """Mean, median, p99 and longest."""
    ranked = sorted(waits)
    found = (sum(ranked) / len(ranked), ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100])
    named = zip(("mean", "p50", "p99", "max"), (*found, ranked[-1]), strict=True)
    return {name: round(seconds, 2) for name, seconds in named}


def simulated(coming: Sequence[Arrival], config: Path) -> dict[str, Any]:
    """The same arrivals, limits and latency, on a virtual clock."""
    settings = lane_settings(read(config), "pisano")
    traffic = LaneTraffic(settings, lambda: iter(coming), {})
    played = traffic.play(partial(play_lane, latency=LATENCY_MS / 1000.0), 0)
    figures = summary([played], 0.0)
    waits = spread([each * SPEED for each in played.waits])
    return {"calls": figures["calls"], "throttled": figures["throttled"], **waits}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object for each kind of traffic."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of life")
    parser.add_argument("--kinds", nargs="*", default=["steady", "bursty"])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, broker_factory(Path(home)) as start:
        bootstrap = start().bootstrap
        for kind in given.kinds:
            coming = list(arrivals(kind, given.minutes, given.seed))
            told, config = live(bootstrap, Path(home), coming, f"waits-{kind}")
            other = simulated(coming, config)
            off = {
                since: round(told[since]["mean"] / other["mean"], 3)
                for since in ("from_event", "from_routed")
            }
            row = {"kind": kind, "customers": len(coming), "live": told, "simulated": other}
            print(json.dumps(row | {"live_over_simulated": off}), flush=True)


if __name__ == "__main__":
    main()
