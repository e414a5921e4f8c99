"""Seconds and memory of `results` over a long topic: `python -m benchmarks.results`.

A script writes results with the publisher's form, evenly over the six days before now: without
transactions, whose markers would all bear the present time and mislead the search for a time. Then
each command runs as a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

from benchmarks.programs import ProcessTree, looking
from consumer.records.fields import rfc3339
from consumer.records.result import Reason
from tests.support.dispatcher import LiveWorld, command
from tests.support.kafka import broker_factory

DAY = 86_400
DAYS = 6  # the topic keeps seven
REASONS = {
    Reason.ACCEPTED: 70,
    Reason.CONTACT_LIMIT: 15,
    Reason.EXPIRED_WAITING: 5,
    Reason.OPTED_OUT: 5,
    Reason.VENDOR_REJECTED: 4,
    Reason.NO_ANSWER: 1,
}
CALLED = {Reason.ACCEPTED, Reason.VENDOR_REJECTED, Reason.NO_ANSWER}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a JSON line for each command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=int, default=1_000_000)
    given = parser.parse_args(arguments)
    os.environ["ADMIN_PORT"] = "0"
    with (
        tempfile.TemporaryDirectory() as folder,
        broker_factory(Path(folder)) as start,
        LiveWorld(start().bootstrap, Path(folder)) as world,
    ):
        config = world.configure()
        world.create_topics(config)
        fill(world, given.results)
        for words in commands(Path(folder), given.results):
            print(json.dumps(measured(*words, "--config", str(config))), flush=True)


def commands(folder: Path, number: int) -> Iterator[Sequence[str]]:
    """Yield the words of each command."""
    yield "summary", "--by", "route"
    yield "summary", "--by", "day,route,reason"
    yield "summary", "--by", "event.store", "--since", "1d"
    yield "find", "--event", f"e{number // 2}"
    for form in ("jsonl", "csv", "parquet"):
        yield "export", str(folder / f"r.{form}"), "--format", form


def measured(*words: str) -> dict[str, Any]:
    """Run a command."""
    began = time.monotonic()
    process = subprocess.Popen(command("results", *words), stdout=subprocess.DEVNULL)
    tree = ProcessTree(process.pid)
    with looking(tree.memory):
        _, status, usage = os.wait4(process.pid, 0)
    return {
        "command": " ".join(Path(word).name for word in words[: words.index("--config")]),
        "exit_code": os.waitstatus_to_exitcode(status),
        "seconds": round(time.monotonic() - began, 1),
        "cpu": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(tree.peak()),
    }


def fill(world: LiveWorld, number: int) -> None:
    """Write so many results."""
    settings = {"enable.idempotence": True, "linger.ms": 20, "compression.type": "zstd"}
    producer = Producer({"bootstrap.servers": world.bootstrap, **settings})
    dice, begin = random.Random(1), time.time() - DAYS * DAY
    for at in range(number):
        when = begin + DAYS * DAY * at / number
        write(producer, f"{world.name}.results", result(at, when, dice), when)
    assert producer.flush(60) == 0


def write(producer: Producer, topic: str, value: dict[str, Any], when: float) -> None:
    """Write a result with the headers that the publisher gives it."""
    texts = {
        "ce_specversion": "1.0",
        "ce_type": "survey-dispatcher.result.v1",
        "ce_source": "/made/sender",
        "ce_id": value["id"],
        "ce_time": value["routed_at"],
        "content-type": "application/json",
    }
    headers: list[tuple[str, str | bytes | None]] = [*texts.items()]
    encoded, milliseconds = orjson.dumps(value), int(when * 1000)
    while True:
        try:
            producer.produce(
                topic, encoded, value["event_id"], headers=headers, timestamp=milliseconds
            )
        except BufferError:
            producer.poll(1)
        else:
            return


def result(number: int, when: float, dice: random.Random) -> dict[str, Any]:
    """Make a result of one of six routes, twelve campaigns and forty stores."""
    (reason,) = dice.choices(list(REASONS), list(REASONS.values()))
    called = reason in CALLED
    person = f"k1:{blake2b(b'p%d' % dice.randrange(300_000), digest_size=16).hexdigest()}"
    made: dict[str, Any] = {
        "version": 1,
        "id": blake2b(b"i%d" % number, digest_size=16).hexdigest(),
        "event_id": f"e{number}",
        "status": reason.status,
        "reason": reason,
        "route": f"route-{number % 6}",
        "campaign": f"campaign-{number % 12}",
        "vendor": "pisano",
        "channel": "sms",
        "batch": f"{number // 500:016x}" if called else None,
        "attempt": int(called),
        "http_status": 200 if called else None,
        "vendor_code": None,
        "vendor_message": None,
        "recipient": person,
        "event_time": rfc3339(when - 3600),
        "routed_at": rfc3339(when - 3599),
        "sent_at": rfc3339(when - 1) if called else None,
        "answered_at": rfc3339(when) if called else None,
        "config_version": "0123456789ab",
        "source": {"topic": "pos", "partition": number % 6, "offset": number // 6},
        "person": [person],
        "tags": ["purchase"],
        "event": {"store": str(dice.randrange(40))},
    }
    return made | ({"rule": "month"} if reason is Reason.CONTACT_LIMIT else {})


if __name__ == "__main__":
    main()
