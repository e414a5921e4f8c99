"""Polls the topics' ids, to detect a topic that was deleted and recreated.

librdkafka silently continues in the new topic, at the old topic's position.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence

import structlog
from confluent_kafka.admin import AdminClient

from consumer.kafka.queries import topic_ids

LOOK_EVERY = 10.0

log = structlog.get_logger(__name__)


class TopicWatch:
    """Requests the ids of the topics `names`, and updates `ids`, which the stages read. A missing
    topic keeps its last id: it may return, and a missing id is not a changed one."""

    def __init__(
        self, client: AdminClient, names: Sequence[str], ids: MutableMapping[str, str]
    ) -> None:
        self._client = client
        self.names = names
        self._ids = ids
        self._last: dict[str, str] = {}
        self._gone: set[str] = set()

    def poll(self) -> None:
        """Request the ids once. Raises KafkaSessionError."""
        self.record_answer(topic_ids(self._client, self.names))

    def record_answer(self, found: Mapping[str, str | None]) -> None:
        """Compare the ids (None: no such topic) with the last poll, record them, log changes."""
        if not self._last:
            log.info("topics_watched", topics=len(found))
        for topic, now in found.items():
            was = self._last.get(topic)
            if now is None:
                if topic not in self._gone:
                    hint = "what it held is lost; create it"
                    log.error("topic_missing", topic=topic, hint=hint)
                self._gone.add(topic)
                continue
            self._gone.discard(topic)
            self._ids[topic] = self._last[topic] = now
            if was is not None and was != now:
                log.error("topic_recreated", topic=topic, was=was, now=now, hint="its past is lost")
