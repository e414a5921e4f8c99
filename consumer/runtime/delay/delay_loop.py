"""Delay stage: returns due records of the delay topics to their lanes; the rest wait in the log.

Each delay topic (a *step*) holds all its records for the same time, so its head is due first. The
partition is paused until then. One transaction writes a record to its lane, or next step, and
commits its offset (`transactional_stage`, also for what a rebalance does).

Only Kafka's clock decides what is due: the broker timestamps the records of the steps, and each
session measures the broker's time when it starts. A local clock that is ahead would pass a record
on, or back to its step, as soon as it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from typing import NamedTuple

import structlog
from confluent_kafka import KafkaException, Message, TopicPartition

from consumer.errors import KafkaSessionError, StartPositionError
from consumer.kafka.errors import translate_errors
from consumer.kafka.queries import committed_offsets, group_offset
from consumer.kafka.records.delayed import Delayed, first_offset
from consumer.kafka.records.messages import position_of, timestamp_of
from consumer.kafka.records.operator_commands import RetryCampaign
from consumer.kafka.records.publisher import bad_invitation, dead_letter_of
from consumer.kafka.start_offsets import GroupMemory, Reading, delay_reading
from consumer.kafka.stopped_partitions import still_forgotten
from consumer.kafka.transactions import measure_broker_clock
from consumer.lane.state.delay_steps import STEPS, step_for
from consumer.observability.metrics.labels import DELAY, OTHER
from consumer.records.dead_letter import DeadLetterReason
from consumer.records.fields import rfc3339
from consumer.runtime.stage import StageServices
from consumer.runtime.stoppable_stage import StoppableStage
from consumer.runtime.watchers.command_watch import ObeyedCommands

POLL_SECONDS = 0.25
WAIT = 10.0
DELETE_EVERY = 60.0
PACE, PACE_FROM = 2_000.0, 500
"""Invitations a second that return to lanes, and how many of a poll make this pace apply. It
exceeds what the documented quotas can send (1,280), so that no permit is left unused."""

ORPHAN_WAIT = "1h"
"""Step for invitations of a lane whose topic is missing; an operator must recreate it."""

ORPHANS_AT_MOST = 1_000
"""Limit of the remembered lanes outside the config."""

log = structlog.get_logger(__name__)


class _Passed(NamedTuple):
    """Committed offsets and number of dead letters of one transaction."""

    offsets: list[TopicPartition]
    letters: Mapping[DeadLetterReason, int]


class DelayStage(StoppableStage[_Passed]):
    """The delay stage's sessions, and the state of the current session's delay topics."""

    def __init__(self, services: StageServices, instance: str) -> None:
        super().__init__(services, DELAY, services.topics.delay_group, instance, POLL_SECONDS)
        self._steps = {services.topics.delayed(step): step for step in STEPS}
        self._due: dict[str, float] = {}  # paused topic → when it resumes
        self._heads: dict[str, int] = {}  # topic → offset expected after a seek
        self._paced: set[str] = set()  # topics paused to limit the pace
        self._begun: dict[str, int] = {}  # assigned topic → start offset
        self._orphans: dict[str, bool] = {}  # lane → whether it has a topic
        self._passed: dict[str, int] = {}  # topic → records below this offset may be deleted
        self._delete_at = 0.0
        self._returned = 0  # records of the present poll that went to lanes
        self._ahead = 0.0  # Kafka's time minus the clock's steady time
        self._obeyed = ObeyedCommands()  # of retries, those given while steps were assigned

    def _topics(self) -> Sequence[str]:
        return list(self._steps)

    def _begin_membership(self) -> None:
        super()._begin_membership()
        for known in (self._due, self._heads, self._paced, self._begun, self._orphans):
            known.clear()
        self.services.step_counts.clear()
        self.services.early.forget()
        clock, longest = self.services.clock, list(STEPS)[-1]
        # The measurement's transaction is open only before records that are due last.
        topic = self.services.topics.delayed(longest)
        ahead = measure_broker_clock(self.producer, topic, clock.steady)
        self._ahead = clock.now() - clock.steady() if ahead is None else ahead
        self.services.metrics.process.clock_ahead(clock.now() - self._now())

    def _end_membership(self) -> None:
        super()._end_membership()
        self.run.metrics.delayed_invitations({})
        self.run.metrics.delayed_by_campaign({})

    def _turn(self) -> None:
        """Resume topics that are due before the poll; delete what was passed on after it."""
        self._begin_early_return()
        self._resume_due_topics()
        super()._turn()
        self._delete_passed_records()
        self._update_metrics()

    def _now(self) -> float:
        """Return Kafka's time in epoch seconds; the broker's own may be slightly later."""
        return self.services.clock.steady() + self._ahead

    # -- rebalance and stopped topics ---------------------------------------------------------

    def assign(self, partitions: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
        """See `GroupMember`."""
        to_read = super().assign(partitions)
        self._obeyed = ObeyedCommands()  # what a former member began to return may be left there
        for partition in to_read:
            self._forget(partition.topic)
            self._begun[partition.topic] = partition.offset
        return to_read

    def revoke(self, partitions: Sequence[TopicPartition], *, lost: bool) -> None:
        """See `GroupMember`."""
        super().revoke(partitions, lost=lost)
        for partition in partitions:
            self._begun.pop(partition.topic, None)

    def stop_reading(self, partition: TopicPartition, why: str) -> None:
        """See `GroupMember`."""
        self._forget(partition.topic)
        super().stop_reading(partition, why)

    def _forget(self, topic: str) -> None:
        for known in (self._begun, self._due, self._heads):
            known.pop(topic, None)
        self._paced.discard(topic)

    def _set_start_offsets(self, partitions: Sequence[TopicPartition], metadata: object) -> None:
        asked = [TopicPartition(step.topic, step.partition) for step in partitions]
        committed = committed_offsets(self.asker, asked)
        fresh = []
        for partition in partitions:
            partition.offset = committed[partition.topic, partition.partition].offset
            if partition.offset < 0 and (first := self._first_offset(partition.topic)) is not None:
                partition.offset = first
                fresh.append(partition)
        if fresh:  # else a group without offsets could be new, or have lost them
            self._commit_offsets(fresh, metadata)

    def _first_offset(self, topic: str) -> int | None:
        """Return the start offset of a step without a committed one; None if it stands still.
        Raises KafkaSessionError."""
        if self.services.clients.topic_id(topic) is None:
            return 0  # the demo's broker keeps no offsets of transactions
        asker, place = self.run.consumer(self.group.group), TopicPartition(topic, 0)
        try:
            return first_offset(
                asker,
                place,
                STEPS[self._steps[topic]],
                self._now(),
                self.services.topics.invitations(""),
            )
        except StartPositionError as error:
            stop = still_forgotten(group_offset(asker, place))
            self.stops.add(asker, [stop], str(error))
            return None
        finally:
            self.services.clients.close(asker)

    def _decides_for_operators(self) -> bool:
        return bool(self.stops.stopped)  # a step has one partition: its member decides

    def _reading(self) -> Reading:
        steps = [topic for topic, _ in self.stops.stopped]  # all others go on
        return delay_reading(self.services.topics, steps, self.services.clients)

    def _group_memory(self, reading: Reading) -> GroupMemory:
        asked = [TopicPartition(topic, 0) for topic in reading.inputs]
        committed = committed_offsets(self.asker, asked)
        stopped = self.stops.stopped.values()
        still = [stop for stop in stopped if committed[stop.place].offset < 0]
        return GroupMemory(committed, still)

    # -- records ------------------------------------------------------------------------------

    def _handle(self, records: Sequence[Message]) -> None:
        """Pass on the records that are due."""
        due = [message for message in records if self._is_due(message)]
        if due:
            self._returned = 0
            super()._handle(due)
            self._pace(due)

    def _process(self, records: Sequence[Message]) -> _Passed:
        """Pass on these records from their steps in one transaction."""
        self.run.beat()
        now = self._now()
        read = [(message, Delayed.from_message(message, now)) for message in records]
        self._look_up_lanes({self._home(delayed) for _, delayed in read if delayed})
        foreign = [
            bad_invitation(message, "not a delayed invitation")
            for message, delayed in read
            if delayed is None
        ]
        with self._transaction(records) as offsets:
            for _, delayed in read:
                if delayed is not None:
                    self._forward(delayed, now)
            self.services.publisher(self.producer, self.name).dead_letters(foreign, rfc3339(now))
        return _Passed(offsets, {DeadLetterReason.BAD_INVITATION: len(foreign)})

    def _publish_poison(self, poison: Message, error: str) -> _Passed:
        letter = dead_letter_of(poison, DeadLetterReason.INTERNAL, error)
        with self._transaction([poison]) as offsets:
            now = rfc3339(self.services.clock.now())
            self.services.publisher(self.producer, self.name).dead_letters([letter], now)
        return _Passed(offsets, {DeadLetterReason.INTERNAL: 1})

    def _count(self, outcome: _Passed) -> None:
        self.run.metrics.dead_letters(outcome.letters)
        self._passed.update({passed.topic: passed.offset for passed in outcome.offsets})

    def _pace(self, due: Sequence[Message]) -> None:
        """Pause topics after a large poll, so that returning invitations do not flood the lanes.

        A million invitations returned at once would delay the customers of all other campaigns.
        """
        if self._returned < PACE_FROM:  # what goes from step to step floods no lane
            return
        until = self._now() + self._returned / PACE
        for topic in dict.fromkeys(str(message.topic()) for message in due):
            if topic not in self._due:
                self._due[topic] = until
                self._paced.add(topic)
                with translate_errors("pause"):
                    self.group.consumer.pause([TopicPartition(topic, 0)])

    def _is_due(self, message: Message) -> bool:
        """Return whether the record may leave its step; the first that may not pauses its topic."""
        topic, partition, offset = position_of(message)
        if topic in self._paced:  # skipping the record would lose it
            raise KafkaSessionError(f"{topic} was read while it was paused")
        if topic in self._due:
            return False
        head = self._heads.pop(topic, offset)
        if head != offset:  # a record fetched before the seek
            raise KafkaSessionError(f"expected offset {head} of {topic} after a seek, not {offset}")
        when = timestamp_of(message) / 1000 + STEPS[self._steps[topic]]
        if when <= self._now() or self.services.early.covers(topic, offset):
            return True
        self._due[topic], self._heads[topic] = when, offset
        self.group.reached.pop((topic, partition), None)
        place = TopicPartition(topic, partition, offset)
        with translate_errors("pause"):
            self.group.consumer.pause([place])
            self.group.consumer.seek(place)
        return False

    def _begin_early_return(self) -> None:
        """Start an early return of all present records if campaigns are to be retried."""
        early = self.services.early
        if self._begun:  # else another member executes the commands
            early.request(
                command.campaign
                for command in self._obeyed.new(self.services.commands, self.services.clock.now())
                if isinstance(command, RetryCampaign)
            )
        early.turn({topic: end for (topic, _), end in self.group.reached.items()})
        if not early.asked or not self._begun:
            return
        ends: dict[str, int] = {}
        for topic in self._begun:
            end = self.services.clients.log_end(self.asker, topic)
            if self.group.reached.get((topic, 0), -1) < end:  # else the topic is read to its end
                ends[topic] = end
        log.info("delayed_retried", campaigns=len(early.asked))
        early.begin(ends)
        for topic in self._due.keys() - self._paced:
            self._due[topic] = 0.0

    def _resume_due_topics(self) -> None:
        now = self._now()
        for topic in [topic for topic, when in self._due.items() if when <= now]:
            del self._due[topic]
            self._paced.discard(topic)
            with translate_errors("resume"):
                self.group.consumer.resume([TopicPartition(topic, 0)])

    def _forward(self, record: Delayed, now: float) -> None:
        """Write a record to its next step, to its lane, or (without a lane) to a step again."""
        left = record.due_at - now
        if left > 0 and not self._returns_early(record, now):
            record.put(self.producer, self.services.topics.delayed(step_for(left)), now)
        elif self._orphans.get(lane := self._home(record), True):
            record.give_back(self.producer, self.services.topics.invitations(lane))
            self._returned += 1
        else:
            log.error("delayed_without_lane", lane=lane, what="stays on the delay topics")
            record.put(self.producer, self.services.topics.delayed(ORPHAN_WAIT), now)

    def _returns_early(self, record: Delayed, now: float) -> bool:
        """Return whether the record goes to its lane before its time; a lane would only delay what
        is not due by its policy."""
        return self.services.early.includes(record.campaign) and record.eligible_from <= now

    def _home(self, record: Delayed) -> str:
        """Return the campaign's current lane: its account may have moved to another quota."""
        return self.services.config.homes.get(record.campaign, record.lane)

    def _look_up_lanes(self, named: Set[str]) -> None:
        """Look up which of these lanes outside the config still have a topic.

        A lane that left the config keeps its topic until an operator drains or closes it. The
        lookup precedes the transaction, which must not wait. Lanes come from records, which a
        foreign producer may have written: at most `ORPHANS_AT_MOST` are remembered.
        """
        if len(self._orphans) > ORPHANS_AT_MOST:
            self._orphans.clear()
        for lane in named - {*self.services.config.lanes, *self._orphans}:
            topic = self.services.topics.invitations(lane)
            with translate_errors("looking for a lane's topic"):
                found = self.asker.list_topics(topic, timeout=WAIT).topics.get(topic)
            self._orphans[lane] = found is not None and found.error is None

    def _delete_passed_records(self) -> None:
        """Delete records that were passed on, so that a group that loses its offsets does not
        return them again."""
        now = self._now()
        if now >= self._delete_at:
            self._delete_at = now + DELETE_EVERY
            for topic, offset in self._passed.items():
                self.run.delete_records(topic, offset)
            self._passed.clear()

    def _update_metrics(self) -> None:
        """Show how many records wait on each step, and of which campaigns.

        A step that is paused, or not read yet, has no position; its end is from `DelayWatch`.
        """
        steps, ends = self.services.step_counts, self.services.step_ends
        with suppress(KafkaException):  # a display must not end the session
            places = {topic: place for (topic, _), place in self.group.positions().items()}
            for topic in self._begun.keys() & ends.keys() - places.keys():
                at = self._heads.get(topic, self._begun[topic])
                places[topic] = at, max(at, ends[topic])
            waiting = {topic: steps.waiting(topic, *place) for topic, place in places.items()}
            by_step = {self._steps[topic]: each.total() for topic, each in waiting.items()}
            self.run.metrics.delayed_invitations(by_step)
            by_campaign = sum(waiting.values(), Counter[str]())
            homes = self.services.config.homes
            self.run.metrics.delayed_by_campaign(
                {(homes.get(name, OTHER), name): n for name, n in by_campaign.items()}
            )
