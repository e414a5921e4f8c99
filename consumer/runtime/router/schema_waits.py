"""Partitions of the router that wait for a schema: which records are left, and from where on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from confluent_kafka import Message, TopicPartition

from consumer.http.schema_lookup import SchemaLookup
from consumer.kafka.queries import Partition
from consumer.kafka.records.messages import position_of
from consumer.records.input_record import InputRecord


@dataclass(slots=True)
class SchemaWaits:
    """Waiting partitions of one membership. `left`: partition → the first record that was left.

    A partition waits as a whole: its records keep their order, and what is committed has no gap.
    """

    left: dict[Partition, int] = field(default_factory=dict)

    def readable(
        self,
        messages: Sequence[Message],
        record_of: Callable[[Message], InputRecord],
        topics: Iterable[str],
        lookup: SchemaLookup,
        now: float,
        beat: Callable[[], None],
    ) -> Sequence[Message]:
        """Look up the schemas of these topics' records; return the records that can be decoded."""
        known = frozenset(topics)
        lookup.book.begin()
        named = [(message, record_of(message)) for message in messages]
        wanted = lookup.book.missing(record for _, record in named if record.topic in known)
        if wanted:
            waiting = lookup.learn(wanted, now, beat)
            unread = {id(record) for name in waiting for record in wanted[name]}
            for message, record in named:
                if id(record) in unread:
                    topic, partition, offset = position_of(message)
                    self.left.setdefault((topic, partition), offset)
        if not self.left:
            return messages
        return [message for message in messages if self._is_before(message)]

    def _is_before(self, message: Message) -> bool:
        topic, partition, offset = position_of(message)
        left = self.left.get((topic, partition))
        return left is None or offset < left

    def discard(self, places: Iterable[Partition]) -> None:
        """Forget partitions that were revoked."""
        for place in places:
            self.left.pop(place, None)

    def places(self, topic: str) -> list[tuple[str, int, int]]:
        """Return the first record that was left of each waiting partition of a topic."""
        return [(*place, at) for place, at in self.left.items() if place[0] == topic]

    def take(self) -> list[TopicPartition]:
        """Return where to go on, and wait for nothing any more."""
        found = [TopicPartition(*place, offset) for place, offset in self.left.items()]
        self.left.clear()
        return found
