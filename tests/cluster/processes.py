"""Processes of the cluster on this machine, with a log each, and what a killed run has left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.support.dispatcher import until


class Processes:
    """What runs for one home; the kernel ends it with this process at the latest."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str | Path) -> None:
        """Run a program whose log is `<name>.log`."""
        tether = ["setpriv", "--pdeathsig", "KILL"]
        with (self._home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [*tether, *map(str, command)],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._home,
            )

    def check(self) -> None:
        """Raise RuntimeError with the end of its log where one has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                tail = (self._home / f"{name}.log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"{name} ended with {process.returncode}:\n{tail}")

    def stop(self) -> None:
        """End all in the reverse order, by force what does not end."""
        for process in reversed(self._running.values()):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def sweep(home: Path) -> None:
    """End what a run in this home has left: containers' shims and all below them. Logs stay.

    They are told by the home in their command line, so nothing else is touched.
    """
    for shim in _mentioning(home):
        for pid in [*_below(shim), shim]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    until("containers ended", lambda: not list(_mentioning(home)), within=60)
    mounted = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for path in sorted((each for each in mounted if each.startswith(f"{home}/")), reverse=True):
        subprocess.run(["umount", "--lazy", path], check=False)
    for folder in (each for each in home.glob("*") if each.is_dir() and each.name != "logs"):
        shutil.rmtree(folder, ignore_errors=True)


def _mentioning(home: Path) -> Iterator[int]:
    for pid, words in _processes():
        if pid != os.getpid() and any(word.startswith(f"{home}/") for word in words[1:]):
            yield pid


def _processes() -> Iterator[tuple[int, list[str]]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                yield int(folder.name), (folder / "cmdline").read_text().split("\0")


def _below(pid: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(each) for each in told.split()]
    return [found for child in children for found in (*_below(child), child)]
