"""Polls the topics' ids, to detect a topic that was deleted and recreated.

librdkafka silently continues in the new topic, at the old topic's position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from consumer.kafka.transactions import describe
from consumer.runtime.watchers.process_watch import pause

LOOK_EVERY = 10.0
PATIENCE = 10.0

log = structlog.get_logger(__name__)

Ids = Mapping[str, str | None]
"""Topic name → its id; None: the topic does not exist."""


class TopicWatch:
    """Requests the ids of the topics `names`, and updates `ids`, which the stages read.

    A missing topic keeps its last id: it may return, and a missing id is not a changed one.
    """

    def __init__(
        self, client: AdminClient, names: Sequence[str], ids: MutableMapping[str, str]
    ) -> None:
        self._client = client
        self._names = list(names)
        self._ids = ids
        self._last: dict[str, str] = {}
        self._gone: set[str] = set()

    def reconfigure(self, names: Sequence[str]) -> None:
        """Set the topics to watch."""
        self._names = list(names)

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`; retry after errors, which other watchers report."""
        while not stop.is_set():
            try:
                self.record_answer(await asyncio.to_thread(look, self._client, self._names))
            except (KafkaException, TimeoutError) as error:
                why = describe(error) if isinstance(error, KafkaException) else "no answer in time"
                log.debug("topic_ids_unknown", why=why)
            await pause(stop, LOOK_EVERY)

    def record_answer(self, found: Ids) -> None:
        """Compare the ids with the last poll, record them, and log changes."""
        if not self._last:
            log.info("topics_watched", topics=len(found))
        for topic, now in found.items():
            was = self._last.get(topic)
            if now is None:
                if topic not in self._gone:
                    log.error("topic_missing", topic=topic, hint="what it held is lost; make it")
                self._gone.add(topic)
                continue
            self._gone.discard(topic)
            self._ids[topic] = self._last[topic] = now
            if was is not None and was != now:
                log.error("topic_recreated", topic=topic, was=was, now=now, hint="its past is lost")


def look(client: AdminClient, names: Sequence[str]) -> Ids:
    """Return the topics' current ids. Raises KafkaException, TimeoutError."""
    asked = client.describe_topics(TopicCollection(list(names)), request_timeout=PATIENCE)
    return {name: _id(future) for name, future in asked.items()}


def _id(future: Any) -> str | None:
    try:
        return str(future.result(PATIENCE).topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise
