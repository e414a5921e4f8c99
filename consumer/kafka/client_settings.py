"""librdkafka's settings of every client.

The settings that the delivery guarantees rest on are set only here; the config refuses them by
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.config.kafka_settings import plain_names

MESSAGE_MAX_BYTES = 16 * 1024 * 1024
TRANSACTION_TIMEOUT = 10.0
"""Seconds after which Kafka aborts a transaction whose producer is gone. Until then no consumer
reads past its records, so the timeout is short where the next process has another transactional
id."""

LANE_TRANSACTION_TIMEOUT = 120.0
"""Transaction timeout of a lane, in seconds. The lane's next owner has the same transactional id
and ends an open transaction at once, so a long timeout costs nothing while there is an owner. An
aborted transaction would cost the answers of all calls in flight. A drain within a revocation still
ends before `max.poll.interval.ms`."""

Settings = Mapping[str, str]

_DEFAULTS: Final[Mapping[str, object]] = {
    "topic.metadata.refresh.interval.ms": 30_000,
    "reconnect.backoff.max.ms": 5_000,
}
_CONSUMER_DEFAULTS: Final[Mapping[str, object]] = {
    "queued.max.messages.kbytes": 4 * 1024,  # two polls; 32 MiB cost the drain 100 MB
    "max.partition.fetch.bytes": 256 * 1024,  # a partition's share of an answer: 1 MiB cost 60 MB
    "fetch.queue.backoff.ms": 10,  # a second by default, in which a full queue runs empty
    "fetch.wait.max.ms": 100,
}
_PRODUCER_DEFAULTS: Final[Mapping[str, object]] = {
    "queue.buffering.max.messages": 500_000,
    "compression.type": "lz4",
    "linger.ms": 5,
    "retry.backoff.ms": 10,
}
_CONSUMER_FIXED: Final[Mapping[str, object]] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 8_000,
    "heartbeat.interval.ms": 1_000,
    "max.poll.interval.ms": 300_000,
}
_PRODUCER_FIXED: Final[Mapping[str, object]] = {
    "acks": "all",
    "message.max.bytes": MESSAGE_MAX_BYTES,
}


def consumer_settings(settings: Settings, group: str, instance: str = "") -> dict[str, object]:
    """Return the settings of a consumer that never commits or chooses a start offset by itself."""
    fixed = {"group.id": group, **_CONSUMER_FIXED}
    return _client_settings(settings, client_id(group, instance), _CONSUMER_DEFAULTS, fixed)


def producer_settings(
    settings: Settings, transactional_id: str, timeout: float = TRANSACTION_TIMEOUT
) -> dict[str, object]:
    """Return the settings of a transactional producer."""
    fixed = {
        "transactional.id": transactional_id,
        "transaction.timeout.ms": int(timeout * 1000),  # records that are not sent by then fail
        **_PRODUCER_FIXED,
    }
    return _client_settings(settings, client_id(transactional_id), _PRODUCER_DEFAULTS, fixed)


def client_id(name: str, instance: str = "") -> str:
    """Return the client id of a replica's client: brokers show it with each member of a group."""
    return f"survey-dispatcher.{name}" + (f"@{instance}" if instance else "")


def _client_settings(
    settings: Settings, client: str, defaults: Mapping[str, object], fixed: Mapping[str, object]
) -> dict[str, object]:
    """Merge settings: defaults, overridden by the config, overridden by the fixed ones."""
    return {
        "client.id": client,
        **_DEFAULTS,
        **defaults,
        **plain_names(settings),
        "allow.auto.create.topics": False,
        **fixed,
    }
