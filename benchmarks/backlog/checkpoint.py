"""A lane whose checkpoint nears its bound: a few wait, anywhere among many that are settled.

One lane, two vendor accounts on its quota. `WAITING` invitations, spread at random over the log,
are an account's that answers 401 to every call; of the rest one in `LIVE` is a healthy campaign's,
and the others have expired, so that they end without a call. When all is read, the program stops
in peace, `TAIL` more are written behind it all, and it starts again from that checkpoint.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from benchmarks.backlog.records import invitation, read_journal
from benchmarks.backlog.scene import Double, adapt, begin_router
from benchmarks.backlog.watch import Watch, load
from tests.support.dispatcher import Dispatcher, LiveWorld
from tests.support.kafka import unique

WAITING = 690_000
LIVE = 1_000
TAIL = 1_000
QUOTA = {"limits": ["200000/1d"], "max_buffered_bytes": 300_000_000, "first_start": "unused"}
WINDOW = {"max_wait": "5s"}
NUMBER = "8888888"
"""Stands for a customer's number in the bytes that are copied."""


@dataclass(slots=True)
class BigCheckpoint:
    """One run; `seconds`: how long each of its two parts may take."""

    bootstrap: str
    home: Path
    size: int
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """The figures; no result may be unknown, and no customer may be accepted twice."""
        with ExitStack() as ends:
            world = ends.enter_context(LiveWorld(self.bootstrap, self.home))
            double = Double(self.home)
            ends.callback(double.close)
            double.start()
            config = self._config(world, double)
            world.create_topics(config)
            begin_router(world)
            live = (self.size - self._waiting) // LIVE
            self.figures |= {"what": "checkpoint", "size": self.size, "waiting": self._waiting}
            self.figures |= {"live": live, "load_before": load()}
            topic = f"{world.name}.invitations.pisano"
            self.figures["written"] = write(self.bootstrap, topic, self._log(live))
            first = world.start(config).wait_ready()
            self.figures["first"] = self._part(world, first, double, live)
            write(self.bootstrap, topic, (("web", live + n) for n in range(TAIL)))
            second = world.start(config, begin=None).wait_ready()
            self.figures["second"] = self._part(world, second, double, live + TAIL)
            self.figures |= self._judged(world, double, live + TAIL)
        return self.figures

    @property
    def _waiting(self) -> int:
        return min(WAITING, self.size // 2)

    def _config(self, world: LiveWorld, double: Double) -> Path:
        blocked = {"type": "pisano", "base_url": double.url, "token": "refused", "quota": "pisano"}
        return adapt(
            world.configure(quota=QUOTA, window=WINDOW),
            vendors={
                "pisano": {"base_url": double.url},
                "radar": {"base_url": double.url},
                "blocked": blocked,
            },
            campaigns={"purchase-sms": {"vendor": "blocked"}},
        )

    def _log(self, live: int) -> Iterator[tuple[str, int]]:
        """Channel and customer; `gone`: one that has expired."""
        rng = random.Random(1)
        left, waiting, well = self.size, self._waiting, live
        while left:
            place = rng.random() * left
            if place < waiting:
                waiting -= 1
                yield "store", waiting
            elif place < waiting + well:
                well -= 1
                yield "web", well
            else:
                yield "gone", left
            left -= 1

    def _part(
        self, world: LiveWorld, running: Dispatcher, double: Double, accepted: int
    ) -> dict[str, Any]:
        """From a start until the healthy campaign's are accepted, and the stop."""
        began, calls = time.time(), double.calls()
        with Watch(running) as watch:
            done = self._accepted(double, accepted)
            took = time.time() - began
            metrics = running.metrics()
            found = {
                "healthy_accepted": done,
                "seconds": round(took, 1),
                "calls": double.calls() - calls,
                "buffered": metrics.total("buffered_invitations", lane="pisano"),
                "spilled": metrics.total("spilled_invitations", lane="pisano"),
                "span_offsets": metrics.total("span_offsets", lane="pisano"),
                "dead_letters": metrics.total("dead_letters_total"),
                "unknown": metrics.total("results_total", lane="pisano", status="unknown"),
                "memory_peak_mb": round(watch.peak(), 1),
                "load": load(),
            }
            found["ended_with"] = running.terminate(180)
        checkpoint = world.checkpoint()
        return found | {
            "sessions_ended": len(running.lines("session_ended")),
            "checkpoint_bytes": len(checkpoint.model_dump_json()),
            "of_it_settled_offsets": len(checkpoint.done),
        }

    def _accepted(self, double: Double, wanted: int) -> int:
        """How many customers the vendor accepted, once it is all of them or time is up."""
        until, found = time.monotonic() + self.seconds, 0
        while found < wanted and time.monotonic() < until:
            time.sleep(1.0)
            with suppress(httpx.HTTPError):
                found = sum(read_journal(double.journal, {"web": wanted}).times["web"])
        return found

    def _judged(self, world: LiveWorld, double: Double, accepted: int) -> dict[str, Any]:
        statuses = count_statuses(self.bootstrap, f"{world.name}.results")
        vendor = read_journal(double.journal, {"web": accepted, "store": self._waiting})
        return {
            "results": statuses,
            "vendor": {name: vendor.summary(name) for name in ("web", "store")},
            "load_after": load(),
        }


def write(bootstrap: str, topic: str, records: Iterator[tuple[str, int]]) -> dict[str, float]:
    """Write copies of three invitations with another number each; what that took."""
    settings = {
        "bootstrap.servers": bootstrap,
        "linger.ms": 50,
        "batch.size": 900_000,
        "compression.type": "lz4",
        "enable.idempotence": True,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 512_000,
    }
    producer = Producer(settings)
    makers = {name: _maker(name) for name in ("store", "web", "gone")}
    number, began = 0, time.monotonic()
    for channel, customer in records:
        key, value = makers[channel](customer)
        while True:
            try:
                producer.produce(topic, value, key, 0)
                break
            except BufferError:
                producer.poll(0.5)
        number += 1
        if number % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the log was not written")
    return {"records": number, "seconds": round(time.monotonic() - began, 1)}


def _maker(name: str) -> Callable[[int], tuple[bytes, bytes]]:
    """Makes key and value of customer after customer, with an id and a pseudonym of its own."""
    gone = name == "gone"
    at = time.time() - (100 * 3600.0 if gone else 0.0)
    key, value = invitation("web" if gone else name, int(NUMBER), at)
    digest = key.removeprefix("k1:")[:32].encode()
    mark = {"store": b"a", "web": b"b", "gone": b"c"}[name]
    key_parts = key.encode().split(digest)
    value = value.replace(b'"offset":%s' % NUMBER.encode(), b'"offset":0')  # no leading zeros
    parts = value.replace(NUMBER.encode(), b"%(n)07d").replace(digest, b"%(id)s")

    def make(customer: int) -> tuple[bytes, bytes]:
        of = mark + b"%031x" % customer
        return of.join(key_parts), parts % {b"n": customer, b"id": of}

    return make


def count_statuses(bootstrap: str, topic: str) -> dict[str, int]:
    """Status → results, without reading more of each than that."""
    group = {"bootstrap.servers": bootstrap, "group.id": unique("results")}
    found: Counter[str] = Counter()
    more = {"enable.partition.eof": True, "isolation.level": "read_committed"}
    with Consumer({**group, **more, "enable.auto.commit": False}) as reader:
        left = set(reader.list_topics(topic, timeout=20).topics[topic].partitions)
        reader.assign([TopicPartition(topic, part, OFFSET_BEGINNING) for part in left])
        while left:
            for message in reader.consume(10_000, 1.0):
                if message.error() is not None:
                    left.discard(message.partition())
                    continue
                _, _, rest = (message.value() or b"").partition(b'"status":"')
                found[rest[: rest.find(b'"')].decode()] += 1
    return dict(found)
