"""A registry as the bytes that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


def scrape(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    """Body and content type. An `Accept` header that cannot be read gets the plain format."""
    try:
        encoder, content_type = choose_encoder(accept)
    except (TypeError, ValueError):
        encoder, content_type = choose_encoder("")
    return encoder(_WithoutCreated(registry)), content_type


class _WithoutCreated(Collector):
    """The registry without `_created` samples: one more series for each counter, and the
    library's own switch for them is global state."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterable[Metric]:
        for metric in self._registry.collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric
