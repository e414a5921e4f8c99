"""`make bench`: the dispatcher beside a plain loop, in one session, on a real Apache Kafka.

400,000 events of about 320 bytes on four partitions → batches of 5,000 or one second → HTTP (a
sink that answers at once) → 400,000 results → offsets. CPU and memory are the operating system's
account of each process while it works (from being ready to the last result), start-up beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.programs import cpu, peak
from benchmarks.throughput import workload
from tests.support.kafka import broker_factory, free_ports

CONFIG = """\
version: 1
application_id: {name}
kafka: {{bootstrap.servers: "{bootstrap}"}}
pseudonym: {{key_id: k1, key: benchmark-key-0123456789}}
quotas: {{sink: {{limits: [], max_in_flight: 4, first_start: unused}}}}
vendors:
  sink:
    {{type: pisano, base_url: "http://127.0.0.1:{port}", token: benchmark, quota: sink}}
campaigns:
  purchase-sms: {{vendor: sink, channel: sms, id: "a6aa1866-dcaa-462c-a52d-0c22b0ca1616"}}
inputs: {{pos: {{topics: [{source}], format: json}}}}
routes:
  - name: store-purchase
    input: pos
    match:
      {{channel: pos, amount: [{{numeric: [">=", 100]}}], customer: {{consent: {{sms: true}}}}}}
    recipient: {{phone: customer.phone, email: customer.email}}
    phone_region: TR
    send: [purchase-sms]
    data:
      custom_attributes: {{name: customer.name, external_id: customer.id}}
      built_in_responses:
        {{Segment: customer.segment, Location: store.city, TransactionDate: time}}
admin: {{host: 127.0.0.1, port: 0}}
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run. `work` is CPU between ready and the last result, `whole` that of the process."""

    system: str
    seconds: float
    work: float
    whole: float
    peak_mb: float


def measure(
    system: str, commands: Sequence[Sequence[str]], bootstrap: str, topic: str, count: int
) -> Figures:
    """Start the processes, wait for all results, take the account."""
    results = workload.Results(bootstrap, topic)
    running = [subprocess.Popen(command) for command in commands]
    pids = [process.pid for process in running]
    first = 0.0
    while results.count < count:
        if results.read(0.05) and not first:
            first = time.monotonic()
        if any(process.poll() for process in running):
            raise SystemExit(f"{system} ended before its work was done")
    last, after, memory = time.monotonic(), cpu(pids), peak(pids)
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return Figures(system, last - first, after - startup(system), after, memory)


_STARTUP: dict[str, float] = {}


def startup(system: str) -> float:
    """CPU seconds that the imports of a system take."""
    module = (
        "consumer.runtime.process" if "dispatcher" in system else "benchmarks.throughput.plain_loop"
    )
    if module not in _STARTUP:
        child = subprocess.Popen([sys.executable, "-c", f"import {module}"])
        _, _, usage = os.wait4(child.pid, 0)
        _STARTUP[module] = usage.ru_utime + usage.ru_stime
    return _STARTUP[module]


def main() -> None:
    """Run both, `--runs` times in turn, and print a table and a JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder)) as start:
        bootstrap = start().bootstrap
        [port] = free_ports(1)
        sink = subprocess.Popen([sys.executable, "-m", "benchmarks.throughput.sink", str(port)])
        try:
            rows = [
                figures
                for run in range(arguments.runs)
                for figures in one_round(bootstrap, port, arguments.events, Path(folder), run)
            ]
        finally:
            sink.kill()
            sink.wait()
    show(rows)


def one_round(bootstrap: str, port: int, count: int, folder: Path, run: int) -> list[Figures]:
    """The plain loop and the dispatcher on the same events."""
    name, source = f"bench{run}", f"tx{run}"
    workload.create(bootstrap, **{source: workload.PARTITIONS, f"plain{run}": 4})
    workload.fill(bootstrap, source, count)
    url = f"http://127.0.0.1:{port}/"
    plain = [
        sys.executable,
        "-m",
        "benchmarks.throughput.plain_loop",
        bootstrap,
        source,
        f"plain{run}",
        url,
    ]
    config = folder / f"{name}.yaml"
    config.write_text(CONFIG.format(name=name, bootstrap=bootstrap, port=port, source=source))
    command = [sys.executable, "-m", "consumer"]
    subprocess.run([*command, "topics", "--create", "-c", str(config)], check=True)
    serve = [*command, "run", "-c", str(config), "--from", "earliest", "--log-level", "error"]
    return [
        measure("plain loop", [[*plain, str(count)]], bootstrap, f"plain{run}", count),
        measure("dispatcher", [serve], bootstrap, f"{name}.results", count),
    ]


def show(rows: Sequence[Figures]) -> None:
    """A table for people, JSON lines for machines, the ratio at the end."""
    table = Table("system", "first to last result, s", "CPU-s of the work", "in all", "peak, MB")
    for row in rows:
        numbers = (row.seconds, row.work, row.whole)
        table.add_row(row.system, *(f"{each:.1f}" for each in numbers), f"{row.peak_mb:.0f}")
    Console(width=100).print(table)
    for plain, ours in zip(rows[::2], rows[1::2], strict=True):
        print(
            json.dumps(
                {
                    "ratio_work": round(ours.work / plain.work, 2),
                    "ratio_whole": round(ours.whole / plain.whole, 2),
                }
            )
        )


if __name__ == "__main__":
    main()
