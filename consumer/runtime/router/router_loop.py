"""Router stage: routes the records of the inputs to the lanes' topics, once each.

See `transactional_stage` for the sequence, and for what a rebalance does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from itertools import compress
from operator import attrgetter, itemgetter

import structlog
from confluent_kafka import KafkaException, Message, TopicPartition

from consumer.kafka import transactions
from consumer.kafka.records.delayed import Delayed
from consumer.kafka.records.input_records import input_record
from consumer.kafka.records.messages import position_of
from consumer.kafka.start_offsets import (
    GroupMemory,
    Reading,
    StartFrom,
    assign_start_offsets,
    read_group_memory,
    router_reading,
)
from consumer.lane.state.delay_steps import step_for
from consumer.observability.metrics.labels import ROUTER
from consumer.records.dead_letter import DeadLetter, DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.records.input_record import InputRecord
from consumer.records.result import EncodedResult
from consumer.routing.dead_letter_limit import DeadLetterLimit
from consumer.routing.routed import Routed
from consumer.routing.router import Router
from consumer.runtime.group_consumer import partition_names, places_of
from consumer.runtime.isolation import log_defect
from consumer.runtime.router.answered_events import AnsweredEvents
from consumer.runtime.router.dead_letter_guard import DeadLetterGuard, Halt, example_of, place_of
from consumer.runtime.router.router_traces import RouterTraces
from consumer.runtime.router.schema_waits import SchemaWaits
from consumer.runtime.router.uploads_topic import UploadsTopic
from consumer.runtime.stage import StageServices
from consumer.runtime.stoppable_stage import StoppableStage
from consumer.wiring.build import RouterConfig
from consumer.wiring.registry import InputSchemas

POLL_SECONDS = 0.1
SHOW_EVERY = 1.0

_PLACE = attrgetter("lane", "campaign")
_ROUTE = itemgetter("route", "campaign", "reason")

log = structlog.get_logger(__name__)


class RouterStage(StoppableStage[Routed]):
    """The router's sessions."""

    def __init__(
        self,
        router: Router,
        inputs: Sequence[str],
        services: StageServices,
        begin: StartFrom,
        instance: str,
        schemas: InputSchemas | None = None,
        answered: AnsweredEvents | None = None,
    ) -> None:
        super().__init__(services, ROUTER, services.topics.router_group, instance, POLL_SECONDS)
        self.router, self.inputs = router, inputs
        self._begin = begin
        self._began = False
        self._owns_replayed = False  # whether this member has `<app>.replayed`
        self._show_at = 0.0
        self._next_config: RouterConfig | None = None
        self._config: RouterConfig | None = None
        self._guard = DeadLetterGuard(_limits(router))
        self._halting: dict[str, Halt] = {}
        self._schemas, self._waits = schemas, SchemaWaits()
        self._answered = answered
        self._made: dict[int, InputRecord] = {}  # of a poll's messages, which they hold, by id()
        tracing = services.tracing
        self._traces = (
            RouterTraces(tracing.spans, services.topics.router_group) if tracing.carried else None
        )
        self._uploads = UploadsTopic(services.topics.uploads)

    def reconfigure(self, rules: RouterConfig) -> None:
        """Route by another config from the next poll on. May be called from any thread."""
        self._next_config = rules

    def follows(self, rules: RouterConfig) -> bool:
        """Return whether this config is in use, so that no record is routed by an earlier one."""
        return self._config is rules

    def _take_config(self) -> bool:
        rules, before = self._next_config, set(self.inputs)
        if rules is None or rules is self._config:
            return False
        self.router, self.inputs, self._config = rules.router, rules.inputs, rules
        self._guard = DeadLetterGuard(_limits(rules.router))
        self._schemas = rules.schemas
        return set(self.inputs) != before

    def _topics(self) -> Sequence[str]:
        return [*self.inputs, self.services.topics.replayed, *self._uploads.names]

    def _begin_membership(self) -> None:
        super()._begin_membership()
        if self._answered is not None:
            topic = self.services.topics.results
            self._answered.load(self.services.clients, topic, self.run.beat)
        self._uploads.look(self.run.with_heartbeat(self.services.clients), self._now())

    def _must_rejoin(self) -> bool:
        """See `StoppableStage`: also for an uploads topic that is there by now."""
        found = self._uploads.look(self.run.with_heartbeat(self.services.clients), self._now())
        return super()._must_rejoin() or found

    def _now(self) -> float:
        return self.services.clock.now()

    def _end_membership(self) -> None:
        super()._end_membership()
        self.services.metrics.router.inputs({})
        self._owns_replayed = False
        self._halting.clear()  # of a poll that failed: its records are read again
        self._waits = SchemaWaits()
        self.services.metrics.router.waiting_inputs(())

    def _turn(self) -> None:
        """Update the lag too, also without records: an open transaction hides what follows it."""
        now = self.services.clock.now()
        if self._waits.left and (self._schemas is None or now >= self._schemas.lookup.retry_at):
            self.group.read_again(self._waits.take())
        super()._turn()
        now = self.services.clock.now()
        if now >= self._show_at:
            self._show_at = now + SHOW_EVERY
            with suppress(KafkaException):  # a display must not end the session
                positions = self.group.positions().items()
                shown = {place: (at, end - at) for place, (at, end) in positions}
                left = self._waits.left
                lags = self.group.lags_of_left(left).items()
                shown |= {place: (left[place], lag) for place, lag in lags}
                self.services.metrics.router.inputs(shown)

    # -- rebalance and stopped partitions -----------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`."""
        to_read = super().assign(partitions)
        log.info("router_assigned", partitions=partition_names(to_read))
        return to_read

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`."""
        super().revoke(partitions, lost=lost)
        if (self.services.topics.replayed, 0) in places_of(partitions):
            self._owns_replayed = False
        self._waits.discard(places_of(partitions))
        self.services.metrics.router.waiting_inputs(self._waits.left)
        log.info("router_revoked", partitions=partition_names(partitions))

    def _set_start_offsets(self, partitions: Sequence[TopicPartition], metadata: object) -> None:
        reading = self._reading()
        client = self.run.consumer(reading.group)
        asker = self.run.with_heartbeat(client)
        try:
            resolved = assign_start_offsets(
                self.group.consumer,
                asker,
                partitions,
                self._begin,
                first=not self._began,
                reading=reading,
                commit=lambda offsets: self._commit_offsets(offsets, metadata),
            )
            self.stops.add(asker, resolved.stopped)
        finally:
            self.services.clients.close(client)
        self.run.expect_topics(reading.ids)
        self.offset_metadata = resolved.marks
        self._owns_replayed |= (reading.own, 0) in places_of(partitions)
        self._began = self._began or bool(partitions)

    def _decides_for_operators(self) -> bool:
        return self._owns_replayed  # one member decides for the whole group

    def _reading(self) -> Reading:
        clients = self.run.with_heartbeat(self.services.clients)
        in_use = self.services.config
        return router_reading(
            self.services.topics,
            self.inputs,
            clients,
            feeds=in_use.feeds,
            config_version=in_use.version,
            uploads=self._uploads.exists,
        )

    def _group_memory(self, reading: Reading) -> GroupMemory:
        return read_group_memory(self.asker, reading)

    # -- records ------------------------------------------------------------------------------

    def _handle(self, records: Sequence[Message]) -> None:
        """Process what came, then halt the inputs whose limit on dead letters it exceeds, and leave
        the partitions that wait for a schema."""
        before = set(self._waits.left)
        try:
            super()._handle(records)
        finally:  # a later message may have the id of one of this poll
            self._made.clear()
            if self._traces is not None:
                self._traces.forget()
        for topic, halt in self._halting.items():
            left = [place for place in self._waits.places(topic) if place[:2] not in before]
            self.halt(topic, [*halt.refused, *left], halt.example)
            self._waits.discard(place[:2] for place in left)
            self._guard.reset(topic)
        self._halting.clear()
        if self._schemas is not None:
            for place in self._waits.left:
                self.group.leave(place)
            self.services.metrics.router.waiting_inputs(self._waits.left)

    def _process(self, records: Sequence[Message]) -> Routed:
        """Route records and commit the outcome, but for records of inputs that must halt. What
        halts, and what counts towards it, is noted once the outcome is committed."""
        records = self._of_running_inputs(records)
        now = self.services.clock.now()
        if self._schemas is not None:
            self._made = {id(one): self._record(one).with_one_reading() for one in records}
            records = self._waits.readable(
                records,
                self._record,
                self._schemas.topics,
                self._schemas.lookup,
                now,
                self.run.beat,
            )
        routed = self._route(records, now)
        if not routed.dead_letters:
            if records:
                self._commit(records, routed, now)
            self._guard.take_readable(str(message.topic()) for message in records)
            return routed
        return self._process_bad(records, routed, now)

    def _of_running_inputs(self, records: Sequence[Message]) -> Sequence[Message]:
        """Return the records but for those of inputs that an earlier part of this poll halts; they
        are left with them."""
        if not self._halting:
            return records
        for message in records:
            if halt := self._halting.get(str(message.topic())):
                halt.refused.append(position_of(message))
        return [message for message in records if message.topic() not in self._halting]

    def _process_bad(self, records: Sequence[Message], routed: Routed, now: float) -> Routed:
        """Commit records of which some become dead letters, as far as their inputs' limits admit
        them; return the outcome."""
        places = [position_of(message) for message in records]
        bad = {place_of(letter) for letter in routed.dead_letters}
        refused = self._guard.refused(places, bad)
        if refused:
            left = {place for some in refused.values() for place in some}
            kept = [place not in left for place in places]
            records, places = list(compress(records, kept)), list(compress(places, kept))
            routed = self._route(records, now)
        if records:
            self._commit(records, routed, now)
        self._guard.take(places, bad)
        for topic, some in refused.items():
            self._halting[topic] = Halt(some, example_of(topic, routed.dead_letters))
        self._log_defects(routed.dead_letters)
        return routed

    def _route(self, records: Sequence[Message], now: float) -> Routed:
        routed = self.router.route([self._record(one) for one in records], now, self.run.beat)
        if self._answered is not None:
            self._answered.leave_out(routed)
        return routed

    def _record(self, message: Message) -> InputRecord:
        if (made := self._made.get(id(message))) is not None:
            return made
        record = input_record(message, self.services.topics.replayed)
        if self._traces is None:
            return record
        return self._traces.with_context(message, record, self.services.clock.now())

    def _publish_poison(self, poison: Message, error: str) -> Routed:
        record = input_record(poison, self.services.topics.replayed)
        letter = record.dead_letter(DeadLetterReason.INTERNAL, error)
        topic = self.router.label_of(str(poison.topic()))
        routed = Routed(dead_letters=[letter])
        routed.counts[topic, "dead_letter", DeadLetterReason.INTERNAL] += 1
        self._commit([poison], routed, self.services.clock.now())
        return routed

    def _commit(self, messages: Sequence[Message], routed: Routed, now: float) -> None:
        with self._transaction(messages):
            lanes = {invitation.lane for invitation in routed.invitations}
            topics = {lane: self.services.topics.invitations(lane) for lane in lanes}
            due = (made for made in routed.invitations if not made.due_at)
            transactions.produce_all(
                self.producer,
                ((topics[made.lane], made.value, made.key, 0, None) for made in due),
            )
            for made in routed.invitations:
                if made.due_at:
                    later = Delayed(made.lane, now, made.due_at, made.key, made.value)
                    step = self.services.topics.delayed(step_for(made.due_at - now))
                    later.put(self.producer, step, now)
            publisher = self.services.publisher(self.producer, "router")
            publisher.results(map(EncodedResult.of, routed.results), rfc3339(now))
            publisher.dead_letters(routed.dead_letters, rfc3339(now))
        if self._answered is not None:
            self._answered.committed(routed)
        if self._traces is not None:
            self._traces.committed(messages, self.services.clock.now())

    def _log_defects(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            if letter.reason is DeadLetterReason.INTERNAL:
                source = letter.source
                topic = self.router.label_of(source["topic"])
                place = topic, source["partition"], source["offset"]
                log_defect(self.name, place, letter.message)

    def _count(self, outcome: Routed) -> None:
        for (topic, disposition, reason), number in outcome.counts.items():
            self.services.metrics.router.events(topic, disposition, reason, number)
        for (lane, campaign), number in Counter(map(_PLACE, outcome.invitations)).items():
            self.services.metrics.router.routed(lane, campaign, number)
        self.run.metrics.results(Counter(result["reason"] for result in outcome.results))
        self.run.metrics.route_results(Counter(map(_ROUTE, outcome.results)))
        self.run.metrics.dead_letters(Counter(letter.reason for letter in outcome.dead_letters))


def _limits(router: Router) -> dict[str, DeadLetterLimit]:
    known = router.inputs.items()
    return {topic: limit for topic, entry in known if (limit := entry.dead_letter_limit)}
