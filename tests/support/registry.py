"""A real schema registry for tests: Apicurio Registry, with Confluent's API, in memory.

`make registry` fetches it once into `.cache/registry/<version>/`. It forgets its schemas when it
ends, and gives ids from 1 on. It dies with the process that started it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tenacity import Retrying, stop_after_delay, wait_fixed

from tests.support import local_http
from tests.support.kafka import HERE, JVM_OPTIONS, READY_WITHIN

VERSION = "2.6.13.Final"
CACHE = HERE.parent.parent / ".cache" / "registry"


class SchemaServer:
    """A running registry: `url` is that of its API."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = url_of(port)
        self._process = process

    def register(self, subject: str, schema: Any) -> int:
        """Register an Avro schema; return its id."""
        return self._register(subject, {"schema": json.dumps(schema)})

    def register_proto(self, subject: str, text: str, **references: str) -> int:
        """Register the text of a .proto file, as Java's serialisers do; return its id.

        `references`: subject → the path by which the text imports its first version.
        """
        used = [{"name": path, "subject": name, "version": 1} for name, path in references.items()]
        body = {"schema": text, "schemaType": "PROTOBUF", "references": used}
        return self._register(subject, body)

    def _register(self, subject: str, body: Any) -> int:
        answer = local_http.post(f"{self.url}/subjects/{subject}/versions", json=body)
        return int(answer.raise_for_status().json()["id"])

    def pause(self) -> None:
        """Freeze the registry: connections are accepted, and nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused registry go on."""
        self._process.send_signal(signal.SIGCONT)

    def wait_ready(self) -> None:
        """Wait until it answers."""
        retrying = Retrying(stop=stop_after_delay(READY_WITHIN), wait=wait_fixed(0.1), reraise=True)
        retrying(self._check_ready)

    def _check_ready(self) -> None:
        assert self._process.poll() is None, "the registry has ended"
        local_http.get(f"{self.url}/subjects").raise_for_status()


def url_of(port: int) -> str:
    """Return the address of a registry's API, also of one that does not run yet."""
    return f"http://127.0.0.1:{port}/apis/ccompat/v7"


@contextmanager
def schema_server(port: int, log: Path) -> Iterator[SchemaServer]:
    """Run a registry, and end it."""
    tether = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    command = [*tether, "java", *JVM_OPTIONS, "-jar", str(_jar())]
    own = {"QUARKUS_HTTP_HOST": "127.0.0.1", "QUARKUS_HTTP_PORT": str(port)}
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **own}
        )
    try:
        server = SchemaServer(port, process)
        server.wait_ready()
        yield server
    finally:
        process.kill()
        process.wait()


def _jar() -> Path:
    found = CACHE / VERSION / f"apicurio-registry-app-{VERSION}-runner.jar"
    assert found.exists(), "the tests' schema registry is not here: run `make registry`"
    return found
