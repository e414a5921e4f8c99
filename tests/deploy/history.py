"""What a Prometheus knows of the time before a run, which no test can wait for."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from deploy.monitoring.recording import EVENTS
from tests.deploy.monitored import tool
from tests.deploy.recorded import JOB, RULES_JOB, SILENT

MINUTE, HOUR, DAYS = 60, 3600, 8
ASKED, ANSWERED = 100, 90
"""Surveys and answers in each hour of the history."""

_RULES = f'job="{RULES_JOB}",instance="former"'
_ROUTE = f'{_RULES},route="former",campaign="purchase-sms"'
_ACCEPTED = 'status="accepted",reason="accepted"'
COUNTERS = {
    f"survey_dispatcher_responses_total{{{_RULES}}}": ANSWERED,
    f"survey_dispatcher_results_total{{{_RULES},{_ACCEPTED}}}": ASKED,
    f"survey_dispatcher_route_results_total{{{_ROUTE},{_ACCEPTED}}}": ASKED,
}
"""Series of the application with contact rules, and how much each grows in an hour."""

SILENT_EVENTS = f'{EVENTS}{{job="{JOB}",topic="{SILENT}"}}'


def remember(data: Path) -> None:
    """Write eight days into Prometheus's data: steady surveys and answers, up to a day ago, and
    the records of a topic that has been silent for an hour."""
    now = int(time.time())
    hours = [now - hour * HOUR for hour in range(24 * DAYS, 24, -1)]
    lines: list[str] = []
    for series, growth in COUNTERS.items():
        lines += _family(series, "counter", hours, growth)
    often = list(range(now - DAYS * 24 * HOUR, now - 65 * MINUTE, 5 * MINUTE))
    lines += _family(SILENT_EVENTS, "gauge", often, 0, 75)
    text = data.with_suffix(".openmetrics")
    text.write_text("\n".join([*lines, "# EOF", ""]))
    few = "--max-block-duration=64h"  # each block is synced to the disk
    command = [
        tool("promtool"),
        "tsdb",
        "create-blocks-from",
        few,
        "openmetrics",
        str(text),
        str(data),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def _family(series: str, kind: str, times: list[int], growth: int, first: int = 0) -> Iterator[str]:
    """Return the series in OpenMetrics text."""
    yield f"# TYPE {series.partition('{')[0].removesuffix('_total')} {kind}"
    for count, at in enumerate(times):
        yield f"{series} {first + growth * count} {at}"
