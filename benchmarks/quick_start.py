"""`python -m benchmarks.quick_start`: how long the quick start takes, command by command.

A clone in a bare environment, `make demo`, `make setup`, then every command of "Your own config" in
order, as it stands there. Only the broker runs already, as a newcomer's own Kafka would.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support.dispatcher import until
from tests.support.kafka import broker_factory

HERE = Path(__file__).parents[1]
BASH = "/bin/bash"
BARE = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
DEDENT = "   "


def main() -> int:
    """Print each step's seconds."""
    with tempfile.TemporaryDirectory() as folder, broker_factory(Path(folder) / "kafka") as start:
        home = Path(folder)
        with timed("clone"):
            shell(f"git clone -q {HERE} clone", home)
        with timed("make demo (it sets everything up)"):
            shell("make demo", home / "clone")
        with timed("make setup (what developers need)"):
            shell("make setup", home / "clone")
        bootstrap = start().bootstrap
        with ExitStack() as ends:
            follow(home, bootstrap, ends)
    return 0


def follow(home: Path, bootstrap: str, ends: ExitStack) -> None:
    """The quick start's own blocks: config, checks, topics, the two programs, purchases."""
    config, check, topics, run, feed = blocks()
    work = home / "surveys"
    work.mkdir()
    (work / "routing.yaml").write_text(config)
    ready = f". ../clone/.venv/bin/activate; export KAFKA_BOOTSTRAP={bootstrap}\n"
    with timed("secrets, schema, validate"):
        print(shell(ready + check, work).splitlines()[-1])
    with timed("topics"):
        shell(ready + topics, work)
    with timed("sandbox and run, until it may send"):
        log = work / "log"
        with log.open("w") as out:
            running = subprocess.Popen(
                [BASH, "-c", ready + run + "\nwait"],
                cwd=work, env=BARE, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        ends.callback(os.killpg, running.pid, 15)
        until("it reads", lambda: "router_assigned" in log.read_text())
        until("it may send", lambda: "lane_taken_over" in log.read_text())
    with timed("a thousand purchases, until the results are counted"):
        produce, look = feed.strip().split("\n", 1)
        shell(ready + produce, work)
        look = f"{ready}{look} || true"  # nothing is counted yet
        until("72 results", lambda: bool(re.search(r"results_total.* 72\.0", shell(look, work))))


def blocks() -> Iterator[str]:
    """The fenced blocks that stand in the numbered steps."""
    text = (HERE / "docs" / "quick-start.md").read_text().split("## Your own config")[1]
    for indent, _, body in BLOCK.findall(text.split("\n## ")[0]):
        if indent == DEDENT:
            yield re.sub(f"^{DEDENT}", "", body, flags=re.MULTILINE)


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
