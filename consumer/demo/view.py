"""The demo on a terminal: progress, lanes with their permits, batches, results by status."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from consumer.demo.tally import Tally
from consumer.records.result import Status

COLOURS = {
    Status.ACCEPTED: "green",
    Status.REJECTED: "yellow",
    Status.SUPPRESSED: "blue",
    Status.FAILED: "red",
    Status.UNKNOWN: "magenta",
}


def read_samples(registry: CollectorRegistry) -> list[Sample]:
    """Return the metrics' current samples: the view shows what Prometheus would see."""
    return [sample for metric in registry.collect() for sample in metric.samples]


def draw_frame(
    samples: list[Sample],
    lanes: Mapping[str, tuple[str, ...]],
    tally: Tally,
    fed: int,
    events: int,
    port: int | None,
) -> Group:
    """Return one frame. `lanes`: lane → the names of its limits; `port`: the admin server's."""
    return Group(
        Text(f"metrics and health: http://127.0.0.1:{port}/" if port else "starting"),
        _progress_panel(samples, tally, fed, events),
        _lanes_table(samples, lanes),
        _results_text(tally),
    )


def sum_samples(samples: list[Sample], name: str, **labels: str) -> float:
    """Sum a metric's samples that have these labels."""
    full = f"survey_dispatcher_{name}"
    return sum(
        sample.value
        for sample in samples
        if sample.name == full and labels.items() <= sample.labels.items()
    )


def count_invitations(samples: list[Sample]) -> float:
    """Count the invitations that the router made or refused."""
    made = ("routed", "rejected", "expired", "suppressed")
    return sum(sum_samples(samples, "events_total", disposition=name) for name in made)


def _progress_panel(samples: list[Sample], tally: Tally, fed: int, events: int) -> Panel:
    routed = sum_samples(samples, "events_total")
    made = count_invitations(samples)
    # Not every event makes an invitation: the last two bars together are full at the end.
    wanted = events * made / routed if routed else events
    table = Table.grid(padding=(0, 2))
    for name, done, total, text in (
        ("events fed", fed, events, f"{fed:,}"),
        ("events routed", routed, events, f"{routed:,.0f}"),
        ("results", tally.results, wanted, f"{tally.results:,} of {made:,.0f} invitations"),
        ("delayed", tally.delayed, wanted, f"{tally.delayed:,} are not due yet"),
    ):
        table.add_row(name, ProgressBar(total, done, width=32), text)
    return Panel(table, title="transactions → surveys", title_align="left")


def _lanes_table(samples: list[Sample], lanes: Mapping[str, tuple[str, ...]]) -> Table:
    # Without lines and with short headers it fits into 80 columns.
    table = Table(
        box=None, pad_edge=False, padding=(0, 1, 0, 0), title="lanes", title_justify="left"
    )
    table.add_column("lane", no_wrap=True)
    for name in ("waiting", "in\nflight", "calls", "customers\na call", "next\npermit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("permits left", no_wrap=True)
    for lane, limits in lanes.items():
        calls = sum_samples(samples, "calls_total", lane=lane)
        sent = sum_samples(samples, "batch_size_invitations_sum", lane=lane)
        table.add_row(
            lane,
            f"{sum_samples(samples, 'waiting_invitations', lane=lane):,.0f}",
            f"{sum_samples(samples, 'calls_in_flight', lane=lane):.0f}",
            f"{calls:.0f}",
            f"{sent / calls:.1f}" if calls else "–",
            f"{sum_samples(samples, 'next_permit_seconds', lane=lane):.1f} s",
            _permits_table(samples, lane, limits),
        )
    return table


def _permits_table(samples: list[Sample], lane: str, limits: tuple[str, ...]) -> Table:
    table = Table.grid(padding=(0, 1))
    for limit in limits:
        left = sum_samples(samples, "permits_left", lane=lane, limit=limit)
        total = int(limit.split("/")[0])
        table.add_row(ProgressBar(total, max(0.0, left), width=8), f"{left:.0f} of {limit}")
    return table


def _results_text(tally: Tally) -> Text:
    text = Text()
    for status in Status:
        text.append(f"{status.value} {tally.by_status[status]:,}  ", style=COLOURS.get(status, ""))
    return text
