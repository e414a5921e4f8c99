"""Purchases at a steady pace, from a thread, as a shop would write them."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from itertools import count
from typing import Self

import orjson
from confluent_kafka import Producer

from tests.support.dispatcher import purchases

PACE = 0.25
"""Seconds between two writes."""


class Feeder:
    """A context manager. `channels`: channel → purchases in each `PACE`; `answers`: a topic on
    which each customer of a store answers at once. Change both at any time. `written`: the ids of
    all purchases so far."""

    def __init__(
        self, bootstrap: str, topic: str, channels: Mapping[str, int], answers: str = ""
    ) -> None:
        self.channels = dict(channels)
        self.answers = answers
        self.written: list[str] = []
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
        self._numbers = count(1_000_000)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush(5)

    def crowd(self, channel: str, customers: int) -> None:
        """So many at once."""
        self._write(channel, customers)

    def raw(self, *values: bytes, topic: str | None = None) -> None:
        """Records as they are; returns when Kafka has them."""
        for value in values:
            self._producer.produce(topic or self._topic, value)
        self._producer.flush(20)

    def _run(self) -> None:
        while not self._stop.wait(PACE):
            for channel, customers in self.channels.copy().items():
                self._write(channel, customers)
            self._producer.poll(0)

    def _write(self, channel: str, customers: int) -> None:
        numbers = [next(self._numbers) for _ in range(customers)]
        for event in purchases(channel, numbers):
            self._producer.produce(self._topic, event.value, event.id)
            self.written.append(event.id)
            if channel == "store" and self.answers:
                answer = {"who": event.recipient, "campaign": "purchase-sms", "route": channel}
                self._producer.produce(self.answers, orjson.dumps(answer))
            self._producer.poll(0)
