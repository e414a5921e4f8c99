"""What surrounds the release: a Kafka and a double of the vendors on the pods' bridge, purchases.

`JudgedWorld.check` of the support package compares results with the vendor's journal.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.cluster.settings import GATEWAY
from tests.support.dispatcher import LiveWorld, purchases
from tests.support.kafka import broker_factory, free_ports

SECRETS = "/etc/survey-dispatcher/secrets"
TOKENS = {"pisano-token": "sandbox-token", "radar-password": "sandbox-password"}
PSEUDONYM = "not-a-secret-of-the-cluster-check"
PACE = 0.25
"""Seconds between two writes of purchases."""


@dataclass(slots=True)
class ClusterWorld(LiveWorld):
    """An application that pods reach. `channels`: channel → purchases in each `PACE`."""

    channels: dict[str, int] = field(default_factory=lambda: {"store": 20, "cafe": 1})
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def vendor_url(self) -> str:
        """Where the double is, for pods and for this process."""
        return f"http://{GATEWAY}:{self.vendor_port}"

    def document(self, **changes: Any) -> dict[str, Any]:
        """The config of the release; secrets are files. `changes` replace whole sections."""
        document: dict[str, Any] = json.loads(self.configure().read_text())
        document["pseudonym"]["key"] = f"${{file:{SECRETS}/pseudonym}}"
        document["vendors"]["pisano"]["token"] = f"${{file:{SECRETS}/pisano-token}}"
        document["vendors"]["radar"]["password"] = f"${{file:{SECRETS}/radar-password}}"
        for vendor in document["vendors"].values():
            vendor["allow_http"] = True
        document["routes"] = [each for each in document["routes"] if each["name"] in self.channels]
        del document["admin"]
        return document | changes

    def crowd(self, customers: int) -> None:
        """So many purchases of each channel's customers at once."""
        for channel in self.channels:
            self.publish(purchases(channel, (next(self.numbers) for _ in range(customers))))

    def calls(self) -> int:
        """Calls that the vendor has carried out so far."""
        return int(self.vendor()["accepted_calls"])


@contextmanager
def traffic(world: ClusterWorld) -> Iterator[None]:
    """Purchases at a steady pace while the block runs. Its end raises what writing raised."""
    stop = threading.Event()

    def write() -> None:
        while not stop.wait(PACE):
            for channel, customers in world.channels.copy().items():
                numbers = (next(world.numbers) for _ in range(customers))
                world.publish(purchases(channel, numbers))

    with ThreadPoolExecutor(1, "traffic") as pool:
        writing = pool.submit(write)
        try:
            yield
        finally:
            stop.set()
        writing.result()


@contextmanager
def surroundings(home: Path) -> Iterator[ClusterWorld]:
    """Kafka, its input topic and the vendors, once the bridge is there."""
    (port,) = free_ports(1)
    listeners = {
        "listeners": "PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller_port"
        f",PODS://{GATEWAY}:{port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:$port,PODS://{GATEWAY}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PODS:PLAINTEXT",
    }
    with broker_factory(home) as start:
        start(listeners)
        world = ClusterWorld(f"{GATEWAY}:{port}", home, partitions=6)
        with world:
            world.create_input(world.input)
            world.start_vendor(host=GATEWAY, latency={"kind": "fixed", "ms": 50})
            yield world
