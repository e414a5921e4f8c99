"""The broker: topics, groups, transactions, outages; what the world and the checker use."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError

from tests.simulation.kafka.clients import FakeClients
from tests.simulation.kafka.faults import refused, timed_out
from tests.simulation.kafka.groups import Group
from tests.simulation.kafka.log import FakeRecord, Header, Partition
from tests.simulation.kafka.scheduler import Scheduler
from tests.simulation.kafka.settings import BrokerSettings, draw
from tests.simulation.kafka.transactions import Coordinator

STAMPED = (".delayed.", ".checkpoints.")
"""What is in the names of topics with the timestamp type LogAppendTime."""


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic; recreated, it has another id."""

    id: str
    partitions: list[Partition]


class FakeBroker:
    """One broker that keeps everything in memory."""

    def __init__(
        self,
        scheduler: Scheduler,
        rng: random.Random,
        settings: BrokerSettings = BrokerSettings(),  # noqa: B008 - frozen
    ) -> None:
        self.scheduler = scheduler
        self.settings = settings
        self.down_until = 0.0
        self.trims: list[tuple[float, str, int]] = []
        """When a client asked to delete which topic's records, and below which offset."""
        self.coordinator = Coordinator(self, rng)
        self._rng = rng
        self._topics: dict[str, Topic] = {}
        self._groups: dict[str, Group] = {}

    def clients(self, process: str, now: Callable[[], float] | None = None) -> FakeClients:
        """The clients of one (living) process; `now`: its wall clock, for records' timestamps."""
        return FakeClients(self, process, now or (lambda: self.scheduler.now), self._rng)

    # -- topics -------------------------------------------------------------------------------

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """A new topic with an id of its own."""
        if name in self._topics:
            raise ValueError(f"topic {name} exists")
        made = str(uuid.UUID(int=self._rng.getrandbits(128)))
        stamps = any(each in name for each in STAMPED)
        self._topics[name] = Topic(
            made, [Partition(name, each, append_time=stamps) for each in range(partitions)]
        )

    def delete_topic(self, name: str) -> None:
        """All its records are gone; recreated, it has another id."""
        for partition in self._topics.pop(name).partitions:
            partition.deleted = True
            partition.tell()

    def topic_id(self, name: str) -> str:
        """Raises KafkaException if there is no such topic."""
        return self._topic(name).id

    def topic_names(self) -> list[str]:
        """All topics."""
        return list(self._topics)

    def partitions(self, name: str) -> Sequence[Partition]:
        """A topic's partitions; none if there is no such topic."""
        topic = self._topics.get(name)
        return topic.partitions if topic else ()

    def partition(self, name: str, number: int) -> Partition:
        """Raises KafkaException if there is no such partition."""
        partitions = self._topic(name).partitions
        if not 0 <= number < len(partitions):
            raise refused(KafkaError._UNKNOWN_PARTITION, f"{name} [{number}]")
        return partitions[number]

    def _topic(self, name: str) -> Topic:
        topic = self._topics.get(name)
        if topic is None:
            raise refused(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {name}")
        return topic

    # -- records ------------------------------------------------------------------------------

    def append(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        key: bytes | None = None,
        headers: Sequence[Header] = (),
        timestamp_ms: int | None = None,
    ) -> int:
        """What an outside, non-transactional producer writes; its offset."""
        at = int(self.scheduler.now * 1000) if timestamp_ms is None else timestamp_ms
        return self.partition(topic, partition).append(key, value, headers or None, at)

    def read(self, topic: str, partition: int = 0, *, committed: bool = True) -> list[FakeRecord]:
        """What a reader sees now, from the beginning; uncommitted: aborted and open ones too."""
        log = self.partition(topic, partition)
        return log.fetch(log.low, len(log.records) + 1, committed=committed)[0]

    def history(self, topic: str, partition: int = 0) -> list[FakeRecord]:
        """All that was ever written, also what is aborted, open, compacted or deleted by now."""
        return list(self.partition(topic, partition).history)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Records below an offset are gone."""
        self.partition(topic, partition).delete_before(before)

    def compact(self, topic: str) -> None:
        """Clean all that a cleaner may clean."""
        for partition in self._topic(topic).partitions:
            partition.compact()

    # -- groups and outages -------------------------------------------------------------------

    def group(self, name: str) -> Group:
        """A group; it comes into being by being named."""
        found = self._groups.get(name)
        if found is None:
            found = self._groups[name] = Group(name, self, self._rng)
        return found

    def rebalance(self, group: str) -> None:
        """Let the group move a partition to another member, if it has one."""
        self.group(group).shuffle()

    @property
    def is_down(self) -> bool:
        """Whether the broker is away now."""
        return self.down_until > self.scheduler.now

    def down(self, until: float) -> None:
        """Give no answer until then; what was written survives."""
        self.down_until = max(self.down_until, until)
        limit = self.scheduler.now + self.settings.session_timeout
        if until > limit:
            late = self._rng.random() * self.settings.heartbeat
            self.scheduler.at(limit + late, self._all_lost)
        self.scheduler.at(until, self._up)

    def reach(self, timeout: float, doing: str) -> None:
        """A request's way, for the current task. Raises KafkaException: timed out, retriable."""
        scheduler = self.scheduler
        deadline = scheduler.now + timeout
        scheduler.sleep(draw(self._rng, self.settings.latency))
        while self.down_until > scheduler.now:
            scheduler.sleep(max(0.0, min(deadline, self.down_until) - scheduler.now))
            if self.is_down and scheduler.now >= deadline:
                raise timed_out(doing)

    def _up(self) -> None:
        if not self.is_down:
            for topic in self._topics.values():
                for partition in topic.partitions:
                    partition.tell()

    def _all_lost(self) -> None:
        """Clients that hear nothing for a whole session give up their partitions by themselves."""
        if self.is_down:
            for group in self._groups.values():
                for member in list(group.members.values()):
                    member.client.drop(self.scheduler.now)
