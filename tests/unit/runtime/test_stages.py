"""Threads that come and go with the config."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from consumer.runtime.supervisor import StageThreads


def life(_name: str, session: Callable[[], None]) -> None:
    session()


def test_a_lane_that_comes_back_waits_for_the_end_of_the_one_that_left() -> None:
    """Two threads of one lane would fence each other."""

    async def run() -> None:
        stages, said, go = StageThreads(life), [], threading.Event()

        def first() -> None:
            go.wait(60.0)
            said.append("first")

        leaving = stages.start("radar", first)
        back = stages.start("radar", lambda: said.append("second"))
        await asyncio.sleep(0)
        assert not leaving.done()
        go.set()
        await asyncio.wait_for(stages.ended_threads(), 60.0)
        assert said == ["first", "second"]
        assert leaving.done()
        assert back.done()

    asyncio.run(run())


def test_a_thread_that_is_started_while_the_last_one_ends_is_waited_for_too() -> None:
    async def run() -> None:
        stages, said = StageThreads(life), []
        first = stages.start("radar", lambda: None)
        first.add_done_callback(lambda _: stages.start("cloud", lambda: said.append("cloud")))
        await asyncio.wait_for(stages.ended_threads(), 60.0)
        assert said == ["cloud"]

    asyncio.run(run())
