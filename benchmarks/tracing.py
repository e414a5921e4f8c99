"""CPU that traces add to an event, in the steps of router and sender, on records of a real Kafka.

    python -m benchmarks.tracing [--events 50000] [--runs 9]

Every record has a `traceparent`; of the topic `1 %` each hundredth is sampled, of `100 %` all.

    off       no `tracing` in the config; the topic of 1 %
    carried   `tracing: {}`; the same topic
    1 %       `tracing: {spans: true}`, spans leave by OTLP; the same topic
    100 %     the same on the other topic, whose calls carry 5,000 sampled events

A run measures all four, one after the other, and compares each with its own `off`; the order turns
with the runs. CPU is that of the process, with the exporter's thread. What is missing of the whole
program's CPU is librdkafka and HTTP to the vendor, so that the program's own ratio is nearer to 1.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from benchmarks.throughput import config as configs
from benchmarks.throughput import workload
from benchmarks.throughput.scene import PARTITIONS, Scene, scene
from benchmarks.throughput.stages import ROUTER_POLL, Clock, Sender, send, tune_collector
from consumer.config.models import Config
from consumer.config.tracing_section import Tracing
from consumer.http.calls import Answered
from consumer.kafka.records.input_records import input_record
from consumer.lane.state.commands import Batch, Command, Commit
from consumer.observability.metrics.metrics import Metrics
from consumer.records.call import Outcome
from consumer.runtime.lane.lane_report import LaneReport
from consumer.runtime.lane.lane_traces import LaneTraces
from consumer.runtime.router.router_traces import RouterTraces
from consumer.runtime.tracing import ProcessTracing, start_tracing
from consumer.wiring.build import build_router, build_vendors
from tests.support.kafka import create_topics, unique

OFF = "off"
VARIANTS: dict[str, tuple[int, Tracing | None]] = {
    OFF: (100, None),
    "carried": (100, Tracing()),
    "1 %": (100, Tracing(spans=True)),
    "100 %": (1, Tracing(spans=True)),
}
"""Name → each how many events one is sampled, and the config's section."""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds."""

    router: float
    sender: float

    @property
    def both(self) -> float:
        """Of an event's whole way."""
        return self.router + self.sender


class ReportedSender(Sender):
    """A lane with its report: metrics, exemplars and spans."""

    def __init__(self, config: Config, now: float, tracing: ProcessTracing) -> None:
        super().__init__(config, Clock(), now)
        traces = LaneTraces(tracing.spans, "sink", carried=tracing.carried)
        self._report = LaneReport(self.lane, Metrics(["c1"]).lane("sink"), traces)

    def answer(self, batch: Batch, outcome: Outcome, now: float) -> None:
        """Hand an answer to lane and report."""
        super().answer(batch, outcome, now)
        self._report.answered(Answered(batch, "sink", outcome, now, now, "200"), 0.1)

    def carry_out(self, command: Command, now: float) -> None:
        """Carry out a commit, whose results end their traces."""
        super().carry_out(command, now)
        assert isinstance(command, Commit)
        self._report.traces.committed(command.results, now)


def main() -> None:
    """Print a table: µs an event, and the median of the ratios to `off` of the same run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=9)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    tune_collector()
    with scene() as place:
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = place.sink
        topics = {each: _filled(place, given.events, each) for each in (100, 1)}
        runs = [_run(place, topics, number) for number in range(-1, given.runs)][1:]  # one warms up
    table = Table("tracing", "router, µs", "sender, µs", "both, µs", "of off", title="medians")
    for name in VARIANTS:
        parts = [
            [getattr(run[name], part) for run in runs] for part in ("router", "sender", "both")
        ]
        row = [f"{statistics.median(part) / given.events * 1e6:.2f}" for part in parts]
        ratios = [run[name].both / run[OFF].both for run in runs]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        table.add_row(name, *row, spread)
    Console(width=100).print(table)


def _run(place: Scene, topics: dict[int, str], number: int) -> dict[str, Cost]:
    names = list(VARIANTS)
    turn = number % len(names)
    found = {}
    for name in (*names[turn:], *names[:turn]):
        every, section = VARIANTS[name]
        messages = list(_messages(place, topics[every]))
        found[name] = _measure(messages, config_of(topics[every]), section)
    return found


def config_of(topic: str) -> Config:
    """Return the config of `make bench` for another input topic."""
    document = configs.in_process_document()
    document["inputs"]["pos"]["topics"] = [topic]
    return Config.model_validate_json(json.dumps(document))


def _measure(messages: Sequence[Message], config: Config, section: Tracing | None) -> Cost:
    now = time.time()
    tracing = start_tracing(section, "bench")
    gc.collect()
    began = time.process_time()
    values = _route(messages, config, now, tracing)
    tracing.close()
    routed = time.process_time()
    assert len(values) == len(messages), "not every event has its invitation"
    send(values, ReportedSender(config, now, tracing), Clock(), now)
    tracing.close()
    return Cost(routed - began, time.process_time() - routed)


def _route(
    messages: Sequence[Message], config: Config, now: float, tracing: ProcessTracing
) -> list[bytes]:
    """Run the router as its stage does; return the invitations."""
    router = build_router(config, build_vendors(config))
    traces = RouterTraces(tracing.spans, "bench.router") if tracing.carried else None
    values = list[bytes]()
    for first in range(0, len(messages), ROUTER_POLL):
        polled = messages[first : first + ROUTER_POLL]
        records = [input_record(message, "bench.replayed") for message in polled]
        if traces is not None:
            pairs = zip(polled, records, strict=True)
            records = [traces.with_context(message, record, now) for message, record in pairs]
        values += [made.value for made in router.route(records, now).invitations]
        if traces is not None:
            traces.committed(polled, now)
            traces.forget()
    return values


def _filled(place: Scene, count: int, every: int) -> str:
    """Make a topic on which one of so many events is sampled; return its name."""
    topic = unique("tx")
    create_topics(place.bootstrap, topic, partitions=PARTITIONS)
    producer = Producer({"bootstrap.servers": place.bootstrap, "linger.ms": 20})
    for number, value in enumerate(workload.events(count)):
        flags = "00" if number % every else "01"
        context = f"00-{number + 1:032x}-{number + 1:016x}-{flags}".encode()
        producer.produce(topic, value, f"c{number}", headers=[("traceparent", context)])
        producer.poll(0)
    assert producer.flush(60) == 0
    return topic


def _messages(place: Scene, topic: str) -> Iterator[Message]:
    """Read a topic again: a message decodes its headers once."""
    settings = {"bootstrap.servers": place.bootstrap, "group.id": unique("bench")}
    with Consumer(settings) as consumer:
        partitions = [TopicPartition(topic, number, 0) for number in range(PARTITIONS)]
        left = sum(consumer.get_watermark_offsets(each, timeout=30)[1] for each in partitions)
        consumer.assign(partitions)
        while left:
            found = [one for one in consumer.consume(5_000, 1) if one.error() is None]
            left -= len(found)
            yield from found


if __name__ == "__main__":
    main()
