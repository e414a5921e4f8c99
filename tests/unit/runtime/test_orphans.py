"""Lanes that left the config: shown, and said once each."""

from __future__ import annotations

from typing import cast

from confluent_kafka.admin import AdminClient
from structlog.testing import capture_logs

from consumer.config.topic_names import Topics
from consumer.kafka.clients import KafkaClients
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.watchers.orphans import OrphanWatch


def test_an_orphaned_lane_is_said_once_and_shown_until_it_is_gone() -> None:
    metrics = Metrics()
    no_clients = cast("AdminClient", None), cast("KafkaClients", None)
    watch = OrphanWatch(*no_clients, Topics("surveys"), ("cloud",), metrics)
    with capture_logs() as lines:
        watch.record_answer({"old": 3, "empty": 0})
        watch.record_answer({"old": 2, "empty": 0})
    assert [(line["event"], line["lane"], line["records"]) for line in lines] == [
        ("lane_left_config", "old", 3)
    ]
    assert "lanes drain old" in lines[0]["mend"]
    assert shown(metrics) == {"old": 2, "empty": 0}

    with capture_logs() as lines:
        watch.record_answer({})
        watch.record_answer({"old": 1})
    assert len(lines) == 1
    assert shown(metrics) == {"old": 1}


def shown(metrics: Metrics) -> dict[str, float]:
    return metrics.series.totals("orphaned_lane_records", "lane")
