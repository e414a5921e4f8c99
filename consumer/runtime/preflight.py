"""Preflight: checks what a config needs of Kafka before its use, and watches it afterwards."""

from __future__ import annotations

import asyncio

from confluent_kafka import Consumer, KafkaException

from consumer.config.changes import Changes
from consumer.config.models import Config
from consumer.errors import TopicsError
from consumer.kafka import topics
from consumer.kafka.start_offsets import rehearse, router_reading
from consumer.kafka.transactions import describe
from consumer.lane.state.delay_steps import STEPS
from consumer.runtime.options import Options
from consumer.runtime.stage import StageRun, StageServices
from consumer.runtime.watchers.delay_watch import DelayWatch
from consumer.runtime.watchers.orphans import OrphanWatch
from consumer.runtime.watchers.topic_watch import TopicWatch

HINT = (
    "`survey-dispatcher topics --create` makes those of the program's own, and raises limits that "
    "are too small"
)


class KafkaPreflight:
    """Checks and watches topics, start offsets and topic ids, but not of an embedded broker."""

    def __init__(self, config: Config, options: Options, stage: StageServices) -> None:
        self._options = options
        self._services = stage
        client = topics.admin(config.kafka)
        self._topics = TopicWatch(client, _names(config), stage.topic_ids)
        self._orphans = OrphanWatch(
            client, stage.clients, config.topics, config.lanes, stage.metrics
        )
        steps = [config.topics.delayed(step) for step in STEPS]
        self._ladder = DelayWatch(
            client, steps, stage.step_ends, stage.step_counts, lambda: _counter(stage)
        )

    def check_topics(self, config: Config) -> None:
        """Raise TopicsError with every problem of the topics and how to fix it."""
        if self._options.embedded:
            return
        client = topics.admin(config.kafka)
        try:
            found = topics.problems(client, topics.needed_topics(config), config.input_topics)
        except KafkaException as error:
            raise TopicsError(f"reading the topics: {describe(error)}") from error
        except TimeoutError:
            raise TopicsError("reading the topics: Kafka did not answer in time") from None
        if found:
            raise TopicsError("; ".join(found) + f" ({HINT})")

    def check_changes(self, config: Config, changes: Changes) -> None:
        """Check the lanes and inputs that a config adds.

        Raises TopicsError, StartPositionError, KafkaSessionError.
        """
        if changes.new_lanes or changes.new_inputs:
            self.check_topics(config)
        if changes.new_inputs and self._options.role.routes:
            reading = router_reading(
                self._services.topics, config.input_topics, self._services.clients
            )
            asker = StageRun(self._services, "router").consumer(reading.group)
            try:
                rehearse(asker, changes.new_inputs, self._options.begin, reading)
            finally:
                self._services.clients.close(asker)

    def reconfigure(self, config: Config) -> None:
        """Watch the topics and lanes of this config from now on."""
        self._topics.reconfigure(_names(config))
        self._orphans.reconfigure(config.lanes)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        if not self._options.embedded:
            watches = [self._topics.run(stop), self._orphans.run(stop)]
            if self._options.role.routes:
                watches.append(self._ladder.run(stop))
            await asyncio.gather(*watches)


def _names(config: Config) -> list[str]:
    return [each.name for each in topics.needed_topics(config)] + config.input_topics


def _counter(stage: StageServices) -> Consumer:
    """Return a second consumer of the delay topics, which only counts and joins no group."""
    return StageRun(stage, "ladder").consumer(f"{stage.topics.application_id}.ladder-count")
