"""The figures of a simulation as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from consumer.simulate.remarks import duration, explain_better

MOST_ROWS = 20
"""Campaigns of a lane that are shown, at most; JSON has all."""

_SPREAD = ("mean_wait", "p50", "p99", "max")
_CALLS = ("calls", "customers_per_call")
_HEADS = {"mean_wait": "mean", "customers_per_call": "per call"}


def print_tables(told: Mapping[str, Any], console: Console, ours: str) -> None:
    """Print all tables of an answer; `ours` names the lane's own row."""
    for lane in told["lanes"]:
        _print_lane(lane, console)
        if "backlog" in lane:
            number, drained = lane["backlog"]["customers"], lane["backlog"]["drained_after"]
            console.print(f"A backlog of {number:,} drains in {duration(drained)}.")
    if "compare" in told:
        _print_comparison(told, console)
    if "baselines" in told:
        _print_strategies(told, ours, console)


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


def _print_strategies(told: Mapping[str, Any], ours: str, console: Console) -> None:
    """Print the ways to spend permits, and why another one is better if so."""
    columns = {ours: told}
    if "with_reserve" in told:
        columns[f"with reserve: {told['with_reserve']['reserve']}"] = told["with_reserve"]
    bursts = any("backlog" in lane for lane in told["lanes"])
    _print_columns(columns | told["baselines"], "how permits are spent", console, ratio=not bursts)
    for line in explain_better(told, ours):
        console.print(line, highlight=False)


def _print_columns(
    columns: Mapping[str, Mapping[str, Any]], title: str, console: Console, *, ratio: bool = True
) -> None:
    """Print a row for each; `ratio`: beside the bound, which is for even traffic."""
    table = _new_table(title, "", *_SPREAD, *_CALLS, *["ratio"] * ratio)
    for name, figures in columns.items():
        table.add_row(name, *_figure_cells(figures), *[_ratio_cell(figures["ratio"])] * ratio)
    console.print(table)


def _ratio_cell(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:,.2f}"


def _figure_cells(figures: Mapping[str, Any]) -> list[str]:
    waits = [_short_duration(figures[key]) for key in _SPREAD]
    return [*waits, f"{figures['calls']:,}", f"{figures['customers_per_call']:.1f}"]


def _short_duration(seconds: float) -> str:
    """Format seconds for a cell: no more than seven characters up to 999 h."""
    return duration(seconds) if seconds < 7200 else f"{seconds / 3600:.1f} h"


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
            _HEADS.get(head, head),
            justify="right" if number else "left",
            no_wrap=bool(number),
            overflow="ellipsis" if number else "fold",
        )
    return table
