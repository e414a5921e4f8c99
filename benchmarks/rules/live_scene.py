"""What surrounds the year on real Kafka: broker, contact store, vendors' double, two dispatchers.

All of them live by one sleeping clock, and none of them is changed. `kill_sender` ends the lane's
owner while its call has no answer; `lose_store` ends a store that has saved nothing.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from benchmarks.backlog.scene import Double
from benchmarks.rules.sleeping_clock import SleepingClock
from benchmarks.rules.year import CONFIG
from consumer.config import load
from consumer.config.topic_names import Topics
from consumer.kafka import topics as own_topics
from consumer.kafka.clients import admin_client
from tests.support import local_http
from tests.support.dispatcher import Dispatcher, command
from tests.support.kafka import KafkaBroker, create_topics, free_ports
from tests.support.valkey import ValkeyServer

INPUT = "pos.baskets"
LANE = "cloud"
PARTITIONS = 4
BROKER = {
    "log.retention.ms": "-1",
    "offsets.retention.minutes": "2147483647",
    "producer.id.expiration.ms": "2147483647",
    "transactional.id.expiration.ms": "2147483647",
}
"""A year passes in minutes: nothing is thrown away for its age."""

VENDOR = {
    "pisano_token": "t",
    "campaigns": [{"id": "1", "channel": "sms"}, {"id": "2", "channel": "email"}],
    "pisano_quota": {"limits": CONFIG["quotas"]["cloud"]["limits"], "algorithm": "sliding"},
    "latency": {"kind": "fixed", "ms": 20},
}
HANG = {"hang": 1.0}


@dataclass(slots=True)
class LiveScene:
    """The processes. A context manager; `store` is `valkey` or `sqlite`."""

    home: Path
    clock: SleepingClock
    store: str
    senders: int
    kills: int = 0
    store_losses: int = 0
    logs: list[Path] = field(default_factory=list)
    topics: Topics = field(init=False)
    _ends: ExitStack = field(default_factory=ExitStack)
    _broker: KafkaBroker = field(init=False)
    _double: Double = field(init=False)
    _valkey: ValkeyServer = field(init=False)
    _config: Path = field(init=False)
    _producer: Producer = field(init=False)
    _dispatchers: list[Dispatcher] = field(init=False)

    def __enter__(self) -> LiveScene:
        with self.clock.inherited():
            self._broker = KafkaBroker(self.home / "broker", BROKER)
            self._ends.callback(self._broker.close)
            self._broker.start()
            self._double = Double(self.home, settings=VENDOR).start()
            self._ends.callback(self._double.close)
            self._start_store()
        self._config = self._write_config()
        create_topics(self.bootstrap, INPUT, partitions=PARTITIONS)
        loaded = load(self._config, env={"ADMIN_PORT": "0"})
        own_topics.create(admin_client(loaded.kafka), own_topics.own_topics(loaded))
        self.topics = loaded.topics
        self._producer = Producer(
            {"bootstrap.servers": self.bootstrap, "linger.ms": 0, "log_level": 0}
        )
        self._dispatchers = [self._start(number) for number in range(self.senders)]
        for dispatcher in self._dispatchers:
            dispatcher.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return self._broker.bootstrap

    @property
    def journal(self) -> Path:
        """The double's own record: a line for each call, with recipients."""
        return self._double.journal

    def vendor(self) -> dict[str, Any]:
        """The double's totals."""
        return self._double.summary()

    def produce(self, key: bytes, value: bytes) -> None:
        """Write an event to the input, now by the sleeping clock."""
        self._producer.produce(INPUT, value, key, timestamp=int(self.clock.now() * 1000))
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until Kafka has all events."""
        if self._producer.flush(60):
            raise RuntimeError("Kafka does not take the events")

    def hang_calls(self) -> int:
        """Let the double answer no call from now on. Return how many calls it has had."""
        self._set_faults(HANG)
        return self._double.calls()

    def kill_sender(self, before: int, patience: Callable[[], bool]) -> bool:
        """Kill the lane's owner once a call hangs, and start it again. False: no call came."""
        while self._double.calls() == before and patience():
            time.sleep(0.02)
        hung = self._double.calls() > before
        if hung:
            number = self._owner()
            self._dispatchers[number].kill()
            self.kills += 1
        self._set_faults({})
        if hung:
            self._dispatchers[number] = self._start(number)
        return hung

    def lose_store(self) -> None:
        """Kill the store, which has saved nothing, and start it again; SQLite: its process."""
        self.store_losses += 1
        if self.store == "valkey":
            self._valkey.kill()
            with self.clock.inherited():
                self._valkey.start()
        else:
            self._dispatchers[0].terminate()
            for path in self.home.glob("contacts.sqlite*"):
                path.unlink()
            self._dispatchers[0] = self._start(0)

    def stop(self) -> list[int]:
        """Stop the dispatchers in order. Return their exit codes."""
        return [dispatcher.terminate() for dispatcher in self._dispatchers]

    def _owner(self) -> int:
        """Return which dispatcher took the lane over last."""

        def epoch(number: int) -> int:
            taken = self._dispatchers[number].lines("lane_taken_over")
            return max((line["epoch"] for line in taken), default=-1)

        return max(range(self.senders), key=epoch)

    def _set_faults(self, faults: dict[str, float]) -> None:
        url = f"{self._double.url}/_sandbox/faults"
        local_http.post(url, json=faults).raise_for_status()

    def _start_store(self) -> None:
        if self.store == "valkey":
            folder = self.home / "valkey"
            folder.mkdir()
            self._valkey = ValkeyServer(folder, "--save", "")
            self._ends.callback(self._valkey.kill)

    def _start(self, number: int) -> Dispatcher:
        log = self.home / f"dispatcher-{number}-{len(self.logs)}.log"
        self.logs.append(log)
        options = ("--from", "earliest", "--instance", str(number), "--processes", "one")
        port = free_ports(1)[0]
        with self.clock.inherited():
            dispatcher = Dispatcher(self._config, log, port, *options, program=command())
        self._ends.callback(dispatcher.close)
        return dispatcher

    def _write_config(self) -> Path:
        """Write the config of the virtual clock, with the addresses of this scene."""
        document: dict[str, Any] = copy.deepcopy(CONFIG)
        document["kafka"] = {"bootstrap.servers": self.bootstrap, "fetch.wait.max.ms": 20}
        document["vendors"]["pisano"]["base_url"] = self._double.url
        document["quotas"]["cloud"]["linger"] = "100ms"
        document["admin"] = {"host": "127.0.0.1", "port": "${env:ADMIN_PORT}"}
        url = self._valkey.url if self.store == "valkey" else ""
        document["contacts"]["store"] = (
            {"type": "valkey", "url": url}
            if self.store == "valkey"
            else {"type": "sqlite", "path": str(self.home / "contacts.sqlite")}
        )
        path = self.home / "routing.yaml"
        path.write_text(json.dumps(document, indent=2))
        return path
