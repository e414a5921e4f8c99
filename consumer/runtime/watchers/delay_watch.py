"""Polls the ends of the delay topics, and which of their offsets hold records of which campaign.

The delay stage pauses a step until its head is due. A paused partition is not fetched, so its
consumer does not learn of new records. The query runs outside the stage's thread, because an
unreachable broker would block the stage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import AbstractContextManager

from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from consumer.kafka.log_scan import LogScan
from consumer.kafka.queries import end_offsets
from consumer.kafka.records.delayed import campaign_of
from consumer.kafka.records.messages import position_of
from consumer.runtime.delay.step_counts import StepCounts

LOOK_EVERY = 15.0
AT_ONCE = 50_000
"""Offsets of a step that are read in one poll."""


class DelayWatch:
    """Keeps `ends` (topic of a step → offset) and `counts` up to date. `reader` opens a consumer of
    committed records that joins no group."""

    def __init__(
        self,
        client: AdminClient,
        steps: Sequence[str],
        ends: MutableMapping[str, int],
        counts: StepCounts,
        reader: Callable[[], AbstractContextManager[Consumer]],
    ) -> None:
        self._client = client
        self._steps = steps
        self._ends = ends
        self._counts = counts
        self._reader = reader

    def poll(self) -> None:
        """Update ends and counts once. Raises KafkaSessionError, OperationError."""
        found = end_offsets(self._client, self._steps)
        self._ends.update({topic: end for (topic, _), end in found.items()})
        begin = {(topic, 0): at for topic, at in self._counts.wanted().items()}
        if not begin:
            return
        ends = end_offsets(self._client, [topic for topic, _ in begin], committed=True)
        until = {place: min(ends[place], at + AT_ONCE) for place, at in begin.items()}
        if all(until[place] <= at for place, at in begin.items()):
            return
        records: dict[str, list[tuple[int, str]]] = defaultdict(list)
        with self._reader() as reader:
            for message in LogScan(reader, until, begin):
                topic, _, offset = position_of(message)
                records[topic].append((offset, campaign_of(message.value())))
        for (topic, _), end in until.items():
            self._counts.read(topic, records[topic], end)
