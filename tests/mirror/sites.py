"""Two clusters with one application, a feeder of the one in use, and what the vendor took."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from tests.support.dispatcher import Dispatcher, Event, LiveWorld, command, purchases, until
from tests.support.kafka import KafkaBroker, free_ports, read_topic, unique
from tests.support.mirror_maker import MirrorMaker

DELAY = 45.0
"""Seconds of the delay of each second customer's route."""

STEP = 0.2
"""Seconds between two transactions of the feeder."""


@dataclass(slots=True)
class Site:
    """A cluster, and the application's config for it."""

    name: str
    broker: KafkaBroker
    config: Path


class Feeder:
    """A thread that writes events in transactions, whose markers take offsets: so those of a mirror
    differ. `fed`: number of an event → when its transaction was committed."""

    def __init__(self, world: LiveWorld, rate: float) -> None:
        self._world, self._each = world, max(1, round(rate * STEP))
        self._bootstrap = world.bootstrap
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._next = 0
        self.fed: dict[int, float] = {}

    def start(self) -> None:
        """Feed from now on."""
        self._thread.start()

    def continue_after(self, former: Feeder) -> None:
        """Begin with the number that another feeder would have written next."""
        self._next = former._next

    def switch(self, bootstrap: str) -> None:
        """Write to another cluster from the next transaction on."""
        self._bootstrap = bootstrap

    def stop(self) -> None:
        """Feed no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        at, producer = "", Producer({"bootstrap.servers": self._bootstrap})
        while not self._stop.wait(STEP):
            try:
                if at != self._bootstrap:
                    at = self._bootstrap
                    producer = _producer(at)
                self._write(producer)
            except KafkaException:  # the cluster is gone: the same events go to the next one
                at = ""

    def _write(self, producer: Producer) -> None:
        numbers = range(self._next, self._next + self._each)
        producer.begin_transaction()
        for event in events(numbers):
            producer.produce(self._world.input, event.value, event.id)
        producer.commit_transaction(5)
        self.fed |= dict.fromkeys(numbers, time.time())
        self._next = numbers.stop


def _producer(bootstrap: str) -> Producer:
    settings = {
        "bootstrap.servers": bootstrap,
        "transactional.id": unique("feeder"),
        "log_level": 0,
    }
    made = Producer({**settings, "transaction.timeout.ms": 5000})
    made.init_transactions(5)
    return made


def events(numbers: Sequence[int]) -> list[Event]:
    """Purchases: even numbers by SMS, odd ones by e-mail, which the policy delays."""
    return [purchases("web" if n % 2 else "store", [n])[0] for n in numbers]


def number_of(event_id: str) -> int:
    """Return an event's number."""
    return int(event_id.rpartition("-")[2])


@dataclass(slots=True)
class Sites:
    """The application at both sites. A context manager ends what it started."""

    world: LiveWorld
    home: Path
    begun: ExitStack = field(default_factory=ExitStack)

    def site(self, name: str, broker: KafkaBroker) -> Site:
        """Write the config for a cluster; a lane sends at most 400 customers a second."""
        self.world.bootstrap = broker.bootstrap
        window = {"max_batch": 100}
        limits = {"limits": ["20/1s"], "linger": "1s"}
        document = json.loads(self.world.configure(quota=limits, window=window).read_text())
        for route in document["routes"]:
            if route["name"] == "web":
                route["policy"] = {"delay": f"{DELAY:g}s"}
        path = self.home / f"{name}.yaml"
        path.write_text(json.dumps(document, indent=2))
        return Site(name, broker, path)

    def operate(self, site: Site, *words: str) -> str:
        """Run an operator's command at a site; return what it says."""
        arguments = command(*words, "-c", str(site.config))
        done = subprocess.run(
            arguments,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "ADMIN_PORT": "0"},
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def run(self, site: Site, begin: str | None, *more: str) -> Dispatcher:
        """Run the dispatcher at a site until it is ready."""
        log, port = self.home / f"{unique(site.name)}.log", free_ports(1)[0]
        first = ("--from", begin) if begin else ()
        running = Dispatcher(site.config, log, port, *first, "--instance", "0", *more)
        self.begun.callback(running.close)
        return running.wait_ready()

    def mirror(self, source: Site, target: Site, *topics: str) -> MirrorMaker:
        """Start MirrorMaker between the sites."""
        home = self.home / unique("mirror-maker")
        made = MirrorMaker(home, source.broker.bootstrap, target.broker.bootstrap, topics)
        self.begun.callback(made.close)
        return made

    def listed_twice(self, site: Site, since: str) -> set[int]:
        """Return the events that `results export` shows as accepted more than once."""
        file = self.home / f"{unique('accepted')}.jsonl"
        self.operate(site, "results", "export", str(file), "--status", "accepted", "--since", since)
        rows = Counter(json.loads(line)["event_id"] for line in file.read_text().splitlines())
        return {number_of(name) for name, times in rows.items() if times > 1}

    def accepted(self) -> Counter[int]:
        """Number of an event → how often the vendor took its customer."""
        taken: Counter[int] = Counter()
        for (_, recipient), times in self._journal().items():
            digits = recipient.removeprefix("customer").partition("@")[0]
            taken[int(digits[-7:])] += times
        return taken

    def _journal(self) -> Counter[tuple[str, str]]:
        while True:
            with suppress(RuntimeError):  # the double's thread has added a customer meanwhile
                return self.world.accepted()


def read_numbers(site: Site, topic: str) -> Counter[int]:
    """Return the events of a topic of inputs or results: number → records."""
    return Counter(
        number_of(event_id(record)) for record in read_topic(site.broker.bootstrap, topic)
    )


def result_ids(site: Site, topic: str) -> set[str]:
    """Return the ids of invitations that have a result."""
    records = read_topic(site.broker.bootstrap, topic)
    return {json.loads(record.value() or b"")["id"] for record in records}


def event_id(record: Message) -> str:
    """Return the event's id in a record of inputs or results."""
    document: dict[str, Any] = json.loads(record.value() or b"")
    return str(document.get("event_id") or document["id"])


def size(site: Site, topic: str) -> int:
    """Return how many records a topic has; 0 while it does not exist."""
    with suppress(KeyError, KafkaException):
        return len(read_topic(site.broker.bootstrap, topic))
    return 0


def wait_for_mirror(source: Site, target: Site, *topics: str) -> None:
    """Until the target has as many records of each topic as the source."""
    for topic in topics:
        _wait_for_size(target, topic, size(source, topic))


def _wait_for_size(site: Site, topic: str, wanted: int) -> None:
    until(f"{topic} has {wanted} records", lambda: size(site, topic) >= wanted)


def delete_topics(site: Site) -> None:
    """Delete all topics of a cluster, as if its disks were new; groups go with their topics."""
    admin = AdminClient({"bootstrap.servers": site.broker.bootstrap})
    names = [name for name in admin.list_topics(timeout=30).topics if not name.startswith("__")]
    for done in admin.delete_topics(names).values():
        done.result(60)
    until("they are gone", lambda: not set(admin.list_topics(timeout=30).topics) & set(names))
