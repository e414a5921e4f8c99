"""How a stage's end ends the process, or not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from importlib import resources

import pytest

from consumer.config.load import load
from consumer.errors import StartPositionError
from consumer.runtime.options import Options
from consumer.runtime.process import Process

WHY = "the log begins beyond the checkpoint"


def process() -> Process:
    text = resources.files("consumer.demo").joinpath("demo.yaml").read_text()
    variables = {
        "DEMO_BOOTSTRAP": "127.0.0.1:1",
        "DEMO_VENDOR": "http://127.0.0.1:1",
        "DEMO_TOKEN": "t",
        "DEMO_PASSWORD": "p",
        "DEMO_CONTACTS": ":memory:",
    }
    return Process(load(text, env=variables), Options())


def unclear() -> None:
    raise StartPositionError(WHY)


async def ended_by(stage: str, session: Callable[[], None] = unclear) -> Process:
    """A process in which this stage ended: its start was unclear, or its session was the last."""
    one = process()
    one._loop = asyncio.get_running_loop()
    await asyncio.to_thread(one._thread, stage, session)
    await asyncio.sleep(0)  # what the thread asked of the loop happens
    return one


def test_a_lane_that_must_not_go_on_stops_alone_and_says_why() -> None:
    """One lane never stops another, nor the router."""
    one = asyncio.run(ended_by("radar"))
    assert not one.services.stop.is_set()
    assert f"group:radar: {WHY}" in one.health.ready()


def test_a_router_that_does_not_know_where_to_begin_ends_the_process() -> None:
    assert asyncio.run(ended_by("router")).services.stop.is_set()


def test_a_lane_that_stopped_is_the_processs_failure_in_the_end() -> None:
    one = asyncio.run(ended_by("radar"))
    with pytest.raises(StartPositionError, match=WHY):
        raise one._failure or AssertionError


def raises(error: BaseException) -> Callable[[], None]:
    def session() -> None:
        raise error

    return session


def test_a_defect_of_one_lane_stops_that_lane_alone_and_says_where() -> None:
    """Whatever it met, it would meet again at every start and in every replica."""
    one = asyncio.run(ended_by("radar", raises(ZeroDivisionError("+905551112233"))))
    assert not one.services.stop.is_set()
    (why,) = (each for each in one.health.ready() if each.startswith("group:radar:"))
    assert "ZeroDivisionError at test_process.py:" in why
    assert "555" not in why
    assert isinstance(one._failure, ZeroDivisionError)


@pytest.mark.parametrize("stage", ["router", "delay"])
def test_a_defect_of_the_router_ends_the_process(stage: str) -> None:
    assert asyncio.run(ended_by(stage, raises(ZeroDivisionError()))).services.stop.is_set()


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(1)])
def test_what_is_no_lanes_own_ends_the_process(error: BaseException) -> None:
    assert asyncio.run(ended_by("radar", raises(error))).services.stop.is_set()


def test_a_lane_that_left_the_config_is_not_reported_as_missing() -> None:
    """Its end is no reason to end the process, and no reason to be unready."""
    one = asyncio.run(ended_by("radar", lambda: None))
    assert not one.services.stop.is_set()
    assert not any("radar" in problem for problem in one.health.ready())
    assert one._failure is None


def test_a_stop_that_hangs_ends_itself_and_says_where() -> None:
    script = """
import threading
from consumer.runtime.process import give_up_after

def waits_for_nobody():
    threading.Event().wait()

give_up_after(0.1)
waits_for_nobody()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "in waits_for_nobody" in done.stderr


def test_a_hang_up_of_a_process_that_cannot_reload_is_an_orderly_stop() -> None:
    """Its config came from standard input: the signal's default action would kill it in a call."""
    script = """
import asyncio, os, signal
from tests.unit.runtime.test_process import process

async def hung_up():
    running = asyncio.create_task(process().run())
    while signal.getsignal(signal.SIGHUP) in (signal.SIG_DFL, signal.SIG_IGN):  # nohup ignores it
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGHUP)
    await running

asyncio.run(hung_up())
print("stopped")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("stopped\n")
