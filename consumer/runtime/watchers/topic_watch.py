"""Looks at the topics' ids now and then, for nobody else would notice that one was made anew.

librdkafka reads on in the new topic, from where it was in the old one, and says nothing.
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
"""Topic name → its id; None: there is no such topic."""


class TopicWatch:
    """Asks the cluster for the ids of `names`, and keeps them in `ids` for the stages to see.

    A topic that is gone keeps its last id: it may come back, and none is not another.
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
        """Look at these from now on."""
        self._names = list(names)

    async def run(self, stop: asyncio.Event) -> None:
        """Look until `stop`; a look that fails is tried again, for others say why."""
        while not stop.is_set():
            try:
                self.record_answer(await asyncio.to_thread(look, self._client, self._names))
            except (KafkaException, TimeoutError) as error:
                why = describe(error) if isinstance(error, KafkaException) else "no answer in time"
                log.debug("topic_ids_unknown", why=why)
            await pause(stop, LOOK_EVERY)

    def record_answer(self, found: Ids) -> None:
        """Compare with the last look, keep it, and say what changed."""
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
    """The ids now. Raises KafkaException, TimeoutError."""
    asked = client.describe_topics(TopicCollection(list(names)), request_timeout=PATIENCE)
    return {name: _id(future) for name, future in asked.items()}


def _id(future: Any) -> str | None:
    try:
        return str(future.result(PATIENCE).topic_id)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise
