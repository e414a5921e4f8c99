"""Polls the ends of the delay topics, and which of their offsets hold records.

The delay stage pauses a step until its head is due. A paused partition is not fetched, so its
consumer does not learn of new records. The query runs outside the stage's thread, because an
unreachable broker would block the stage.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, MutableMapping, Sequence

import structlog
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from consumer.errors import DispatcherError
from consumer.kafka import transactions
from consumer.kafka.log_scan import LogScan, end_offsets
from consumer.runtime.delay.step_counts import StepCounts
from consumer.runtime.watchers.process_watch import pause

LOOK_EVERY = 15.0
AT_ONCE = 50_000
"""Offsets of a step that are read in one poll."""

log = structlog.get_logger(__name__)


class DelayWatch:
    """Keeps `ends` (topic of a step → offset) and `counts` up to date, from a worker thread.

    `reader` makes a consumer of committed records.
    """

    def __init__(
        self,
        client: AdminClient,
        steps: Sequence[str],
        ends: MutableMapping[str, int],
        counts: StepCounts | None = None,
        reader: Callable[[], Consumer] | None = None,
    ) -> None:
        self._client = client
        self._steps = steps
        self._ends = ends
        self._counts = counts
        self._reader = reader

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until `stop`; retry after errors, which other watchers report."""
        while not stop.is_set():
            try:
                await asyncio.to_thread(self.poll)
            except DispatcherError as error:
                log.debug("delay_topic_ends_unknown", why=str(error))
            await pause(stop, LOOK_EVERY)

    def poll(self) -> None:
        """Update ends and counts once. Raises KafkaSessionError, OperationError."""
        found = end_offsets(self._client, self._steps, committed=False)
        self._ends.update({topic: end for (topic, _), end in found.items()})
        if self._counts is not None and self._reader is not None:
            self._count(self._counts, self._reader)

    def _count(self, counts: StepCounts, make: Callable[[], Consumer]) -> None:
        begin = {(topic, 0): at for topic, at in counts.wanted().items()}
        if not begin:
            return
        ends = end_offsets(self._client, [topic for topic, _ in begin], committed=True)
        until = {place: min(ends[place], at + AT_ONCE) for place, at in begin.items()}
        if all(until[place] <= at for place, at in begin.items()):
            return
        offsets: dict[str, list[int]] = defaultdict(list)
        reader = make()
        try:
            for message in LogScan(reader, until, begin):
                topic, _, offset = transactions.position_of(message)
                offsets[topic].append(offset)
        finally:
            transactions.close(reader)
        for (topic, _), end in until.items():
            counts.read(topic, offsets[topic], end)
