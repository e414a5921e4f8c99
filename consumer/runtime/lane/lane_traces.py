"""Traces at a lane: spans of its calls and results, as far as their events are sampled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from consumer.http.calls import Answered
from consumer.lane.state.commands import Batch
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import EndedInvitation
from consumer.records.call import Verdict
from consumer.records.trace_context import is_sampled

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from consumer.observability.tracing import Spans

CALLS_KEPT: Final = 1_000
"""Calls whose spans results can link to: more than may be between an answer and its commit."""


class LaneTraces:
    """Spans of one lane. `spans`: None where no span is recorded. `carried`: whether the config
    has `tracing`, without which events that an earlier one traced count as untraced."""

    def __init__(self, spans: Spans | None, lane: str, *, carried: bool = False) -> None:
        self._spans = spans
        self._carried = carried or spans is not None
        self._lane = lane
        self._calls: dict[str, SpanContext] = {}

    def sampled_in(self, batch: Batch) -> Sequence[PendingInvitation]:
        """Return the invitations of a batch whose events are sampled, in its order."""
        if not self._carried:
            return ()
        return [one for one in batch.invitations if is_sampled(one.traceparent)]

    def answered(self, event: Answered) -> None:
        """Record the span of a call that carried sampled events, with links to them."""
        if self._spans is None or event.sent_at is None:
            return
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - of an extra

        from consumer.observability.tracing import MOST_LINKS, span_context  # noqa: PLC0415 - of an extra

        batch, outcome = event.batch, event.outcome
        sampled = self.sampled_in(batch)
        links = [span_context(one.traceparent) for one in sampled[:MOST_LINKS]]
        if not links:
            return
        attributes: dict[str, str | int] = {
            "survey.lane": self._lane,
            "survey.campaign": batch.campaign,
            "survey.vendor": event.vendor,
            "survey.batch": batch.id,
            "survey.verdict": str(outcome.verdict),
            "messaging.batch.message_count": len(batch.invitations),
        }
        if outcome.http_status is not None:
            attributes["http.response.status_code"] = outcome.http_status
        self._calls[batch.id] = self._spans.record(
            f"send {batch.campaign}",
            (event.sent_at, event.at),
            attributes,
            links=links,
            kind=SpanKind.CLIENT,
            failed=outcome.verdict is not Verdict.ACCEPTED,
        )
        while len(self._calls) > CALLS_KEPT:
            del self._calls[next(iter(self._calls))]

    def committed(self, results: Iterable[EndedInvitation], now: float) -> None:
        """Record the span of each result whose event is sampled."""
        if self._spans is None:
            return
        for ended in results:
            pending = ended.pending
            if is_sampled(pending.traceparent):
                self._spans.record(
                    "settle",
                    (min(pending.arrived, now), now),
                    {
                        "survey.lane": self._lane,
                        "survey.campaign": pending.campaign,
                        "survey.route": pending.route,
                        "survey.status": str(ended.reason.status),
                        "survey.reason": str(ended.reason),
                        "survey.attempt": ended.attempt,
                    },
                    parent=pending.traceparent,
                    links=self._call_of(ended),
                )

    def _call_of(self, ended: EndedInvitation) -> Iterator[SpanContext]:
        batch = ended.facts.batch
        if batch is not None and batch in self._calls:
            yield self._calls[batch]
