"""`survey-dispatcher demo`: the main job on an embedded broker and the vendors' double."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from prometheus_client.samples import Sample
from rich.console import Console
from rich.live import Live
from rich.table import Table

from consumer.config.load import load
from consumer.config.models import Config
from consumer.demo import view
from consumer.demo.events import synthetic
from consumer.demo.feed import feed
from consumer.demo.tally import ResultsReader, Tally
from consumer.errors import DispatcherError
from consumer.kafka.clients import EmbeddedBroker
from consumer.kafka.topics import own_topics
from consumer.records.result import Status
from consumer.runtime.options import Options
from consumer.runtime.process import Process
from consumer.sandbox.server import SandboxServer
from consumer.sandbox.settings import SAMPLE_PASSWORD, SAMPLE_TOKEN, Latency, Quota, SandboxSettings

PATIENCE = 100.0
"""Seconds after which an unfinished demo has failed."""

FEED_SECONDS = 12.0
"""Seconds during which the transactions are fed, whatever their number."""

FRAME = 0.125
TOPIC = "pos.transaction-completed"
LIMIT = "everyone"
"""The contact rule that every customer must keep."""


@dataclass(slots=True)
class Demo:
    """One run with `events` synthetic transactions."""

    events: int
    console: Console
    seed: int = 7
    fed: int = 0

    def run(self) -> dict[str, Any]:
        """Return the closing figures. Raises DispatcherError if results are missing or repeated."""
        broker = EmbeddedBroker()
        server = SandboxServer(_sandbox_settings())
        with server as vendor, _contacts_file() as contacts:
            config = _demo_config(broker.bootstrap, vendor, contacts)
            broker.create([TOPIC, *(topic.name for topic in own_topics(config))])
            started = time.monotonic()
            reader = ResultsReader(config)
            try:
                process = asyncio.run(self._run_process(config, reader.tally))
            finally:
                reader.close()
            seconds = time.monotonic() - started
            vendor_saw = server.double.journal.summary()
        figures = _closing_figures(process, reader.tally, vendor_saw, self.events, seconds)
        self._print_figures(figures)
        self._print_held_back(reader.tally)
        _check_figures(figures, reader.tally, vendor_saw)
        _check_contacts(config, reader.tally)
        return figures

    async def _run_process(self, config: Config, tally: Tally) -> Process:
        process = Process(config, Options(begin="earliest", embedded=True))
        running = asyncio.create_task(process.run())
        feeding = threading.Thread(target=self._feed_events, args=(config.kafka,), daemon=True)
        feeding.start()
        lanes = {
            name: tuple(limit.name for limit in config.quotas[name].limits) for name in config.lanes
        }
        deadline = time.monotonic() + PATIENCE
        with Live(console=self.console, auto_refresh=False) as live:
            while not running.done() and time.monotonic() < deadline:
                samples = view.read_samples(process.metrics.registry)
                port = process.admin_port
                frame = view.draw_frame(samples, lanes, tally, self.fed, self.events, port)
                live.update(frame, refresh=self.console.is_terminal)
                if _finished(samples, tally, self.events):
                    break
                await asyncio.sleep(FRAME)
        process.stop()
        await running
        feeding.join()
        return process

    def _feed_events(self, settings: Mapping[str, str]) -> None:
        def progress(fed: int) -> None:
            self.fed = fed

        rate = max(self.events / FEED_SECONDS, 1.0)
        events = synthetic(self.events, self.seed, time.time(), rate=rate)
        feed(settings, TOPIC, events, speed=1.0, progress=progress)

    def _print_figures(self, figures: Mapping[str, Any]) -> None:
        table = Table(title="what became of it", title_justify="left", show_header=False)
        for name, number in figures.items():
            if name != "held_back":
                table.add_row(name.replace("_", " "), f"{number:,}")
        self.console.print(table)

    def _print_held_back(self, tally: Tally) -> None:
        table = Table("invitations", "reason", "rule", "which means", title_justify="left")
        table.title = "held back on purpose"
        table.columns[0].justify = "right"
        for (reason, rule), number in tally.held_back.most_common():
            table.add_row(f"{number:,}", reason, rule or "–", reason.meaning.replace("`", ""))
        self.console.print(table)


def _finished(samples: list[Sample], tally: Tally, events: int) -> bool:
    routed = view.sum_samples(samples, "events_total")
    settled = tally.results + tally.delayed
    return routed >= events and settled >= view.count_invitations(samples)


def _closing_figures(
    process: Process, tally: Tally, vendor: Mapping[str, Any], events: int, seconds: float
) -> dict[str, Any]:
    samples = view.read_samples(process.metrics.registry)

    def disposed(how: str) -> int:
        return int(view.sum_samples(samples, "events_total", disposition=how))

    return {
        "events": events,
        "unmatched": disposed("unmatched"),
        "dead_letters": disposed("dead_letter"),
        "invitations": int(view.count_invitations(samples)),
        "delayed": tally.delayed,
        **{status.value: tally.by_status[status] for status in Status},
        "held_back": {
            f"{reason} {rule}".strip(): number
            for (reason, rule), number in tally.held_back.most_common()
        },
        "calls": vendor["calls"],
        "throttled": vendor["throttled"],
        "customers_per_call": round(vendor["customers_per_call"], 1),
        "seconds": round(seconds, 1),
    }


def _check_figures(figures: Mapping[str, Any], tally: Tally, vendor: Mapping[str, Any]) -> None:
    wrong = []
    if tally.results + tally.delayed != figures["invitations"]:
        wrong.append(
            f"of {figures['invitations']} invitations {tally.results} have results and "
            f"{tally.delayed} are delayed"
        )
    if tally.repeated:
        wrong.append(f"{tally.repeated} results came more than once")
    if vendor["accepted_recipients"] != figures["accepted"]:
        wrong.append(f"the vendor accepted {vendor['accepted_recipients']} customers")
    if wrong:
        raise DispatcherError("the demo failed: " + "; ".join(wrong))


def _check_contacts(config: Config, tally: Tally) -> None:
    most = config.contact_rules[LIMIT].at_most
    over = sum(number > most for number in tally.asked.values())
    if over:
        raise DispatcherError(
            f"the demo failed: {over} customers were asked more than {most} times"
        )


@contextmanager
def _contacts_file() -> Iterator[str]:
    """Yield the contact store's file, which goes afterwards; memory if nothing can be written."""
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(TemporaryDirectory(prefix="survey-dispatcher-"))
        except OSError:  # a container whose files are read-only
            yield ":memory:"
            return
        yield str(Path(folder, "contacts.sqlite"))


def _demo_config(bootstrap: str, vendor: str, contacts: str) -> Config:
    text = resources.files("consumer.demo").joinpath("demo.yaml").read_text()
    variables = {
        "DEMO_BOOTSTRAP": bootstrap,
        "DEMO_VENDOR": vendor,
        "DEMO_TOKEN": SAMPLE_TOKEN,
        "DEMO_PASSWORD": SAMPLE_PASSWORD,
        "DEMO_CONTACTS": contacts,
    }
    return load(text, env=variables, name="demo.yaml")


def _sandbox_settings() -> SandboxSettings:
    """Configure the doubles with exactly the limits of the config, without skew and share."""
    return SandboxSettings(
        pisano_quota=Quota(
            limits=["20/125ms", "40/625ms", "80/3125ms", "160/15625ms"], algorithm="sliding"
        ),
        radar_quota=Quota(limits=["10/1s"], algorithm="weighted"),
        latency=Latency(kind="lognormal", ms=40, spread=0.4),
    )
