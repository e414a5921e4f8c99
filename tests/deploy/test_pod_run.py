"""The rendered pod's settings, applied to a real process that does the main job.

The image is built by its Dockerfile; the process has the pod's user, group, arguments,
environment, folders and memory limit, no capability and nothing to write to.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.deploy.chart import render
from tests.support import local_http
from tests.support.dispatcher import LiveWorld, purchases, until
from tests.support.image import Image
from tests.support.kafka import KafkaBroker, free_ports
from tests.support.pod import Pod, memory_limit, peak, status

pytestmark = pytest.mark.timeout(900)  # the build fetches what the program depends on
CUSTOMERS = 20_000
CONFIG, SECRETS = "/etc/survey-dispatcher/config", "/etc/survey-dispatcher/secrets"


@pytest.fixture
def world(kafka: KafkaBroker, tmp_path: Path) -> Iterator[LiveWorld]:
    """An application of its own on the session's broker."""
    with LiveWorld(kafka.bootstrap, tmp_path) as world:
        yield world


def rendered_pod(world: LiveWorld, image: Image, port: int) -> Pod:
    """The chart's pod for this world's config; one token is in the pod's Secret."""
    path = world.configure(quota={"call_timeout": "5s"})
    document = json.loads(path.read_text())
    document["admin"] = {"port": port}
    token = document["vendors"]["pisano"]["token"]
    document["vendors"]["pisano"]["token"] = f"${{file:{SECRETS}/pisano-token}}"
    text = json.dumps(document)
    options = f"--set-json=config={json.dumps(text)}", "--set=begin=earliest"
    rendered = render("minimal", *options)
    spec = dict(rendered.pods())["StatefulSet/surveys-survey-dispatcher"]
    routing = rendered.configs()["surveys-survey-dispatcher-config"]
    files = {CONFIG: {"routing.yaml": routing}, SECRETS: {"pisano-token": token}}
    home = world.home / "pod"
    home.mkdir()
    return Pod(image, spec, home, files, name="surveys-survey-dispatcher-0")


def identity(pid: int) -> dict[str, str]:
    """A process's user, and what it may."""
    told = status(pid)
    return {
        name: told[name].split()[0] for name in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs")
    }


def says_ok(url: str) -> bool:
    """Whether a probe would be content."""
    try:
        return local_http.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def wait_ready(pod: Pod, process: subprocess.Popen[bytes], log: Path) -> None:
    """By the pod's own probes."""
    container = pod.container
    base = f"http://127.0.0.1:{container['ports'][0]['containerPort']}"
    asked = [
        base + container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("liveness", "readiness")
    ]
    for url in asked:
        until(url, lambda url=url: process.poll() is not None or says_ok(url))  # type: ignore[misc]
    assert process.poll() is None, log.read_text()


def test_the_pod_does_the_main_job(world: LiveWorld, image: Image) -> None:
    """One result each under its memory limit; SIGTERM ends it cleanly within its grace period."""
    (port,) = free_ports(1)
    pod = rendered_pod(world, image, port)
    world.create_topics(world.home / "routing.yaml")
    world.start_vendor(latency={"kind": "fixed", "ms": 50})
    log = world.home / "pod.log"
    with memory_limit(pod.memory) as group:
        process = pod.start(group, log)
        try:
            wait_ready(pod, process, log)
            first = pod.first_process(group)
            assert identity(first) == {
                "Uid": "10001",
                "Gid": "10001",
                "CapEff": "0" * 16,
                "CapBnd": "0" * 16,
                "NoNewPrivs": "1",
            }
            environment = Path(f"/proc/{first}/environ").read_bytes().split(b"\0")
            assert b"SURVEY_DISPATCHER_INSTANCE=surveys-survey-dispatcher-0" in environment
            world.publish(purchases("store", range(CUSTOMERS)))
            world.publish(purchases("cafe", range(500)))
            world.wait_results(CUSTOMERS + 500)
            os.kill(first, signal.SIGTERM)
            code = process.wait(pod.spec["terminationGracePeriodSeconds"])
        finally:
            process.kill()
            process.wait()
        assert peak(group) < pod.memory
    assert code == 0, log.read_text()[-3000:]
    world.check()


def test_what_needs_more_than_the_limit_is_killed(world: LiveWorld, image: Image) -> None:
    """The limit of the test above is a limit."""
    pod = rendered_pod(world, image, 9464)
    greedy = Image(image.root, {**image.config, "Entrypoint": ["python3", "-c"]})
    container = {**pod.container, "args": [f"x = bytearray({pod.memory})"]}
    other = replace(pod, image=greedy, spec={**pod.spec, "containers": [container]})
    with memory_limit(pod.memory) as group:
        assert other.start(group, world.home / "greedy.log").wait(60) != 0
        assert peak(group) > pod.memory * 0.9
