"""CPU per event of finding its route among 1 to 5,000, in one process without Kafka.

For each kind of pattern: ns to find the route of an event that the last, the middle and no route
takes again and again (`RoutedInput.routes_for`), µs of the whole router with events of all routes
in turn, so that little of a route is in the processor's cache, ms and MiB to build the router.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import workload
from benchmarks.throughput.config import in_process
from benchmarks.throughput.stages import tune_collector
from consumer.config.models import Config
from consumer.records.input_record import InputRecord
from consumer.routing.router import Router
from consumer.wiring.build import build_router, build_vendors

COUNTS = (1, 5, 50, 500, 5_000)
BANDS = 5
POLL, STEP = 1_000, 7
REPEAT = 7
LEAST_NS = 1e7

Made = tuple[Mapping[str, Any], Mapping[str, Any]]
"""A pattern, and the fields of an event that it takes."""


def exact(number: int, _count: int) -> Made:
    """Make one route a store."""
    return {"store": {"id": f"s{number:04d}"}}, {"store": {"id": f"s{number:04d}"}}


def ranges(number: int, _count: int) -> Made:
    """Make ranges side by side."""
    low = number * 10
    return {"amount": [{"numeric": [">=", low, "<", low + 10]}]}, {"amount": low + 5.5}


def thresholds(number: int, count: int) -> Made:
    """Make ranges that hold each other, the narrowest first."""
    low = (count - number) * 10
    return {"amount": [{"numeric": [">=", low]}]}, {"amount": low + 5.5}


def prefixes(number: int, _count: int) -> Made:
    """Make one route a prefix of the article number."""
    return {"sku": [{"prefix": f"{number:04d}-"}]}, {"sku": f"{number:04d}-17"}


def store_and_band(number: int, _count: int) -> Made:
    """Make a few ranges in each store."""
    store, band = divmod(number, BANDS)
    bounds = [">=", band * 100, "<", band * 100 + 100]
    match = {"channel": "pos", "store": {"id": f"s{store:04d}"}, "amount": [{"numeric": bounds}]}
    return match, {"store": {"id": f"s{store:04d}"}, "amount": band * 100 + 50.5}


def city_and_brand(number: int, count: int) -> Made:
    """Make two conditions that select little alone: √count cities, √count brands."""
    city, brand = divmod(number, int(count**0.5) + 1)
    fields = {"store": {"city": f"c{city}"}, "brand": f"b{brand}"}
    return fields, fields


KINDS: tuple[Callable[[int, int], Made], ...] = (
    exact,
    ranges,
    thresholds,
    prefixes,
    store_and_band,
    city_and_brand,
)


def main() -> None:
    """Print a table: kind and number of routes, times, memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", nargs="*", default=[kind.__name__ for kind in KINDS])
    chosen = parser.parse_args().kinds
    tune_collector()
    config = in_process()
    table = Table(
        "kind", "routes", "last ns", "middle ns", "none ns", "router µs", "build ms", "MiB"
    )
    for kind in KINDS:
        if kind.__name__ in chosen:
            for count in COUNTS:
                figures = [f"{figure:,.1f}" for figure in measure(config, kind, count)]
                table.add_row(kind.__name__, f"{count:,}", *figures)
    Console(width=120).print(table)


def measure(config: Config, kind: Callable[[int, int], Made], count: int) -> list[float]:
    """Return the figures of one row of the table."""
    [template] = config.routes
    patterns = [kind(number, count) for number in range(count)]
    routes = tuple(
        template.model_copy(update={"name": f"r{number}", "match": match})
        for number, (match, _) in enumerate(patterns)
    )
    config = config.model_copy(update={"routes": routes})
    vendors = build_vendors(config)
    began = time.process_time()
    build_router(config, vendors)
    built = time.process_time() - began
    tracemalloc.start()
    router = build_router(config, vendors)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    plain = orjson.loads(next(iter(workload.events(1))))
    last, middle = ({**plain, **patterns[at][1]} for at in (-1, count // 2))
    nothing = {"store": {"id": "-", "city": "-"}, "amount": -1, "sku": "-", "brand": "-"}
    none = {**plain, **nothing}
    found = [find(router, event) for event in (last, middle, none)]
    events = [{**plain, **patterns[at * STEP % count][1]} for at in range(POLL)]
    return [*found, route(router, events), built * 1e3, memory / 2**20]


def find(router: Router, event: dict[str, Any]) -> float:
    """Return the least ns that an event takes to find its routes."""
    routes_for = router.inputs["tx"].routes_for
    least, loops = float("inf"), 1
    for _ in range(REPEAT):
        began = time.perf_counter_ns()
        for _ in range(loops):
            routes_for(event)
        took = time.perf_counter_ns() - began
        least = min(least, took / loops)
        loops = max(1, int(LEAST_NS / least))
    return least


def route(router: Router, events: Sequence[dict[str, Any]]) -> float:
    """Return the least µs that an event takes in the whole router."""
    least, now = float("inf"), time.time()
    records = [InputRecord("tx", 0, at, orjson.dumps(event)) for at, event in enumerate(events)]
    for _ in range(REPEAT):
        began = time.process_time()
        routed = router.route(records, now)
        least = min(least, time.process_time() - began)
        assert len(routed.invitations) == POLL
    return least / POLL * 1e6


if __name__ == "__main__":
    main()
