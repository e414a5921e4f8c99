"""A Valkey or Redis server for tests, on a free port and with a folder of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from valkey import Valkey
from valkey.exceptions import ValkeyError

from tests.support.kafka import free_ports

PROGRAMS = ("valkey-server", "redis-server")
PATIENCE = 30.0


class ValkeyServer:
    """One server process; `restart` keeps port and folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        (self.port,) = free_ports(1)
        self._folder = folder
        self._options = options
        self.start()

    @property
    def url(self) -> str:
        """How a store reaches it."""
        return f"valkey://127.0.0.1:{self.port}"

    @property
    def client(self) -> Any:
        """A plain client."""
        return Valkey(port=self.port, socket_timeout=PATIENCE)

    def start(self) -> None:
        """Start, and wait until it answers."""
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        assert program is not None, "there is no Valkey or Redis server: run `make valkey`"
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen([program, *place, *self._options], stdout=log)
        end = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "server.log").read_text()
            assert time.monotonic() < end, "the Valkey server does not answer"

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except ValkeyError:
            time.sleep(0.01)
            return False

    def stop(self) -> None:
        """Stop as an operator does."""
        self._process.terminate()
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill: what was not saved is gone."""
        self._process.kill()
        self._process.wait(PATIENCE)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it answer nothing for a while."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


StartValkey = Callable[..., ValkeyServer]


@contextmanager
def valkey_factory(folder: Path) -> Iterator[StartValkey]:
    """Start servers, each with options of its own, and stop them at the end."""
    started: list[ValkeyServer] = []

    def start(*options: str) -> ValkeyServer:
        home = Path(tempfile.mkdtemp(dir=folder))
        started.append(ValkeyServer(home, "--save", "", *options))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.kill()
