"""The compose file's own commands, as processes on a real Kafka: the system lives."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.deploy.chart import ROOT
from tests.support import local_http
from tests.support.dispatcher import command, until
from tests.support.kafka import StartBroker, create_topics, free_ports, read_topic

DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = YAML(typ="safe").load(DEPLOY / "compose.yaml")["services"]
OF_THE_HOST = ("LISTENER", "QUORUM", "NODE", "ROLES")


@pytest.fixture
def bootstrap(kafka_factory: StartBroker) -> str:
    """A broker with the file's settings, but for its addresses; its input topic as `input` says."""
    settings = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
        if not any(part in name for part in OF_THE_HOST)
    }
    broker = kafka_factory(settings)
    options = dict(
        each.removeprefix("--").split("=") for each in SERVICES["input"]["command"] if "=" in each
    )
    create_topics(broker.bootstrap, options["topic"], partitions=int(options["partitions"]))
    return broker.bootstrap


class Stack:
    """The file's services that are ours, each as a process with the addresses of this machine."""

    def __init__(self, bootstrap: str, home: Path, ends: ExitStack) -> None:
        self.admin = dict(zip(("dispatcher-1", "dispatcher-2"), free_ports(2), strict=True))
        (self.vendor,) = free_ports(1)
        self._ends, self._home = ends, home
        self._addresses = {
            "kafka:9092": bootstrap,
            "sandbox:8080": f"127.0.0.1:{self.vendor}",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what is replaced
            "--port=8080": f"--port={self.vendor}",
            "/etc/survey-dispatcher/config": str(DEPLOY / "compose"),
        }

    def start(self, service: str) -> subprocess.Popen[bytes]:
        """Its command, ended with the test at the latest."""
        arguments = [self._here(each) for each in SERVICES[service]["command"]]
        environment = os.environ | {"SURVEY_DISPATCHER_CONFIG": str(self._config(service))}
        with (self._home / f"{service}.log").open("wb") as log:
            process = subprocess.Popen(
                command(*arguments), env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        self._ends.callback(process.wait)
        self._ends.callback(process.kill)
        return process

    def told(self, service: str) -> str:
        """What it has printed."""
        return (self._home / f"{service}.log").read_text()

    def _config(self, service: str) -> Path:
        text = self._here((DEPLOY / "compose" / "routing.yaml").read_text())
        path = self._home / f"{service}.yaml"
        port = self.admin.get(service, 0)
        path.write_text(f"{text}admin: {{host: 127.0.0.1, port: {port}}}\n")
        return path

    def _here(self, text: str) -> str:
        for name, address in self._addresses.items():
            text = text.replace(name, address)
        return text


@pytest.fixture
def stack(bootstrap: str, tmp_path: Path) -> Iterator[Stack]:
    """Nothing runs yet."""
    with ExitStack() as ends:
        yield Stack(bootstrap, tmp_path, ends)


def test_purchases_become_surveys(stack: Stack, bootstrap: str) -> None:
    """The feeder's purchases end as accepted results, none throttled, both dispatchers ready."""
    assert stack.start("topics").wait(60) == 0, stack.told("topics")
    stack.start("sandbox")
    senders = [stack.start(name) for name in stack.admin]
    feeder = stack.start("feeder")

    def accepted() -> int:
        return sum(
            b'"accepted"' in (r.value() or b"") for r in read_topic(bootstrap, "surveys.results")
        )

    until("results", lambda: accepted() >= 10, within=90)
    for name, port in stack.admin.items():
        url = f"http://127.0.0.1:{port}/readyz"
        until(name, lambda url=url: local_http.get(url).status_code == 200)  # type: ignore[misc]
    seen = local_http.get(f"http://127.0.0.1:{stack.vendor}/_sandbox/summary").json()
    assert seen["throttled"] == 0
    assert feeder.poll() is None, stack.told("feeder")
    for sender in senders:
        sender.terminate()
    assert [sender.wait(70) for sender in senders] == [0, 0]
