"""What a consumer asks the broker: offsets of its group, ends of logs, topics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, KafkaError, TopicPartition

from tests.simulation.kafka.faults import refused, timed_out
from tests.simulation.kafka.groups import Group, offsets_of
from tests.simulation.kafka.reading import UNKNOWN
from tests.simulation.kafka.session import Membership

if TYPE_CHECKING:
    from tests.simulation.kafka.broker import FakeBroker

ANSWER_WAIT = 60.0


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """A topic in the answer to `list_topics`."""

    topic: str
    partitions: dict[int, None]
    error: KafkaError | None = None


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """The answer to `list_topics`."""

    topics: dict[str, TopicInfo] = field(default_factory=dict)


class Asking:
    """The part of a consumer that needs neither an assignment nor a membership."""

    def __init__(self, broker: FakeBroker, group: Group) -> None:
        self.committed_only = True
        self._broker = broker
        self._sched = broker.scheduler
        self._group = group

    def consumer_group_metadata(self) -> Membership:
        """Of no member: see `FakeConsumer`."""
        return Membership(self._group.name, "", -1)

    def committed(
        self, partitions: Sequence[TopicPartition], timeout: float = ANSWER_WAIT
    ) -> list[TopicPartition]:
        """The group's offsets; waits for transactions that are about to change them."""
        self._sched.point("committed")
        deadline = self._sched.now + timeout
        self._broker.reach(timeout, "committed")
        places = [(partition.topic, partition.partition) for partition in partitions]
        while any(map(self._group.unstable, places)):
            if self._sched.now >= deadline:
                raise timed_out("committed")
            self._sched.sleep(0.1)
        found = [(place, self._group.offsets.get(place, UNKNOWN)) for place in places]
        return [TopicPartition(*place, at, getattr(at, "text", "")) for place, at in found]

    def commit(
        self, offsets: Sequence[TopicPartition], *, asynchronous: bool = True
    ) -> list[TopicPartition] | None:
        """Set the group's offsets. Raises KafkaException where a synchronous one is refused."""
        self._sched.point("group_commit.before")
        if not asynchronous:
            self._broker.reach(ANSWER_WAIT, "commit")
        known = self.consumer_group_metadata()
        code = self._group.refusal(known.member, known.generation, transactional=False)
        if code is None and not self._broker.is_down:
            self._group.offsets.update(offsets_of(offsets))
        if asynchronous:
            return None
        if code is not None:
            raise refused(code, "the group does not know this member or its generation")
        self._sched.point("group_commit.after")
        return list(offsets)

    def ends(self, partition: TopicPartition, timeout: float) -> tuple[int, int]:
        """The log's beginning, and its end as this reader sees it."""
        self._sched.point("watermarks")
        self._broker.reach(timeout, "watermarks")
        log = self._broker.partition(partition.topic, partition.partition)
        return log.low, log.lso if self.committed_only else log.end

    def offsets_for_times(
        self, partitions: Sequence[TopicPartition], timeout: float = ANSWER_WAIT
    ) -> list[TopicPartition]:
        """The first record as young as `offset` milliseconds; -1 if there is none."""
        self._sched.point("offsets_for_times")
        self._broker.reach(timeout, "offsets_for_times")
        found = []
        for each in partitions:
            log = self._broker.partition(each.topic, each.partition)
            young = (one.offset for one in log.records if one.timestamp >= each.offset)
            found.append(TopicPartition(each.topic, each.partition, next(young, OFFSET_END)))
        return found

    def list_topics(self, topic: str | None = None, timeout: float = ANSWER_WAIT) -> ClusterInfo:
        """The topic's partitions, or those of all topics."""
        self._sched.point("list_topics")
        self._broker.reach(timeout, "list_topics")
        if topic is None:
            return ClusterInfo({name: self._topic(name) for name in self._broker.topic_names()})
        return ClusterInfo({topic: self._topic(topic)})

    def _topic(self, topic: str) -> TopicInfo:
        numbers = dict.fromkeys(partition.number for partition in self._broker.partitions(topic))
        missing = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"no topic {topic}")
        return TopicInfo(topic, numbers, None if numbers else missing)
