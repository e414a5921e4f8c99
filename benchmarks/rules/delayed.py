"""Delayed invitations: memory while they wait, and how late after their due time they are called.

    python -m benchmarks.rules.delayed [--events 1000000] [--delay 4m]

All events are of now, and a policy delays each survey. The delay topics hold them: memory must not
grow with their number, no call may be early, and one is late by a step (1 m) and the lane's own
waiting at most, as long as the delay stage returns them as fast as they come due (2,000/s).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime

import orjson
from confluent_kafka import Consumer, TopicPartition

from benchmarks.backlog.watch import Watch, spread
from benchmarks.throughput import config, workload
from benchmarks.throughput.scene import PARTITIONS, Scene, scene
from consumer.records.fields import rfc3339
from tests.support.dispatcher import Dispatcher
from tests.support.kafka import create_topics, free_ports, unique

STEP = 60.0


def events(count: int) -> Iterator[bytes]:
    """Events of distinct customers, of now."""
    for number in range(count):
        yield orjson.dumps(workload.event(number, number % 50) | {"time": rfc3339(time.time())})


def lateness(place: Scene, topic: str, count: int) -> tuple[list[float], set[str]]:
    """Read so many results; return seconds from due time to call, and the statuses."""
    reader = Consumer(
        {
            "bootstrap.servers": place.bootstrap,
            "group.id": "late",
            "isolation.level": "read_committed",
        }
    )
    partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
    reader.assign([TopicPartition(topic, number, 0) for number in partitions])
    late, statuses = list[float](), set[str]()
    while len(late) < count:
        for message in reader.consume(10_000, 1.0):
            if message.error() is None:
                result = orjson.loads(message.value() or b"")
                statuses.add(result["status"])
                sent, due = (datetime.fromisoformat(result[key]) for key in ("sent_at", "due_at"))
                late.append((sent - due).total_seconds())
    reader.close()
    return late, statuses


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--delay", default="4m")
    given = parser.parse_args()
    with scene() as place:
        name, source = unique("bench"), unique("transactions")
        made = config.document(name, place.bootstrap, place.sink, source)
        made["routes"][0]["policy"]["delay"] = given.delay
        path = config.write(place.folder, made)
        create_topics(place.bootstrap, source, partitions=PARTITIONS)
        config.create_topics(path)
        os.environ["ADMIN_PORT"] = "0"
        log = place.folder / "log"
        dispatcher = Dispatcher(path, log, free_ports(1)[0], "--from", "earliest").wait_ready()
        with Watch(dispatcher, "sink") as watch:
            began = time.time()
            workload.fill(place.bootstrap, source, events(given.events))
            filled = time.time()
            late, statuses = lateness(place, f"{name}.results", given.events)
            ended = time.time()
        dispatcher.terminate()
    early = sum(seconds < 0 for seconds in late)
    print(
        json.dumps(
            {
                "events": given.events,
                "statuses": sorted(statuses),
                "early": early,
                "late": spread(late),
                "within a step": round(sum(s <= STEP + 1 for s in late) / len(late), 3),
                "filling": watch.between(began, filled),
                "all": watch.between(began, ended),
                "peak MB": round(watch.peak()),
            }
        )
    )


if __name__ == "__main__":
    main()
