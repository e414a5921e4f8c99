"""CPU that the rules before a survey add to an event, in one process without Kafka or network.

    python -m benchmarks.rules.cost [--events 100000] [--runs 3] [--store memory|sqlite]

The same events run through router and lane twice: with the config of `make bench`, and with rules
that hold back next to nothing (exclude, consent, sample, holdout, quiet hours, and two contact
rules over a store). So both runs make the same calls, and the difference is the price of the rules.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.rules.year import opener
from benchmarks.throughput import config as configs
from benchmarks.throughput import workload
from benchmarks.throughput.stages import Clock, Sender, route, send, tune_collector
from consumer.config.models import Config
from consumer.contacts.book import ContactBook, Ownership
from consumer.contacts.changes import change_of_result
from consumer.contacts.store import ContactStore
from consumer.lane.state.commands import (
    Command,
    Commit,
    ContactsAnswered,
    ReserveContacts,
    SealContacts,
)
from consumer.lane.state.results import encode_results
from consumer.routing.decoding.times import TimeReader
from consumer.wiring.contacts import (
    build_contact_rules,
    contact_request,
    counted_names,
    route_contacts,
)

NOW = datetime(2026, 11, 27, 9, tzinfo=UTC).timestamp()
"""Noon in Istanbul: no quiet hours."""

POLICY = {
    "timezone": ["'Europe/Istanbul'"],
    "quiet_hours": {"times": ["21:00-09:00"]},
    "sample": {"rate": 0.999, "salt": "cost"},
    "holdout": {"rate": 0.001, "salt": "control"},
}
EXCLUDE = {"emails": ["*@ours.example"], "match": {"customer": {"type": ["employee"]}}}
RULES = {
    "everyone": {"at_most": 100, "within": "30d"},
    "tagged": {"at_most": 50, "within": "7d", "applies_to": {"tags": ["purchase"]}},
}


def with_rules() -> dict[str, Any]:
    """Return the config document of `make bench` with rules on its route."""
    document = configs.in_process_document()
    (bench,) = document["routes"]
    bench["policy"] |= POLICY
    bench["tags"] = ["purchase"]
    document["inputs"]["pos"]["person"] = {"id": "customer.id"}
    document["exclude"] = EXCLUDE
    document["contacts"] = {"store": {"type": "sqlite", "path": "contacts.sqlite"}}
    document["contact_rules"] = RULES
    return document


class RuledSender(Sender):
    """A lane that asks a contact book, whose view reads each result."""

    def __init__(self, config: Config, clock: Clock, now: float, store: ContactStore) -> None:
        super().__init__(config, clock, now)
        self._now, self._viewed = now, 0
        self._config = config
        self._routes = route_contacts(config)
        self._names = counted_names(self._routes)
        self._times = TimeReader()
        self._book = ContactBook(store, build_contact_rules(config))
        self._owner = Ownership("sink", 1)
        self._book.take_over(self._owner, [])
        assert self._book.finish_recovery(["sink"], {})

    def carry_out(self, command: Command, now: float) -> None:
        """Answer the lane's questions, and pass its results to the store."""
        if isinstance(command, ReserveContacts | SealContacts):
            with self.clock.step("sender: contact store"):
                self._ask(command)
            return
        assert isinstance(command, Commit)
        super().carry_out(command, now)
        with self.clock.step("view: results"):
            changes = [
                change_of_result(orjson.loads(encoded.value), now, self._names, self._times)
                for encoded in encode_results(command.results)
            ]
            self._viewed += len(changes)
            viewed = {("results", 0): self._viewed}
            self._book.settle([change for change in changes if change], viewed, {("results", 0): 0})

    def _ask(self, question: ReserveContacts | SealContacts) -> None:
        invitations = question.invitations
        sealing = isinstance(question, SealContacts)
        if sealing:
            said = self._book.seal([pending.id for pending in invitations], self._owner)
        else:
            campaigns = self.lane.settings.campaigns
            said = self._book.reserve(
                [
                    contact_request(pending, campaigns.get(pending.campaign), self._routes)
                    for pending in invitations
                ],
                self._owner,
            )
        offsets = (pending.offset for pending in invitations)
        answer = ContactsAnswered(dict(zip(offsets, said, strict=True)), sealing)
        self.lane.contacts_answered(answer, self._now)


def measure(raw: Sequence[bytes], store: str | None) -> dict[str, float]:
    """Run router and lane once; return the CPU seconds of each step. `store`: None has no rules."""
    clock = Clock()
    if store is None:
        plain = configs.in_process()
        send(route(raw, plain, clock, NOW), Sender(plain, clock, NOW), clock, NOW)
        return clock.steps
    config = Config.model_validate_json(json.dumps(with_rules()))
    with tempfile.TemporaryDirectory() as folder:
        opened = opener(store, Path(folder), "")(lambda: NOW)
        sender = RuledSender(config, clock, NOW, opened)
        send(route(raw, config, clock, NOW), sender, clock, NOW)
        opened.close()
    return clock.steps


def main() -> None:
    """Print a table: step, µs an event without and with rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--store", choices=["memory", "sqlite"], default="memory")
    given = parser.parse_args()
    tune_collector()
    raw = list(workload.events(given.events))
    runs = [(measure(raw, None), measure(raw, given.store)) for _ in range(given.runs)]
    table = Table("step", "without", "with rules", title="µs of CPU an event (least)")
    for step in runs[0][1]:
        least = [min(run[side].get(step, 0.0) for run in runs) for side in (0, 1)]
        table.add_row(step, *(f"{seconds / given.events * 1e6:.2f}" for seconds in least))
    total = [min(sum(run[side].values()) for run in runs) for side in (0, 1)]
    table.add_row("all", *(f"{seconds / given.events * 1e6:.2f}" for seconds in total))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
