"""Reads the results topic: between two times, or from now on.

A reader of committed results in no group: no offset moves. Kafka finds the offsets of a time, so
that a search does not read the whole log. A record's time is that of its writer, and several write
to a partition: what is written up to `DISORDER` late is found too. Memory: one batch of records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, Message, TopicPartition

from consumer.errors import KafkaSessionError, UnreadableRecord
from consumer.kafka.errors import describe, is_out_of_range, is_partition_end, translate_errors
from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import Offsets, Partition, end_offsets, low_offsets, offset_since
from consumer.kafka.records.messages import position_of, timestamp_of, value_of
from consumer.operations.access import Access
from consumer.operations.results.choice import Choice
from consumer.operations.results.columns import Found
from consumer.records.fields import LAST_MOMENT
from consumer.records.readers import read_result

DISORDER = 3600.0
"""Seconds by which a result may stand behind later ones."""

NAMED = 10
"""Places of unreadable records that are named."""

BATCH, POLL = 1000, 0.2


@dataclass(slots=True)
class ResultScan:
    """The chosen results of the topic, and what was met on the way.

    `read`: results that were read; `unread`: records that are none, the first `NAMED` by place;
    `truncated`: Kafka has deleted results that `since` does not leave out.
    """

    access: Access
    choice: Choice
    read: int = 0
    unread: int = 0
    unread_places: list[str] = field(default_factory=list)
    truncated: bool = False

    @property
    def topic(self) -> str:
        """The results topic."""
        return self.access.topics.results

    def __iter__(self) -> Iterator[Found]:
        """Yield the chosen results that are committed by now, in a partition's order."""
        with self.access.reader() as reader:
            ends = end_offsets(self.access.admin, [self.topic], committed=True)
            begin = self._begin(reader, ends)
            for message in LogScan(reader, self._ends(reader, ends), begin):
                yield from self._chosen(message)

    def follow(self) -> Iterator[Found]:
        """Yield the chosen results from `since` (None: from now) on, without an end; not those of
        partitions that the topic gets meanwhile."""
        with self.access.reader() as reader:
            ends = end_offsets(self.access.admin, [self.topic], committed=True)
            begin = ends if self.choice.since is None else self._begin(reader, ends)
            with translate_errors("reading"):
                reader.assign([TopicPartition(*place, at) for place, at in begin.items()])
            while True:
                with translate_errors("reading"):
                    messages = reader.consume(BATCH, POLL)
                for message in messages:
                    if _is_record(message):
                        yield from self._chosen(message)

    def _begin(self, reader: Consumer, ends: Offsets) -> dict[Partition, int]:
        """Return where to begin in each partition."""
        lows = low_offsets(self.access.admin, [self.topic])
        found = dict(lows)
        if self.choice.since is not None:
            found = _at_time(reader, ends, self.choice.since)
        self.truncated = any(0 < low == found[place] for place, low in lows.items())
        return found

    def _ends(self, reader: Consumer, ends: Offsets) -> Offsets:
        if self.choice.until is None:
            return ends
        return _at_time(reader, ends, self.choice.until + DISORDER)

    def _chosen(self, message: Message) -> Iterator[Found]:
        try:
            result = read_result(value_of(message))
        except UnreadableRecord:
            self.unread += 1
            if len(self.unread_places) < NAMED:
                self.unread_places.append("{1}/{2}".format(*position_of(message)))
            return
        self.read += 1
        written_at = min(max(0, timestamp_of(message)) / 1000, LAST_MOMENT)
        found = Found(result, written_at)
        if self.choice.takes(found):
            yield found


def _at_time(reader: Consumer, ends: Mapping[Partition, int], when: float) -> dict[Partition, int]:
    found = {place: offset_since(reader, *place, when) for place in ends}
    return {
        place: ends[place] if offset is None else min(offset, ends[place])
        for place, offset in found.items()
    }


def _is_record(message: Message) -> bool:
    """Return whether it is no error. Raises KafkaSessionError for one that does not pass."""
    error = message.error()
    if error is None or is_partition_end(error):
        return error is None
    if is_out_of_range(error) or error.fatal():
        raise KafkaSessionError(f"reading the results: {describe(error)}")
    return False  # librdkafka tries again
