"""Spans of sampled events, recorded by OpenTelemetry.

    producer's span ── process <topic> ── settle          one trace: what became of the event
                                            ╎ link
                         send <campaign> ◄──┘             a trace of its own: one vendor call
                           ╎ links to `process` of the events in the call, at most 128

`process` lasts from the poll to the commit, `send` from the first byte to the answer, `settle`
from the moment an invitation may be sent to the commit of its result. Names and attributes follow
OpenTelemetry's semantic conventions for messaging; those of our own begin with `survey.`. No
attribute holds anything of an event but its place.

Where spans go is said by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, …), or by an
agent that has set a provider before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import (
    SERVICE_INSTANCE_ID,
    SERVICE_NAME,
    OTELResourceDetector,
    Resource,
)
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from consumer import __version__
from consumer.records.trace_context import HEADER

MOST_LINKS: Final = 128
"""Links of one span: OpenTelemetry's own default limit."""

MOST_QUEUED: Final = 20_000
"""Spans that wait to leave, unless OTEL_BSP_MAX_QUEUE_SIZE says how many. Its default of 2,048
drops most of a call's 5,000 `settle` spans where every event is sampled."""

FLUSH_MS: Final = 2_000
"""How long a stop may wait for the last spans to leave."""

Attributes = Mapping[str, str | int]

_CONTEXT: Final = TraceContextTextMapPropagator()


class Spans:
    """Records spans. May be called from any thread; times are epoch seconds."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("survey-dispatcher", __version__)

    def begin(self, name: str, parent: str, at: float, attributes: Attributes) -> Span:
        """Begin the span of a record that is processed; `parent` is its trace context."""
        return self._tracer.start_span(
            name,
            _context(parent),
            SpanKind.CONSUMER,
            attributes,
            start_time=_nanoseconds(at),
        )

    def record(
        self,
        name: str,
        times: tuple[float, float],
        attributes: Attributes,
        *,
        parent: str = "",
        links: Iterable[SpanContext] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        failed: bool = False,
    ) -> SpanContext:
        """Record a span that has ended; `times`: its begin and end. Without a parent it begins a
        trace."""
        span = self._tracer.start_span(
            name,
            _context(parent),
            kind,
            attributes,
            [Link(context) for context in links],
            start_time=_nanoseconds(times[0]),
        )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        end(span, times[1])
        return span.get_span_context()

    def close(self) -> None:
        """Send what is left, for `FLUSH_MS` at most."""
        if isinstance(self._provider, TracerProvider):
            self._provider.force_flush(FLUSH_MS)


def end(span: Span, at: float) -> None:
    """End a span at this time."""
    span.end(_nanoseconds(at))


def context_of(span: Span) -> str:
    """Return the trace context of what a span causes."""
    carrier: dict[str, str] = {}
    _CONTEXT.inject(carrier, trace.set_span_in_context(span))
    return carrier.get(HEADER, "")


def span_context(traceparent: str) -> SpanContext:
    """Return the span that a trace context names."""
    return trace.get_current_span(_context(traceparent)).get_span_context()


def start_spans(instance: str, exporter: SpanExporter | None = None) -> Spans:
    """Return what records spans, by the provider of an agent, or by one of our own. `exporter`: by
    default OTLP over HTTP."""
    provider: Any = trace.get_tracer_provider()
    if exporter is None and isinstance(provider, TracerProvider):
        return Spans(provider)
    ours = {SERVICE_NAME: "survey-dispatcher", SERVICE_INSTANCE_ID: instance}
    said = OTELResourceDetector().detect().attributes  # OTEL_SERVICE_NAME and the like
    own = TracerProvider(resource=Resource.create({**ours, **said}))
    queued = None if "OTEL_BSP_MAX_QUEUE_SIZE" in os.environ else MOST_QUEUED
    own.add_span_processor(BatchSpanProcessor(exporter or _otlp(), max_queue_size=queued))
    return Spans(own)


def _otlp() -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - tests bring another one

    return OTLPSpanExporter()


def _context(traceparent: str) -> Context:
    """Return the context of a parent; an empty one begins a trace."""
    return _CONTEXT.extract({HEADER: traceparent}, Context()) if traceparent else Context()


def _nanoseconds(at: float) -> int:
    return int(at * 1e9)
