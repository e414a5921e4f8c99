"""`produce --synthetic`: made-up transactions, as they happen."""

from __future__ import annotations

import re
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from consumer.demo.feed import produce_synthetic
from consumer.kafka.clients import EmbeddedBroker
from consumer.records.fields import rfc3339

TOPIC = "pos.transaction-completed"


def test_made_up_transactions_have_todays_times_and_names_of_their_own() -> None:
    """None is too old for a survey, and a second run's are others: its seed is the moment."""
    broker = EmbeddedBroker()
    broker.create([TOPIC])
    settings = {"bootstrap.servers": broker.bootstrap}
    began = time.time()
    assert produce_synthetic(settings, TOPIC, rate=2_000, limit=200) == 200
    ended = time.time()

    client = Consumer({**settings, "group.id": "test", "log_level": 0})
    client.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in range(4)])
    values = b"".join(message.value() or b"" for message in client.consume(200, timeout=10.0))
    client.close()
    seeds = {int(found) for found in re.findall(rb'"id":"synthetic-(\d+)-', values)}
    times = [found.decode() for found in re.findall(rb'"time":"([^"]+)"', values)]
    assert seeds <= set(range(int(began), int(ended) + 1))
    assert len(seeds) == 1
    assert rfc3339(began) <= min(times) <= max(times)
    assert len(times) > 150  # some are cut short on purpose
