"""`python -m benchmarks.quick_start`: how long the quick start takes, command by command.

A clone in a bare environment, `make demo`, `make setup`, then every command of "Your own config" in
order, as it stands there. Only the broker runs already, as a newcomer's own Kafka would.
`--commands` measures the commands alone, with this checkout's environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.dispatcher import until
from tests.support.kafka import broker_factory
from tests.support.newcomer import Newcomer, commands, environment

HERE = Path(__file__).parents[1]
BASH = "/bin/bash"
BARE = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}


def main() -> int:
    """Print each step's seconds."""
    alone = sys.argv[1:] == ["--commands"]
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder) / "kafka") as start:
        home = Path(folder)
        program = HERE / ".venv"
        if not alone:
            with timed("clone"):
                shell(f"git clone -q {HERE} clone", home)
            with timed("make demo (it sets everything up)"):
                shell("make demo", home / "clone")
            with timed("make setup (what developers need)"):
                shell("make setup", home / "clone")
            program = home / "clone" / ".venv"
        follow(home, start().bootstrap, program / "bin" / "survey-dispatcher")
    return 0


def follow(home: Path, bootstrap: str, program: Path) -> None:
    """Carry out the quick start's own commands, and wait for the event's result."""
    newcomer = Newcomer(home, environment(bootstrap), (str(program),))
    try:
        newcomer.follow()
        last = commands()[-1]
        with timed("until the event has its result"):
            until("the result", lambda: "100.0%" in newcomer.again(last))
    finally:
        newcomer.leave()
    for command, seconds in newcomer.seconds.items():
        print(f"{seconds:7.1f} s  {command}", flush=True)
    print(f"{sum(newcomer.seconds.values()):7.1f} s  all commands of one's own config", flush=True)


def shell(script: str, folder: Path) -> str:
    """What it prints. Raises CalledProcessError."""
    done = subprocess.run(
        [BASH, "-ec", script], cwd=folder, env=BARE, capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    done.check_returncode()
    return done.stdout


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Print how long the step took."""
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:7.1f} s  {step}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
