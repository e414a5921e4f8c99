"""A living system on one machine: Kafka, vendors, a contact store, two replicas, Prometheus.

What runs in pods elsewhere are processes here; one that ends is started again, as Kubernetes does.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from consumer.sandbox.server import SandboxServer
from tests.deploy.feeder import Feeder
from tests.deploy.monitored import RULES, quicker
from tests.deploy.prometheus import Prometheus
from tests.support.dispatcher import (
    PATIENCE,
    Dispatcher,
    LiveWorld,
    command,
    replace_file,
    until,
)
from tests.support.kafka import KafkaBroker, broker_factory, free_ports, java, kafka_jars
from tests.support.valkey import ValkeyServer, valkey_factory

PODS = ("surveys-0", "surveys-1")
PURCHASES = {"store": 4, "web": 2, "cafe": 1}
QUICKER = 10
"""The alerts' times are divided by this; what they compare is as in the rules."""

TOKEN = "secrets/pisano-token"
KAFKA_TOOLS = kafka_jars().parent.parent / "kafka-tools" / kafka_jars().name
"""Kafka's commands, which no broker needs."""

_YOUNG = re.compile(r"(process_start_time_seconds < )(\d+)")
"""Of a process that is younger than a window, all that it counted is taken."""


@dataclass
class Room:
    """All parts of a running system, and what the vendors' consoles show (`console`)."""

    home: Path
    kafka: KafkaBroker
    world: LiveWorld
    store: ValkeyServer
    feeder: Feeder
    prometheus: Prometheus
    config: Path
    vendor: SandboxServer
    pods: dict[str, Dispatcher] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    restarts: Counter[str] = field(default_factory=Counter)
    ends: ExitStack = field(default_factory=ExitStack)

    def start_pod(self, name: str, config: Path | None = None) -> Dispatcher:
        """Start a replica, or start it again, at its port and with its log."""
        if name not in self.ports:
            self.ports[name] = free_ports(1)[0]
            self.prometheus.scrape(self.ports[name], "survey-dispatcher")
        log = self.home / "logs" / f"{name}.log"
        port = self.ports[name]
        arguments = ("--from", "earliest", "--instance", name)
        pod = Dispatcher(config or self.config, log, port, *arguments)
        self.ends.callback(pod.close)
        self.pods[name] = pod
        return pod

    def keep_running(self) -> None:
        """Start again what ended, and list what runs."""
        for name in PODS:
            if self.pods[name].ended() is not None:
                self.restarts[name] += 1
                self.start_pod(name)
        lines = [
            f"{name}  pid {self.pods[name].pid}  restarts {self.restarts[name]}" for name in PODS
        ]
        (self.home / "pods.txt").write_text("\n".join(lines) + "\n")

    def vendor_again(self, **settings: Any) -> None:
        """Another double at the same address."""
        self.vendor.stop()
        self.vendor = self.world.start_vendor(**settings)

    def console(self, text: str) -> None:
        """What a vendor's web page shows to its customer."""
        (self.home / "vendor-console.txt").write_text(text + "\n")

    def rewrite(self, change: Callable[[str], str]) -> None:
        """Replace the config in one step."""
        replace_file(self.config, change(self.config.read_text()))

    def settle(self, within: float = PATIENCE) -> None:
        """Wait until each purchase so far has a result."""

        def settled() -> bool:
            results = {result["event_id"] for result in self.world.results()}
            return results >= set(self.feeder.written)

        until("each purchase has a result", settled, within)

    def firing(self) -> list[dict[str, Any]]:
        """The alerts that ring now, as Prometheus has them."""
        return [each for each in self.prometheus.alerts() if each["state"] == "firing"]


@contextmanager
def open_room(home: Path) -> Iterator[Room]:
    """Start all of it in a new folder, and wait until surveys are sent."""
    for folder in ("config/secrets", "logs", "parts"):
        (home / folder).mkdir(parents=True)
    with ExitStack() as stack:
        kafka = stack.enter_context(broker_factory(home / "parts"))()
        store = stack.enter_context(valkey_factory(home / "parts"))()
        world = stack.enter_context(LiveWorld(kafka.bootstrap, home / "parts"))
        world.name = "surveys"
        vendor = world.start_vendor()
        config = _configure(world, store, home / "config" / "routing.yaml")
        world.create_topics(config)
        feeder = stack.enter_context(Feeder(kafka.bootstrap, world.input, PURCHASES))
        prometheus = Prometheus(home / "parts", rules=_quick_rules(home / "parts" / "rules.yaml"))
        stack.enter_context(prometheus)
        room = Room(home, kafka, world, store, feeder, prometheus, config, vendor)
        stack.enter_context(room.ends)
        for name in PODS:
            room.start_pod(name)
        for name in PODS:
            room.pods[name].wait_ready()
        yield room


def _configure(world: LiveWorld, store: ValkeyServer, path: Path) -> Path:
    written = world.configure(
        quota={"limits": ["20/10s"], "linger": "200ms"},
        window={"max_batch": 500, "max_wait": "2s"},
        max_attempts=3,
    )
    document = json.loads(written.read_text())
    token = path.parent / TOKEN
    token.write_text(document["vendors"]["pisano"]["token"])
    document["vendors"]["pisano"]["token"] = f"${{file:{token}}}"
    document["contacts"] = {"store": {"type": "valkey", "url": store.url, "timeout": "5s"}}
    document["contact_rules"] = {"month": {"at_most": 1, "within": "30d"}}
    with path.open("w") as out:
        YAML(typ="safe").dump(document, out)
    return path


def _quick_rules(path: Path) -> Path:
    """The rules with all their times divided."""
    text = quicker(RULES.read_text(), QUICKER)
    path.write_text(_YOUNG.sub(lambda found: f"{found[1]}{int(found[2]) // QUICKER}", text))
    return path


def tool_command(name: str) -> str:
    """The shell line of one of Kafka's tools, or of the program."""
    classes = {
        "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
        "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
        "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-configs.sh": "kafka.admin.ConfigCommand",
    }
    words = java(classes[name], more=KAFKA_TOOLS) if name in classes else command()
    return " ".join(f"'{word}'" for word in words)
