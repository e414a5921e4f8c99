"""The figures of a simulation as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from consumer.simulate.strategies import OURS

MOST_ROWS = 20
"""Campaigns of a lane that are shown, at most; JSON has all."""

_SPREAD = ("mean_wait", "p50", "p99", "max")
_CALLS = ("calls", "customers_per_call")
_HEADS = {"mean_wait": "mean", "customers_per_call": "per call"}


def print_tables(told: Mapping[str, Any], console: Console) -> None:
    """Print all tables of an answer."""
    for lane in told["lanes"]:
        _print_lane(lane, console)
        if "backlog" in lane:
            number, drained = lane["backlog"]["customers"], lane["backlog"]["drained_after"]
            console.print(f"A backlog of {number:,} drains in {duration(drained)}.")
    if "compare" in told:
        _print_comparison(told, console)
    if "baselines" in told:
        _print_columns({OURS: told, **told["baselines"]}, "how permits are spent", console)


def duration(seconds: float) -> str:
    """Format seconds for people: `8.1 s`, `45 min`, `2 h 5 min`."""
    if seconds < 600:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def _print_lane(lane: Mapping[str, Any], console: Console) -> None:
    quota = ", ".join(lane["limits"]) or "no limits"
    share = "" if lane["share"] == 1 else f", share {lane['share']:g}"
    title = f"lane {lane['lane']}: {quota}{share}"
    table = _new_table(title, "campaign", "customers", *_SPREAD, *_CALLS)
    for row in lane["campaigns"][:MOST_ROWS]:
        table.add_row(row["campaign"], f"{row['customers']:,}", *_figure_cells(row))
    left = len(lane["campaigns"]) - MOST_ROWS
    if left > 0:
        table.add_row(f"… {left} more", *[""] * 7)
    table.add_section()
    table.add_row("all", f"{lane['customers']:,}", *_figure_cells(lane))
    console.print(table)
    for line in _lane_remarks(lane):
        console.print(line)


def _lane_remarks(lane: Mapping[str, Any]) -> Iterator[str]:
    if lane["bound"] and "backlog" not in lane:
        yield (
            f"No schedule waits less than {duration(lane['bound'])} on average in the long run; "
            f"this is {lane['ratio']:.2f} times that."
        )
    lowest = min(lane["over_time"]["permits_left"], default=1.0)
    if lane["limits"]:
        yield f"Permits left at the lowest: {lowest:.0%}. Refused calls (429): {lane['throttled']}."
    if lane["expired"]:
        yield f"Too late to be sent (expired while waiting): {lane['expired']:,}."


def _print_comparison(told: Mapping[str, Any], console: Console) -> None:
    columns = {}
    for when, figures in (("now", told), ("then", told["compare"])):
        quotas = (", ".join(lane["limits"]) or "no limits" for lane in figures["lanes"])
        columns[f"{when}: {'; '.join(quotas)}"] = figures
        backlogs = [lane["backlog"] for lane in figures["lanes"] if "backlog" in lane]
        for backlog in backlogs:
            console.print(f"{when.capitalize()}: drained in {duration(backlog['drained_after'])}.")
    _print_columns(columns, "another quota", console)


def _print_columns(columns: Mapping[str, Mapping[str, Any]], title: str, console: Console) -> None:
    table = _new_table(title, "", *_SPREAD, *_CALLS, "ratio")
    for name, figures in columns.items():
        ratio = figures["ratio"]
        table.add_row(name, *_figure_cells(figures), "" if ratio is None else f"{ratio:.2f}")
    console.print(table)


def _figure_cells(figures: Mapping[str, Any]) -> list[str]:
    waits = [duration(figures[key]) for key in _SPREAD]
    return [*waits, f"{figures['calls']:,}", f"{figures['customers_per_call']:.1f}"]


def _new_table(title: str, *heads: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for number, head in enumerate(heads):
        table.add_column(
            _HEADS.get(head, head), justify="right" if number else "left", no_wrap=bool(number)
        )
    return table
