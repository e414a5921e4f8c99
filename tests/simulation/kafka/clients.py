"""What a stage asks for clients: `consumer.kafka.clients.KafkaClients` of one simulated process."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from consumer.errors import KafkaSessionError
from consumer.kafka.client_settings import TRANSACTION_TIMEOUT
from consumer.kafka.clients import (
    CLOSE_WAIT,
    KafkaClients,
    OnError,
    OnThrottle,
    ignore_error,
    ignore_throttle,
)
from consumer.kafka.errors import describe
from consumer.kafka.transactions import COMMIT_WAIT
from tests.simulation.kafka.consumer import FakeConsumer
from tests.simulation.kafka.producer import FakeProducer
from tests.simulation.kafka.settings import draw

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker


class FakeClients(KafkaClients):
    """Bound to the process that had the name when this was made."""

    def __init__(
        self, broker: FakeBroker, process: str, now: Callable[[], float], rng: random.Random
    ) -> None:
        self._broker = broker
        self._process = broker.scheduler.process(process)
        self._now = now
        self._rng = rng
        self.consumers: list[FakeConsumer] = []
        """Those that are not closed yet."""

    def consumer(
        self,
        group: str,
        on_error: OnError = ignore_error,
        on_throttle: OnThrottle = ignore_throttle,  # noqa: ARG002 - no quota here
    ) -> Consumer:
        """A committed reader that never chooses a beginning by itself."""
        made = FakeConsumer(self._broker, self._process, group, on_error, self._rng)
        self.consumers.append(made)
        return cast("Consumer", made)

    def producer(
        self,
        transactional_id: str,
        on_error: OnError = ignore_error,
        on_throttle: OnThrottle = ignore_throttle,  # noqa: ARG002 - no quota here
        timeout: float = TRANSACTION_TIMEOUT,
    ) -> Producer:
        """A transactional producer."""
        made = FakeProducer(
            self._broker, self._process, transactional_id, on_error, self._now, self._rng, timeout
        )
        return cast("Producer", made)

    def connect(self, client: Consumer | Producer, topic: str) -> None:
        """A fake client is connected from the beginning."""

    def send_offsets(
        self,
        producer: Producer,
        offsets: Sequence[TopicPartition],
        member: object,
        within: float,  # noqa: ARG002 - nothing is late here
        give_up: Callable[[], bool],  # noqa: ARG002
    ) -> None:
        """Raises KafkaException."""
        producer.send_offsets_to_transaction(list(offsets), member, COMMIT_WAIT)

    def close(self, consumer: Consumer) -> None:
        """Leave the group; an unreachable one is left alone after a while."""
        fake = cast("FakeConsumer", consumer)
        if fake in self.consumers:
            self.consumers.remove(fake)
        with suppress(KafkaException, KafkaSessionError):
            fake.close(CLOSE_WAIT)

    def topic_id(self, topic: str) -> str | None:
        """Raises KafkaSessionError."""
        try:
            self._broker.scheduler.point("topic_id")
            self._broker.reach(15.0, "topic id")
            if not self._broker.partitions(topic):
                raise KafkaSessionError(f"topic {topic} does not exist")
            return self._broker.topic_id(topic)
        except KafkaException as error:
            raise KafkaSessionError(f"reading the id of {topic}: {describe(error)}") from error

    def has_topic(self, topic: str) -> bool:
        """Nothing of the simulated world depends on when this is asked."""
        return bool(self._broker.partitions(topic))

    def log_end(self, client: Consumer, topic: str, partition: int = 0) -> int:  # noqa: ARG002
        """The end as a reader of all records sees it. Raises KafkaSessionError."""
        try:
            self._broker.scheduler.point("log_end")
            self._broker.reach(15.0, "log end")
        except KafkaException as error:
            raise KafkaSessionError(f"reading the end of {topic}: {describe(error)}") from error
        return self._broker.partition(topic, partition).end

    def lingers(self, group: str) -> bool:  # noqa: ARG002 - as the real one
        """Simulated members of a killed process end with their sessions, as all do."""
        return False

    def has_members(self, group: str) -> bool:  # noqa: ARG002 - as the real one
        """Nothing lingers here, so nothing asks."""
        return False

    def committed_texts(self, group: str) -> Mapping[str, str]:
        """Raises KafkaSessionError."""
        try:
            self._broker.scheduler.point("committed_texts")
            self._broker.reach(15.0, "offsets of a group")
        except KafkaException as error:
            raise KafkaSessionError(f"reading the offsets of {group}: {describe(error)}") from error
        offsets = self._broker.group(group).offsets
        return {topic: getattr(offset, "text", "") for (topic, _), offset in offsets.items()}

    def trim(self, topic: str, before: int, refused: Callable[[str], None]) -> None:
        """The request is on its way when this returns; without a broker nothing comes of it."""
        self._broker.scheduler.point("trim")
        if self._broker.is_down or not self._broker.partitions(topic):
            refused("no broker, or no such topic")
            return
        if self._broker.settings.keeps_records:
            refused("TOPIC_AUTHORIZATION_FAILED: no right to delete")
            return
        self._broker.trims.append((self._broker.scheduler.now, topic, before))
        when = self._broker.scheduler.now + draw(self._rng, self._broker.settings.latency)
        partition = self._broker.partition(topic, 0)
        self._broker.scheduler.at(when, lambda: partition.delete_before(before))

    def wake(self) -> None:
        """Let every consumer of the process return from its poll: there is something to do."""
        for consumer in self.consumers:
            consumer.nudge()
