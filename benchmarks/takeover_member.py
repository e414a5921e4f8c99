"""A replica for `benchmarks.takeover`: memberships in many groups, and nothing else.

    python -m benchmarks.takeover_member <spec.json>

The spec: `{"stagger": seconds, "groups": {group: {"topic": name, "settings": {…}}}}`. Each group
has a client and a thread of its own, as a lane has. Every callback is a JSON line on stdout: `at`
(seconds of the machine's monotonic clock, comparable between processes), `group`, `event`
(`assigned`, `revoked`, `lost` or `error …`). SIGTERM closes every client in its thread.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

REJOIN_AFTER = 1.0
"""Seconds after a fatal error, as the program waits before its next session."""

stopping = threading.Event()


class Membership:
    """One group: joined until told to stop, and again after a fatal error."""

    def __init__(self, group: str, topic: str, settings: dict[str, Any]) -> None:
        self._group = group
        self._topic = topic
        self._broken = threading.Event()
        self._settings = {**settings, "group.id": group, "error_cb": self._failed}

    def run(self, delay: float) -> None:
        """Wait `delay` seconds, then be a member until the process stops."""
        stopping.wait(delay)
        while not stopping.is_set():
            self._broken.clear()
            self._session()
            if not stopping.is_set():
                stopping.wait(REJOIN_AFTER)

    def _session(self) -> None:
        client = Consumer(self._settings)
        client.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        while not stopping.is_set() and not self._broken.is_set():
            try:
                message = client.poll(0.1)
            except KafkaException as error:
                self._failed(error.args[0])
                break
            if message is not None and (problem := message.error()) is not None:
                self._failed(problem)
        client.close()

    def _assigned(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        client.incremental_assign(partitions)
        self._say("assigned", partitions)

    def _revoked(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        client.incremental_unassign(partitions)
        self._say("revoked", partitions)

    def _lost(self, client: Consumer, partitions: list[TopicPartition]) -> None:
        client.incremental_unassign(partitions)
        self._say("lost", partitions)

    def _failed(self, error: KafkaError) -> None:
        self._say(f"error {error.name()}", [None])
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - public by use
            self._broken.set()

    def _say(self, event: str, about: list[Any]) -> None:
        """One write, so that neither threads nor a kill tear a line. Empty assignments are none."""
        if about:
            line = {"at": time.monotonic(), "group": self._group, "event": event}
            os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Join all groups, each after its own part of the stagger, and stay until SIGTERM."""
    spec = json.loads(Path(sys.argv[1]).read_text())
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threads = [
        threading.Thread(
            target=Membership(group, each["topic"], each["settings"]).run,
            args=(random.uniform(0, spec["stagger"]),),
        )
        for group, each in spec["groups"].items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
