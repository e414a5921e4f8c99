"""What is measured: the dispatcher and its peers, each as a command with its environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.throughput import config
from benchmarks.throughput.peers import install
from benchmarks.throughput.scene import PARTITIONS, Scene
from tests.support.dispatcher import command
from tests.support.kafka import create_topics, unique


@dataclass(frozen=True, slots=True)
class Job:
    """One run that can start: topics exist, and no run before has used its names."""

    command: Sequence[str | Path]
    results: str
    """The topic that is looked at."""
    is_right: Callable[[Mapping[str, Any]], bool]
    is_checked: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


Prepare = Callable[[Scene, str, int], Job]
"""(scene, source topic, number of events) → a job."""


def ours(scene: Scene, source: str, _: int) -> Job:
    """The dispatcher, both stages."""
    name = unique("bench")
    return dispatcher(scene, config.document(name, scene.bootstrap, scene.sink, source))


def one_process(scene: Scene, source: str, _: int) -> Job:
    """The dispatcher, both stages in one process."""
    name = unique("bench")
    document = config.document(name, scene.bootstrap, scene.sink, source)
    return dispatcher(scene, document, "--processes", "one")


def router(scene: Scene, document: dict[str, Any]) -> Job:
    """The dispatcher's router alone: its work is done when all invitations are written."""
    job = dispatcher(scene, document, "--role", "router")
    lane = f"{document['application_id']}.invitations.sink"
    return replace(job, results=lane, is_checked=False)


def sender(scene: Scene, document: dict[str, Any]) -> Job:
    """The dispatcher's sender alone, on what the router has written before."""
    return dispatcher(scene, document, "--role", "sender")


def dispatcher(scene: Scene, document: dict[str, Any], *arguments: str) -> Job:
    """Return a job of the dispatcher with any config."""
    path = config.write(scene.folder, document)
    config.create_topics(path)
    options = ("--from", "earliest", "--log-level", "error", *arguments)
    name = document["application_id"]
    return Job(command("run", "-c", path, *options), f"{name}.results", _accepted)


def _accepted(result: Mapping[str, Any]) -> bool:
    return (result.get("status"), result.get("http_status")) == ("accepted", 200)


def plain(scene: Scene, source: str, count: int) -> Job:
    """The plain loop."""
    return _peer(
        [sys.executable, "-m", "benchmarks.throughput.peers.plain_loop"], scene, source, count
    )


def quix(scene: Scene, source: str, count: int) -> Job:
    """Quix Streams."""
    return _peer(install.quix_streams(), scene, source, count)


def parallel(scene: Scene, source: str, count: int) -> Job:
    """Confluent Parallel Consumer."""
    return _peer(install.parallel_consumer(), scene, source, count)


def _peer(words: list[str], scene: Scene, source: str, count: int) -> Job:
    group = unique("bench")
    create_topics(scene.bootstrap, f"{group}-results", partitions=PARTITIONS)
    environment = {
        "KAFKA_BOOTSTRAP": scene.bootstrap,
        "SINK_URL": scene.sink,
        "SOURCE_TOPIC": source,
        "RESULT_TOPIC": f"{group}-results",
        "GROUP": group,
        "EVENTS": str(count),
    }
    return Job(words, f"{group}-results", _is_peers, environment=environment)


def _is_peers(result: Mapping[str, Any]) -> bool:
    found = (result.get("status"), result.get("http"), result.get("campaign"))
    return found == ("accepted", 200, config.CAMPAIGN)


SYSTEMS: Mapping[str, Prepare] = {
    "plain": plain,
    "ours": ours,
    "one": one_process,
    "quix": quix,
    "parallel": parallel,
}
NAMES: Mapping[str, str] = {
    "plain": "plain loop",
    "ours": "dispatcher",
    "one": "dispatcher, one process",
    "quix": "Quix Streams",
    "parallel": "Parallel Consumer",
}


def installable(names: Sequence[str]) -> list[str]:
    """Install the peers among them; leave out what cannot be had, and say so."""
    installs = {"quix": install.quix_streams, "parallel": install.parallel_consumer}
    found = []
    for name in names:
        try:
            if name in installs:
                installs[name]()
            found.append(name)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{NAMES[name]} is left out: {error}", file=sys.stderr)
    return found
