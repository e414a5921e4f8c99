"""What a Prometheus knows of the time before a run, which no test can wait for."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.deploy.monitored import tool

HOUR, DAYS = 3600, 8
ASKED, ANSWERED = 100, 90
"""Surveys and answers in each hour of the history."""

_ANSWERS = 'survey_dispatcher_responses_total{{job="{job}",instance="former"}}'
_RESULTS = 'survey_dispatcher_results_total{{job="{job}",instance="former",status="accepted"}}'


def remember_answers(data: Path, job: str) -> None:
    """Write eight days of steady surveys and answers, up to a day ago, into Prometheus's data."""
    now = int(time.time())
    hours = [now - hour * HOUR for hour in range(24 * DAYS, 24, -1)]
    lines = []
    for name, growth in ((_ANSWERS, ANSWERED), (_RESULTS, ASKED)):
        series = name.format(job=job)
        lines.append(f"# TYPE {series.partition('_total')[0]} counter")
        lines += [f"{series} {growth * count} {at}" for count, at in enumerate(hours)]
    text = data.with_suffix(".openmetrics")
    text.write_text("\n".join([*lines, "# EOF", ""]))
    command = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
