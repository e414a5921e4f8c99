"""Answers of a broker that leads a partition since a moment ago: the question is asked again."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from consumer.errors import KafkaSessionError
from consumer.kafka import log_scan
from consumer.kafka.queries import Offsets, end_offsets


class Offset:
    """What `list_offsets` finds."""

    offset = 7


class Broker:
    """Answers `list_offsets` with these errors, one after another, and then with an offset."""

    def __init__(self, *codes: int) -> None:
        self.codes = list(codes)

    def list_topics(self, timeout: float) -> Any:  # noqa: ARG002 - confluent-kafka's signature
        topic = type("Topic", (), {"partitions": {0: None}})()
        return type("Known", (), {"topics": {"orders": topic}})()

    def list_offsets(self, asked: dict[TopicPartition, Any], **_: Any) -> Any:
        future: Future[Offset] = Future()
        if self.codes:
            future.set_exception(KafkaException(KafkaError(self.codes.pop(0))))
        else:
            future.set_result(Offset())
        return dict.fromkeys(asked, future)


def ends(broker: Broker) -> Offsets:
    return end_offsets(cast("AdminClient", broker), ["orders"])


def test_a_leader_that_is_just_elected_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_scan, "POLL", 0.0)
    broker = Broker(
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
    )
    assert ends(broker) == {("orders", 0): 7}
    assert broker.codes == []


def test_a_refusal_is_final() -> None:
    broker = Broker(KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(
        KafkaSessionError, match="reading the logs' ends: TOPIC_AUTHORIZATION_FAILED"
    ):
        ends(broker)
    assert len(broker.codes) == 1
