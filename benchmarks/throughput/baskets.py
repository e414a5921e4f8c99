"""The main job on real purchases: `python -m benchmarks.throughput.baskets`.

First 100,000 produced baskets over three routes (SMS, e-mail, Customer Radar) without a quota and
50 ms of latency: one result for each invitation, and the sandbox's counts equal the accepted
results. Then Pisano's published limits at twenty times the speed of life with `max_batch: 100`:
no 429, and the share of the calls that the quota allows while a backlog waits.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.programs import LIMITS, SPEED, compressed, dispatcher, records, sandbox
from benchmarks.throughput import workload
from consumer.demo.feed import produce_baskets
from tests.support.kafka import broker_factory, free_ports

CONFIG = """\
version: 1
application_id: {name}
kafka: {{bootstrap.servers: "{bootstrap}"}}
pseudonym: {{key_id: k1, key: benchmark-key-0123456789}}
quotas:
  pisano: {{limits: {limits}, skew: {skew}, first_start: unused}}
  radar: {{limits: [], first_start: unused}}
vendors:
  pisano: {{type: pisano, base_url: "{vendor}", token: sandbox-token, quota: pisano}}
  radar:
    type: customer_radar
    base_url: "{vendor}"
    username: sandbox
    password: sandbox-password
    client: 8291a9ed952342c5b5fe2915f2189e7c
    quota: radar
campaigns:
  sms:
    {{vendor: pisano, channel: sms, id: ae51458c-9e82-417f-8f1d-e074891ea5c1, window: {window}}}
  email:
    {{vendor: pisano, channel: email, id: 735c19a7-ee54-4b03-a84a-93dfe2a94a56, window: {window}}}
  visit:
    {{vendor: radar, channel: invitation, id: 1cf118a0326d47aa851a90b9674e90aa, window: {window}}}
inputs: {{pos: {{topics: [{source}], format: json}}}}
routes:
  - name: small
    input: pos
    match: {{amount: [{{numeric: ["<", 10]}}]}}
    recipient: {{phone: customer.phone}}
    send: [sms]
    data: {{custom_attributes: {{name: customer.name, external_id: customer.id}}}}
  - name: middle
    input: pos
    match: {{amount: [{{numeric: [">=", 10, "<", 40]}}]}}
    recipient: {{email: customer.email}}
    send: [email]
    data: {{built_in_responses: {{Segment: customer.segment, Location: store.id}}}}
  - name: large
    input: pos
    match: {{amount: [{{numeric: [">=", 40]}}]}}
    recipient: {{phone: customer.phone, email: customer.email}}
    send: [visit]
    data:
      firstName: customer.name
      locationDisplayId: "'1cf118a0326d47aa851a90b9674e90aa'"
      metadata: {{basket: id}}
admin: {{host: 127.0.0.1, port: 0}}
"""


def unlimited(bootstrap: str, folder: Path, port: int, count: int) -> dict[str, Any]:
    """Everything at once, 50 ms a call."""
    with sandbox(folder, port, latency={"kind": "fixed", "ms": 50}) as vendor:
        source, config = prepare(bootstrap, folder, vendor, "free", count, limits="[]", skew="0s")
        started = time.monotonic()
        with dispatcher(config):
            workload.wait_for(bootstrap, "free.results", count)
            seconds = time.monotonic() - started
        results = records(bootstrap, "free.results")
        summary = httpx.get(f"{vendor}/_sandbox/summary").json()
    del source
    return {
        "events": count,
        "results": len(results),
        "distinct": len({result["id"] for result in results}),
        **Counter(result["status"] for result in results),
        "sandbox_accepted": summary["accepted_recipients"],
        "calls": summary["calls"],
        "throttled": summary["throttled"],
        "seconds": round(seconds, 1),
    }


def limited(
    bootstrap: str, folder: Path, port: int, count: int, seconds: float, algorithm: str
) -> dict[str, Any]:
    """A standing backlog under the limits; the share of 160 calls a period that was used."""
    quota = {"limits": compressed(), "algorithm": algorithm}
    latency = {"kind": "lognormal", "ms": 50 / SPEED, "spread": 0.5}
    name = f"limited-{algorithm}"
    with sandbox(folder, port, pisano_quota=quota, latency=latency) as vendor:
        limits = "[" + ", ".join(compressed()) + "]"
        _, config = prepare(bootstrap, folder, vendor, name, count, limits=limits, skew="100ms")
        with dispatcher(config):
            calls, throttled = sample(vendor, seconds)
    period = LIMITS[-1][1] / SPEED
    allowed = LIMITS[-1][0] * seconds / period
    return {
        "algorithm": algorithm,
        "calls": calls,
        "throttled": throttled,
        "allowed": round(allowed, 1),
        "share_used": round(calls / allowed, 4),
        "seconds": seconds,
    }


def sample(vendor: str, seconds: float) -> tuple[int, int]:
    """Pisano's calls and 429s in a stretch that begins after the first burst's longest period."""
    period = LIMITS[-1][1] / SPEED
    with httpx.Client() as client:

        def look() -> tuple[int, int]:
            summary = client.get(f"{vendor}/_sandbox/summary").json()
            pisano = [each["calls"] for name, each in summary["by_campaign"].items() if "-" in name]
            return sum(pisano), summary["throttled"]

        while not look()[0]:
            time.sleep(0.05)
        time.sleep(period)
        before = look()
        time.sleep(seconds)
        after = look()
    return after[0] - before[0], after[1]


def prepare(
    bootstrap: str, folder: Path, vendor: str, name: str, count: int, *, limits: str, skew: str
) -> tuple[str, Path]:
    """Topic with the baskets, and a config."""
    source = f"{name}-input"
    workload.create(bootstrap, **{source: workload.PARTITIONS})
    produce_baskets({"bootstrap.servers": bootstrap}, source, speed=None, limit=count)
    config = folder / f"{name}.yaml"
    window = "{max_batch: 100}" if limits != "[]" else "{}"
    config.write_text(
        CONFIG.format(
            name=name,
            bootstrap=bootstrap,
            vendor=vendor,
            source=source,
            limits=limits,
            skew=skew,
            window=window,
        )
    )
    return source, config


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--baskets", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=2.5 * LIMITS[-1][1] / SPEED)
    parser.add_argument("--algorithms", nargs="*", default=["sliding", "weighted", "fixed"])
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder)) as start:
        bootstrap = start().bootstrap
        [port] = free_ports(1)
        rows: list[Mapping[str, Any]] = [unlimited(bootstrap, Path(folder), port, given.baskets)]
        print(json.dumps(rows[0]))
        for algorithm in given.algorithms:
            row = limited(bootstrap, Path(folder), port, given.baskets, given.seconds, algorithm)
            print(json.dumps(row))


if __name__ == "__main__":
    main()
