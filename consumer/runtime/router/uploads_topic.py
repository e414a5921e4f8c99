"""Finds the uploads topic, which an application may lack: versions before 0.2 made none."""

from __future__ import annotations

from typing import Protocol

import structlog

from consumer.errors import KafkaSessionError

LOOK_EVERY = 15.0
"""Seconds between two looks for a missing topic."""

log = structlog.get_logger(__name__)


class TopicAsker(Protocol):
    """The Kafka clients, as far as they are asked here."""

    def has_topic(self, topic: str) -> bool: ...


class UploadsTopic:
    """Whether the router reads the topic `name`. A missing one is looked for again and again, and
    logged once: all else works without it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.exists = False
        self._look_at = 0.0
        self._logged = False

    @property
    def names(self) -> list[str]:
        """The topic's name, if there is one."""
        return [self._name] if self.exists else []

    def look(self, clients: TopicAsker, now: float) -> bool:
        """Look for the topic if a look is due; return whether it was found just now."""
        if self.exists or now < self._look_at:
            return False
        self._look_at = now + LOOK_EVERY
        try:
            self.exists = clients.has_topic(self._name)
        except KafkaSessionError as error:  # no right to see it, or no answer: the inputs go on
            self._log(str(error))
            return False
        if not self.exists:
            self._log("it does not exist")
        return self.exists

    def _log(self, why: str) -> None:
        if not self._logged:
            hint = "rows of `send-csv` are not read; `survey-dispatcher topics --create` creates it"
            log.warning("uploads_topic_missing", topic=self._name, why=why, hint=hint)
        self._logged = True
