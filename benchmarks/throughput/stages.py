"""CPU per event in each step of router and sender, in one process without Kafka or network.

The steps are those of `runtime`, on the events and the config of `make bench`. What is missing of
the whole program's CPU: librdkafka, HTTP, and the loops between them.
"""

from __future__ import annotations

import argparse
import gc
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput import config as configs
from benchmarks.throughput import workload
from consumer.config.load import load
from consumer.kafka.records.publisher import Publisher
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Commit, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import encode_results
from consumer.records.call import Answer
from consumer.records.input_record import InputRecord
from consumer.records.invitation import decode_call_parts
from consumer.wiring.build import build_router, build_vendors, lane_settings

ROUTER_POLL, LANE_POLL = 1_000, 5_000


class Clock:
    """CPU seconds of this process by step."""

    def __init__(self) -> None:
        self.steps = dict[str, float]()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.process_time()
        yield
        self.steps[name] = self.steps.get(name, 0.0) + time.process_time() - began


class Nowhere:
    """A producer that drops its records."""

    def produce(self, *_: Any, **__: Any) -> None:
        """Drop a record."""


def main() -> None:
    """Print a table: step, µs an event."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)  # as `runtime.process` has it
    raw = list(workload.events(arguments.events))
    runs = [measure(raw) for _ in range(arguments.runs)]
    table = Table("step", "µs an event (least)")
    for name in runs[0]:
        table.add_row(name, f"{min(run[name] for run in runs) / len(raw) * 1e6:.2f}")
    total = min(sum(run.values()) for run in runs)
    table.add_row("all", f"{total / len(raw) * 1e6:.2f}")
    Console(width=100).print(table)


def measure(raw: list[bytes]) -> dict[str, float]:
    """Run router and sender once; return the CPU seconds of each step."""
    with tempfile.TemporaryDirectory() as folder:
        made = configs.document("bench", "127.0.0.1:1", "http://127.0.0.1:1", "tx")
        config = load(configs.write(Path(folder), made))
    vendors, clock = build_vendors(config), Clock()
    router = build_router(config, vendors)
    publisher = Publisher(Nowhere(), "results", "dead", "/bench", config.config_version)  # type: ignore[arg-type]
    now = time.time()
    values = list[bytes]()
    for first in range(0, len(raw), ROUTER_POLL):
        with clock.step("router: input record"):
            read = [
                InputRecord("tx", 0, first + number, value)
                for number, value in enumerate(raw[first : first + ROUTER_POLL])
            ]
        with clock.step("router: route"):
            routed = router.route(read, now)
        values += [made.value for made in routed.invitations]
    lane = Lane(lane_settings(config, "sink"), random.Random(1), now, epoch=1)
    campaign, vendor = config.campaigns[configs.CAMPAIGN], vendors["sink"]
    gc.collect()
    for first in range(0, len(values), LANE_POLL):
        with clock.step("sender: read"):
            pending = [
                PendingInvitation.read(first + number, value, now)
                for number, value in enumerate(values[first : first + LANE_POLL])
            ]
        with clock.step("sender: intake"):
            for one in pending:
                lane.accepts(one.offset)
                lane.arrived(one, now)
        del pending
        turn(lane, campaign, vendor, publisher, clock, now)
    turn(lane, campaign, vendor, publisher, clock, now + 100)
    assert lane.settled.base == len(values), "not all were settled"
    return clock.steps


def turn(
    lane: Lane, campaign: Any, vendor: Any, publisher: Publisher, clock: Clock, now: float
) -> None:
    """Tick until nothing is left to do; every call is accepted."""
    while True:
        with clock.step("sender: tick"):
            commands = lane.tick(now)
        if not commands:
            return
        for command in commands:
            assert isinstance(command, Commit)
            with clock.step("sender: checkpoint"):
                command.checkpoint.model_dump_json()
            with clock.step("sender: results"):
                publisher.results(encode_results(command.results), "2026-01-01T00:00:00.000Z")
            for leaving in lane.committed():
                assert isinstance(leaving, Send)
                with clock.step("sender: call"):
                    invitations = [
                        decode_call_parts(pending.value) for pending in leaving.batch.invitations
                    ]
                    vendor.build(campaign, invitations, None)
                with clock.step("sender: answer"):
                    outcome = vendor.read(Answer(200, {}, b"{}"))
                    lane.answered(leaving.batch.id, outcome, sent_at=now, at=now)


if __name__ == "__main__":
    main()
