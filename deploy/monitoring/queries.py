"""How a metric is put together over replicas.

A gauge of a lane exists only at the lane's owner, and for a moment at two when it moves: the
largest is taken, never a sum over processes. A counter stays at every process that ever counted,
so increases are summed: what moved is counted once where it happened.
"""

from __future__ import annotations

from deploy.monitoring.thresholds import MINUTE

PREFIX = "survey_dispatcher_"
APPLICATION = ("namespace", "job")
"""Two applications in one Prometheus may have lanes of the same name."""


def by(*labels: str) -> str:
    """The grouping of every query: the application, and these."""
    return f"by ({', '.join((*APPLICATION, *labels))})"


def gauge(name: str, *labels: str) -> str:
    """A gauge of one owner."""
    return f"max {by(*labels)} ({PREFIX}{name})"


def increase(selector: str, window: int, *labels: str) -> str:
    """How much a counter grew within so many minutes, at all processes together.

    What a process counted before it was first scraped is no increase to Prometheus, and a takeover
    counts most in that moment. So of a process that is younger than the window all counts.
    """
    young = f"time() - {PREFIX}process_start_time_seconds < {window * MINUTE}"
    counter = f"{PREFIX}{selector}"
    since_start = f"({counter} and on ({', '.join((*APPLICATION, 'instance'))}) ({young}))"
    return f"sum {by(*labels)} ({since_start} or increase({counter}[{window}m]))"


def rate(selector: str, window: str, *labels: str) -> str:
    """How much a counter grows a second, at all processes together."""
    return f"sum {by(*labels)} (rate({PREFIX}{selector}[{window}]))"
