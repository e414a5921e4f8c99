"""A clock that several processes share and that can jump, as that of a machine that slept.

`sleeping_clock.c` is compiled (gcc) and preloaded into each process: Kafka, the contact store, the
vendors' double and the dispatchers, none of which is changed. To all of them a jump is a sleep of
the machine: the wall clock and CLOCK_BOOTTIME jump together, CLOCK_MONOTONIC does not, so that no
timeout of a connection passes. This process keeps the real clock, and asks `now` for the other one.
"""

from __future__ import annotations

import mmap
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
NANOSECONDS = 1_000_000_000
SLEPT_AT = 8


class SleepingClock:
    """The virtual clock; it runs as the real one does, and jumps by `sleep_until`."""

    def __init__(self, folder: Path, start: float) -> None:
        self._library = folder / "sleeping_clock.so"
        self._file = folder / "clock"
        command = ["gcc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE)]
        subprocess.run(command, check=True)
        self._epoch = int((start - time.time()) * NANOSECONDS)
        self._file.write_bytes(struct.pack("=qq", self._epoch, 0))
        with self._file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), 2 * SLEPT_AT)

    @property
    def _slept(self) -> int:
        return int(struct.unpack_from("=q", self._shared, SLEPT_AT)[0])

    def now(self) -> float:
        """Return virtual epoch seconds."""
        return time.time() + (self._epoch + self._slept) / NANOSECONDS

    def sleep_until(self, when: float) -> None:
        """Jump forward to a moment; one that is past is kept."""
        seconds = max(0.0, when - self.now())
        slept = self._slept + int(seconds * NANOSECONDS)
        struct.pack_into("=q", self._shared, SLEPT_AT, slept)

    @property
    def environment(self) -> dict[str, str]:
        """What gives a process this clock."""
        return {"LD_PRELOAD": str(self._library), "SLEEPING_CLOCK": str(self._file)}

    @contextmanager
    def inherited(self) -> Iterator[None]:
        """Give this clock to processes that are started in the block; this one keeps its own."""
        before = {name: os.environ.get(name) for name in self.environment}
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value
