"""Contact rules over a large store: `python -m benchmarks.contacts`.

Every person has two identities and one contact of before, under both. A batch asks for random
persons under three rules, is sealed and settled, as a lane and the view do it, through the real
book and store. Figures: seconds of a batch of each step (median and 99th of 100, of `--batches`)
and CPU seconds of its median, without the server's; bytes kept for a person, on disk (SQLite) or in
the server's memory (Valkey).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import tempfile
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console
from rich.table import Table

from consumer.contacts.book import ContactBook
from consumer.contacts.sqlite import SqliteStore
from consumer.contacts.store import ABSENT, ContactStore
from consumer.contacts.transaction import history_key
from consumer.contacts.valkey import ValkeyStore
from consumer.policy.contacts.contact_rule import ContactRule, Selector
from consumer.policy.contacts.history import (
    Contact,
    ContactState,
    Facts,
    HistoryRecord,
    encode_record,
)
from consumer.policy.contacts.request import Request, Verdict
from consumer.policy.contacts.settling import Settled
from consumer.policy.contacts.table import ContactRules
from tests.support.valkey import valkey_factory

DAY = 86_400.0
BATCH = 5_000
FACTS = Facts("store-purchase", "purchase-sms", "sms", "pisano", ("nps", "store"))
RULES = ContactRules(
    [
        ContactRule("everyone", 1, within=30 * DAY),
        ContactRule("year", 4, calendar="year", timezone="Europe/Istanbul"),
        ContactRule("nps", 1, within=90 * DAY, counts=Selector(tags=frozenset(["other"]))),
    ],
    keep=400 * DAY,
)
RESULTS = ("results", 0)
STORES = ("sqlite", "valkey")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, and a JSON line for each store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    given = parser.parse_args(arguments)
    table = Table("store", "step", "p50 s", "p99 s", "CPU s", "bytes a person", "filled in s")
    for name in given.stores:
        with opened(name) as (store, size):
            empty, start = size(), time.perf_counter()
            fill(store, given.persons)
            filled = time.perf_counter() - start
            kept = (size() - empty) / given.persons
            for step, times in measure(store, given.persons, given.batches).items():
                row = {
                    "p50": median(times.wall),
                    "p99": quantiles(times.wall, n=100)[98],
                    "cpu": median(times.cpu),
                    "bytes": kept,
                    "filled": filled,
                }
                print(json.dumps({"store": name, "step": step, **row}), flush=True)
                table.add_row(name, step, *(f"{figure:.3g}" for figure in row.values()))
    Console().print(table)


@contextmanager
def opened(name: str) -> Iterator[tuple[ContactStore, Callable[[], int]]]:
    """Open an empty store; yield it and what tells how many bytes it takes."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "sqlite":
            path = Path(folder) / "contacts.sqlite"
            with closing(SqliteStore(path, time.time)) as store:
                yield store, lambda: sum(file.stat().st_size for file in path.parent.iterdir())
            return
        with valkey_factory(Path(folder)) as start:
            server = start()
            with closing(ValkeyStore(server.url, "bench", timeout=60.0, grace=0.0)) as valkey:
                yield valkey, lambda: int(server.client.info("memory")["used_memory"])


def person(number: int) -> tuple[str, str]:
    """Return two pseudonyms, as long and as scattered as real ones."""
    digest = hashlib.blake2b(str(number).encode()).digest()
    first, second = (urlsafe_b64encode(half)[:43].decode() for half in (digest[:32], digest[32:]))
    return f"k1:{first}", f"k1:{second}"


def fill(store: ContactStore, persons: int) -> None:
    """Write one contact of before for every person, in the order of the keys: a file's tree grows
    at its end then, and ten million persons take minutes instead of hours."""
    draw = random.Random(1)
    reading = store.read(["none"])
    keys = sorted(f"{name} {number}" for number in range(persons) for name in person(number))
    for start in range(0, len(keys), 2_000):
        values: dict[str, bytes | None] = {}
        for key in keys[start : start + 2_000]:
            name, _, number = key.partition(" ")
            sent_at = reading.now - draw.uniform(0, 60 * DAY)
            contact = Contact(f"{int(number):032x}", ContactState.SENT, sent_at, FACTS)
            values[history_key(name)] = encode_record(HistoryRecord([contact]))
        assert store.write(reading.generation, dict.fromkeys(values, ABSENT), values)


@dataclass
class Times:
    """Seconds of each batch."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @contextmanager
    def one(self) -> Iterator[None]:
        """Measure a batch."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


def measure(store: ContactStore, persons: int, batches: int) -> dict[str, Times]:
    """Return seconds of each batch by step."""
    book = ContactBook(store, RULES)
    book.recovery([])
    assert book.finish_recovery([], {})
    draw = random.Random(2)
    steps = {step: Times() for step in ("reserve", "seal", "settle")}
    for batch in range(batches):
        now = time.time()
        requests = [
            Request(f"{batch:016x}{number:016x}", person(draw.randrange(persons)), now, FACTS)
            for number in range(BATCH)
        ]
        with steps["reserve"].one():
            decisions = book.reserve(requests)
        granted = [
            request
            for request, decision in zip(requests, decisions, strict=True)
            if decision.verdict is Verdict.GRANTED
        ]
        with steps["seal"].one():
            book.seal([request.id for request in granted])
        settled = [Settled(request, "sent", now) for request in granted]
        with steps["settle"].one():
            book.settle(settled, {RESULTS: (batch + 1) * BATCH}, {RESULTS: batch * BATCH})
    return steps


if __name__ == "__main__":
    main()
