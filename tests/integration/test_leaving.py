"""A member leaves its group before its client is closed, on a real Kafka.

What this prevents takes luck to see: with two rebalance callbacks to run, `Consumer.close` hung for
ever in one of a hundred times, and the process with it. That it has none to run is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from consumer.kafka.clients import KafkaClients, PromptConsumer
from consumer.runtime.group_consumer import GroupConsumer
from consumer.runtime.stage import StageRun
from tests.support.kafka import PATIENCE, KafkaBroker, create_topics, unique

PARTITIONS = 4


class Stage:
    """A member that reads none but the first partition."""

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        found = [each for each in partitions if each.partition == 0]
        for partition in found:
            partition.offset = OFFSET_BEGINNING
        return found

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """Nothing to finish."""

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """Nothing is out of range here."""


class Bench:
    """A group on a topic of its own; `told` holds the callbacks, and when the client was closed."""

    def __init__(self, kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clients = KafkaClients({"bootstrap.servers": kafka.bootstrap})
        self.group, self.topic = unique("group"), unique("topic")
        self.told: list[str] = []
        self._admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        create_topics(kafka.bootstrap, self.topic, partitions=PARTITIONS)

        def close(consumer: PromptConsumer) -> None:
            self.told.append("close")
            Consumer.close(consumer)

        monkeypatch.setattr(PromptConsumer, "close", close)

    def teller(self, kind: str) -> Callable[..., None]:
        """Return a callback that notes its kind, and leaves the rest to the client."""
        return lambda *_: self.told.append(kind)

    def held(self) -> int:
        """How many partitions the group's members have."""
        (found,) = self._admin.describe_consumer_groups([self.group]).values()
        members = found.result(PATIENCE).members
        return sum(len(member.assignment.topic_partitions) for member in members)

    def wait_until_held(self, number: int) -> None:
        """Wait until the members have so many."""
        # A new group's coordinator may be loading.
        again = retry_if_exception_type(KafkaException) | retry_if_result(number.__ne__)
        patience = Retrying(stop=stop_after_delay(PATIENCE), wait=wait_fixed(0.05), retry=again)
        patience(self.held)


@pytest.fixture
def bench(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(kafka, monkeypatch)


def test_client_closes_after_its_last_rebalance_callback(bench: Bench) -> None:
    """Also if no poll has come since the group assigned its partitions."""
    consumer = bench.clients.consumer(bench.group)
    assign, revoke = bench.teller("assign"), bench.teller("revoke")
    consumer.subscribe([bench.topic], on_assign=assign, on_revoke=revoke, on_lost=revoke)
    bench.wait_until_held(PARTITIONS)
    bench.clients.close(consumer)
    assert bench.told == ["assign", "revoke", "close"]
    bench.wait_until_held(0)


def test_member_with_stopped_partitions_leaves_at_once(bench: Bench) -> None:
    """librdkafka refuses to unassign what is not read, and such a member would never be let go."""
    services = SimpleNamespace(clients=bench.clients)
    run = SimpleNamespace(
        consumer=bench.clients.consumer, services=services, end_membership=lambda: None
    )
    with GroupConsumer(cast("StageRun", run), bench.group, Stage()) as group:
        group.subscribe([bench.topic])
        while not group.consumer.assignment():
            group.poll(1, 0.1)
    assert bench.told == ["close"]
    bench.wait_until_held(0)
