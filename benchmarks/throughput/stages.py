"""CPU per event in each step of router and sender, in one process without Kafka or network.

The steps are those of `runtime`, on the events and the config of `make bench`. What is missing of
the whole program's CPU: librdkafka, HTTP, and the loops between them.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.throughput import config as configs
from benchmarks.throughput import workload
from consumer.config.models import Config
from consumer.kafka.records.publisher import Publisher
from consumer.lane.lane import Lane
from consumer.lane.state.commands import Batch, Command, Commit, Send
from consumer.lane.state.pending import PendingInvitation
from consumer.lane.state.results import encode_results
from consumer.records.call import Answer, Outcome
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
    tune_collector()
    raw = list(workload.events(arguments.events))
    runs = [measure(raw, configs.in_process()) for _ in range(arguments.runs)]
    table = Table("step", "µs an event (least)")
    for name in runs[0]:
        table.add_row(name, f"{min(run[name] for run in runs) / len(raw) * 1e6:.2f}")
    total = min(sum(run.values()) for run in runs)
    table.add_row("all", f"{total / len(raw) * 1e6:.2f}")
    Console(width=100).print(table)


def tune_collector() -> None:
    """Let the garbage collector run as seldom as `runtime.process` does."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def measure(raw: Sequence[bytes], config: Config) -> dict[str, float]:
    """Run router and sender once; return the CPU seconds of each step."""
    clock = Clock()
    now = time.time()
    send(route(raw, config, clock, now), Sender(config, clock, now), clock, now)
    return clock.steps


def route(raw: Sequence[bytes], config: Config, clock: Clock, now: float) -> list[bytes]:
    """Run the router; return the invitations."""
    router = build_router(config, build_vendors(config))
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
    return values


def send(values: Sequence[bytes], sender: Sender, clock: Clock, now: float) -> int:
    """Run the lane on invitations until all are settled; return how many calls it made."""
    gc.collect()
    for first in range(0, len(values), LANE_POLL):
        with clock.step("sender: read"):
            pending = [
                PendingInvitation.read(first + number, value, now)
                for number, value in enumerate(values[first : first + LANE_POLL])
            ]
        with clock.step("sender: intake"):
            for one in pending:
                sender.lane.accepts(one.offset)
                sender.lane.arrived(one, now)
        del pending
        sender.turn(now)
    sender.turn(now + 100)
    assert sender.lane.settled.base == len(values), "not all were settled"
    return sender.calls


class Sender:
    """A lane, and a vendor that accepts every call at once."""

    def __init__(self, config: Config, clock: Clock, now: float) -> None:
        self.lane = Lane(lane_settings(config, "sink"), random.Random(1), now, epoch=1)
        self.calls = 0
        self._campaigns, self._vendor = config.campaigns, build_vendors(config)["sink"]
        self._publisher = Publisher(
            Nowhere(),  # type: ignore[arg-type]
            "results",
            "dead",
            "/bench",
            config.config_version,
        )
        self.clock = clock

    def turn(self, now: float) -> None:
        """Tick until nothing is left to do."""
        while True:
            with self.clock.step("sender: tick"):
                commands = self.lane.tick(now)
            if not commands:
                return
            for command in commands:
                self.carry_out(command, now)

    def carry_out(self, command: Command, now: float) -> None:
        """Commit, call, and hand each answer to the lane."""
        assert isinstance(command, Commit)
        with self.clock.step("sender: checkpoint"):
            command.checkpoint.model_dump_json()
        with self.clock.step("sender: results"):
            self._publisher.results(encode_results(command.results), "2026-01-01T00:00:00.000Z")
        for leaving in self.lane.committed():
            assert isinstance(leaving, Send)
            self.calls += 1
            with self.clock.step("sender: call"):
                campaign = self._campaigns[leaving.batch.campaign]
                invitations = [
                    decode_call_parts(pending.value) for pending in leaving.batch.invitations
                ]
                self._vendor.build(campaign, invitations, None)
            with self.clock.step("sender: answer"):
                self.answer(leaving.batch, self._vendor.read(Answer(200, {}, b"{}")), now)

    def answer(self, batch: Batch, outcome: Outcome, now: float) -> None:
        """Hand an answer to the lane."""
        self.lane.answered(batch.id, outcome, sent_at=now, at=now)


if __name__ == "__main__":
    main()
