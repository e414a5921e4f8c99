"""The config of traces."""

from __future__ import annotations

from consumer.config.section import Section


class Tracing(Section):
    """Traces: events' `traceparent` headers reach their results."""

    spans: bool = False
    """Record spans of sampled events by OpenTelemetry (extra `tracing`, variables OTEL_…)."""
