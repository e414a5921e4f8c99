"""Traces at the router: the trace context of each record, and spans of those that are sampled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from consumer.kafka.records.messages import headers_of, position_of
from consumer.records.input_record import InputRecord
from consumer.records.trace_context import is_sampled, traceparent_in

if TYPE_CHECKING:
    from confluent_kafka import Message
    from opentelemetry.trace import Span

    from consumer.observability.tracing import Spans

Place = tuple[str, int, int]


class RouterTraces:
    """Trace contexts of the records of one poll. `spans`: None where only contexts are carried."""

    def __init__(self, spans: Spans | None, group: str) -> None:
        self._spans = spans
        self._group = group
        self._begun: dict[Place, tuple[Span, str]] = {}

    def with_context(self, message: Message, record: InputRecord, now: float) -> InputRecord:
        """Return the record with the trace context that its results carry. The span of a sampled
        one begins; a record that is read twice in one poll has one."""
        replayed = record.topic != message.topic()  # else the headers alone: a third of the time
        headers = record.read_envelope().headers if replayed else headers_of(message)[0]
        traceparent = traceparent_in(headers) if headers else ""
        if self._spans is not None and is_sampled(traceparent):
            place = position_of(message)
            if place not in self._begun:
                self._begun[place] = self._begin(self._spans, place, traceparent, now)
            traceparent = self._begun[place][1]
        if not traceparent:
            return record
        place = record.topic, record.partition, record.offset
        return InputRecord(*place, record.value, record.read_envelope, traceparent)

    def _begin(self, spans: Spans, place: Place, traceparent: str, now: float) -> tuple[Span, str]:
        from consumer.observability.tracing import context_of  # noqa: PLC0415 - of an extra

        topic, partition, offset = place
        span = spans.begin(
            f"process {topic}",
            traceparent,
            now,
            {
                "messaging.system": "kafka",
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.kafka.offset": offset,
                "messaging.consumer.group.name": self._group,
            },
        )
        return span, context_of(span)

    def committed(self, messages: Iterable[Message], now: float) -> None:
        """End the spans of records whose transaction is committed."""
        if not self._begun:
            return
        from consumer.observability.tracing import end  # noqa: PLC0415 - of an extra

        for message in messages:
            if begun := self._begun.pop(position_of(message), None):
                end(begun[0], now)

    def forget(self) -> None:
        """Drop spans that did not end: their records are read again."""
        self._begun.clear()
