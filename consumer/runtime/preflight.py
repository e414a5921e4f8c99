"""Preflight: checks what a config needs of Kafka before its use, and watches it afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from confluent_kafka import Consumer

from consumer.config.changes import Changes
from consumer.config.models import Config
from consumer.errors import TopicsError
from consumer.kafka import topics
from consumer.kafka.clients import admin_client
from consumer.kafka.start_offsets import rehearse, router_reading
from consumer.lane.state.delay_steps import STEPS
from consumer.observability.metrics.labels import DELAY
from consumer.runtime.options import Options
from consumer.runtime.stage import StageRun, StageServices
from consumer.runtime.watchers import delay_watch, orphans, topic_watch
from consumer.runtime.watchers.delay_watch import DelayWatch
from consumer.runtime.watchers.orphans import OrphanWatch
from consumer.runtime.watchers.process_watch import poll_repeatedly
from consumer.runtime.watchers.topic_watch import TopicWatch

log = structlog.get_logger(__name__)

HINT = (
    "`survey-dispatcher topics --create` creates the program's own, and raises limits that are too "
    "small"
)


class KafkaPreflight:
    """Checks and watches topics, start offsets and topic ids, but not of an embedded broker."""

    def __init__(self, config: Config, options: Options, stage: StageServices) -> None:
        self._options = options
        self._services = stage
        self._client = admin_client(config.kafka)
        self._topics = TopicWatch(self._client, _names(config), stage.topic_ids)
        self._orphans = OrphanWatch(
            self._client, stage.clients, config.topics, config.lanes, stage.metrics
        )
        self._delays = DelayWatch(
            self._client,
            [config.topics.delayed(step) for step in STEPS],
            stage.step_ends,
            stage.step_counts,
            lambda: self._reader(DELAY, f"{stage.topics.delay_group}-count"),
        )

    def check_topics(self, config: Config) -> None:
        """Raise TopicsError with every problem of the topics and how to fix it."""
        if self._options.embedded:
            return
        needed = topics.needed_topics(config)
        if found := topics.problems(self._client, needed, config.input_topics, config.feed_topics):
            raise TopicsError("; ".join(found) + f" ({HINT})")
        if self._options.leads and (why := topics.retention_problem(self._client, config)):
            log.warning("results_retention_short", why=why)

    def check_changes(self, config: Config, changes: Changes) -> None:
        """Check the lanes and inputs that a config adds. Raises TopicsError, StartPositionError,
        KafkaSessionError."""
        if changes.new_lanes or changes.new_inputs:
            self.check_topics(config)
        if changes.new_inputs and self._options.role.routes:
            reading = router_reading(
                config.topics,
                config.input_topics,
                self._services.clients,
                feeds=bool(config.feeds.named),
                config_version=config.config_version,
            )
            with self._reader("router", reading.group) as asker:
                rehearse(asker, changes.new_inputs, self._options.begin, reading)

    def reconfigure(self, config: Config) -> None:
        """Watch the topics and lanes of this config from now on."""
        self._topics.names, self._orphans.lanes = _names(config), config.lanes

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        if self._options.embedded:
            return
        polls = [(self._topics.poll, topic_watch.LOOK_EVERY, "topic_ids_unknown")]
        if self._options.leads:
            polls.append((self._orphans.poll, orphans.LOOK_EVERY, "orphans_unknown"))
        if self._options.role.routes:
            polls.append((self._delays.poll, delay_watch.LOOK_EVERY, "delay_topic_ends_unknown"))
        await asyncio.gather(*(poll_repeatedly(*watched, stop) for watched in polls))

    @contextmanager
    def _reader(self, stage: str, group: str) -> Iterator[Consumer]:
        """Yield a second consumer of a stage, which only asks and joins no group."""
        consumer = StageRun(self._services, stage).consumer(group)
        try:
            yield consumer
        finally:
            self._services.clients.close(consumer)


def _names(config: Config) -> list[str]:
    own = [spec.name for spec in topics.needed_topics(config)]
    return [*own, *config.input_topics, *config.feed_topics]
