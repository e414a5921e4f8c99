"""`python -m benchmarks.throughput.curves`: what an event takes as one thing grows.

| curve | grows | how it is measured |
|---|---|---|
| partitions | partitions of the input topic | the program on a real Kafka |
| routes | routes of the config, each event for any of them | the router in this process |
| campaigns | campaigns of a lane without a quota | the lane in this process |
| backlog | events that wait at the start, to `--most` | the program on a real Kafka |
| size | bytes of an event | the program on a real Kafka |

CPU of the program is without its start. Each curve is a table, JSON lines and a plot.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import config, ours, workload
from benchmarks.throughput.scene import filled, scene
from benchmarks.throughput.stages import Clock, Sender, route, send, tune_collector

IMAGES = Path(__file__).parents[2] / "docs" / "images"
RUNS = 3
"""Of what is measured in this process; the least counts."""

SIZE_BUDGET = 300_000_000
"""Bytes of the events of one point of `size`: large events are fewer."""

Points = Iterator[tuple[int, ours.Figures]]


@dataclass(frozen=True, slots=True)
class Curve:
    """`points` yields them for a number of events and the largest backlog."""

    grows: str
    points: Callable[[int, int], Points]


def partitions(events: int, _: int) -> Points:
    """From one partition to sixteen."""
    with scene() as place:
        started = ours.started(place)
        for count in (1, 2, 4, 8, 16):
            source = filled(place, workload.events(events), partitions=count)
            yield count, ours.figures(place, source, events, started=started)


def routes(events: int, _: int) -> Points:
    """From one route to 5,000: CPU of the router."""
    for count in (1, 10, 100, 1_000, 5_000):
        fewer = max(500, events // max(1, count // 10))
        raw, made = _spread_over_stores(fewer, count), config.in_process(routes=count)
        clocks = [Clock() for _ in range(RUNS)]
        for clock in clocks:
            assert len(route(raw, made, clock, time.time())) == fewer
        least = min(sum(clock.steps.values()) for clock in clocks)
        yield count, {"CPU an event, µs": round(least / fewer * 1e6, 1)}


def campaigns(events: int, _: int) -> Points:
    """From one campaign to 10,000: CPU of the lane. More campaigns make smaller calls."""
    raw = list(workload.events(events))
    for count in (1, 10, 100, 1_000, 10_000):
        made = config.in_process(campaigns=count, routes=1)
        values = _spread_over_campaigns(route(raw, made, Clock(), time.time()), count)
        clocks = [Clock() for _ in range(RUNS)]
        calls = [
            send(values, Sender(made, clock, now), clock, now)
            for clock, now in ((clock, time.time()) for clock in clocks)
        ]
        least = min(sum(clock.steps.values()) for clock in clocks)
        intake = min(clock.steps["sender: intake"] for clock in clocks)
        tick = min(clock.steps["sender: tick"] for clock in clocks)
        yield (
            count,
            {
                "CPU an event, µs": round(least / events * 1e6, 1),
                "of it intake, µs": round(intake / events * 1e6, 1),
                "choosing and sealing, µs": round(tick / events * 1e6, 1),
                "customers a call": round(events / calls[0]),
            },
        )


def backlog(_: int, most: int) -> Points:
    """From 100,000 events that wait to `most`."""
    with scene() as place:
        started = ours.started(place)
        for count in (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000):
            if count <= most:
                source = filled(place, workload.events(count))
                yield count, ours.figures(place, source, count, started=started)


def size(events: int, _: int) -> Points:
    """From events of 330 bytes to those of 30 kB."""
    with scene() as place:
        started = ours.started(place)
        for length in (330, 1_000, 3_000, 10_000, 30_000):
            count = min(events, SIZE_BUDGET // length)
            source = filled(place, workload.events(count, length))
            figures = ours.figures(place, source, count, started=started)
            del figures[ours.SECONDS]  # of another number of events
            yield length, figures


def _spread_over_stores(events: int, stores: int) -> list[bytes]:
    rng = random.Random(1)
    return [orjson.dumps(workload.event(number, rng.randrange(stores))) for number in range(events)]


def _spread_over_campaigns(invitations: Sequence[bytes], campaigns: int) -> list[bytes]:
    """Change the campaign in the invitations, without a route for each."""
    rng = random.Random(1)
    written = f'"campaign":"{config.CAMPAIGN}"'.encode()
    return [
        invitation.replace(written, b'"campaign":"c%d"' % (rng.randrange(campaigns) + 1), 1)
        for invitation in invitations
    ]


CURVES: Mapping[str, Curve] = {
    "partitions": Curve("partitions of the input", partitions),
    "routes": Curve("routes", routes),
    "campaigns": Curve("campaigns of the lane", campaigns),
    "backlog": Curve("events that wait", backlog),
    "size": Curve("bytes of an event", size),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the curves that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("curves", nargs="*", metavar="CURVE", help=", ".join(CURVES))
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--most", type=int, default=1_000_000, help="the largest backlog")
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder of the plots")
    given = parser.parse_args(arguments)
    if unknown := set(given.curves) - CURVES.keys():
        parser.error(f"no such curve: {', '.join(sorted(unknown))}")
    given.images.mkdir(parents=True, exist_ok=True)
    tune_collector()
    for name in given.curves or CURVES:
        curve = CURVES[name]
        points = []
        for value, figures in curve.points(given.events, given.most):
            line = {"curve": name, curve.grows: value, **figures}
            print(json.dumps(line, ensure_ascii=False), flush=True)
            points.append((value, figures))
        show(curve, points)
        plot(curve, points, given.images / f"curve-{name}.png")


def show(curve: Curve, points: Sequence[tuple[int, ours.Figures]]) -> None:
    """Print a table."""
    table = Table(curve.grows, *points[0][1])
    for value, figures in points:
        table.add_row(f"{value:,}", *(f"{figure:,}" for figure in figures.values()))
    Console(width=110).print(table)


def plot(curve: Curve, points: Sequence[tuple[int, ours.Figures]], path: Path) -> None:
    """Draw a panel for each figure. Needs the `plot` extra."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra that only plots need

    names = list(points[0][1])
    drawing = Figure(figsize=(3.2 * len(names), 2.6), layout="constrained")
    panels = drawing.subplots(1, len(names), squeeze=False)[0]
    for axes, name in zip(panels, names, strict=True):
        axes.plot(
            [value for value, _ in points], [figures[name] for _, figures in points], marker="o"
        )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(curve.grows)
        axes.set_title(name, fontsize="medium")
    drawing.savefig(path, format="png", dpi=72)


if __name__ == "__main__":
    main()
