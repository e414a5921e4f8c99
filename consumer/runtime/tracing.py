"""Traces of this process: whether trace contexts are carried, and what records spans."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from consumer.config.tracing_section import Tracing
from consumer.errors import OperationError

if TYPE_CHECKING:
    from consumer.observability.tracing import Spans

NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


@dataclass(frozen=True, slots=True)
class ProcessTracing:
    """`carried`: whether trace contexts are read. `spans`: None without `tracing.spans`."""

    carried: bool = False
    spans: Spans | None = None

    def close(self) -> None:
        """Send the spans that are left."""
        if self.spans is not None:
            self.spans.close()


def start_tracing(section: Tracing | None, instance: str) -> ProcessTracing:
    """Return the tracing of a config. Raises OperationError if it needs an extra that is not
    installed."""
    if section is None or not section.spans:
        return ProcessTracing(carried=section is not None)
    if not all(map(_is_installed, NEEDED)):
        raise OperationError(
            "`tracing.spans` needs an extra: pip install 'survey-dispatcher[tracing]'"
        )
    from consumer.observability.tracing import start_spans  # noqa: PLC0415 - of an extra

    return ProcessTracing(carried=True, spans=start_spans(instance))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
