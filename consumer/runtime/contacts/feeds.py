"""Feed stage: what other systems know of persons becomes contact records.

    feed topics ─► Feed.read ─► `<app>.contacts`, with the group's offsets, in one transaction

An unreadable record becomes a dead letter. All feeds have one group. It begins at the start of each
topic, and again there when the topic was created anew or its offset is lost: records read twice
change nothing. Where a log ends behind its last record (markers of transactions, records that were
deleted) that end is committed, so that the gate sees that nothing is left (`gate`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog
from confluent_kafka import Consumer, Message, TopicPartition

from consumer.errors import EventError, KafkaSessionError
from consumer.kafka import offset_metadata, transactions
from consumer.kafka.queries import Partition, committed_offsets, log_range
from consumer.kafka.records.messages import appended_at, position_of, value_of
from consumer.kafka.records.publisher import dead_letter_of
from consumer.observability.metrics.labels import FEEDS
from consumer.records.contact_record import ContactRecord, encode_contact_record
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.routing.feeds import Feed, FeedEntry, FeedKind
from consumer.runtime.group_consumer import offsets_after
from consumer.runtime.stage import StageServices
from consumer.runtime.transactional_stage import POLL_RECORDS, TransactionalStage
from consumer.wiring.feeds import FeedsByTopic

POLL_SECONDS = 0.25

log = structlog.get_logger(__name__)


class FeedOutcome(NamedTuple):
    """What one transaction carried."""

    entries: Sequence[tuple[Feed, FeedEntry]]
    letters: Sequence[tuple[Feed, DeadLetter]]


class FeedStage(TransactionalStage[FeedOutcome]):
    """The feed stage's sessions."""

    def __init__(self, services: StageServices, feeds: FeedsByTopic, instance: str) -> None:
        super().__init__(services, FEEDS, services.topics.feeds_group, instance, POLL_SECONDS)
        self._feeds = feeds
        self._committed: dict[Partition, int] = {}

    def reconfigure(self, feeds: FeedsByTopic) -> None:
        """Read the same topics by another config. May be called from any thread."""
        self._feeds = feeds

    def _topics(self) -> Sequence[str]:
        return list(self._feeds)

    def _turn(self) -> None:
        """Commit also the ends that no record stands before."""
        size = min(POLL_RECORDS, self.run.size.records)
        records, ends = self.group.poll(size, self._poll_seconds)
        if records:
            self._handle(records)
        later = {place: end for place, end in ends.items() if end > self._committed.get(place, 0)}
        if later:
            marks = self.offset_metadata
            offsets = [
                TopicPartition(*place, end, marks.get(place[0], "")) for place, end in later.items()
            ]
            self._commit_offsets(offsets, self.group.metadata())
            self._committed.update(later)

    # -- where reading begins -----------------------------------------------------------------

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """See `GroupMember`: the next session begins where the log does."""
        raise KafkaSessionError(f"{partition.topic} [{partition.partition}] has moved away: {why}")

    def _set_start_offsets(self, partitions: Sequence[TopicPartition], metadata: object) -> None:
        clients = self.run.with_heartbeat(self.services.clients)
        ids = {topic: clients.topic_id(topic) for topic in self._topics()}
        self.offset_metadata = {topic: offset_metadata.mark(ident) for topic, ident in ids.items()}
        client = self.run.consumer(self._group_id)
        asker = self.run.with_heartbeat(client)
        try:
            moved = self._begin(asker, partitions, ids)
        finally:
            self.services.clients.close(client)
        self.run.expect_topics(ids)
        if moved:  # else the gate would go by an offset of a former topic
            self._commit_offsets(moved, metadata)

    def _begin(
        self, asker: Consumer, partitions: Sequence[TopicPartition], ids: Mapping[str, str | None]
    ) -> list[TopicPartition]:
        """Set where each partition is read from; return those that do not begin where the group
        has committed."""
        asked = [TopicPartition(one.topic, one.partition) for one in partitions]
        committed = committed_offsets(asker, asked)
        moved = []
        for partition in partitions:
            place = partition.topic, partition.partition
            found, (low, high) = committed[place], log_range(asker, *place)
            former = offset_metadata.id_in(found.metadata)
            same = former is None or former == (ids[partition.topic] or former)
            partition.offset = found.offset if same and low <= found.offset <= high else low
            self._committed[place] = partition.offset
            if partition.offset != found.offset:
                if found.offset >= 0:
                    log.warning("feed_begins_anew", topic=place[0], partition=place[1])
                mark = self.offset_metadata[partition.topic]
                moved.append(TopicPartition(*place, partition.offset, mark))
        return moved

    # -- records ------------------------------------------------------------------------------

    def _handle(self, records: Sequence[Message]) -> None:
        super()._handle(records)
        for passed in offsets_after(records, {}):
            self._committed[passed.topic, passed.partition] = passed.offset

    def _process(self, records: Sequence[Message]) -> FeedOutcome:
        """Turn records into contact records in one transaction."""
        now = self.services.clock.now()
        entries: list[tuple[Feed, FeedEntry]] = []
        letters: list[tuple[Feed, DeadLetter]] = []
        for message in records:
            self._read(message, now, entries, letters)
        written = (record for _, entry in entries for record in entry.records)
        with self._transaction(records):
            self._publish(list(written), [letter for _, letter in letters], now)
        return FeedOutcome(entries, letters)

    def _read(
        self,
        message: Message,
        now: float,
        entries: list[tuple[Feed, FeedEntry]],
        letters: list[tuple[Feed, DeadLetter]],
    ) -> None:
        """Read a message by each feed of its topic; what the first cannot read is a dead letter."""
        topic, partition, offset = position_of(message)
        record = InputRecord(topic, partition, offset, value_of(message))
        for feed in self._feeds[topic]:
            try:
                entries.append((feed, feed.read(record, appended_at(message), now)))
            except EventError as error:
                letters.append((feed, dead_letter_of(message, error.reason, str(error))))
                return

    def _publish_poison(self, poison: Message, error: str) -> FeedOutcome:
        letter = dead_letter_of(poison, DeadLetterReason.INTERNAL, error)
        with self._transaction([poison]):
            self._publish([], [letter], self.services.clock.now())
        feed = self._feeds[str(poison.topic())][0]
        return FeedOutcome([], [(feed, letter)])

    def _publish(
        self, records: Sequence[ContactRecord], letters: Sequence[DeadLetter], now: float
    ) -> None:
        topic = self.services.topics.contacts
        transactions.produce_all(
            self.producer,
            ((topic, encode_contact_record(record), record.key, 0, None) for record in records),
        )
        self.services.publisher(self.producer, self.name).dead_letters(letters, rfc3339(now))

    def _count(self, outcome: FeedOutcome) -> None:
        metrics = self.services.metrics.contacts
        counts = Counter((feed.name, entry.kind) for feed, entry in outcome.entries)
        counts.update((feed.name, FeedKind.DEAD_LETTER) for feed, _ in outcome.letters)
        metrics.feed_records(counts)
        answers = [entry for _, entry in outcome.entries if entry.kind is FeedKind.ANSWER]
        metrics.responses(Counter((entry.route, entry.campaign) for entry in answers))
        self.run.metrics.dead_letters(Counter(letter.reason for _, letter in outcome.letters))
