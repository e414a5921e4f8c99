"""Transactions of an operator's command under a quota of the cluster."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.config.models import Config
from consumer.config.topic_names import Topics
from consumer.errors import KafkaSessionError
from consumer.kafka import transactions
from consumer.kafka.clients import KafkaClients
from consumer.kafka.transaction_size import TransactionSize
from consumer.operations.access import Access

TIMED_OUT = KafkaException(KafkaError(KafkaError._FENCED, "the epoch was bumped", fatal=True))


class Cluster:
    """Takes one record in so many seconds, and aborts what is open for longer than its timeout."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.committed: list[int] = []
        self.sizes: list[int] = []

    def producer(self, _name: str, *, timeout: float) -> ThrottledProducer:
        return ThrottledProducer(self, timeout)


class ThrottledProducer:
    """One producer, with its open transaction."""

    def __init__(self, cluster: Cluster, timeout: float) -> None:
        self.cluster, self.timeout = cluster, timeout
        self.open: list[int] = []

    def init_transactions(self, _timeout: float) -> None:
        """It can."""

    def begin_transaction(self) -> None:
        self.open = []

    def produce(self, _topic: str, value: bytes, *_: Any, **__: Any) -> None:
        self.open.append(int(value))

    def commit_transaction(self, _timeout: float) -> None:
        took = self.cluster.seconds * len(self.open)
        self.cluster.now += min(took, self.timeout)
        if took >= self.timeout:
            raise TIMED_OUT
        self.cluster.committed += self.open
        self.cluster.sizes.append(len(self.open))


def access_to(cluster: Cluster) -> Access:
    config = SimpleNamespace(kafka={}, topics=Topics("surveys"))
    access = Access(cast("Config", config), steady=lambda: cluster.now)
    access.clients = cast("KafkaClients", cluster)
    return access


def write_all(cluster: Cluster, number: int, most: int = 1000) -> list[int] | None:
    """Write so many records as a command does; return the confirmed plan."""
    access, size = access_to(cluster), TransactionSize(most)

    def plan(_producer: Producer, confirmed: list[int] | None) -> list[int]:
        return [n for n in confirmed or range(number) if n not in cluster.committed]

    def write(producer: Producer, left: list[int]) -> None:
        while left:
            batch, left = left[: size.records], left[size.records :]
            with access.transaction(producer, "writing", size, len(batch)):
                for n in batch:
                    transactions.produce(producer, "topic", b"%d" % n)

    return access.write_confirmed("writer", size, plan, lambda _plan: True, write)


def test_command_commits_all_though_a_full_transaction_outlasts_its_timeout() -> None:
    """300 records in one transaction take 30 s; Kafka aborts it after 10 s."""
    cluster = Cluster(0.1)
    assert write_all(cluster, 300) == list(range(300))
    assert cluster.committed == list(range(300)), "each once, none lost"
    assert max(cluster.sizes) < 100


def test_record_that_alone_outlasts_the_timeout_gets_a_longer_one() -> None:
    cluster = Cluster(15.0)
    assert write_all(cluster, 3) == [0, 1, 2]
    assert cluster.committed == [0, 1, 2]


def test_command_ends_when_not_even_the_longest_transaction_commits() -> None:
    cluster = Cluster(1000.0)
    with pytest.raises(KafkaSessionError, match="writing was interrupted: commit: _FENCED"):
        write_all(cluster, 3)


def test_failure_within_the_timeout_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run of the command has fenced this one: to go on would fence that one in turn."""

    def fenced(_self: ThrottledProducer, _timeout: float) -> None:
        raise TIMED_OUT

    monkeypatch.setattr(ThrottledProducer, "commit_transaction", fenced)
    with pytest.raises(KafkaSessionError, match="run the command again"):
        write_all(Cluster(0.1), 3)
