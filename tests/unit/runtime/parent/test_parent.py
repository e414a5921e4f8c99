"""The parent with children that do little, as processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SCRIPT = """
import asyncio, os, signal, socket, sys, time
from consumer.errors import DispatcherError
from consumer.runtime.failures import explain
from consumer.runtime.options import Options
from consumer.runtime.parent.link import Link
from consumer.runtime.parent.parent import HANDLED, Child, Parent
from consumer.observability.logs import logs
from tests.unit.runtime.test_process import process

def child(name, life):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        life()
        os._exit(0)
    theirs.close()
    return Child(name, pid, Link(ours))

def waits():
    time.sleep(60)

def is_deaf():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)

def fails():
    os._exit(4)

logs.set_up()
config = process().config
signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
children = [child(name, eval(life)) for name, life in zip(("router", "sender"), sys.argv[1:])]

async def run():
    parent = Parent(config, Options(), children)
    parent._longest_stop = -0.5 if "is_deaf" in sys.argv else 60
    if "fails" not in sys.argv:
        asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
    await parent.run()

try:
    asyncio.run(run())
except DispatcherError as error:
    sys.exit(explain(error)[1])
"""


def run(*children: str) -> tuple[int, list[dict[str, Any]]]:
    """Run router and sender like this; the exit code and the log."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *children],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert all(line.startswith("{") for line in lines), done.stderr
    return done.returncode, [json.loads(line) for line in lines]


def events(log: list[dict[str, Any]]) -> list[str]:
    return [line["event"] for line in log if line["event"] != "admin_started"]


def test_stop_reaches_both() -> None:
    code, log = run("waits", "waits")
    assert (code, events(log)) == (0, ["processes_started", "stopping"])


def test_child_that_does_not_stop_is_killed() -> None:
    code, log = run("waits", "is_deaf")
    assert code == 1
    assert events(log)[:3] == ["processes_started", "stopping", "stop_hangs"]
    killed = [line["process"] for line in log if line["event"] == "process_killed"]
    assert "sender" in killed


def test_end_of_one_stops_the_other_with_its_exit_code() -> None:
    code, log = run("fails", "waits")
    assert (code, events(log)) == (4, ["processes_started", "stopping"])
