"""The program's topics as commands or Kubernetes resources, where it may not create them itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Final

from consumer.kafka.topics import TopicSpec


def as_commands(specs: Sequence[TopicSpec], replication: int = -1) -> str:
    """Return `kafka-topics.sh` commands, for clusters where the program may not create topics."""
    copies = f" --replication-factor {replication}" if replication > 0 else ""
    lines = []
    for spec in specs:
        settings = "".join(f" --config {key}={value}" for key, value in spec.settings.items())
        lines.append(
            'kafka-topics.sh --bootstrap-server "$BOOTSTRAP" --create --if-not-exists '
            f"--topic {spec.name} --partitions {spec.partitions}{copies}{settings}"
        )
    return "\n".join(lines)


def as_strimzi(
    specs: Sequence[TopicSpec], cluster: str, replication: int = -1
) -> list[dict[str, object]]:
    """Return Strimzi KafkaTopic resources, version 1 of its API (Strimzi 0.49 and later)."""
    copies = {"replicas": replication} if replication > 0 else {}
    return [
        {
            "apiVersion": "kafka.strimzi.io/v1",
            "kind": "KafkaTopic",
            "metadata": {
                "name": _resource_name(spec.name),
                "labels": {"strimzi.io/cluster": cluster},
            },
            "spec": {
                "topicName": spec.name,
                "partitions": spec.partitions,
                **copies,
                "config": dict(spec.settings),
            },
        }
        for spec in specs
    ]


_RESOURCE: Final = re.compile(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
)


def _resource_name(topic: str) -> str:
    """Return the topic's name, or a unique Kubernetes name in its place."""
    if _RESOURCE.fullmatch(topic):
        return topic
    plain = re.sub(r"[^a-z0-9]+", "-", topic.lower()).strip("-")[:200]
    return f"{plain}-{hashlib.sha256(topic.encode()).hexdigest()[:8]}"
