"""Contact view: keeps the contact store up to date from the results and the contacts topic.

    results, contacts ─► changes ─ ContactBook.settle ─► store, with the offsets after them

The offsets stand in the store, written with what they settle: a store that falls back to a snapshot
reads again what it forgot, and the group serves only to share the partitions among processes. The
view also watches the store's generation: one that is new grants nothing until the view has read to
the ends that both topics had once every lane had reported (`consumer/contacts/recovery.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from confluent_kafka import Message, TopicPartition

from consumer.config.models import Config
from consumer.contacts.book import ContactBook
from consumer.contacts.changes import change_of_contact, change_of_result
from consumer.errors import KafkaSessionError, OffsetsForgotten, StoreUnavailable, UnreadableRecord
from consumer.kafka.queries import Partition, log_range, partitions_of
from consumer.kafka.records.messages import position_of, timestamp_of, value_of
from consumer.observability.metrics.labels import CONTACTS
from consumer.policy.contacts.settling import Change
from consumer.records.contact_record import read_contact_record
from consumer.records.readers import read_result
from consumer.routing.decoding.times import TimeReader
from consumer.runtime.contacts.state import ContactState
from consumer.runtime.group_consumer import GroupConsumer, wait_for_former_life
from consumer.runtime.stage import StageRun, StageServices
from consumer.wiring.contacts import counted_names, route_contacts
from consumer.wiring.feeds import answer_facts

POLL_RECORDS = 5_000
POLL_SECONDS = 0.25
LOOK_EVERY = 1.0
"""Seconds between two looks at the store's generation."""

TRY_AGAIN = 1.0
PATIENCE = 120.0
"""Seconds that the view waits for its store between two polls; the group drops a member that does
not poll for five minutes."""

log = structlog.get_logger(__name__)


class ContactView:
    """The view's sessions: memberships in its group."""

    def __init__(
        self, services: StageServices, book: ContactBook, config: Config, state: ContactState
    ) -> None:
        self.name = CONTACTS
        self.run = StageRun(services, CONTACTS)
        self.group: GroupConsumer
        self._services = services
        self._state = state
        self._times = TimeReader()
        self._ends: dict[Partition, int] | None = None
        self._generation = ""
        self._stored: dict[Partition, int] = {}  # the offsets that the store had last
        self._look_at = 0.0
        self.reconfigure(book, config)

    def reconfigure(self, book: ContactBook, config: Config) -> None:
        """Keep the store by the rules of another config. May be called from any thread."""
        names = counted_names(route_contacts(config))
        self._next = book, config.lanes, names, answer_facts(config)

    def run_membership(self) -> None:
        """Run one membership in the group. Raises KafkaSessionError."""
        topics = self._services.topics
        wait_for_former_life(self.run, topics.view_group)
        self._book, self._lanes, self._names, self._facts_of = self._next
        self._ends, self._generation, self._stored = None, "", {}
        with GroupConsumer(self.run, topics.view_group, self) as self.group:
            self.group.subscribe([topics.results, topics.contacts])
            while not self._services.stop.is_set():
                if self._next[0] is not self._book:
                    return_to_offsets = "another config is in use: the view begins again by it"
                    raise KafkaSessionError(return_to_offsets)
                self._turn()

    def _turn(self) -> None:
        self.run.record_turn(self.group.consumer)
        records, ends = self.group.poll(POLL_RECORDS, POLL_SECONDS)
        if records or ends:
            self._settle(records, ends)
        self._look()

    # -- GroupMember --------------------------------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`: begin where the store says, else at the log's beginning."""
        places = [(partition.topic, partition.partition) for partition in partitions]
        try:
            known = self._book.offsets(places)
        except StoreUnavailable as unavailable:
            self._state.unavailable(str(unavailable))
            raise KafkaSessionError(f"contact store: {unavailable}") from None
        self._stored |= {place: known.get(place, 0) for place in places}
        return [self._start(place, self._stored[place]) for place in places]

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`: everything read is settled between two polls."""

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """See `GroupMember`: the next session begins where the log does."""
        raise KafkaSessionError(f"{partition.topic} [{partition.partition}] has moved away: {why}")

    def _start(self, place: Partition, offset: int) -> TopicPartition:
        """Return where to begin: not before the log does. Records that its retention deleted are
        gone for the store, too, so a topic keeps them as long as contacts count."""
        low, high = log_range(self.group.consumer, *place)
        if offset > high:
            log.warning("contact_view_offset_beyond", topic=place[0], offset=offset, end=high)
            offset = low
        return TopicPartition(*place, max(low, offset))

    # -- records ------------------------------------------------------------------------------

    def _settle(self, records: Sequence[Message], ends: dict[Partition, int]) -> None:
        changes, offsets = list[Change](), dict[Partition, int]()
        for message in records:
            topic, partition, offset = position_of(message)
            offsets[topic, partition] = offset + 1
            change = self._change(message, topic)
            if change is not None:
                changes.append(change)
        offsets.update(ends)
        self._write(changes, offsets)

    def _write(self, changes: Sequence[Change], offsets: dict[Partition, int]) -> None:
        """Write changes and offsets; wait for a store that is unavailable. Raises
        KafkaSessionError."""
        clock, stop = self._services.clock, self._services.stop
        until = clock.steady() + PATIENCE
        begins = {place: self._stored.get(place, 0) for place in offsets}
        while True:
            try:
                self._book.settle(changes, offsets, begins)
            except OffsetsForgotten as forgotten:
                raise KafkaSessionError(f"contact store: {forgotten}") from None
            except StoreUnavailable as unavailable:
                self._state.unavailable(str(unavailable))
                if clock.steady() >= until or stop.wait(TRY_AGAIN):
                    raise KafkaSessionError(f"contact store: {unavailable}") from None
                self.run.beat()
            else:
                self._stored |= offsets
                return

    def _change(self, message: Message, topic: str) -> Change | None:
        value = value_of(message)
        try:
            if topic == self._services.topics.results:
                written_at = max(0, timestamp_of(message)) / 1000
                return change_of_result(read_result(value), written_at, self._names, self._times)
            if value is None:
                return None
            return change_of_contact(read_contact_record(value), self._facts_of)
        except UnreadableRecord as error:
            place = position_of(message)
            log.warning("contact_record_unreadable", place=list(place), why=str(error))
            return None

    # -- generation ---------------------------------------------------------------------------

    def _look(self) -> None:
        """Look at the store's generation, and let it grant once enough is read."""
        now = self._services.clock.steady()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_EVERY
        try:
            recovery = self._book.recovery(self._lanes)
            self._state.looked(recovery)
            if self._generation not in {"", recovery.generation}:
                raise KafkaSessionError(
                    "the contact store was restarted: its offsets are read again"
                )
            self._generation = recovery.generation
            if recovery.phase != "reading":
                self._ends = None
                return
            self._ends = self._ends or self._ask_ends()
            self._book.finish_recovery(self._lanes, self._ends)
        except StoreUnavailable as unavailable:
            self._ends = None
            self._state.unavailable(str(unavailable))

    def _ask_ends(self) -> dict[Partition, int]:
        """Return where both topics end now, open transactions included: a result that one of them
        hides counts."""
        consumer, topics = self.group.consumer, self._services.topics
        clients = self._services.clients
        places = [
            (place.topic, place.partition)
            for topic in (topics.results, topics.contacts)
            for place in partitions_of(consumer, topic)
        ]
        return {place: clients.log_end(consumer, *place) for place in places}
