"""Plots of a simulation: a PNG, and text for the terminal. Needs the `plot` extra."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from consumer.errors import OperationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = 'plots need two more packages: pip install "survey-dispatcher[plot]"'
MOST_BARS = 20
HOUR = 3600.0
WIDTH, HEIGHT = 78, 11
"""Columns and rows of one plot in a terminal."""


def png(told: Mapping[str, Any], path: Path) -> None:
    """Plot permits left, customers waiting and waits by campaign, a column for each lane.

    Raises OperationError if the file cannot be written, or matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra that only plots need
    except ImportError:
        raise OperationError(MISSING) from None
    lanes = told["lanes"]
    figure = Figure(figsize=(9 * len(lanes), 11), layout="constrained")
    axes = figure.subplots(3, len(lanes), squeeze=False)
    others = told["compare"]["lanes"] if "compare" in told else [None] * len(lanes)
    for column, (lane, other) in enumerate(zip(lanes, others, strict=True)):
        _plot_over_time(axes[0][column], lane, other, "permits_left", "share of the quota left")
        axes[0][column].set_ylim(0, 1)
        axes[0][column].set_title(f"lane {lane['lane']}")
        _plot_over_time(axes[1][column], lane, other, "waiting", "customers waiting")
        _plot_bars(axes[2][column], lane["campaigns"][:MOST_BARS])
    try:
        figure.savefig(path, format="png", dpi=100)
    except OSError as error:
        raise OperationError(f"{path}: {error.strerror}") from None


def _plot_over_time(
    axes: Axes, lane: Mapping[str, Any], other: Mapping[str, Any] | None, what: str, name: str
) -> None:
    both = [lane] if other is None else [lane, other]
    for quota in both:
        hours = [seconds / HOUR for seconds in quota["over_time"]["seconds"]]
        label = ", ".join(quota["limits"]) or "no limits"
        axes.plot(hours, quota["over_time"][what], label=label, linewidth=1)
    axes.set_xlabel("hours")
    axes.set_ylabel(name)
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right")


def _plot_bars(axes: Axes, campaigns: Sequence[Mapping[str, Any]]) -> None:
    names = [campaign["campaign"] for campaign in campaigns]
    for key, width in (("max", 0.3), ("p99", 0.55), ("p50", 0.8)):
        axes.barh(names, [campaign[key] for campaign in campaigns], height=width, label=key)
    axes.invert_yaxis()
    axes.set_xlabel("wait, seconds")
    axes.legend(loc="lower right")


def terminal(told: Mapping[str, Any]) -> list[str]:
    """Plot the same over time as text, two plots a lane; raises OperationError without plotext."""
    try:
        import plotext  # noqa: F401, PLC0415 - an extra that only plots need
    except ImportError:
        raise OperationError(MISSING) from None
    found = []
    for lane in told["lanes"]:
        samples, name = lane["over_time"], lane["lane"]
        left = [100 * share for share in samples["permits_left"]]
        if lane["limits"]:
            found.append(_text_plot(f"{name}: permits left, %", samples["seconds"], left, 100.0))
        most = max(samples["waiting"], default=0)
        title = f"{name}: customers waiting"
        found.append(_text_plot(title, samples["seconds"], samples["waiting"], max(1.0, most)))
    return found


def _text_plot(title: str, seconds: Sequence[float], values: Sequence[float], top: float) -> str:
    import plotext  # noqa: PLC0415

    figure = plotext.figure
    figure.clear()
    line = figure.signal([moment / HOUR for moment in seconds], list(values), marker="braille")
    line.lines()
    figure.draw(line)
    figure.title(title)
    figure.label("hours")
    figure.plot_size(WIDTH, HEIGHT)
    figure.ruler("y").lim(0, top)
    return str(plotext.uncolorize(str(figure.build())))
