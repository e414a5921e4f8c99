"""The quick start's own commands, run as they stand there by a newcomer with several terminals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dispatcher import until
from tests.support.kafka import free_ports

PAGE = Path(__file__).parents[2] / "docs" / "quick-start.md"
_BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_STAYS = {"sandbox": "export VENDOR_URL", "run": '"event": "lane_taken_over"'}
"""Commands that run until they are ended → what they print once they are ready."""


def commands() -> list[str]:
    """The lines of the quick start's numbered steps."""
    section = PAGE.read_text("utf-8").split("## Your own config")[1].split("\n## ")[0]
    return [line.strip() for block in _BLOCK.findall(section) for line in block.splitlines()]


@dataclass(slots=True)
class Newcomer:
    """Follows the page in a folder. `seconds`: command → how long it took; `said`: what it
    printed."""

    folder: Path
    environment: dict[str, str]
    program: tuple[str, ...] = (sys.executable, "-m", "consumer")
    seconds: dict[str, float] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def follow(self) -> None:
        """Carry out all commands. Raises AssertionError if one fails."""
        (port,) = free_ports(1)
        for command in commands():
            self._carry_out(command.replace("8080", str(port)), command)

    def _carry_out(self, line: str, command: str) -> None:
        first, *words = line.split()
        if first == "cd":
            self.folder /= words[0]
        elif first == "export":
            self.environment |= dict(word.split("=", 1) for word in words)
        else:
            assert first == "survey-dispatcher", f"no command of the program: {command}"
            began = time.monotonic()
            self._start(words, command) if words[0] in _STAYS else self._run(words, command)
            self.seconds[command] = time.monotonic() - began

    def _start(self, words: list[str], command: str) -> None:
        log = self.folder / f"{words[0]}.log"
        with log.open("wb") as out:
            started = subprocess.Popen(
                [*self.program, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=out,
            )
        self.running.append(started)
        ready = _STAYS[words[0]]
        until(f"{command}: {ready}", lambda: self._is_ready(started, log, ready))
        self.said[command] = log.read_text()

    def _is_ready(self, started: subprocess.Popen[bytes], log: Path, ready: str) -> bool:
        assert started.poll() is None, log.read_text()
        return ready in log.read_text()

    def _run(self, words: list[str], command: str) -> None:
        done = subprocess.run(
            [*self.program, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        self.said[command] = done.stdout

    def again(self, command: str) -> str:
        """Carry out a command again; return what it printed."""
        self._run(command.split()[1:], command)
        return self.said[command]

    def leave(self) -> list[int]:
        """End what runs by Ctrl-C; return the exit codes."""
        for started in reversed(self.running):
            started.send_signal(signal.SIGINT)
        return [started.wait(60) for started in reversed(self.running)]


def environment(bootstrap: str) -> dict[str, str]:
    """What a newcomer's shell has, with an admin port of its own."""
    (port,) = free_ports(1)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "KAFKA_BOOTSTRAP": bootstrap, "ADMIN_PORT": str(port)}
